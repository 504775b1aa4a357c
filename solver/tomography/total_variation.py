"""Total variation as a regulariser of volumes: its value, steps down its slope, and its proximal map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.kernels.total_variation import dual_step, primal_from_dual, total_variation, variation_gradient
from solver.tomography.problem import Problem


class TotalVariation:
    """Isotropic total variation on one grid; owns its scratch, made when first needed.

    Differences between neighbours are taken per mean voxel spacing, so values keep the unit of the volume.
    """

    def __init__(self, problem: Problem) -> None:
        spacing = np.array(problem.projector.grid.spacing_m)
        self._mask, self._limits = problem.mask, problem.limits
        self._scale = (np.exp(np.log(spacing).mean()) / spacing).astype(np.float32)
        self._partial = np.empty(self._mask.shape[0])
        self._dual: NDArray[np.float32] | None = None
        self._slope: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def __call__(self, volume: NDArray[np.float32]) -> float:
        """Sum over the voxels of the length of the gradient."""
        return total_variation(volume, self._scale, self._partial)

    def descend(self, volume: NDArray[np.float32], distance: float, smallest: float) -> None:
        """Moves `volume` by up to `distance` (2-norm) down the slope; differences below `smallest` are rounded."""
        if self._slope is None:
            self._slope = np.empty_like(volume), np.empty_like(volume)
        inverse, gradient = self._slope
        squared = variation_gradient(volume, self._scale, smallest, inverse, gradient, self._partial)
        if squared > 0.0:
            gradient *= self._mask
            gradient *= np.float32(distance / np.sqrt(squared))
            volume -= gradient

    def denoise(self, noisy: NDArray[np.float32], strength: float, steps: int, smooth: NDArray[np.float32]) -> None:
        """argmin over x within mask and limits of |x - noisy|^2 / 2 + strength * TV(x), into `smooth`.

        Fast gradient projection (Beck and Teboulle, IEEE TIP 18(11), 2009); it goes on from the dual field of the last
        call, so a few steps a call are enough where `noisy` changes little.
        """
        if self._dual is None:
            self._dual = np.zeros((2, 3, *noisy.shape), np.float32)
        dual, ahead = self._dual
        ahead[:] = dual
        step = 1.0 / (4.0 * float(np.sum(self._scale.astype(np.float64) ** 2)) * strength)
        t = 1.0
        for _ in range(steps):
            primal_from_dual(noisy, ahead, strength, self._scale, self._mask, self._limits, smooth)
            following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
            dual_step(smooth, step, self._scale, (t - 1.0) / following, dual, ahead)
            t = following
        primal_from_dual(noisy, dual, strength, self._scale, self._mask, self._limits, smooth)
