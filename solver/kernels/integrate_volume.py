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
    """Nearness [1/m] is interpolated between four surface pixels that differ by less than this."""
    edge_trust: float
    """Weight of the nearest pixel where it cannot be interpolated."""
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
def _sort_box(tiles, shape, size, carving, u0, u1, v0, v1, near, far, truncation):
    """What an image tells voxels between two depths that fall on the box u0..u1, v0..v1, and what holds of all its
    pixels."""
    if not (u0 >= 1.0 and v0 >= 1.0 and u1 < size[1] - 2.0 and v1 < size[0] - 2.0):
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


@njit(nogil=True, cache=True, forceinline=True, error_model="numpy", fastmath={"contract", "arcp", "nsz", "reassoc"})
def _observe(x, y, z, near, trusted, size, bounds, sight, carve, edge_trust, whole):
    """Weight and signed distance [m] that an image gives eight voxels at depth z [m], x and y their places in the
    picture times z [px m].

    near, trusted: flat pictures of (height, width) size; bounds: truncation [m], greatest jump within a cell [1/m];
    whole: what holds of all pixels near.
    """
    height, width = size
    truncation, jump = bounds
    zero = np.float32(0.0)
    one = np.float32(1.0)
    half = np.float32(0.5)
    last_u = np.float32(width - 1.001)
    last_v = np.float32(height - 1.001)
    inverse = one / z
    u = x * inverse
    v = y * inverse
    i = truncate(least(greatest(u, zero), last_u))
    j = truncate(least(greatest(v, zero), last_v))
    row = np.int32(width)
    pixel = j * row + i
    q00, q01, q10, q11 = gather_squares(near, pixel, row)
    lowest = least(least(q00, q01), least(q10, q11))
    highest = greatest(greatest(q00, q01), greatest(q10, q11))
    smooth = (lowest > zero) & (highest - lowest < jump)
    # A plane is linear in the picture, in nearness.
    s = u - as_floats(i)
    w = v - as_floats(j)
    top = q00 + s * (q01 - q00)
    bottom = q10 + s * (q11 - q10)
    # At edges the nearest pixel counts.
    left = s < half
    nearest = choose(w < half, choose(left, q00, q01), choose(left, q10, q11))
    q = choose(smooth, top + w * (bottom - top), greatest(nearest, -nearest))
    d = z * (one - z * q)
    # A surface weighs; empty space weighs with its sign turned, until the trust of surfaces is known.
    empty = choose((d > truncation) & (nearest != zero), -carve, zero)
    share = choose((nearest > zero) & (d >= -truncation) & (d <= truncation), sight, empty)
    if whole < np.float32(UNKNOWN):
        share = choose((u >= zero) & (v >= zero) & (u < last_u) & (v < last_v), share, zero)
    if bits(share != zero) == 0:
        return share, d
    if whole < np.float32(TRUSTED):
        t00, t01, t10, t11 = gather_squares(trusted, pixel, row)
        trust = choose(smooth, least(least(t00, t01), least(t10, t11)), edge_trust)
        return greatest(share * trust, -share), d
    return greatest(share, -share), d


