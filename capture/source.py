"""The contract that every frame source keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from solver.errors import ChevalError, DeviceLostError
from solver.types import DepthNoise, Frame, Intrinsics


class EndOfRecording(ChevalError):
    """A recording or a simulated visit has come to its end."""


class FrameTimeoutError(ChevalError):
    """No frame arrived in the time allowed. The source may still recover: read again."""


class CameraAbsentError(DeviceLostError):
    """No such camera is attached. It may be plugged in later."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its first frame."""

    kind: str
    """`simulated`, `realsense`, `realsense-recording`, `rgbd-folder`, `webcam`, `video`."""
    name: str
    """For people: camera model, file or folder."""
    serial: str
    """Identifies the physical camera; empty where there is none."""
    intrinsics: Intrinsics
    """Of the frames as delivered (after rotation). A colour-only source's rest on an assumption, which `name` says."""
    noise: DepthNoise | None
    """How depth errs; None where there is no depth."""
    frame_rate: float
    """Nominal frames per second."""
    live: bool
    """True where frames are lost if they are not read in time."""
    frame_count: int | None
    """Frames in a recording, None where unknown."""


class FrameSource(Protocol):
    """A camera, real, recorded or simulated.

    Frames come in order: `sequence` grows strictly, `captured_at` never falls. Their arrays are read-only, C-contiguous
    and owned by the caller. Depth and colour share one pixel grid and one set of intrinsics. Where `info.noise` is None
    no frame has depth.
    """

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        ...

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame.

        Raises `FrameTimeoutError`, `EndOfRecording` (again at every further call) or `DeviceLostError`.
        """
        ...

    def close(self) -> None:
        """Releases the device or file. Safe to call twice. `read` after it raises `DeviceLostError`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...
