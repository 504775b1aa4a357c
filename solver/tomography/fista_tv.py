"""FISTA-TV: weighted least squares with a total-variation penalty, by accelerated proximal gradients.

min over x within mask and limits of |b - A x|^2_W / 2 + L smoothing TV(x). Beck and Teboulle, SIAM J. Imaging Sci.
2(1), 2009; ordered subsets of the views as in Kim, Ramani and Fessler, IEEE TMI 34(1), 2015. L bounds the curvature of
the first term: A has no negative entry, so the greatest value of A^T W A 1 is a bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError, UsageError
from solver.kernels.cone_beams import TASKS
from solver.kernels.float64_sums import combine
from solver.kernels.subset_correction import weigh_residuals
from solver.tomography.problem import Problem
from solver.tomography.subsets import Order, turns, view_subsets
from solver.tomography.total_variation import TotalVariation


@dataclass(frozen=True, slots=True)
class FistaTv:
    """Total variation by proximal steps."""

    iterations: int = 50
    """Times that every view takes its turn."""
    smoothing: float = 0.1
    """How strong the penalty is [unit of the volume]: differences below about this are evened out at every step."""
    views_per_subset: int | None = None
    """None: all, which converges for certain. Fewer are faster at first, and end close by."""
    denoising_steps: int = 10
    """Steps of the proximal map, which goes on where it was."""
    order: Order = "golden"
    seed: int = 0

    def run(self, problem: Problem, volume: NDArray[np.float32]) -> Iterator[float]:
        """See `Method.run`; residuals are those of the extrapolated volume."""
        if self.smoothing <= 0.0 or self.denoising_steps < 1:
            raise UsageError("FISTA-TV: give a smoothing above 0 and at least one denoising step")
        projector, view_count = problem.projector, problem.projector.geometry.view_count
        subsets = view_subsets(view_count, self.views_per_subset or view_count)
        rays = projector.stack(max(len(s) for s in subsets))
        partial = np.empty(TASKS)
        generator = np.random.default_rng(self.seed)
        variation = TotalVariation(problem)
        correction, ahead, smooth = np.empty_like(volume), volume.copy(), np.empty_like(volume)
        step = 1.0 / max(_curvature(problem, views, rays[: len(views)], correction) for views in subsets)
        t = 1.0
        for _ in range(self.iterations):
            total = 0.0
            for s in turns(len(subsets), self.order, generator):
                views = subsets[s]
                part = rays[: len(views)]
                projector.project(ahead, views, part)
                total += weigh_residuals(problem.measured, problem.weights, problem.weights, views, part, partial)
                projector.back_project(part, views, correction)
                correction *= problem.mask
                combine(step, correction.reshape(-1), 1.0, ahead.reshape(-1))
                variation.denoise(ahead, self.smoothing, self.denoising_steps, smooth)
                following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
                momentum = (t - 1.0) / following
                t = following
                ahead[:] = smooth
                combine(-momentum, volume.reshape(-1), 1.0 + momentum, ahead.reshape(-1))
                volume[:] = smooth
            yield float(np.sqrt(total))


def _curvature(
    problem: Problem, views: NDArray[np.int32], rays: NDArray[np.float32], volume: NDArray[np.float32]
) -> float:
    """A bound of the curvature of a subset's data term. Raises InputError where no ray that counts meets the mask."""
    volume[:] = problem.mask
    problem.projector.project(volume, views, rays)
    rays *= problem.weights[views]
    problem.projector.back_project(rays, views, volume)
    bound = float((volume * problem.mask).max())
    if bound <= 0.0:
        raise InputError(f"FISTA-TV: no ray that counts meets the mask in view {int(views[0])}; leave such views out")
    return bound
