"""Capture: the source's frames, on the session's clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from capture.source import EndOfRecording, FrameSource, FrameTimeoutError
from game.live.clock import ArrivalClock, Clock
from game.live.messages import Captured, NoPicture

READ_S = 0.25
SILENT_S = 2.0
"""A camera that brings nothing for so long is told of."""
_connections = count(1)


class CaptureStage:
    """Opens the source when it is made, so that a lost camera is opened anew by making the stage anew."""

    def __init__(self, open_source: Callable[[], FrameSource], clock: Clock) -> None:
        """Raises what `open_source` raises, `DeviceLostError` where there is no camera."""
        self._open, self._clock = open_source, clock
        self._begin()

    def _begin(self) -> None:
        self._source = self._open()
        self._connect()
        self._count = 0
        self._over = ""
        self._opened_at = self._heard_at = self._clock.now()

    def _connect(self) -> None:
        """Another camera, or the same one again: who follows people must begin anew."""
        self._info = self._source.info
        self._connection = next(_connections)
        self._on_clock = ArrivalClock()

    def pause_s(self, now: float) -> float:
        """How long until the next frame of a source that does not pace itself is due [s]."""
        info = self._source.info
        if self._over:
            return 1.0
        if info.live or not info.frame_rate:
            return 0.0
        return max(self._opened_at + self._count / info.frame_rate - now - 1e-6, 0.0)

    def step(self, item: float) -> Captured | NoPicture | None:
        """The next frame; `item` is the time [s]. Raises `DeviceLostError` when the camera is gone."""
        if self._over:
            return NoPicture(self._over, over=True)
        try:
            frame = self._source.read(READ_S)
        except FrameTimeoutError as error:
            silent = self._clock.now() - self._heard_at
            return NoPicture(str(error)) if silent > SILENT_S else None
        except EndOfRecording as error:
            self._over = str(error)
            return NoPicture(self._over, over=True)
        self._count += 1
        if self._source.info != self._info:
            self._connect()
        self._heard_at = self._clock.now()
        captured_at = self._on_clock(frame.captured_at, self._heard_at)
        return Captured(replace(frame, captured_at=captured_at), self._info, self._connection)

    def forget(self) -> None:
        """The next visit may have a recording from its beginning."""
        if self._over:
            self._source.close()
            self._begin()

    def close(self) -> None:
        """Closes the source."""
        self._source.close()
