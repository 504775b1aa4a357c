"""A depth image made ready for fusion: nearness 1 / z, linear in disparity, without the pixels at edges.

A stereo camera's window holds two surfaces near a depth edge: what it reports there is spread, flies or fails
(Keselman et al. 2017). Such pixels are left out, those beyond reach are kept as a bound of empty space.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

TILE = 8
"""Pixels along the side of a tile of `bound_tiles`."""


class NearnessRule(NamedTuple):
    """Which pixels are believed."""

    farthest_m: float
    """Depth beyond this is empty space up to it, not a surface."""
    edge_jump: float
    """Nearness [1/m] may change by this within `edge_reach_px` along a row or column."""
    edge_reach_px: int
    hole_reach_px: int
    """Pixels this near to one without depth are left out, along a row or column."""


@njit(nogil=True, cache=True, parallel=True)
def find_nearness(depth, surface_mask, rule, nearness):
    """Nearness (H, W) float32 [1/m]: positive where a surface is believed, negative where the ray is empty up to
    1 / |nearness|, 0 where nothing is known.

    depth (H, W) float32 [m], 0 where missing; surface_mask (H, W) uint8, 0 where a pixel bounds empty space only.
    """
    height, width = depth.shape
    least = np.float32(1.0 / rule.farthest_m)
    jump = np.float32(rule.edge_jump)
    reach = max(rule.edge_reach_px, rule.hole_reach_px)
    one = np.float32(1.0)
    for row in prange(height):
        # Signed, as an index of prange is not.
        y = np.int64(row)
        for x in range(width):
            z = depth[y, x]
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
            for k in range(1, reach + 1):
                for side in range(4):
                    j = y
                    i = x
                    if side == 0:
                        i = x - k
                    elif side == 1:
                        i = x + k
                    elif side == 2:
                        j = y - k
                    else:
                        j = y + k
                    if i < 0 or j < 0 or i >= width or j >= height:
                        continue
                    other = depth[j, i]
                    if other > 0.0:
                        if k <= rule.edge_reach_px:
                            p = one / other
                            low = min(low, p)
                            high = max(high, p)
                    elif k <= rule.hole_reach_px:
                        hole = True
            if hole or high - low > jump:
                nearness[y, x] = 0.0
            elif surface_mask[y, x] == 0:
                nearness[y, x] = -q
            else:
                nearness[y, x] = q


@njit(nogil=True, cache=True, parallel=True)
def bound_tiles(nearness, tiles):
    """Least and greatest |nearness| and the least signed one in tiles of `TILE` pixels, tiles (Ty, Tx, 3) float32."""
    height, width = nearness.shape
    for a in prange(tiles.shape[0]):
        for b in range(tiles.shape[1]):
            low = np.float32(np.inf)
            high = np.float32(0.0)
            signed = np.float32(np.inf)
            for y in range(a * TILE, min(height, (a + 1) * TILE)):
                for x in range(b * TILE, min(width, (b + 1) * TILE)):
                    q = nearness[y, x]
                    low = min(low, abs(q))
                    high = max(high, abs(q))
                    signed = min(signed, q)
            tiles[a, b, 0] = low
            tiles[a, b, 1] = high
            tiles[a, b, 2] = signed
