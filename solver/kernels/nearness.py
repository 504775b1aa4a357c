"""A depth image made ready for fusion: nearness 1 / z, linear in disparity, without the pixels at edges.

A stereo camera's window holds two surfaces near a depth edge: what it reports there is spread, flies or fails
(Keselman et al. 2017). Such pixels are left out, those beyond reach are kept as a bound of empty space.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from solver.kernels.eight_lanes import (
    bits,
    choose,
    crossed,
    gather,
    greatest,
    lane,
    least,
    load8,
    ramp,
    spread,
    store8,
    truncate,
)

TILE = 4
"""Pixels along the side of a tile of `bound_tiles`: two of them are eight lanes."""
UNKNOWN, KNOWN, TRUSTED = 0, 1, 2
"""What holds of all pixels of a tile: nothing, each has a nearness, each has one at full trust."""
SURFACES = 0
"""The bounds of surfaces believed; `KNOWN`: of all nearness, bounds of empty space too."""


class NearnessRule(NamedTuple):
    """Which pixels are believed."""

    farthest_m: float
    """Depth beyond this is empty space up to it, not a surface."""
    edge_jump: float
    """A change of nearness [1/m] above this is an edge; who is behind one is not believed."""
    reach_px: int
    """How far from an edge or a hole a pixel is its fringe, along a row or column."""
    fringe_trust: float
    """Weight of pixels on the near side of an edge, and beside holes."""
    disparity_pixel: float
    """Nearness [1/m] of a pixel of disparity."""


@njit(nogil=True, cache=True, forceinline=True)
def _load_row(picture, row_start, x, width):
    """Eight pixels of a flat picture from column x of a row on; beyond its ends the outermost."""
    if x >= 0 and x + 8 <= width:
        return load8(picture, row_start + x)
    column = least(greatest(ramp() + np.float32(x), np.float32(0.0)), np.float32(width - 1))
    return gather(picture, truncate(column) + np.int32(row_start))


@njit(nogil=True, cache=True, forceinline=True)
def _store_row(picture, row_start, x, width, value):
    """Eight pixels, but none beyond the row's end."""
    if x + 8 <= width:
        store8(picture, row_start + x, value)
    else:
        for n in range(width - x):
            picture[row_start + x + n] = lane(value, n)


@njit(nogil=True, cache=True, parallel=True, error_model="numpy")
def find_nearness(depth, surface_mask, disparity_error, rule, nearness, trust):
    """Nearness (H, W) float32 [1/m]: positive where a surface is believed, negative where the ray is empty up to
    1 / |nearness|, 0 where nothing is known; trust (H, W) float32, 0..1: weight of the pixel.

    depth (H, W) float32 [m], 0 where missing; surface_mask (H, W) uint8, 0 where a pixel bounds empty space only;
    disparity_error (H, W) float32 [px], the camera's lasting error. The last two may be of size 0: there is none.
    """
    height, width = depth.shape
    farthest = np.float32(rule.farthest_m)
    bound = np.float32(-1.0 / rule.farthest_m)
    jump = np.float32(rule.edge_jump)
    fringe = np.float32(rule.fringe_trust)
    pixel = np.float32(rule.disparity_pixel)
    zero = np.float32(0.0)
    one = np.float32(1.0)
    flat = depth.ravel()
    error = disparity_error.ravel()
    near = nearness.ravel()
    trusted = trust.ravel()
    for row in prange(height):
        # Signed, as an index of prange is not.
        y = np.int64(row)
        start = y * width
        for x in range(0, width, 8):
            z = _load_row(flat, start, x, width)
            far = z > farthest
            if bits(far) == 255:
                _store_row(near, start, x, width, spread(bound))
                _store_row(trusted, start, x, width, spread(zero))
                continue
            closest = choose(z > zero, z, np.float32(np.inf))
            deepest = z
            shallow = z
            for k in range(1, rule.reach_px + 1):
                for side in range(4):
                    if side < 2:
                        beside = _load_row(flat, start, x + (k if side == 0 else -k), width)
                    else:
                        other = min(y + k, height - 1) if side == 2 else max(y - k, 0)
                        beside = _load_row(flat, other * width, x, width)
                    closest = least(choose(beside > zero, beside, np.float32(np.inf)), closest)
                    deepest = greatest(beside, deepest)
                    shallow = least(beside, shallow)
            q = one / z
            believed = (z > zero) & (z <= farthest) & (one / closest - q <= jump)
            spoilt = (q - one / deepest > jump) | (shallow <= zero)
            if error.size > 0:
                q = q - _load_row(error, start, x, width) * pixel
            _store_row(near, start, x, width, choose(believed, q, choose(far, bound, zero)))
            _store_row(trusted, start, x, width, choose(believed, choose(spoilt, fringe, one), zero))
        if surface_mask.size > 0:
            for x in range(width):
                if surface_mask[y, x] == 0:
                    nearness[y, x] = -abs(nearness[y, x])
                    trust[y, x] = 0.0


