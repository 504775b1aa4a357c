"""Time as the session knows it: the machine's, or one that is set by hand."""

from __future__ import annotations

import math
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


class Metronome:
    """Beats at a fixed rate. Beats that nobody was in time for are left out and counted."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._next_at: float | None = None
        self.beat_count = 0
        """Beats ever, left out ones included."""
        self.missed_count = 0

    def wait_s(self, now: float) -> float:
        """How long until the next beat [s]."""
        return 0.0 if self._next_at is None else max(self._next_at - now - 1e-6, 0.0)

    def beat(self, now: float) -> float:
        """Takes the beat that is due at `now` and returns its time [s]."""
        if self._next_at is None or now - self._next_at > 60.0 * self._period_s:
            self._next_at = now
        late = int((now - self._next_at) / self._period_s + 1e-6)
        self.missed_count += late
        self.beat_count += late + 1
        at = self._next_at + late * self._period_s
        self._next_at = at + self._period_s
        return at


class Pace:
    """How often something is done that gives way to what must not be late.

    Where others were late the rate falls by a fifth, to `least_per_s` at lowest; where all was well it rises again.
    """

    LOOK_S = 0.5
    TOLERATED_PER_S = 3.0
    """So much lateness is chance."""
    FALL, RISE_PER_S2 = 0.8, 2.0

    def __init__(self, least_per_s: float, most_per_s: float) -> None:
        self._least, self._most = least_per_s, most_per_s
        self.per_s = most_per_s
        """What is allowed now."""
        self._credit, self._asked_at = 1.0, 0.0
        self._looked_at, self._late = -math.inf, 0

    def is_due(self, now: float, late: int) -> bool:
        """Whether it may be done at `now` [s]; `late` is how often ever the others were too late."""
        spent = now - self._looked_at
        if spent >= self.LOOK_S:
            if spent < 4.0 * self.LOOK_S:
                crowded = late - self._late > self.TOLERATED_PER_S * spent
                self.per_s = self.per_s * self.FALL if crowded else self.per_s + self.RISE_PER_S2 * spent
                self.per_s = min(max(self.per_s, self._least), self._most)
            self._looked_at, self._late = now, late
        # Nothing is saved up but part of one turn: what comes a little early is done.
        self._credit = min(self._credit + self.per_s * (now - self._asked_at), 1.5)
        self._asked_at = now
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True
