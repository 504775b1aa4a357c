"""One sign for all voxels that no surface parts: what lies beyond a fold must not count as inside.

Where a mesh cuts through itself (behind the ears, between the lips) the nearest triangle may face away from the
outside, and the sign of the distance flips for everything beyond it. But between neighbouring voxels a surface can only
lie where their distances add up to no more than the way from one to the other. All others are on one side: they are
gathered by flooding, and the majority decides.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from solver.kernels.block_grid import voxel_slot

ROUNDING = 1.01


@njit(nogil=True, cache=True)
def settle_signs(grid, visited, queue, distance):
    """Give all voxels of `grid` between which no surface can lie the sign that most of them have.

    visited (slots,) uint8 and queue (slots,) int32 are scratch; distance (slots,) float32 [m], not finite where
    unknown, is changed in place.
    """
    limit = np.float32(ROUNDING * grid.voxel_m)
    visited[:] = 0
    for seed in range(distance.shape[0]):
        if visited[seed] or not np.isfinite(distance[seed]):
            continue
        queue[0] = seed
        visited[seed] = 1
        count = 1
        head = 0
        balance = 0
        while head < count:
            slot = queue[head]
            head += 1
            balance += 1 if distance[slot] >= 0.0 else -1
            reach = limit - abs(distance[slot])
            block = slot >> 9
            i = grid.blocks[block, 0] * 8 + ((slot >> 6) & 7)
            j = grid.blocks[block, 1] * 8 + ((slot >> 3) & 7)
            k = grid.blocks[block, 2] * 8 + (slot & 7)
            for side in range(6):
                step = 1 if side % 2 == 0 else -1
                other = voxel_slot(
                    grid.block_index,
                    i + (step if side < 2 else 0),
                    j + (step if 2 <= side < 4 else 0),
                    k + (step if side >= 4 else 0),
                )
                if other < 0 or visited[other] or not np.isfinite(distance[other]) or abs(distance[other]) <= reach:
                    continue
                visited[other] = 1
                queue[count] = other
                count += 1
        for n in range(count):
            slot = queue[n]
            distance[slot] = abs(distance[slot]) if balance >= 0 else -abs(distance[slot])
