"""Films (`.mp4`, `.mov`, `.avi`, `.mkv`, `.webm`): colour only, at the times they were taken, upright.

FFmpeg (PyAV) reads them and tells the time of every picture, however unevenly they come, and the rotation that a phone
writes into a film instead of turning the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from capture.field_of_view import describe_field, pinhole_of_field
from capture.source import EndOfRecording, SourceInfo
from solver.errors import DeviceLostError, InputError
from solver.types import Frame, read_only

LARGEST_SIDE_PX = 1280
"""Larger pictures are made smaller: neither the landmarker nor the tracker sees more in them."""
USUAL_RATE = 30.0
CURE = "convert it with ffmpeg, or film again"


class VideoFile:
    """A film, read as fast as it is asked for. There is no depth: who needs measures needs a depth camera."""

    def __init__(self, path: Path, field_deg: float | None = None) -> None:
        """Opens the film at `path`; `field_deg` is the camera's diagonal field of view, None where nobody knows it.

        Raises `InputError` naming the file and the cure where no picture can be read.
        """
        self._path = Path(path)
        self._closed = False
        if not self._path.is_file():
            raise InputError(f"{path}: no such film; check the name")
        if self._path.stat().st_size == 0:
            raise InputError(f"{path}: the film is empty; {CURE}")
        try:
            self._container = av.open(str(self._path))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path}: not a readable film ({_reason(error)}); {CURE}") from error
        try:
            self._open(field_deg)
        except BaseException:
            self.close()
            raise

    def _open(self, field_deg: float | None) -> None:
        if not self._container.streams.video:
            raise InputError(f"{self._path}: the file has no pictures, sound at most; {CURE}")
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        self._frame_rate = float(stream.average_rate or stream.guessed_rate or USUAL_RATE)
        self._pictures = self._decode()
        self._waiting = next(self._pictures, None)
        if self._waiting is None:
            raise InputError(f"{self._path}: no picture of the film can be read; {CURE}")
        height, width = self._waiting[1].shape[:2]
        self._sequence = 0
        self._info = SourceInfo(
            kind="video",
            name=f"{self._path.name} ({describe_field(field_deg)})",
            serial="",
            intrinsics=pinhole_of_field(width, height, field_deg),
            noise=None,
            frame_rate=self._frame_rate,
            live=False,
            frame_count=stream.frames or None,
        )

    def _decode(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Time [s] and upright picture (H, W, 3), in the order of showing."""
        time_s = 0.0
        shape, size = None, (0, 0)
        try:
            for frame in self._container.decode(video=0):
                if shape is None:
                    shape = (frame.width, frame.height)
                    scale = min(1.0, LARGEST_SIDE_PX / max(shape))
                    size = (max(2, round(scale * shape[0])), max(2, round(scale * shape[1])))
                    time_s = float(frame.time or 0.0)
                elif (frame.width, frame.height) != shape:
                    raise InputError(f"{self._path}: the pictures change their size in mid-film; {CURE}")
                picture = frame.to_ndarray(width=size[0], height=size[1], format="rgb24")
                quarters = round(frame.rotation / 90.0) % 4  # counter-clockwise
                time_s = time_s + 1.0 / self._frame_rate if frame.time is None else max(time_s, float(frame.time))
                yield time_s, np.array(np.rot90(picture, quarters), np.uint8, order="C")
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise InputError(f"{self._path}: the film is damaged ({_reason(error)}); {CURE}") from error

    @property
    def info(self) -> SourceInfo:
        """What is known of the film; its intrinsics rest on an assumed field of view, which the name says."""
        return self._info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next picture. Raises `EndOfRecording`, and `InputError` where the film is damaged."""
        if self._closed:
            raise DeviceLostError(f"{self._path} was closed; open it again")
        if self._waiting is None:
            self._waiting = next(self._pictures, None)
        if self._waiting is None:
            raise EndOfRecording(f"{self._path}: the film is over")
        (time_s, picture), self._waiting = self._waiting, None
        sequence, self._sequence = self._sequence, self._sequence + 1
        return Frame(sequence, time_s, self._info.intrinsics, read_only(picture), None)

    def close(self) -> None:
        """Closes the file. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]
