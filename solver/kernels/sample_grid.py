"""Reading a sparse grid between its voxels."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.block_grid import voxel_slot


@njit(nogil=True, cache=True, parallel=True)
def sample_grid(grid, values, points, sampled, gradients):
    """Trilinear value and gradient of `values` (slots,) float32 at `points` (N, 3); NaN where a corner is not finite.

    Out: sampled (N,) float32, gradients (N, 3) float32 [per m].
    """
    for n in prange(points.shape[0]):
        x = (points[n, 0] - grid.origin[0]) / grid.voxel_m
        y = (points[n, 1] - grid.origin[1]) / grid.voxel_m
        z = (points[n, 2] - grid.origin[2]) / grid.voxel_m
        i = int(np.floor(x))
        j = int(np.floor(y))
        k = int(np.floor(z))
        x -= i
        y -= j
        z -= k
        total = 0.0
        gx = 0.0
        gy = 0.0
        gz = 0.0
        known = True
        for c in range(8):
            a = c & 1
            b = (c >> 1) & 1
            d = c >> 2
            slot = voxel_slot(grid.block_index, i + a, j + b, k + d)
            if slot < 0 or not np.isfinite(values[slot]):
                known = False
                break
            value = values[slot]
            wx = x if a else 1.0 - x
            wy = y if b else 1.0 - y
            wz = z if d else 1.0 - z
            total += wx * wy * wz * value
            gx += (value if a else -value) * wy * wz
            gy += (value if b else -value) * wx * wz
            gz += (value if d else -value) * wx * wy
        if known:
            sampled[n] = total
            gradients[n, 0] = gx / grid.voxel_m
            gradients[n, 1] = gy / grid.voxel_m
            gradients[n, 2] = gz / grid.voxel_m
        else:
            sampled[n] = np.nan
            gradients[n, :] = np.nan
