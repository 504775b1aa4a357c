"""A depth image into a sparse signed-distance volume that stands still.

Curless and Levoy (1996), with the noise where a camera has it: in disparity. The difference of nearness, not that of
depth, is averaged, scaled to metres at the voxel; an observation weighs one over the square of its error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from solver.kernels.volume_blocks import CHANGED, EMPTY


class VolumeRule(NamedTuple):
    """How one observation counts."""

    truncation_m: float
    """Distances are cut at plus and minus this."""
    carve_weight: float
    """Weight of seeing past a voxel, relative to seeing a surface."""
    weight_limit: float
    """The sum of weights is held to this."""
    cell_jump: float
    """Nearness [1/m] is interpolated between four pixels that differ by less than this."""
    sigma_m: float
    """Depth error that counts as weight 1."""
    error_floor_m: float
    error_growth: float
    """Depth error at depth z: hypot(floor, growth z^2) [m]; both 0 where it is not known, and all weigh 1."""


@njit(nogil=True, cache=True, inline="always")
def observation_weight(rule, z):
    """Weight of a depth seen at z [m]."""
    error = rule.error_growth * z * z
    variance = rule.error_floor_m * rule.error_floor_m + error * error
    if variance <= 0.0:
        return np.float32(1.0)
    return np.float32(rule.sigma_m * rule.sigma_m / variance)


@njit(nogil=True, cache=True, inline="always")
def average_in(slot, d, share, limit, distance, weight):
    """One more observation of a voxel; its distance is NaN as long as there is none."""
    before = weight[slot]
    if before > 0.0:
        total = before + share
        distance[slot] += (d - distance[slot]) * (share / total)
        weight[slot] = min(total, limit)
    else:
        distance[slot] = d
        weight[slot] = share


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def integrate_volume(grid, view, nearness, verdicts, rule, carved, distance, weight):
    """Average one image into `distance` [m] (NaN where never seen) and `weight`, both (slots,) float32.

    nearness (H, W) float32 of `find_nearness`; verdicts (blocks,) of `sort_blocks`; carved (blocks,) float32: weight of
    sights of empty space that the voxels of a block have not been told yet.
    """
    height, width = nearness.shape
    truncation = np.float32(rule.truncation_m)
    limit = np.float32(rule.weight_limit)
    jump = np.float32(rule.cell_jump)
    one = np.float32(1.0)
    zero = np.float32(0.0)
    fx = np.float32(view.fx)
    fy = np.float32(view.fy)
    cx = np.float32(view.cx)
    cy = np.float32(view.cy)
    r = view.rotation
    t = view.translation
    step_x = np.float32(r[2] * grid.voxel_m)
    step_y = np.float32(r[5] * grid.voxel_m)
    step_z = np.float32(r[8] * grid.voxel_m)
    last_u = np.float32(width - 1)
    last_v = np.float32(height - 1)
    for block in prange(grid.blocks.shape[0]):
        if verdicts[block] == 0:
            continue
        bx = grid.origin[0] + 8.0 * grid.voxel_m * grid.blocks[block, 0]
        by = grid.origin[1] + 8.0 * grid.voxel_m * grid.blocks[block, 1]
        bz = grid.origin[2] + 8.0 * grid.voxel_m * grid.blocks[block, 2]
        middle = 3.5 * grid.voxel_m
        depth = r[6] * (bx + middle) + r[7] * (by + middle) + r[8] * (bz + middle) + t[2]
        sight = observation_weight(rule, depth)
        carve = np.float32(rule.carve_weight) * sight
        if verdicts[block] == EMPTY:
            carved[block] += carve
            continue
        tell_carved(block, truncation, limit, carved, distance, weight)
        for column in range(64):
            px = bx + grid.voxel_m * (column >> 3)
            py = by + grid.voxel_m * (column & 7)
            x = np.float32(r[0] * px + r[1] * py + r[2] * bz + t[0])
            y = np.float32(r[3] * px + r[4] * py + r[5] * bz + t[1])
            z = np.float32(r[6] * px + r[7] * py + r[8] * bz + t[2])
            first = block * 512 + column * 8
            for n in range(8):
                inverse = one / z
                u = fx * x * inverse + cx
                v = fy * y * inverse + cy
                here = z
                x += step_x
                y += step_y
                z += step_z
                if not (u >= zero and v >= zero and u < last_u and v < last_v):
                    continue
                i = int(u)
                j = int(v)
                q00 = nearness[j, i]
                q01 = nearness[j, i + 1]
                q10 = nearness[j + 1, i]
                q11 = nearness[j + 1, i + 1]
                low = min(min(q00, q01), min(q10, q11))
                high = max(max(q00, q01), max(q10, q11))
                if low > zero and high - low < jump:
                    s = u - np.float32(i)
                    w = v - np.float32(j)
                    top = q00 + s * (q01 - q00)
                    bottom = q10 + s * (q11 - q10)
                    d = here * (one - here * (top + w * (bottom - top)))
                    if d < -truncation:
                        continue
                    if d > truncation:
                        d = truncation
                        share = carve
                    else:
                        share = sight
                elif low * high != zero:
                    # Several surfaces, or only a bound: empty as far as the nearest of them.
                    bound = max(max(abs(q00), abs(q01)), max(abs(q10), abs(q11)))
                    if here * (one - here * bound) <= truncation:
                        continue
                    d = truncation
                    share = carve
                else:
                    continue
                average_in(first + n, d, share, limit, distance, weight)


@njit(nogil=True, cache=True, inline="always")
def tell_carved(block, truncation, limit, carved, distance, weight):
    """Averages what was carved of a whole block into its voxels."""
    share = carved[block]
    if share > 0.0:
        carved[block] = 0.0
        for slot in range(block * 512, block * 512 + 512):
            average_in(slot, truncation, share, limit, distance, weight)


@njit(nogil=True, cache=True, parallel=True)
def settle_carved(rule, carved, distance, weight):
    """Averages what was carved of whole blocks into their voxels; carved (blocks,) is 0 afterwards."""
    truncation = np.float32(rule.truncation_m)
    limit = np.float32(rule.weight_limit)
    for block in prange(carved.shape[0]):
        tell_carved(block, truncation, limit, carved, distance, weight)


@njit(nogil=True, cache=True, parallel=True)
def integrate_color(grid, view, nearness, image, verdicts, rule, color, color_weight):
    """Average the colours of surface voxels: image (H, W, 3) uint8 into color (slots, 3) float32, color_weight (slots,)."""
    height, width = nearness.shape
    reach = 2.0 * grid.voxel_m
    r = view.rotation
    t = view.translation
    for block in prange(grid.blocks.shape[0]):
        if verdicts[block] != CHANGED:
            continue
        bx = grid.origin[0] + 8.0 * grid.voxel_m * grid.blocks[block, 0]
        by = grid.origin[1] + 8.0 * grid.voxel_m * grid.blocks[block, 1]
        bz = grid.origin[2] + 8.0 * grid.voxel_m * grid.blocks[block, 2]
        for local in range(512):
            px = bx + grid.voxel_m * (local >> 6)
            py = by + grid.voxel_m * ((local >> 3) & 7)
            pz = bz + grid.voxel_m * (local & 7)
            z = r[6] * px + r[7] * py + r[8] * pz + t[2]
            if z < 0.1:
                continue
            i = int(view.fx * (r[0] * px + r[1] * py + r[2] * pz + t[0]) / z + view.cx + 0.5)
            j = int(view.fy * (r[3] * px + r[4] * py + r[5] * pz + t[1]) / z + view.cy + 0.5)
            if i < 0 or j < 0 or i >= width or j >= height:
                continue
            q = nearness[j, i]
            if q <= 0.0 or abs(z * (1.0 - z * q)) > reach:
                continue
            slot = block * 512 + local
            share = observation_weight(rule, z)
            total = color_weight[slot] + share
            for c in range(3):
                color[slot, c] += (np.float32(image[j, i, c]) - color[slot, c]) * (share / total)
            color_weight[slot] = min(total, np.float32(rule.weight_limit))
