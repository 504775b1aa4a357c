"""Folders of colour and depth pictures as a source."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.depth_image import read_color, read_depth
from capture.depth_noise import STRUCTURED_LIGHT
from capture.intrinsics_file import FolderCamera
from capture.rgbd_layouts import read_layout
from capture.source import EndOfRecording, SourceInfo
from solver.errors import DeviceLostError
from solver.types import Frame, read_only


class RgbdFolder:
    """An RGB-D folder as a source. Frames are numbered by their place in the folder."""

    def __init__(self, folder: Path) -> None:
        """Lists `folder` and reads its intrinsics. Raises `InputError` naming the file and the cure."""
        self._folder = Path(folder)
        self._camera, self._entries = read_layout(self._folder)
        self._maps = undistortion_maps(self._camera)
        gravity = self._camera.gravity
        self._gravity = None if gravity is None else read_only(np.array(gravity, np.float64))
        self._next = 0
        self._closed = False

    @property
    def info(self) -> SourceInfo:
        """What is known of the recording. Unless the folder tells, noise is taken to be that of structured light."""
        return SourceInfo(
            kind="rgbd-folder",
            name=self._folder.resolve().name,
            serial=self._camera.serial,
            intrinsics=self._camera.intrinsics,
            noise=self._camera.noise or STRUCTURED_LIGHT,
            frame_rate=self._camera.frame_rate,
            live=False,
            frame_count=len(self._entries),
        )

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame. Raises `EndOfRecording` after the last, `InputError` for a picture that cannot be used."""
        if self._closed:
            raise DeviceLostError(f"{self._folder}: the recording was closed")
        if self._next == len(self._entries):
            raise EndOfRecording(f"{self._folder}: end of the recording")
        entry = self._entries[self._next]
        intrinsics = self._camera.intrinsics
        depth = read_depth(entry.depth, intrinsics, self._camera.depth_scale)
        color = read_color(entry.color, intrinsics)
        if self._maps is not None:
            color = cv2.remap(color, *self._maps, cv2.INTER_LINEAR)
            depth = cv2.remap(depth, *self._maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        self._next += 1
        return Frame(
            sequence=self._next - 1,
            captured_at=entry.captured_at,
            intrinsics=intrinsics,
            color=read_only(np.ascontiguousarray(color, np.uint8)),
            depth=read_only(np.ascontiguousarray(depth, np.float32)),
            gravity=self._gravity,
            T_wc=entry.T_wc,
        )

    def close(self) -> None:
        """Ends reading. Safe to call twice."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def undistortion_maps(camera: FolderCamera) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """cv2.remap's maps from undistorted to stored pixels, None for pictures without distortion."""
    if not any(camera.distortion):
        return None
    width, height, fx, fy, cx, cy = camera.intrinsics
    matrix = np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    columns, rows = cv2.initUndistortRectifyMap(
        matrix, np.array(camera.distortion), np.eye(3), matrix, (width, height), cv2.CV_32FC1
    )
    return np.asarray(columns, np.float32), np.asarray(rows, np.float32)
