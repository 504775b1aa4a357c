"""A webcam: colour only. Run it in a child process: a driver's read may wait for many seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from capture.field_of_view import describe_field, pinhole_of_field
from capture.native_log import quiet_native_log
from capture.source import CameraAbsentError, SourceInfo
from solver.errors import DeviceLostError
from solver.types import Frame, Intrinsics, read_only

WISHED_SIZE = (1280, 720)
WISHED_RATE = 30.0
FIRST_READS = 20
"""Pictures that a webcam may owe while it wakes up."""
REPLUG = "plug it out and in again"


def open_device(index: int) -> cv2.VideoCapture:
    """OpenCV's webcam `index`, asked for 1280x720 at 30 frames/s; compressed, or USB 2 does not carry it."""
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")  # [s]; 10 if nobody asks
    with quiet_native_log():
        device = cv2.VideoCapture(index)
        if device.isOpened():
            device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
            device.set(cv2.CAP_PROP_FRAME_WIDTH, WISHED_SIZE[0])
            device.set(cv2.CAP_PROP_FRAME_HEIGHT, WISHED_SIZE[1])
            device.set(cv2.CAP_PROP_FPS, WISHED_RATE)
            device.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return device


class Webcam:
    """Pictures as they come, stamped on arrival here. Keeps the contract of `capture.source.FrameSource`."""

    def __init__(
        self,
        index: int = 0,
        field_deg: float | None = None,
        open_device: Callable[[int], cv2.VideoCapture] = open_device,
    ) -> None:
        """Starts webcam `index`; `field_deg` is its diagonal field of view, None where nobody knows it.

        Raises `CameraAbsentError` where there is none, `DeviceLostError` where it is busy or gives no picture.
        """
        self._name = f"webcam {index}"
        self._closed = False
        self._sequence = -1
        self._captured_at = 0.0
        self._device = open_device(index)
        if not self._device.isOpened():
            if sys.platform == "linux" and Path(f"/dev/video{index}").exists():
                raise DeviceLostError(f"{self._name} does not open: close other programs that use it, or {REPLUG}")
            raise CameraAbsentError(f"no {self._name} is attached to this machine; plug one in, or use another number")
        size = self._first_size()
        rate = float(self._device.get(cv2.CAP_PROP_FPS))
        self._info = SourceInfo(
            kind="webcam",
            name=f"{self._name} ({describe_field(field_deg)})",
            serial=f"webcam-{index}",
            intrinsics=pinhole_of_field(*size, field_deg),
            noise=None,
            frame_rate=rate if 1.0 <= rate <= 240.0 else WISHED_RATE,
            live=True,
            frame_count=None,
        )

    def _first_size(self) -> tuple[int, int]:
        for _ in range(FIRST_READS):
            arrived, picture = self._device.read()
            if arrived and picture is not None and picture.ndim == 3:
                return picture.shape[1], picture.shape[0]
        self.close()
        raise DeviceLostError(f"{self._name} gives no picture: close other programs that use it, or {REPLUG}")

    @property
    def info(self) -> SourceInfo:
        """What is known of the webcam; its intrinsics rest on an assumed field of view, which the name says."""
        return self._info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next picture. Raises `DeviceLostError` when the webcam is gone.

        OpenCV cannot wait for less than its driver does: `capture.child_process` keeps the `timeout_s`.
        """
        if self._closed:
            raise DeviceLostError(f"{self._name} was closed; open it again")
        arrived, picture = self._device.read()
        now = time.monotonic()
        if not arrived or picture is None:
            raise DeviceLostError(f"{self._name} was unplugged or stopped; {REPLUG}")
        intrinsics: Intrinsics = self._info.intrinsics
        if picture.shape != (intrinsics.height, intrinsics.width, 3):
            raise DeviceLostError(f"{self._name} changed the size of its pictures; {REPLUG}")
        self._sequence += 1
        self._captured_at = max(self._captured_at, now)
        color = read_only(np.ascontiguousarray(picture[..., ::-1]))
        return Frame(self._sequence, self._captured_at, intrinsics, color, None)

    def close(self) -> None:
        """Stops the webcam. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._device.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
