"""Blocks of voxels that come into being where surfaces are seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.kernels.block_grid import BLOCK, SLOTS, BlockGrid
from solver.kernels.volume_blocks import CameraView, touch_blocks

LARGEST_BOX = 1 << 28
"""Block numbers of a bounding box; beyond this, a pose or a unit is wrong (1 GiB of numbers)."""
LARGEST_BLOCK_COUNT = 1 << 20
"""Blocks in use (4 GiB of voxels)."""


class SparseVolume:
    """A signed distance in blocks of 8 x 8 x 8 voxels. Voxel centres lie at whole multiples of the spacing.

    The numbers of the blocks stand in a dense array over their bounding box: four bytes against the 4096 of a block's
    voxels, found by one look. All arrays grow by half or more, so that frames seldom allocate.
    """

    def __init__(self, voxel_m: float, colored: bool = False) -> None:
        self.voxel_m = float(voxel_m)
        self._base = np.zeros(3, np.int64)
        self._index = np.full((0, 0, 0), -1, np.int32)
        self._blocks = np.zeros((0, 3), np.int32)
        self.block_count = 0
        self._distance = np.zeros(0, np.float32)
        self._weight = np.zeros(0, np.float32)
        self._carved = np.zeros(0, np.float32)
        self._color: NDArray[np.float32] | None = None
        self._color_weight: NDArray[np.float32] | None = None
        self._wanted = np.zeros((2, 3), np.int64)

    @property
    def grid(self) -> BlockGrid:
        """Where the voxels are, for kernels."""
        origin = (self._base * BLOCK).astype(np.float64) * self.voxel_m
        return BlockGrid(self._index, self._blocks[: self.block_count], origin, self.voxel_m)

    @property
    def distance(self) -> NDArray[np.float32]:
        """Signed distance [m], negative inside, NaN where never seen, shape (slots,)."""
        return self._distance[: self.block_count * SLOTS]

    @property
    def weight(self) -> NDArray[np.float32]:
        """Sum of the observations' weights, shape (slots,)."""
        return self._weight[: self.block_count * SLOTS]

    @property
    def carved(self) -> NDArray[np.float32]:
        """Weight of sights of empty space that eight voxels in a row have not been told yet, shape (slots / 8,)."""
        return self._carved[: self.block_count * BLOCK**2]

    @property
    def color(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean sRGB 0..255, shape (slots, 3), and its weight, shape (slots,); made when first asked for."""
        if self._color is None or self._color_weight is None:
            self._color = np.zeros((len(self._distance), 3), np.float32)
            self._color_weight = np.zeros(len(self._distance), np.float32)
        return self._color[: self.block_count * SLOTS], self._color_weight[: self.block_count * SLOTS]

    @property
    def colored(self) -> bool:
        """Whether any colour was kept."""
        return self._color is not None

    @property
    def memory_bytes(self) -> int:
        """Held by the arrays, with their room to grow."""
        kept = [self._index, self._blocks, self._distance, self._weight, self._carved]
        kept += [array for array in (self._color, self._color_weight) if array is not None]
        return sum(array.nbytes for array in kept)

    def clear(self) -> None:
        """Forget everything; the memory is kept."""
        self._index.fill(-1)
        self._distance.fill(np.nan)
        self._weight.fill(0.0)
        self._carved.fill(0.0)
        self._color = self._color_weight = None
        self.block_count = 0

    def touch(
        self, nearness: NDArray[np.float32], tiles: NDArray[np.float32], view: CameraView, truncation_m: float
    ) -> None:
        """Make room for what an image sees: blocks within `truncation_m` of the believed pixels of `nearness` (H, W),
        whose bounds are `tiles` (`bound_tiles`).

        Raises `InputError` where that would be larger than any room.
        """
        while True:
            count = touch_blocks(
                nearness,
                tiles,
                view,
                self.voxel_m,
                truncation_m,
                self._base,
                self._index,
                self._blocks,
                self.block_count,
                self._wanted,
            )
            full = count > len(self._blocks)
            self.block_count = min(count, len(self._blocks))
            low, high = self._wanted
            outside = bool((low <= high).all()) and bool(
                (low < self._base).any() or (high >= self._base + self._index.shape).any()
            )
            if not full and not outside:
                return
            if full:
                self._reserve(max(1024, len(self._blocks) * 3 // 2))
            if outside:
                self._widen(low, high)

    def _reserve(self, capacity: int) -> None:
        if capacity > LARGEST_BLOCK_COUNT:
            raise InputError(
                f"the surfaces seen need more than {LARGEST_BLOCK_COUNT} blocks of {self.voxel_m * 1e3:g} mm voxels: "
                "use larger voxels"
            )
        self._blocks = _grown(self._blocks, capacity, 0)
        self._carved = _grown(self._carved, capacity * BLOCK**2, 0)
        self._distance = _grown(self._distance, capacity * SLOTS, np.nan)
        self._weight = _grown(self._weight, capacity * SLOTS, 0)
        if self._color is not None and self._color_weight is not None:
            self._color = _grown(self._color, capacity * SLOTS, 0)
            self._color_weight = _grown(self._color_weight, capacity * SLOTS, 0)

    def _widen(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
        """The bounding box shall hold blocks `low` to `high`, and some more on the sides that were too narrow."""
        shape = np.array(self._index.shape)
        if not self._index.size:
            first, last = low - 4, high + 4
        else:
            spare = np.maximum(4, shape // 4)
            first = np.where(low < self._base, low - spare, self._base)
            last = np.where(high >= self._base + shape, high + spare, self._base + shape - 1)
        size = last - first + 1
        if np.prod(size.astype(np.float64)) > LARGEST_BOX:
            raise InputError(
                f"the surfaces seen span {np.round(size * BLOCK * self.voxel_m, 1)} m, too much for voxels of "
                f"{self.voxel_m * 1e3:g} mm: check the poses and the depth unit, or use larger voxels"
            )
        index = np.full(size, -1, np.int32)
        shift = (self._base - first).astype(np.int32)
        a, b, c = (slice(int(s), int(s) + n) for s, n in zip(shift, self._index.shape, strict=True))
        index[a, b, c] = self._index
        self._blocks[: self.block_count] += shift
        self._base, self._index = first, index


def _grown(array: NDArray, length: int, fill: float) -> NDArray:
    """A longer copy, the rest holding `fill`."""
    grown = np.full((length, *array.shape[1:]), fill, array.dtype)
    grown[: len(array)] = array
    return grown
