"""A depth image into a sparse signed-distance volume that stands still.

Curless and Levoy (1996), with the noise where a camera has it: in disparity. The difference of nearness, not that of
depth, is averaged, scaled to metres at the voxel; an observation weighs one over the square of its error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from solver.kernels.nearness import TILE
from solver.kernels.volume_blocks import CHANGED, EMPTY, UNTOUCHED


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


@njit(nogil=True, cache=True, inline="always")
def tell_carved(column, truncation, limit, carved, distance, weight):
    """Averages what was carved of a whole column of eight voxels into them."""
    share = carved[column]
    if share > 0.0:
        carved[column] = 0.0
        for slot in range(column * 8, column * 8 + 8):
            average_in(slot, truncation, share, limit, distance, weight)


@njit(nogil=True, cache=True, parallel=True)
def settle_carved(rule, carved, distance, weight):
    """Averages what was carved of whole columns into their voxels; carved (columns,) is 0 afterwards."""
    truncation = np.float32(rule.truncation_m)
    limit = np.float32(rule.weight_limit)
    for column in prange(carved.shape[0]):
        tell_carved(np.int64(column), truncation, limit, carved, distance, weight)


@njit(nogil=True, cache=True, inline="always")
def _sort_box(tiles, u0, u1, v0, v1, near, far, truncation, width, height):
    """What an image says of voxels between two depths that fall on the box u0..u1, v0..v1."""
    if not (u0 >= 1.0 and v0 >= 1.0 and u1 < width - 2.0 and v1 < height - 2.0):
        return CHANGED
    low = np.float32(np.inf)
    high = np.float32(0.0)
    whole = np.float32(1.0)
    last = np.int32(u1 + np.float32(1.0)) // TILE
    for a in range(np.int32(v0) // TILE, np.int32(v1 + np.float32(1.0)) // TILE + 1):
        for b in range(np.int32(u0) // TILE, last + 1):
            low = min(low, tiles[a, b, 0])
            high = max(high, tiles[a, b, 1])
            whole = min(whole, tiles[a, b, 2])
    one = np.float32(1.0)
    if high <= 0.0 or (near - truncation) * low > one:
        return UNTOUCHED
    if whole > 0.0 and (far + truncation) * high < one:
        return EMPTY
    return CHANGED


@njit(nogil=True, cache=True, parallel=True, error_model="numpy", fastmath={"contract", "arcp", "nsz", "reassoc"})
def integrate_volume(grid, view, picture, verdicts, rule, carved, distance, weight):
    """Average one image into `distance` [m] (NaN where never seen) and `weight`, both (slots,) float32.

    picture: nearness and trust (H, W) of `find_nearness`, tiles of `bound_tiles`; verdicts (blocks,) of `sort_blocks`;
    carved (columns,) float32: weight of sights of empty space that eight voxels in a row have not been told yet.
    """
    nearness, trust, tiles = picture
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
    step_x = np.float32(fx * r[2] * grid.voxel_m)
    step_y = np.float32(fy * r[5] * grid.voxel_m)
    step_z = np.float32(r[8] * grid.voxel_m)
    # Half of two by two by eight voxels, along the axes of the camera.
    half = 0.5 * grid.voxel_m
    reach_x = np.float32(fx * half * (abs(r[0]) + abs(r[1]) + 7.0 * abs(r[2])))
    reach_y = np.float32(fy * half * (abs(r[3]) + abs(r[4]) + 7.0 * abs(r[5])))
    reach_z = np.float32(half * (abs(r[6]) + abs(r[7]) + 7.0 * abs(r[8])))
    last_u = np.float32(width - 1)
    last_v = np.float32(height - 1)
    near = nearness.ravel()
    trusted = trust.ravel()
    row = np.int32(width)
    right = np.uint32(1)
    below = np.uint32(width)
    for block in prange(grid.blocks.shape[0]):
        if verdicts[block] == UNTOUCHED:
            continue
        bx = grid.origin[0] + 8.0 * grid.voxel_m * grid.blocks[block, 0]
        by = grid.origin[1] + 8.0 * grid.voxel_m * grid.blocks[block, 1]
        bz = grid.origin[2] + 8.0 * grid.voxel_m * grid.blocks[block, 2]
        middle = 3.5 * grid.voxel_m
        depth = r[6] * (bx + middle) + r[7] * (by + middle) + r[8] * (bz + middle) + t[2]
        sight = observation_weight(rule, depth)
        carve = np.float32(rule.carve_weight) * sight
        if verdicts[block] == EMPTY:
            for column in range(block * 64, block * 64 + 64):
                carved[column] += carve
            continue
        for group in range(16):
            # Two by two columns are sorted together.
            corner_x = bx + grid.voxel_m * ((group >> 2) * 2)
            corner_y = by + grid.voxel_m * ((group & 3) * 2)
            mx = corner_x + 0.5 * grid.voxel_m
            my = corner_y + 0.5 * grid.voxel_m
            mz = bz + middle
            x = np.float32(fx * (r[0] * mx + r[1] * my + r[2] * mz + t[0]))
            y = np.float32(fy * (r[3] * mx + r[4] * my + r[5] * mz + t[1]))
            z = np.float32(r[6] * mx + r[7] * my + r[8] * mz + t[2])
            front = one / (z - reach_z)
            back = one / (z + reach_z)
            left = x - reach_x
            right_end = x + reach_x
            upper = y - reach_y
            lower = y + reach_y
            said = _sort_box(
                tiles,
                left * (front if left < zero else back) + cx,
                right_end * (back if right_end < zero else front) + cx,
                upper * (front if upper < zero else back) + cy,
                lower * (back if lower < zero else front) + cy,
                z - reach_z,
                z + reach_z,
                truncation,
                np.float32(width),
                np.float32(height),
            )
            if said == UNTOUCHED:
                continue
            first = block * 64 + (group >> 2) * 16 + (group & 3) * 2
            if said == EMPTY:
                carved[first] += carve
                carved[first + 1] += carve
                carved[first + 8] += carve
                carved[first + 9] += carve
                continue
            for member in range(4):
                column = first + (member >> 1) * 8 + (member & 1)
                wx = corner_x + grid.voxel_m * (member >> 1)
                wy = corner_y + grid.voxel_m * (member & 1)
                px = np.float32(fx * (r[0] * wx + r[1] * wy + r[2] * bz + t[0]))
                py = np.float32(fy * (r[3] * wx + r[4] * wy + r[5] * bz + t[1]))
                z = np.float32(r[6] * wx + r[7] * wy + r[8] * bz + t[2])
                tell_carved(column, truncation, limit, carved, distance, weight)
                for n in range(8):
                    here = z + np.float32(n) * step_z
                    inverse = one / here
                    u = (px + np.float32(n) * step_x) * inverse + cx
                    v = (py + np.float32(n) * step_y) * inverse + cy
                    if not ((u >= zero) & (v >= zero) & (u < last_u) & (v < last_v)):
                        continue
                    i = np.int32(u)
                    j = np.int32(v)
                    pixel = np.uint32(j * row + i)
                    q00 = near[pixel]
                    q01 = near[pixel + right]
                    q10 = near[pixel + below]
                    q11 = near[pixel + below + right]
                    low = min(min(q00, q01), min(q10, q11))
                    high = max(max(q00, q01), max(q10, q11))
                    if low > zero and high - low < jump:
                        # A plane is linear in the picture, in nearness.
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
                            share = sight * min(
                                min(trusted[pixel], trusted[pixel + right]),
                                min(trusted[pixel + below], trusted[pixel + below + right]),
                            )
                    elif low * high != zero:
                        # Several surfaces, or only a bound: empty as far as the nearest of them.
                        if here * (one - here * max(high, -low)) <= truncation:
                            continue
                        d = truncation
                        share = carve
                    else:
                        continue
                    average_in(column * 8 + n, d, share, limit, distance, weight)


@njit(nogil=True, cache=True, parallel=True)
def integrate_color(grid, view, nearness, image, verdicts, rule, color, color_weight):
    """Average the colours of surface voxels: image (H, W, 3) uint8 into color (slots, 3) and color_weight (slots,)
    float32."""
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