@njit(nogil=True, cache=True, parallel=True)
def bound_tiles(nearness, trust, tiles):
    """Bounds of tiles of `TILE` pixels, tiles (5, Ty, Tx + 8) float32.

    Least nearness of a surface believed (inf: none is) and greatest (0), least |nearness| known and greatest, and what
    holds of all pixels: `UNKNOWN`, `KNOWN` or, surfaces at full trust, `TRUSTED`. The last 8 columns are room for
    `bound_box` to read past the end.
    """
    height, width = nearness.shape
    near = nearness.ravel()
    trusted = trust.ravel()
    zero = np.float32(0.0)
    one = np.float32(1.0)
    infinity = np.float32(np.inf)
    known = np.float32(KNOWN)
    for a in prange(tiles.shape[1]):
        top = np.int64(a) * TILE
        for x in range(0, width, 8):
            least_surface = spread(infinity)
            greatest_surface = spread(zero)
            least_known = least_surface
            greatest_known = greatest_surface
            whole = spread(np.float32(TRUSTED))
            for y in range(top, min(height, top + TILE)):
                q = _load_row(near, y * width, x, width)
                size = greatest(q, -q)
                greatest_surface = greatest(q, greatest_surface)
                greatest_known = greatest(size, greatest_known)
                least_surface = least(choose(q > zero, q, infinity), least_surface)
                least_known = least(choose(size > zero, size, infinity), least_known)
                sure = _load_row(trusted, y * width, x, width) >= one
                whole = least(choose(sure, whole, choose(size > zero, known, zero)), whole)
            bounds = (
                _least_of_fours(least_surface),
                -_least_of_fours(-greatest_surface),
                _least_of_fours(least_known),
                -_least_of_fours(-greatest_known),
                _least_of_fours(whole),
            )
            for n in range(min(2, tiles.shape[2] - 8 - x // TILE)):
                for k in range(5):
                    tiles[k, a, x // TILE + n] = lane(bounds[k], 4 * n)


@njit(nogil=True, cache=True, forceinline=True)
def _least_of_fours(value):
    value = least(value, crossed(value, 2))
    return least(value, crossed(value, 1))


@njit(nogil=True, cache=True, forceinline=True)
def bound_box(tiles, shape, kind, first_row, last_row, first_column, last_column):
    """Least and greatest nearness in a rectangle of tiles, and what holds of all its pixels.

    tiles flat, of `bound_tiles`, whose shape is given; kind: `SURFACES` believed, or all that is `KNOWN`.
    """
    pitch = shape[2]
    plane = shape[1] * pitch
    first = 2 * kind * plane
    low = spread(np.float32(np.inf))
    high = spread(np.float32(0.0))
    whole = spread(np.float32(TRUSTED))
    for b in range(first_column, last_column + 1, 8):
        within = ramp() <= np.float32(last_column - b)
        for a in range(first_row, last_row + 1):
            place = a * pitch + b
            low = least(choose(within, load8(tiles, place + first), low), low)
            high = greatest(choose(within, load8(tiles, place + first + plane), high), high)
            whole = least(choose(within, load8(tiles, place + 4 * plane), whole), whole)
    return _least_lane(low), -_least_lane(-high), _least_lane(whole)


@njit(nogil=True, cache=True, forceinline=True)
def _least_lane(value):
    return lane(_least_of_fours(least(value, crossed(value, 4))), 0)
