"""ASD-POCS: sweeps of ordered subsets towards the data, with steps down the total variation between them.

Least total variation among the volumes that fit the data to a tolerance. The steps adapt, so that smoothing never
outruns the data (Sidky and Pan, Phys. Med. Biol. 53, 2008).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.kernels.float64_sums import squared_distance
from solver.tomography.problem import Problem
from solver.tomography.sart import SubsetSweep, relaxation
from solver.tomography.subsets import Order
from solver.tomography.total_variation import TotalVariation


@dataclass(frozen=True, slots=True)
class AsdPocs:
    """The paper's parameters; steps down start much shorter than there, since a first sweep from 0 moves everything."""

    iterations: int = 50
    data_tolerance: float = 0.0
    """Length of b - A x relative to b that noise explains: at or below it smoothing is no longer held back."""
    views_per_subset: int | None = 1
    relaxation: float = 1.0
    relaxation_decay: float = 0.995
    descent_steps: int = 20
    descent_share: float = 0.002
    """First length of a step down, relative to what the first sweep moved."""
    descent_decay: float = 0.95
    """By which the length falls when smoothing moved the volume more than `descent_limit` times the sweep."""
    descent_limit: float = 0.95
    order: Order = "golden"
    seed: int = 0

    def run(self, problem: Problem, volume: NDArray[np.float32]) -> Iterator[float]:
        """See `Method.run`; residuals are those met by the sweep."""
        sweep = SubsetSweep(problem, self.views_per_subset, self.order, self.seed, self.iterations)
        variation = TotalVariation(problem)
        tolerated = self.data_tolerance * problem.measured_length()
        before = np.empty_like(volume)
        partial = np.empty(volume.size // 4096 + 1)
        flat, flat_before = volume.reshape(-1), before.reshape(-1)
        inside = problem.mask != 0
        distance = 0.0
        for n in range(self.iterations):
            before[:] = volume
            residual = sweep(volume, relaxation(self.relaxation, self.relaxation_decay, n))
            moved = np.sqrt(squared_distance(flat, flat_before, partial))
            if n == 0:
                distance = self.descent_share * moved
            before[:] = volume
            smallest = 1e-4 * float(max(volume.max(), -volume.min())) + 1e-30
            for _ in range(self.descent_steps):
                variation.descend(volume, distance, smallest)
            np.clip(volume, *problem.limits, out=volume, where=inside)
            smoothed = np.sqrt(squared_distance(flat, flat_before, partial))
            if smoothed > self.descent_limit * moved and residual > tolerated:
                distance *= self.descent_decay
            yield residual
