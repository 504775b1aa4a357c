"""Which pixels are the person: by the landmarker's mask where there is one, and by depth: above the floor, hanging
together with the body that is followed. Without depth the mask alone decides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.kernels.pixel_association import find_nearest_person, grow_region, mark_person
from solver.types import DepthNoise, Intrinsics, Observation

PERSON, BACKGROUND, UNKNOWN = 1, 0, 2
FLOOR_CLEARANCE_M = 0.03
SURELY, HARDLY = 0.6, 0.2
"""Of a mask without depth: at least so much is the person, less than so much is not; between them nobody knows."""
REACH_M = 1.1
"""Nothing of a person is farther from the vertical through the pelvis."""
NEAR_MODEL_M = 0.12
"""Pixels nearer to the followed body than this are the person's."""
CORE_M = 0.15
"""Without body and mask a person is what is so near to the vertical through the pelvis, and hangs together with it."""
UNSEEN = np.zeros((0, 0), np.float32)


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
        self._disparity_noise = float(noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m))
        self.depth = np.zeros(shape, np.float32)
        """Depth on the grid [m], (h, w)."""
        self.mask: NDArray[np.float32] | None = None
        """The landmarker's mask on the grid, (h, w), or None."""
        self.labels = np.zeros(shape, np.uint8)
        """`PERSON`, `BACKGROUND` or `UNKNOWN`, (h, w)."""
        self.nearest = np.full(shape, -1, np.int32)
        """Index of the nearest person pixel of each pixel, (h, w), -1 where there is none."""
        self._has_depth = True
        self._region, self._seeds, self._allowed = (np.zeros(shape, np.uint8) for _ in range(3))
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

    def sampled(self, picture: NDArray) -> NDArray:
        """The grid's pixels of a full `picture` (H, W, ...), (h, w, ...)."""
        return np.ascontiguousarray(picture[self._first :: self._stride, self._first :: self._stride])

    def heights(self, T_wc: NDArray) -> NDArray[np.float32]:
        """Height of each grid pixel's point above the floor [m], (h, w)."""
        grid, (right, down, ahead, height) = self.intrinsics, T_wc[2]
        x = (np.arange(grid.width) - grid.cx) / grid.fx
        y = (np.arange(grid.height) - grid.cy) / grid.fy
        return ((right * x + (down * y)[:, None] + ahead) * self.depth + height).astype(np.float32)

    def label(self, T_wc: NDArray, pelvis: NDArray, model_depth: NDArray[np.float32] | None) -> int:
        """Label the grid: the person stands around `pelvis` (3,), frame w; `model_depth` (h, w) is the followed body.

        Without `model_depth` the mask alone tells where to begin. Returns the number of person pixels.
        """
        if not self._has_depth:
            return self._label_by_mask()
        seen = self.depth > 0.0
        mark_person(
            self.depth,
            UNSEEN if self.mask is None else self.mask,
            UNSEEN if model_depth is None else model_depth,
            self.intrinsics,
            np.array(T_wc[:3], np.float64),
            np.array(pelvis, np.float64),
            (self._disparity_noise, FLOOR_CLEARANCE_M, REACH_M, NEAR_MODEL_M, CORE_M),
            self._seeds,
            self._allowed,
        )
        count = grow_region(
            self.depth, self._seeds, self._allowed, 4.0 * self._disparity_noise, self._stack, self._region
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
