"""A depth image made ready for fusion: nearness 1 / z, linear in disparity, without the pixels at edges.

A stereo camera's window holds two surfaces near a depth edge: what it reports there is spread, flies or fails
(Keselman et al. 2017). Such pixels are left out, those beyond reach are kept as a bound of empty space.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

TILE = 4
"""Pixels along the side of a tile of `bound_tiles`."""


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


@njit(nogil=True, cache=True, inline="always")
def _look(depth, y, x, low, high, hole):
    """Takes a neighbour into the range of nearness and into whether one has no depth."""
    if 0 <= y < depth.shape[0] and 0 <= x < depth.shape[1]:
        z = depth[y, x]
        if z > 0.0:
            q = np.float32(1.0) / z
            return min(low, q), max(high, q), hole
        return low, high, True
    return low, high, hole


@njit(nogil=True, cache=True, parallel=True)
def find_nearness(depth, surface_mask, rule, nearness, trust):
    """Nearness (H, W) float32 [1/m]: positive where a surface is believed, negative where the ray is empty up to
    1 / |nearness|, 0 where nothing is known; trust (H, W) float32, 0..1: weight of the pixel.

    depth (H, W) float32 [m], 0 where missing; surface_mask (H, W) uint8, 0 where a pixel bounds empty space only.
    """
    height, width = depth.shape
    least = np.float32(1.0 / rule.farthest_m)
    jump = np.float32(rule.edge_jump)
    fringe = np.float32(rule.fringe_trust)
    one = np.float32(1.0)
    for row in prange(height):
        # Signed, as an index of prange is not.
        y = np.int64(row)
        for x in range(width):
            z = depth[y, x]
            trust[y, x] = 0.0
            if not z > 0.0:
                nearness[y, x] = 0.0
                continue
            q = one / z
            if q < least:
                nearness[y, x] = -least
                continue
            low = q
            high = q
            hole = False
            for k in range(1, rule.reach_px + 1):
                low, high, hole = _look(depth, y, x - k, low, high, hole)
                low, high, hole = _look(depth, y, x + k, low, high, hole)
                low, high, hole = _look(depth, y - k, x, low, high, hole)
                low, high, hole = _look(depth, y + k, x, low, high, hole)
            if high - q > jump:
                nearness[y, x] = 0.0
            elif surface_mask[y, x] == 0:
                nearness[y, x] = -q
            else:
                nearness[y, x] = q
                trust[y, x] = fringe if hole or q - low > jump else one


@njit(nogil=True, cache=True, parallel=True)
def bound_tiles(nearness, tiles):
    """Of tiles of `TILE` pixels, tiles (Ty, Tx, 3) float32: least |nearness| known (inf: none is), greatest, and
    whether all are known (1 or 0)."""
    height, width = nearness.shape
    for a in prange(tiles.shape[0]):
        for b in range(tiles.shape[1]):
            low = np.float32(np.inf)
            high = np.float32(0.0)
            whole = np.float32(1.0)
            for y in range(a * TILE, min(height, (a + 1) * TILE)):
                for x in range(b * TILE, min(width, (b + 1) * TILE)):
                    q = abs(nearness[y, x])
                    high = max(high, q)
                    if q > 0.0:
                        low = min(low, q)
                    else:
                        whole = np.float32(0.0)
            tiles[a, b, 0] = low
            tiles[a, b, 1] = high
            tiles[a, b, 2] = whole
