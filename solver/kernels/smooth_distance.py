"""Smoothing a signed distance without shrinking what is round.

Two passes of a Laplacian bounded as in Huber's norm: what is left of a plane, a cylinder or a sphere after the first
hardly varies, so the second leaves them where they are (thin-plate energy; plain curvature flow and total variation
would pull every limb thinner). Creases exceed the bound and are kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.block_grid import voxel_slot


@njit(nogil=True, cache=True, inline="always")
def _surplus(grid, values, slot, i, j, k, step):
    """Mean of the six neighbours `step` voxels away minus the value; NaN where one is not known."""
    total = np.float32(0.0)
    for axis in range(3):
        for side in (-step, step):
            other = voxel_slot(
                grid.block_index,
                i + (side if axis == 0 else 0),
                j + (side if axis == 1 else 0),
                k + (side if axis == 2 else 0),
            )
            if other < 0:
                return np.float32(np.nan)
            total += values[other]
    return total / np.float32(6.0) - values[slot]


@njit(nogil=True, cache=True, parallel=True)
def find_bends(grid, distance, reach_m, step, bound_m, bends):
    """First pass: the bounded Laplacian, bends (slots,) float32 [m], NaN beyond reach_m of the surface and where a
    neighbour, `step` voxels away, is not known."""
    for block in prange(grid.blocks.shape[0]):
        for local in range(512):
            slot = block * 512 + local
            bends[slot] = np.nan
            if not abs(distance[slot]) < reach_m:
                continue
            i = grid.blocks[block, 0] * 8 + (local >> 6)
            j = grid.blocks[block, 1] * 8 + ((local >> 3) & 7)
            k = grid.blocks[block, 2] * 8 + (local & 7)
            bend = _surplus(grid, distance, slot, i, j, k, step)
            bends[slot] = min(max(bend, -np.float32(bound_m)), np.float32(bound_m)) if np.isfinite(bend) else bend


@njit(nogil=True, cache=True, parallel=True)
def smooth_distance(grid, bends, weight, step, strength, prior_weight, distance):
    """Second pass: distance (slots,) float32 [m] gives way where it bends otherwise than around it, by `strength`
    (up to 0.5) times prior_weight / (prior_weight + weight)."""
    for block in prange(grid.blocks.shape[0]):
        for local in range(512):
            slot = block * 512 + local
            if not np.isfinite(bends[slot]):
                continue
            i = grid.blocks[block, 0] * 8 + (local >> 6)
            j = grid.blocks[block, 1] * 8 + ((local >> 3) & 7)
            k = grid.blocks[block, 2] * 8 + (local & 7)
            change = _surplus(grid, bends, slot, i, j, k, step)
            if np.isfinite(change):
                distance[slot] -= strength * prior_weight / (prior_weight + weight[slot]) * change
