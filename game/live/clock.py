"""Time as the session knows it: the machine's, or one that is set by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never run backward."""

    def now(self) -> float:
        """The time [s]; the origin is arbitrary."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """The time [s]."""
        return time.monotonic()


class ManualClock:
    """A clock that stands until it is told to go on: lock-step and tests."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """The time [s]."""
        return self._now

    def set(self, now: float) -> None:
        """It is `now` [s]; never earlier than before."""
        self._now = max(self._now, now)


class ArrivalClock:
    """Puts a source's own times on the session's clock.

    The frame that came soonest after it was taken tells the offset: what came later was late, not taken later. The
    offset may creep up, for clocks that drift apart.
    """

    CREEP = 2e-4
    """Seconds a second."""

    def __init__(self) -> None:
        self._offset: float | None = None
        self._last = 0.0

    def __call__(self, captured_at: float, arrived_at: float) -> float:
        """When a frame of time `captured_at` that arrived at `arrived_at` was taken; never falls."""
        offset = arrived_at - captured_at
        if self._offset is not None:
            offset = min(offset, self._offset + self.CREEP * max(arrived_at - self._arrived, 0.0))
        self._offset, self._arrived = offset, arrived_at
        self._last = max(self._last, captured_at + offset)
        return self._last
