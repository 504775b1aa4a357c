"""Cameras that hang on their side: pictures turned upright, and everything that belongs to them with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from capture.source import FrameSource, SourceInfo
from solver.errors import UsageError
from solver.types import Frame, Intrinsics, read_only

TURNS = (0, 90, 180, 270)
_QUARTER_TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""A point of frame c, seen from the camera whose picture is turned clockwise by 90 degrees."""


def rotation_matrix(degrees: int) -> NDArray[np.float64]:
    """Points of the camera as it hangs to points of the camera with the turned picture, shape (3, 3)."""
    return np.linalg.matrix_power(_QUARTER_TURN, degrees // 90)


def rotate_intrinsics(intrinsics: Intrinsics, degrees: int) -> Intrinsics:
    """Intrinsics of the picture turned clockwise by `degrees` (0, 90, 180 or 270)."""
    for _ in range(degrees // 90):
        width, height, fx, fy, cx, cy = intrinsics
        intrinsics = Intrinsics(height, width, fy, fx, height - 1 - cy, cx)
    return intrinsics


def rotate_frame(frame: Frame, degrees: int) -> Frame:
    """`frame` with its pictures turned clockwise by `degrees`, intrinsics, gravity and pose turned to match."""
    if degrees == 0:
        return frame

    def turned(image: NDArray | None) -> NDArray | None:
        return None if image is None else read_only(np.ascontiguousarray(np.rot90(image, -degrees // 90)))

    rotation = rotation_matrix(degrees)
    pose = frame.T_wc
    if pose is not None:
        inverse = np.eye(4)
        inverse[:3, :3] = rotation.T
        pose = read_only(pose @ inverse)
    return replace(
        frame,
        intrinsics=rotate_intrinsics(frame.intrinsics, degrees),
        color=turned(frame.color),
        depth=turned(frame.depth),
        gravity=None if frame.gravity is None else read_only(rotation @ frame.gravity),
        T_wc=pose,
    )


class RotatedSource:
    """Any source, its pictures turned clockwise by `degrees` (0, 90, 180 or 270)."""

    def __init__(self, source: FrameSource, degrees: int) -> None:
        """Takes over `source` and closes it. Raises `UsageError` for another angle."""
        if degrees not in TURNS:
            source.close()
            raise UsageError(f"a picture cannot be turned by {degrees} degrees; choose 0, 90, 180 or 270")
        self._source = source
        self._degrees = degrees

    @property
    def info(self) -> SourceInfo:
        """Of the turned pictures."""
        info = self._source.info
        return replace(info, intrinsics=rotate_intrinsics(info.intrinsics, self._degrees))

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame, turned."""
        return rotate_frame(self._source.read(timeout_s), self._degrees)

    def close(self) -> None:
        """Closes the source."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
