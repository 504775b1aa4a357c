"""A live source that may start without its camera, and survives unplugging.

A thread owns the camera: it waits for one to be attached, opens it, reads it, and begins again when it is lost. `read`
only waits for what the thread brings, so it never takes longer than it may, whatever a driver does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from capture.child_process import ChildProcessSource
from capture.source import CameraAbsentError, FrameSource, FrameTimeoutError, SourceInfo
from solver.errors import ChevalError, DeviceLostError
from solver.types import Frame

RETRY_S = 1.0
"""Rest after a camera was lost, or does not start."""
LOOK_S = 0.5
"""Between two looks at what is attached, in the child."""
LOOKING_S = 30.0
"""A child that has looked so long makes room for a fresh one: a driver that does not see a new camera starts anew."""
START_S = 20.0
"""How long an attached camera may take to start."""
READ_S = 0.25
CLOSE_PATIENCE_S = 3.0
NO_CAMERA = "no camera"


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """Whether there is a camera, for screens."""

    connected: bool
    message: str
    """What to tell people: `no camera`, why it does not work, or its name."""
    connections: int
    """How often a camera was found. Where it has grown, `info` may be another: make new trackers."""


class HotPlugSource:
    """Keeps the contract of `capture.source.FrameSource`, with or without a camera."""

    def __init__(self, open_camera: Callable[[Callable[[], bool]], FrameSource], expected: SourceInfo) -> None:
        """Starts to look for a camera and returns at once.

        `open_camera(given_up)` opens it, or raises `CameraAbsentError` after a while of looking, or `DeviceLostError`
        at once where there is one that does not work; it ends early when `given_up()` turns true. `expected` is what
        `info` says until the first camera is there.
        """
        self._open_camera = open_camera
        self._info = expected
        self._status = CameraStatus(False, NO_CAMERA, 0)
        self._frame: Frame | None = None
        self._failure: ChevalError | None = None
        self._last_sequence, self._last_time = -1, 0.0
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self.dropped_count = 0
        """Frames passed over for a newer one."""
        self._thread = threading.Thread(target=self._run, name="hot-plug", daemon=True)
        self._thread.start()

    @property
    def info(self) -> SourceInfo:
        """Of the camera that is attached, or was last; before the first one, what is expected."""
        return self._info

    @property
    def status(self) -> CameraStatus:
        """Whether there is a camera now."""
        return self._status

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The newest frame, never waiting longer than `timeout_s`.

        Raises `FrameTimeoutError` while there is no camera or no frame, and what can never be mended by plugging in a
        camera (such as a missing driver) again at every call.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._failure or self._closing.is_set(), timeout_s)
            if self._closing.is_set():
                raise DeviceLostError(f"{self._info.name} was closed; open it again")
            frame, self._frame = self._frame, None
            if frame is not None:
                return frame
            if self._failure is not None:
                raise type(self._failure)(str(self._failure))
            raise FrameTimeoutError(f"{self._status.message}: no frame within {timeout_s:g} s")

    def close(self) -> None:
        """Lets go of the camera. Safe to call twice."""
        self._closing.set()
        with self._changed:
            self._frame = None
            self._changed.notify_all()
        self._thread.join(CLOSE_PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._open_camera(self._closing.is_set) as camera:
                    self._follow(camera)
            except CameraAbsentError:
                self._tell(replace(self._status, connected=False, message=NO_CAMERA))
            except DeviceLostError as error:
                self._tell(replace(self._status, connected=False, message=str(error)))
                self._closing.wait(RETRY_S)
            except ChevalError as error:
                self._failure = error
                self._tell(replace(self._status, connected=False, message=str(error)))
                return

    def _follow(self, camera: FrameSource) -> None:
        """Hands on the camera's frames until it fails; numbers and times go on rising from one camera to the next."""
        offset = None
        while not self._closing.is_set():
            try:
                frame = camera.read(READ_S)
            except FrameTimeoutError:
                continue
            if offset is None:
                offset = max(0, self._last_sequence + 1 - frame.sequence)
                self._info = camera.info
                self._tell(CameraStatus(True, camera.info.name, self._status.connections + 1))
            self._last_sequence = frame.sequence + offset
            self._last_time = max(self._last_time, frame.captured_at)
            with self._changed:
                self.dropped_count += self._frame is not None
                self._frame = replace(frame, sequence=self._last_sequence, captured_at=self._last_time)
                self._changed.notify_all()

    def _tell(self, status: CameraStatus) -> None:
        with self._changed:
            self._status = status
            if not status.connected:
                self._frame = None
            self._changed.notify_all()


def in_child(open_when_attached: Callable[[], FrameSource], given_up: Callable[[], bool]) -> FrameSource:
    """Runs `open_when_attached` (picklable; see `look_for`) in a child process, killed when its driver hangs."""
    return ChildProcessSource(open_when_attached, start_patience_s=LOOKING_S + START_S, given_up=given_up)


def look_for(open_camera: Callable[[], FrameSource], looking_s: float = LOOKING_S) -> FrameSource:
    """Tries `open_camera` until a camera is attached. Raises `CameraAbsentError` after `looking_s` in vain."""
    deadline = time.monotonic() + looking_s
    while True:
        try:
            return open_camera()
        except CameraAbsentError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(LOOK_S)


def attached_realsense(serial: str) -> FrameSource:
    """The RealSense camera `serial` ("": any) as soon as librealsense sees it. Run it in a child process."""
    from capture.realsense_camera import RealSenseCamera
    from capture.realsense_sdk import load_sdk

    return look_for(partial(RealSenseCamera, serial, load_sdk().context()))


def attached_webcam(index: int, field_deg: float | None) -> FrameSource:
    """Webcam `index` as soon as it is there. Run it in a child process."""
    from capture.webcam import Webcam

    return look_for(partial(Webcam, index, field_deg))
