"""SART, OS-SART and SIRT: one correction of the volume from each subset of views in turn.

x += lambda_n V_s^-1 A_s^T W_s (b_s - A_s x), W the reciprocal lengths of the rays in the volume (times their weights),
V_s what arrives at each voxel from rays of 1: each voxel moves by the mean of what its rays ask for. One view a subset
is SART (Andersen and Kak, Ultrasonic Imaging 6, 1984), all at once SIRT (Gregor and Benson, IEEE TMI 27, 2008), between
them OS-SART (Wang and Jiang, J. X-Ray Sci. Technol. 12, 2004).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import UsageError
from solver.kernels.cone_beams import TASKS
from solver.kernels.subset_correction import correct_voxels, weigh_residuals
from solver.tomography.problem import Problem
from solver.tomography.subsets import Order, turns, view_subsets

SUMS_LIMIT_BYTES = 1 << 29
"""The sums of weights at the voxels are kept for all subsets up to this, and computed anew each time beyond it."""


@dataclass(frozen=True, slots=True)
class OsSart:
    """Ordered subsets of `views_per_subset` views each."""

    iterations: int = 10
    """Times that every view takes its turn."""
    views_per_subset: int | None = 10
    """None: all."""
    relaxation: float = 1.0
    """lambda of the first iteration, above 0 and below 2."""
    relaxation_decay: float = 1.0
    """lambda_n = relaxation * relaxation_decay ** n."""
    order: Order = "golden"
    seed: int = 0
    """Of the random order."""

    def run(self, problem: Problem, volume: NDArray[np.float32]) -> Iterator[float]:
        """See `Method.run`; the residual of each view is that just before its correction."""
        sweep = SubsetSweep(problem, self.views_per_subset, self.order, self.seed, self.iterations)
        for n in range(self.iterations):
            yield sweep(volume, relaxation(self.relaxation, self.relaxation_decay, n))


def Sart(
    iterations: int = 10, relaxation: float = 1.0, relaxation_decay: float = 1.0, order: Order = "golden", seed: int = 0
) -> OsSart:
    """SART: every view by itself."""
    return OsSart(iterations, 1, relaxation, relaxation_decay, order, seed)


def Sirt(iterations: int = 100, relaxation: float = 1.0, relaxation_decay: float = 1.0) -> OsSart:
    """SIRT: all views at once."""
    return OsSart(iterations, None, relaxation, relaxation_decay, "sequential")


def relaxation(first: float, decay: float, n: int) -> float:
    """Checked lambda of iteration n."""
    if not 0.0 < first < 2.0 or not 0.0 < decay <= 1.0:
        raise UsageError(f"relaxation {first:g} x {decay:g}^n: give more than 0 and less than 2, and a decay up to 1")
    return first * decay**n


class SubsetSweep:
    """Every subset once, called again for every iteration; what does not change is kept from call to call."""

    def __init__(
        self, problem: Problem, views_per_subset: int | None, order: Order, seed: int, sweep_count: int
    ) -> None:
        view_count = problem.projector.geometry.view_count
        self._problem = problem
        self._subsets = view_subsets(view_count, view_count if views_per_subset is None else views_per_subset)
        self._order: Order = order
        self._generator = np.random.default_rng(seed)
        self._rays = problem.projector.stack(max(len(s) for s in self._subsets))
        self._correction = np.empty_like(problem.mask, np.float32)
        self._partial = np.empty(TASKS)
        self._gain = self._ray_gain()
        keep = sweep_count > 1 and len(self._subsets) * self._correction.nbytes <= SUMS_LIMIT_BYTES
        self._sums = np.empty((len(self._subsets) if keep else 1, *self._correction.shape), np.float32)
        self._known = np.zeros(len(self._subsets), bool)

    def __call__(self, volume: NDArray[np.float32], relaxation: float) -> float:
        """Corrects `volume` in place; returns the length of the residuals met."""
        problem, total = self._problem, 0.0
        for s in turns(len(self._subsets), self._order, self._generator):
            views = self._subsets[s]
            rays = self._rays[: len(views)]
            sums = self._voxel_sums(int(s), rays)
            problem.projector.project(volume, views, rays)
            total += weigh_residuals(problem.measured, problem.weights, self._gain, views, rays, self._partial)
            problem.projector.back_project(rays, views, self._correction)
            correct_voxels(volume, self._correction, sums, problem.mask, relaxation, problem.limits)
        return float(np.sqrt(total))

    def _ray_gain(self) -> NDArray[np.float32]:
        """Weight over length in the mask, 0 for rays that miss it."""
        problem = self._problem
        gain = problem.projector.stack()
        problem.projector.project(problem.mask.astype(np.float32), problem.projector.all_views, gain)
        # A ray that only grazes the volume says little about it, and would say it loudly.
        grazing = gain < 1e-3 * min(problem.projector.grid.spacing_m)
        gain[grazing] = np.inf
        np.reciprocal(gain, out=gain)
        gain *= problem.weights
        return gain

    def _voxel_sums(self, subset: int, rays: NDArray[np.float32]) -> NDArray[np.float32]:
        """What rays of 1, times their weights, bring to each voxel."""
        keep = len(self._sums) == len(self._subsets)
        sums = self._sums[subset if keep else 0]
        if not (keep and self._known[subset]):
            views = self._subsets[subset]
            np.take(self._problem.weights, views, axis=0, out=rays)
            self._problem.projector.back_project(rays, views, sums)
            self._known[subset] = True
        return sums
