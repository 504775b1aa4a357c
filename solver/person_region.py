"""Which pixels are the person: by the landmarker's mask where there is one, and by depth: above the floor, hanging
together with the body that is followed. Without depth the mask alone decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.kernels.pixel_association import find_nearest_person, grow_region
from solver.types import DepthNoise, Intrinsics, Observation

PERSON, BACKGROUND, UNKNOWN = 1, 0, 2
FLOOR_CLEARANCE_M = 0.03
SURELY, HARDLY = 0.6, 0.2
"""Of a mask without depth: at least so much is the person, less than so much is not; between them nobody knows."""
REACH_M = 1.1
"""Nothing of a person is farther from the vertical through the pelvis."""


class PersonRegion:
    """Samples observations on a coarser grid and labels it. Owns its buffers."""

    def __init__(self, intrinsics: Intrinsics, noise: DepthNoise, stride: int):
        """Every `stride`-th pixel of pictures with `intrinsics` is used."""
        self._stride, self._first = stride, stride // 2
        shape = tuple(len(range(self._first, side, stride)) for side in (intrinsics.height, intrinsics.width))
        self.intrinsics = Intrinsics(
            shape[1],
            shape[0],
            intrinsics.fx / stride,
            intrinsics.fy / stride,
            (intrinsics.cx - self._first) / stride,
            (intrinsics.cy - self._first) / stride,
        )
        grid = self.intrinsics
        self._disparity_noise = noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m)
        self._x, self._y = np.meshgrid(
            ((np.arange(grid.width) - grid.cx) / grid.fx).astype(np.float32),
            ((np.arange(grid.height) - grid.cy) / grid.fy).astype(np.float32),
        )
        self.depth = np.zeros(shape, np.float32)
        """Depth on the grid [m], (h, w)."""
        self.mask: NDArray[np.float32] | None = None
        """The landmarker's mask on the grid, (h, w), or None."""
        self.labels = np.zeros(shape, np.uint8)
        """`PERSON`, `BACKGROUND` or `UNKNOWN`, (h, w)."""
        self.nearest = np.full(shape, -1, np.int32)
        """Index of the nearest person pixel of each pixel, (h, w), -1 where there is none."""
        self._has_depth = True
        self._region = np.zeros(shape, np.uint8)
        self._stack = np.empty(shape[0] * shape[1], np.int32)

    def sample(self, observation: Observation) -> None:
        """Take the observation's depth and mask."""
        part = slice(self._first, None, self._stride)
        self._has_depth = observation.frame.depth is not None
        if observation.frame.depth is None:
            self.depth.fill(0.0)
        else:
            self.depth[...] = observation.frame.depth[part, part]
        self.mask = None if observation.mask is None else np.ascontiguousarray(observation.mask[part, part])

    def heights(self, T_wc: NDArray) -> NDArray[np.float32]:
        """Height of each grid pixel's point above the floor [m], (h, w)."""
        row = T_wc[2].astype(np.float32)
        return (row[0] * self._x + row[1] * self._y + row[2]) * self.depth + row[3]

    def label(self, T_wc: NDArray, pelvis: NDArray, model_depth: NDArray[np.float32] | None) -> int:
        """Label the grid: the person stands around `pelvis` (3,), frame w; `model_depth` (h, w) is the followed body.

        Without `model_depth` the mask alone tells where to begin. Returns the number of person pixels.
        """
        if not self._has_depth:
            return self._label_by_mask()
        depth = self.depth
        seen = depth > 0.0
        T = T_wc.astype(np.float32)
        across = (T[0, 0] * self._x + T[0, 1] * self._y + T[0, 2]) * depth + T[0, 3] - np.float32(pelvis[0])
        away = (T[1, 0] * self._x + T[1, 1] * self._y + T[1, 2]) * depth + T[1, 3] - np.float32(pelvis[1])
        noise = np.float32(self._disparity_noise) * depth * depth
        grazing = np.abs(T[2, 0] * self._x + T[2, 1] * self._y + T[2, 2])
        clear = self.heights(T_wc) > FLOOR_CLEARANCE_M + 2.0 * noise * grazing
        allowed = seen & clear & (across * across + away * away < REACH_M**2)
        if model_depth is not None:
            near = (model_depth > 0.0) & (np.abs(model_depth - depth) < 0.12)
            if self.mask is not None:
                allowed &= near | (widened(self.mask > 0.3))
            seeds = near
        elif self.mask is not None:
            allowed &= widened(self.mask > 0.3)
            seeds = self.mask > 0.7
        else:
            seeds = across * across + away * away < 0.15**2
        count = grow_region(
            depth,
            seeds.view(np.uint8),
            allowed.view(np.uint8),
            4.0 * self._disparity_noise,
            self._stack,
            self._region,
        )
        # Where the camera measured nothing, only the mask can say that nobody is there.
        unknown = ~seen if self.mask is None else ~seen & (self.mask > 0.15)
        np.copyto(self.labels, BACKGROUND)
        self.labels[unknown] = UNKNOWN
        self.labels[self._region != 0] = PERSON
        find_nearest_person(self.labels, self.nearest)
        return int(count)

    def _label_by_mask(self) -> int:
        np.copyto(self.labels, BACKGROUND)
        if self.mask is not None:
            self.labels[self.mask > HARDLY] = UNKNOWN
            self.labels[self.mask > SURELY] = PERSON
        find_nearest_person(self.labels, self.nearest)
        return int(np.count_nonzero(self.labels == PERSON))


def widened(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """`mask` (H, W) and the pixels next to it, diagonals too."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    across = out.copy()
    out[:, 1:] |= across[:, :-1]
    out[:, :-1] |= across[:, 1:]
    return out
