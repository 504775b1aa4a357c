"""One frame at several sizes, in buffers that are used again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.kernels.depth_pyramid import halve_depth, halve_image, write_luma, write_normals
from solver.kernels.rigid_alignment import Picture
from solver.types import DepthNoise, Intrinsics

LEVEL_COUNT = 4
"""The full picture and three halvings: 640, 320, 160, 80 pixels wide."""
NORMAL_REACH_PX = 2


def halve_intrinsics(intrinsics: Intrinsics) -> Intrinsics:
    """The camera of a picture whose pixels are 2 x 2 of the other's."""
    width, height, fx, fy, cx, cy = intrinsics
    return Intrinsics(width // 2, height // 2, 0.5 * fx, 0.5 * fy, 0.5 * cx - 0.25, 0.5 * cy - 0.25)


def edge_spread(intrinsics: Intrinsics, noise: DepthNoise) -> float:
    """Depth differences between neighbouring pixels above this times z^2 are an edge [1/m].

    Six times the noise, or a surface seen at 75 degrees from its normal at 1 m.
    """
    disparity = noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m)
    return max(6.0 * disparity, 3.7 / intrinsics.fx)


class Pyramid:
    """Depth, normals and grey values of one frame, from the full picture to the smallest."""

    def __init__(self, intrinsics: Intrinsics, noise: DepthNoise, has_color: bool) -> None:
        self.has_color = has_color
        self.intrinsics = [Intrinsics(*intrinsics[:2], *(float(value) for value in intrinsics[2:]))]
        for _ in range(LEVEL_COUNT - 1):
            self.intrinsics.append(halve_intrinsics(self.intrinsics[-1]))
        self._spread = edge_spread(intrinsics, noise)
        self.levels = [
            Picture(
                np.zeros((camera.height, camera.width), np.float32),
                np.zeros((camera.height, camera.width, 3), np.float32),
                np.zeros((camera.height, camera.width) if has_color else (0, 0), np.float32),
            )
            for camera in self.intrinsics
        ]

    def load(self, depth: NDArray[np.float32], color: NDArray[np.uint8] | None) -> None:
        """Takes a frame in: depth [m] (H, W); color (H, W, 3) sRGB. Normals are left until `add_normals`."""
        self.levels[0].depth[:] = depth
        if self.has_color and color is not None:
            write_luma(color, self.levels[0].intensity)
        self.load_levels(None)

    def load_levels(self, intensity: NDArray[np.uint8] | None) -> None:
        """Fills the smaller pictures from the full one; takes in grey values (H, W) first, where given."""
        self._halve_depth(0)
        if self.has_color:
            if intensity is not None:
                self.levels[0].intensity[:] = intensity
            for finer, coarser in zip(self.levels, self.levels[1:], strict=False):
                halve_image(finer.intensity, coarser.intensity)

    def load_prediction(self, depth: NDArray[np.float32], normals: NDArray[np.float32], level: int) -> None:
        """Takes the model's depth [m] and normals (frame c) as seen at `level`; coarser levels follow."""
        self.levels[level].depth[:] = depth
        self.levels[level].normals[:] = normals
        self._halve_depth(level)
        self._write_normals(level + 1)

    def add_normals(self) -> None:
        """Makes the frame a reference: normals from its own depth."""
        self._write_normals(0)

    def _halve_depth(self, first: int) -> None:
        for level in range(first, LEVEL_COUNT - 1):
            # Pixels grow with the level, and with them what a slope explains.
            halve_depth(self.levels[level].depth, self._spread * 2.0**level, self.levels[level + 1].depth)

    def _write_normals(self, first: int) -> None:
        for level in range(first, LEVEL_COUNT):
            reach = NORMAL_REACH_PX if level < 2 else 1
            picture = self.levels[level]
            write_normals(picture.depth, self.intrinsics[level], reach, self._spread * 2.0**level, picture.normals)

    def copy_from(self, other: Pyramid) -> None:
        """Takes over what another pyramid of the same camera holds."""
        for mine, theirs in zip(self.levels, other.levels, strict=True):
            for target, source in zip(mine, theirs, strict=True):
                target[:] = source
