"""A camera in real time before which rendered shoppers step, and whose plug can be pulled."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks._reels import Reel
from capture.shopper import ShopperLandmarker
from capture.source import CameraAbsentError, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError
from solver.types import Frame, Observation

UNSEEN_FRAMES = 2
"""Nobody moves on who has not been looked at for so many frames."""
REST_S = 4.0
"""Whoever is not understood turns again after so long."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a reel, and how it goes on after its end."""

    reel: Reel
    frames: range
    again: str
    """`stay` at the last frame, `repeat` after a rest, or `return` to and fro."""

    def number(self, place: int) -> int:
        """Frame of the reel after `place` steps."""
        count = len(self.frames)
        match self.again:
            case "repeat":
                place = min(place % (count + round(REST_S * self.reel.info.frame_rate)), count - 1)
            case "return":
                place %= 2 * count
                place = place if place < count else 2 * count - 1 - place
            case _:
                place = min(place, count - 1)
        return self.frames[place]


class Playback:
    """What there is before the camera. Shown by one thread, filmed by another.

    Nobody moves on before the mirror has looked at them: on a machine that is busy with other things shoppers turn
    slowly, instead of too fast to be followed.
    """

    def __init__(self, clip: Clip) -> None:
        self._lock = threading.Lock()
        self._clip, self._place = clip, 0
        self._sequence = self._looked_at = -1
        self._due = time.monotonic()
        self.plugged = True
        self.looked_at_count = 0
        """Frames that the mirror has looked at."""

    @property
    def info(self) -> SourceInfo:
        """Of the camera."""
        return self._clip.reel.info

    def show(self, clip: Clip) -> None:
        """From now on this happens."""
        with self._lock:
            self._clip, self._place = clip, 0

    def current(self) -> Frame:
        """What is there now, in arrays of its own."""
        with self._lock:
            return self._clip.reel.frame(self._clip.number(self._place), self._sequence, self._due)

    def look(self, frame: Frame) -> None:
        """The mirror looks at `frame`."""
        with self._lock:
            self._looked_at = frame.sequence
            self.looked_at_count += 1

    def read(self, timeout_s: float) -> Frame:
        """The next frame. Raises `DeviceLostError` while the camera is unplugged, and `FrameTimeoutError`."""
        if not self.plugged:
            raise DeviceLostError(f"{self.info.name}: the camera was disconnected; plug it in again")
        now = time.monotonic()
        self._due = max(self._due + 1.0 / self.info.frame_rate, now)
        if self._due - now > timeout_s:
            time.sleep(timeout_s)
            raise FrameTimeoutError(f"{self.info.name}: no frame within {timeout_s:g} s")
        time.sleep(self._due - now)
        with self._lock:
            self._place += self._sequence - self._looked_at < UNSEEN_FRAMES
            self._sequence += 1
            return self._clip.reel.frame(self._clip.number(self._place), self._sequence, self._due)

    def open_camera(self) -> PlayedCamera:
        """Raises `CameraAbsentError` while it is unplugged."""
        if not self.plugged:
            raise CameraAbsentError(f"{self.info.name} is not attached; plug it in")
        return PlayedCamera(self)


class PlayedCamera:
    """The frame source of a playback."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._closed = False
        self.info = playback.info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame."""
        if self._closed:
            raise DeviceLostError(f"{self.info.name} is closed: open it again")
        return self._playback.read(timeout_s)

    def close(self) -> None:
        """Lets go of the camera."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class WatchedLandmarker(ShopperLandmarker):
    """Tells the playback what was looked at, and fails when it is told to."""

    def __init__(self, model: Path, playback: Playback) -> None:
        super().__init__(model)
        self._playback = playback
        self.fails = False

    def observe(self, frame: Frame) -> Observation:
        """As the shopper's landmarker. Raises `RuntimeError` once where it is to fail."""
        if self.fails:
            self.fails = False
            raise RuntimeError("told to fail")
        self._playback.look(frame)
        return super().observe(frame)
