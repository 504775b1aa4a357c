"""A depth image into a sparse signed-distance volume that stands still.

Curless and Levoy (1996), with the noise where a camera has it: in disparity. The difference of nearness, not that of
depth, is averaged, scaled to metres at the voxel; an observation weighs one over the square of its error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from solver.kernels.eight_lanes import (
    as_floats,
    bits,
    choose,
    gather_squares,
    greatest,
    least,
    load8,
    ramp,
    spread,
    store8,
    truncate,
)
from solver.kernels.nearness import KNOWN, SURFACES, TILE, TRUSTED, UNKNOWN, bound_box
from solver.kernels.volume_blocks import CHANGED, EMPTY, SEEN, UNTOUCHED


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


OUTSIDE = -1
"""Beside `UNKNOWN` and what follows it: a box reaches out of the picture."""


@njit(nogil=True, cache=True, inline="always")
def observation_weight(rule, z):
    """Weight of a depth seen at z [m]."""
    error = rule.error_growth * z * z
    variance = rule.error_floor_m * rule.error_floor_m + error * error
    if variance <= 0.0:
        return np.float32(1.0)
    return np.float32(rule.sigma_m * rule.sigma_m / variance)


@njit(nogil=True, cache=True, forceinline=True)
def average_in(column, d, share, truncation, limit, carved, distance, weight):
    """One more observation d [m] of each of a column of eight voxels, where share > 0 (float32 lanes), and what was
    carved of the whole column before; the distance is NaN as long as there is none."""
    first = column * 8
    zero = np.float32(0.0)
    before = load8(weight, first)
    told = load8(distance, first)
    pending = carved[column]
    carved[column] = zero
    total = before + (share + pending)
    mean = (choose(before > zero, before * told, zero) + (share * d + pending * truncation)) / total
    store8(distance, first, choose(total > zero, mean, told))
    store8(weight, first, least(total, spread(limit)))


@njit(nogil=True, cache=True, parallel=True)
def settle_carved(rule, carved, distance, weight):
    """Averages what was carved of whole columns into their voxels; carved (columns,) is 0 afterwards."""
    truncation = np.float32(rule.truncation_m)
    limit = np.float32(rule.weight_limit)
    for column in prange(carved.shape[0]):
        if carved[column] > 0.0:
            nothing = spread(np.float32(0.0))
            average_in(np.int64(column), nothing, nothing, truncation, limit, carved, distance, weight)


@njit(nogil=True, cache=True, inline="always")
def _sort_box(tiles, shape, carving, u0, u1, v0, v1, near, far, truncation, width, height):
    """What an image tells voxels between two depths that fall on the box u0..u1, v0..v1, and what holds of all its
    pixels."""
    if not (u0 >= 1.0 and v0 >= 1.0 and u1 < width - 2.0 and v1 < height - 2.0):
        return CHANGED, np.float32(OUTSIDE)
    low, high, whole = bound_box(
        tiles,
        shape,
        KNOWN if carving else SURFACES,
        np.int64(v0) // TILE,
        np.int64(v1 + np.float32(1.0)) // TILE,
        np.int64(u0) // TILE,
        np.int64(u1 + np.float32(1.0)) // TILE,
    )
    one = np.float32(1.0)
    if high <= 0.0 or (near - truncation) * low > one:
        return UNTOUCHED, whole
    if (far + truncation) * high < one:
        if not carving:
            return UNTOUCHED, whole
        if whole >= np.float32(KNOWN):
            return EMPTY, whole
    return CHANGED, whole


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
    across_x = np.float32(fx * r[0] * grid.voxel_m)
    across_y = np.float32(fy * r[3] * grid.voxel_m)
    across_z = np.float32(r[6] * grid.voxel_m)
    along_x = np.float32(fx * r[1] * grid.voxel_m)
    along_y = np.float32(fy * r[4] * grid.voxel_m)
    along_z = np.float32(r[7] * grid.voxel_m)
    # Half of two by two by eight voxels, along the axes of the camera.
    half = 0.5 * grid.voxel_m
    reach_x = np.float32(fx * half * (abs(r[0]) + abs(r[1]) + 7.0 * abs(r[2])))
    reach_y = np.float32(fy * half * (abs(r[3]) + abs(r[4]) + 7.0 * abs(r[5])))
    reach_z = np.float32(half * (abs(r[6]) + abs(r[7]) + 7.0 * abs(r[8])))
    last_u = np.float32(width - 1.001)
    last_v = np.float32(height - 1.001)
    near = nearness.ravel()
    trusted = trust.ravel()
    flat_tiles = tiles.ravel()
    row = np.int32(width)
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
        if verdicts[block] == SEEN:
            carve = zero
        if verdicts[block] == EMPTY:
            for column in range(block * 64, block * 64 + 64):
                carved[column] += carve
            continue
        carving = verdicts[block] == CHANGED
        first_x = ramp() * step_x + np.float32(fx * (r[0] * bx + r[1] * by + r[2] * bz + t[0]))
        first_y = ramp() * step_y + np.float32(fy * (r[3] * bx + r[4] * by + r[5] * bz + t[1]))
        first_z = ramp() * step_z + np.float32(r[6] * bx + r[7] * by + r[8] * bz + t[2])
        mx = bx + half
        my = by + half
        mz = bz + middle
        middle_x = np.float32(fx * (r[0] * mx + r[1] * my + r[2] * mz + t[0]))
        middle_y = np.float32(fy * (r[3] * mx + r[4] * my + r[5] * mz + t[1]))
        middle_z = np.float32(r[6] * mx + r[7] * my + r[8] * mz + t[2])
        for group in range(16):
            # Two by two columns are sorted together.
            a = np.float32((group >> 2) * 2)
            b = np.float32((group & 3) * 2)
            x = middle_x + (a * across_x + b * along_x)
            y = middle_y + (a * across_y + b * along_y)
            z = middle_z + (a * across_z + b * along_z)
            front = one / (z - reach_z)
            back = one / (z + reach_z)
            left = x - reach_x
            right_end = x + reach_x
            upper = y - reach_y
            lower = y + reach_y
            said, whole = _sort_box(
                flat_tiles,
                tiles.shape,
                carving,
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
            within = whole >= np.float32(UNKNOWN)
            first = block * 64 + (group >> 2) * 16 + (group & 3) * 2
            if said == EMPTY:
                carved[first] += carve
                carved[first + 1] += carve
                carved[first + 8] += carve
                carved[first + 9] += carve
                continue
            for member in range(4):
                column = first + (member >> 1) * 8 + (member & 1)
                c = a + np.float32(member >> 1)
                e = b + np.float32(member & 1)
                zs = first_z + (c * across_z + e * along_z)
                inverse = one / zs
                u = (first_x + (c * across_x + e * along_x)) * inverse + cx
                v = (first_y + (c * across_y + e * along_y)) * inverse + cy
                i = truncate(least(greatest(u, zero), last_u))
                j = truncate(least(greatest(v, zero), last_v))
                pixel = j * row + i
                q00, q01, q10, q11 = gather_squares(near, pixel, row)
                low = least(least(q00, q01), least(q10, q11))
                high = greatest(greatest(q00, q01), greatest(q10, q11))
                one_surface = (low > zero) & (high - low < jump)
                # A plane is linear in the picture, in nearness.
                s = u - as_floats(i)
                w = v - as_floats(j)
                top = q00 + s * (q01 - q00)
                bottom = q10 + s * (q11 - q10)
                # Where several surfaces are seen, or only a bound: empty as far as the nearest of them.
                q = choose(one_surface, top + w * (bottom - top), greatest(high, -low))
                d = zs * (one - zs * q)
                beyond = choose((d > truncation) & (low * high != zero), -carve, zero)
                # Sight of a surface weighs, sight of empty space weighs with its sign turned.
                share = choose(one_surface & (d >= -truncation) & (d <= truncation), sight, beyond)
                if not within:
                    share = choose((u >= zero) & (v >= zero) & (u < last_u) & (v < last_v), share, zero)
                if bits(share != zero) == 0:
                    continue
                if whole < np.float32(TRUSTED):
                    t00, t01, t10, t11 = gather_squares(trusted, pixel, row)
                    share = greatest(share * least(least(t00, t01), least(t10, t11)), -share)
                else:
                    share = greatest(share, -share)
                average_in(column, least(d, truncation), share, truncation, limit, carved, distance, weight)


@njit(nogil=True, cache=True, parallel=True)
def integrate_color(grid, view, nearness, image, verdicts, rule, color, color_weight):
    """Average the colours of surface voxels: image (H, W, 3) uint8 into color (slots, 3) and color_weight (slots,)
    float32."""
    height, width = nearness.shape
    reach = 2.0 * grid.voxel_m
    r = view.rotation
    t = view.translation
    for block in prange(grid.blocks.shape[0]):
        if verdicts[block] != SEEN and verdicts[block] != CHANGED:
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
