"""Which blocks of a sparse volume a depth image concerns: those it needs anew, those it changes, those it sees past."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from solver.kernels.nearness import KNOWN, SURFACES, TILE, bound_box

UNTOUCHED, SEEN, CHANGED, EMPTY = 0, 1, 2, 3
"""What is to be told to a block: nothing, surfaces only, surfaces and empty space, that all of it is empty space."""


class CameraView(NamedTuple):
    """A camera in the volume's world."""

    rotation: NDArray[np.float64]
    """World to camera, row by row, shape (9,)."""
    translation: NDArray[np.float64]
    """World to camera [m], shape (3,)."""
    fx: float
    fy: float
    cx: float
    cy: float


@njit(nogil=True, cache=True)
def touch_blocks(nearness, tiles, view, voxel_m, truncation_m, base, block_index, blocks, count, box):
    """Numbers the blocks that lie within the truncation of a surface seen, and returns how many there are then.

    nearness (H, W) float32, tiles of `bound_tiles`: pixels are looked at that lie half a block or less apart,
    but one of each tile at least; base (3,) int64 the block that `block_index[0, 0, 0]` stands for; blocks
    (capacity, 3) int32 places in `block_index`, of which `count` are in use; box (2, 3) int64 gets the blocks that were
    wanted. Where they lie outside `block_index`, or `blocks` is full (more than its capacity is returned), the caller
    makes room and calls again.
    """
    r = view.rotation
    t = view.translation
    # The camera's centre in the world.
    ox = -(r[0] * t[0] + r[3] * t[1] + r[6] * t[2])
    oy = -(r[1] * t[0] + r[4] * t[1] + r[7] * t[2])
    oz = -(r[2] * t[0] + r[5] * t[1] + r[8] * t[2])
    per_block = 1.0 / (8.0 * voxel_m)
    # Voxel centres are at whole numbers: a block reaches from half a voxel before its first.
    half = 0.5 * voxel_m
    capacity = blocks.shape[0]
    for n in range(3):
        box[0, n] = 1 << 40
        box[1, n] = -(1 << 40)
    half_px = 4.0 * voxel_m * min(view.fx, view.fy)
    for tile in range(tiles.shape[1] * (tiles.shape[2] - 8)):
        row, column = divmod(tile, tiles.shape[2] - 8)
        least_surface = tiles[0, row, column]
        if not np.isfinite(least_surface):
            continue
        apart = half_px * least_surface
        stride = 4 if apart >= 4.0 else 2 if apart >= 2.0 else 1
        for member in range((TILE // stride) ** 2):
            y = row * TILE + member // (TILE // stride) * stride
            x = column * TILE + member % (TILE // stride) * stride
            if y >= nearness.shape[0] or x >= nearness.shape[1]:
                continue
            q = nearness[y, x]
            if q <= 0.0:
                continue
            a = (x - view.cx) / view.fx
            b = (y - view.cy) / view.fy
            dx = r[0] * a + r[3] * b + r[6]
            dy = r[1] * a + r[4] * b + r[7]
            dz = r[2] * a + r[5] * b + r[8]
            z = 1.0 / q
            steps = int(2.0 * truncation_m * per_block * 2.0) + 1
            for s in range(steps + 1):
                along = z - truncation_m + 2.0 * truncation_m * s / steps
                i = int(np.floor((ox + along * dx + half) * per_block))
                j = int(np.floor((oy + along * dy + half) * per_block))
                k = int(np.floor((oz + along * dz + half) * per_block))
                box[0, 0] = min(box[0, 0], i)
                box[0, 1] = min(box[0, 1], j)
                box[0, 2] = min(box[0, 2], k)
                box[1, 0] = max(box[1, 0], i)
                box[1, 1] = max(box[1, 1], j)
                box[1, 2] = max(box[1, 2], k)
                i -= base[0]
                j -= base[1]
                k -= base[2]
                if i < 0 or j < 0 or k < 0:
                    continue
                if i >= block_index.shape[0] or j >= block_index.shape[1] or k >= block_index.shape[2]:
                    continue
                if block_index[i, j, k] < 0:
                    if count < capacity:
                        block_index[i, j, k] = count
                        blocks[count, 0] = i
                        blocks[count, 1] = j
                        blocks[count, 2] = k
                        count += 1
                    else:
                        return capacity + 1
    return count


@njit(nogil=True, cache=True, parallel=True)
def sort_blocks(grid, view, tiles, height, width, truncation_m, turn, verdicts):
    """What an image tells every block of a grid: `UNTOUCHED`, `SEEN`, `CHANGED` or `EMPTY`, verdicts (blocks,) uint8.

    tiles of `bound_tiles`. A block is empty where every pixel that it may fall on is known and sees past it. turn (n,
    of how many): it is told of empty space only at every m-th image, its own.
    """
    now, every = turn
    r = view.rotation
    t = view.translation
    half = 3.5 * grid.voxel_m
    radius = half * np.sqrt(3.0)
    flat = tiles.ravel()
    for block in prange(grid.blocks.shape[0]):
        verdicts[block] = UNTOUCHED
        px = grid.origin[0] + 8.0 * grid.voxel_m * grid.blocks[block, 0] + half
        py = grid.origin[1] + 8.0 * grid.voxel_m * grid.blocks[block, 1] + half
        pz = grid.origin[2] + 8.0 * grid.voxel_m * grid.blocks[block, 2] + half
        z = r[6] * px + r[7] * py + r[8] * pz + t[2]
        near = z - radius
        if near < 0.1:
            continue
        x = r[0] * px + r[1] * py + r[2] * pz + t[0]
        y = r[3] * px + r[4] * py + r[5] * pz + t[1]
        # Extent along the axes of the camera: the half edges of the cube, turned.
        ez = half * (abs(r[6]) + abs(r[7]) + abs(r[8]))
        ex = half * (abs(r[0]) + abs(r[1]) + abs(r[2]))
        ey = half * (abs(r[3]) + abs(r[4]) + abs(r[5]))
        front = 1.0 / (z - ez)
        back = 1.0 / (z + ez)
        left = x - ex
        right = x + ex
        upper = y - ey
        lower = y + ey
        u0 = view.fx * left * (front if left < 0.0 else back) + view.cx
        u1 = view.fx * right * (back if right < 0.0 else front) + view.cx
        v0 = view.fy * upper * (front if upper < 0.0 else back) + view.cy
        v1 = view.fy * lower * (back if lower < 0.0 else front) + view.cy
        if u1 < 0.0 or v1 < 0.0 or u0 > width - 1 or v0 > height - 1:
            continue
        # A pixel more on every side, for interpolation.
        inside = u0 >= 1.0 and v0 >= 1.0 and u1 < width - 2 and v1 < height - 2
        c0 = max(0, int(u0) - 1) // TILE
        c1 = min(width - 1, int(u1) + 2) // TILE
        r0 = max(0, int(v0) - 1) // TILE
        r1 = min(height - 1, int(v1) + 2) // TILE
        carving = (block + now) % every == 0
        low, high, whole = bound_box(flat, tiles.shape, KNOWN if carving else SURFACES, r0, r1, c0, c1)
        if high <= 0.0 or 1.0 / low < z - ez - truncation_m:
            continue
        before = 1.0 / high > z + ez + truncation_m
        if not carving:
            verdicts[block] = UNTOUCHED if before else SEEN
        else:
            verdicts[block] = EMPTY if before and inside and whole >= KNOWN else CHANGED