@njit(nogil=True, cache=True, parallel=True, error_model="numpy", fastmath={"contract", "arcp", "nsz", "reassoc"})
def integrate_volume(grid, view, picture, verdicts, rule, carved, distance, weight):
    """Average one image into `distance` [m] (NaN where never seen) and `weight`, both (slots,) float32.

    picture: nearness and trust (H, W) of `find_nearness`, tiles of `bound_tiles`; verdicts (blocks,) of `sort_blocks`;
    carved (columns,) float32: weight of sights of empty space that eight voxels in a row have not been told yet.
    """
    nearness, trust, tiles = picture
    size = nearness.shape
    truncation = np.float32(rule.truncation_m)
    bounds = (truncation, np.float32(rule.cell_jump))
    limit = np.float32(rule.weight_limit)
    edge_trust = np.float32(rule.edge_trust)
    zero = np.float32(0.0)
    one = np.float32(1.0)
    t = view.translation
    # World to the picture, times depth [px m]: the principal point is in it, so that one division gives the pixel.
    r = view.rotation
    voxel = grid.voxel_m
    ux, uy, uz = view.fx * r[0] + view.cx * r[6], view.fx * r[1] + view.cx * r[7], view.fx * r[2] + view.cx * r[8]
    vx, vy, vz = view.fy * r[3] + view.cy * r[6], view.fy * r[4] + view.cy * r[7], view.fy * r[5] + view.cy * r[8]
    ut = view.fx * t[0] + view.cx * t[2]
    vt = view.fy * t[1] + view.cy * t[2]
    # A voxel on along each axis of the grid.
    step_x = (np.float32(ux * voxel), np.float32(vx * voxel), np.float32(r[6] * voxel))
    step_y = (np.float32(uy * voxel), np.float32(vy * voxel), np.float32(r[7] * voxel))
    step_z = (np.float32(uz * voxel), np.float32(vz * voxel), np.float32(r[8] * voxel))
    # Half of two by four by eight voxels, along the axes of the camera.
    half = 0.5 * voxel
    middle = 3.5 * voxel
    reach_u = np.float32(view.fx * half * (abs(r[0]) + 3.0 * abs(r[1]) + 7.0 * abs(r[2])))
    reach_v = np.float32(view.fy * half * (abs(r[3]) + 3.0 * abs(r[4]) + 7.0 * abs(r[5])))
    reach_z = np.float32(half * (abs(r[6]) + 3.0 * abs(r[7]) + 7.0 * abs(r[8])))
    cx = np.float32(view.cx)
    cy = np.float32(view.cy)
    near = nearness.ravel()
    trusted = trust.ravel()
    flat_tiles = tiles.ravel()
    for block in prange(grid.blocks.shape[0]):
        verdict = verdicts[block]
        if verdict == UNTOUCHED:
            continue
        bx = grid.origin[0] + 8.0 * voxel * grid.blocks[block, 0]
        by = grid.origin[1] + 8.0 * voxel * grid.blocks[block, 1]
        bz = grid.origin[2] + 8.0 * voxel * grid.blocks[block, 2]
        depth = r[6] * (bx + middle) + r[7] * (by + middle) + r[8] * (bz + middle) + t[2]
        sight = observation_weight(rule, depth)
        carve = np.float32(rule.carve_weight) * sight if verdict != SEEN else zero
        if verdict == EMPTY:
            for column in range(block * 64, block * 64 + 64):
                carved[column] += carve
            continue
        x0 = ramp() * step_z[0] + np.float32(ux * bx + uy * by + uz * bz + ut)
        y0 = ramp() * step_z[1] + np.float32(vx * bx + vy * by + vz * bz + vt)
        z0 = ramp() * step_z[2] + np.float32(r[6] * bx + r[7] * by + r[8] * bz + t[2])
        mx = bx + half
        my = by + 3.0 * half
        mz = bz + middle
        middle_x = np.float32(view.fx * (r[0] * mx + r[1] * my + r[2] * mz + t[0]))
        middle_y = np.float32(view.fy * (r[3] * mx + r[4] * my + r[5] * mz + t[1]))
        middle_z = np.float32(r[6] * mx + r[7] * my + r[8] * mz + t[2])
        for group in range(8):
            # Two by four columns are sorted together.
            a = np.float32((group >> 1) * 2)
            b = np.float32((group & 1) * 4)
            z = middle_z + (a * step_x[2] + b * step_y[2])
            x = middle_x + (a * (step_x[0] - cx * step_x[2]) + b * (step_y[0] - cx * step_y[2]))
            y = middle_y + (a * (step_x[1] - cy * step_x[2]) + b * (step_y[1] - cy * step_y[2]))
            front = one / (z - reach_z)
            back = one / (z + reach_z)
            said, whole = _sort_box(
                flat_tiles,
                tiles.shape,
                size,
                verdict == CHANGED,
                (x - reach_u) * (front if x < reach_u else back) + cx,
                (x + reach_u) * (back if x < -reach_u else front) + cx,
                (y - reach_v) * (front if y < reach_v else back) + cy,
                (y + reach_v) * (back if y < -reach_v else front) + cy,
                z - reach_z,
                z + reach_z,
                truncation,
            )
            if said == UNTOUCHED:
                continue
            first = block * 64 + (group >> 1) * 16 + (group & 1) * 4
            if said == EMPTY:
                for member in range(4):
                    carved[first + member] += carve
                    carved[first + 8 + member] += carve
                continue
            for member in range(8):
                column = first + (member >> 2) * 8 + (member & 3)
                c = a + np.float32(member >> 2)
                e = b + np.float32(member & 3)
                share, d = _observe(
                    x0 + (c * step_x[0] + e * step_y[0]),
                    y0 + (c * step_x[1] + e * step_y[1]),
                    z0 + (c * step_x[2] + e * step_y[2]),
                    near,
                    trusted,
                    size,
                    bounds,
                    sight,
                    carve,
                    edge_trust,
                    whole,
                )
                if bits(share > zero) != 0:
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
