"""A source that is read in a thread of its own, a little ahead: the camera's work and everybody else's overlap."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Self

from capture.source import FrameSource, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError
from solver.types import Frame

AHEAD = 2
READ_S = 1.0
PATIENCE_S = 60.0
"""A frame is waited for so long, whatever the reader allows: what comes of it must not depend on how fast this machine
draws it, or compiles what draws it."""


class ReadAheadSource:
    """The same frames in the same order as `source` gives, which it owns from now on.

    For recordings and simulated shoppers: a live camera's frames would grow old.
    """

    def __init__(self, source: FrameSource, ahead: int = AHEAD) -> None:
        """At most `ahead` frames wait to be read."""
        self._source = source
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._waiting: deque[Future[Frame]] = deque(self._thread.submit(source.read, READ_S) for _ in range(ahead))
        self._closed = False

    @property
    def info(self) -> SourceInfo:
        """Of the source."""
        return self._source.info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame, waited for at least `PATIENCE_S`. Raises what the source raises, `FrameTimeoutError` too."""
        if self._closed:
            raise DeviceLostError(f"{self.info.name} is closed: open it again")
        try:
            frame = self._waiting[0].result(patience_s := max(timeout_s, PATIENCE_S))
        except FutureTimeoutError as error:
            raise FrameTimeoutError(f"{self.info.name}: no frame within {patience_s:g} s") from error
        finally:
            if self._waiting[0].done():
                self._waiting.popleft()
                self._waiting.append(self._thread.submit(self._source.read, READ_S))
        return frame

    def close(self) -> None:
        """Ends the thread and closes the source. Safe to call twice."""
        self._closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._waiting.clear()
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
