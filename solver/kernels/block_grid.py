"""A sparse grid: a small dense array of block numbers over the bounding box, 8 x 8 x 8 voxels for each block in use.

A voxel's slot is block * 512 + 64 x + 8 y + z with x, y, z its place in the block; values are flat arrays over slots.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

BLOCK = 8
SLOTS = BLOCK**3


class BlockGrid(NamedTuple):
    """Where the voxels are. Accepted by kernels as it is."""

    block_index: NDArray[np.int32]
    """Number of each block of the bounding box, -1 where none is in use, shape (Bx, By, Bz)."""
    blocks: NDArray[np.int32]
    """Place of each block in `block_index`, shape (N, 3)."""
    origin: NDArray[np.float64]
    """Centre of voxel (0, 0, 0) [m], shape (3,)."""
    voxel_m: float
    """Spacing of the voxels [m]."""


@njit(nogil=True, cache=True, inline="always")
def voxel_slot(block_index, i, j, k):
    """Slot of voxel (i, j, k), -1 where its block is not in use or outside the box."""
    if i < 0 or j < 0 or k < 0:
        return -1
    a = i >> 3
    b = j >> 3
    c = k >> 3
    if a >= block_index.shape[0] or b >= block_index.shape[1] or c >= block_index.shape[2]:
        return -1
    block = block_index[a, b, c]
    if block < 0:
        return -1
    return block * 512 + ((i & 7) << 6) + ((j & 7) << 3) + (k & 7)
