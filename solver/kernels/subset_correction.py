"""The two ends of an algebraic correction: residuals of rays on their way back, and what arrives at the voxels."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.cone_beams import TASKS


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def weigh_residuals(measured, weights, gain, views, rays, partial):
    """Turns predicted `rays` (N, W, H) into gain * (measured - predicted), in place.

    `measured`, `weights` and `gain` are (V, W, H). Returns the sum of weights * (measured - predicted)^2. `partial` is
    (TASKS,) float64.
    """
    width, rows = rays.shape[1], rays.shape[2]
    for task in prange(TASKS):
        total = 0.0
        for item in range(task, len(views) * width, TASKS):
            n = item // width
            u = item % width
            view = views[n]
            part = np.float32(0.0)
            for row in range(rows):
                residual = measured[view, u, row] - rays[n, u, row]
                rays[n, u, row] = gain[view, u, row] * residual
                part += weights[view, u, row] * residual * residual
            total += part
        partial[task] = total
    total = 0.0
    for task in range(TASKS):
        total += partial[task]
    return total


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def correct_voxels(volume, correction, sums, mask, relaxation, limits):
    """volume += relaxation * correction / sums where the mask is not 0 and any ray came; then held to `limits`.

    All (X, Y, Z); `limits` is (2,) float32.
    """
    step = np.float32(relaxation)
    low = limits[0]
    high = limits[1]
    for x in prange(volume.shape[0]):
        for y in range(volume.shape[1]):
            for z in range(volume.shape[2]):
                if mask[x, y, z] != 0 and sums[x, y, z] > 0.0:
                    value = volume[x, y, z] + step * correction[x, y, z] / sums[x, y, z]
                    volume[x, y, z] = min(max(value, low), high)
