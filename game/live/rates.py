"""How often and how long: rates and durations over the last seconds."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np


class Meter:
    """Counts events, each with a duration or delay [s]. Any thread may add and ask."""

    def __init__(self, window_s: float = 4.0) -> None:
        self._window_s = window_s
        self._events: deque[tuple[float, float]] = deque(maxlen=2048)
        self._lock = threading.Lock()

    def add(self, at: float, seconds: float = 0.0) -> None:
        """Something ended at time `at` [s] and took `seconds`."""
        with self._lock:
            self._events.append((at, seconds))

    def clear(self) -> None:
        """Forgets all events."""
        with self._lock:
            self._events.clear()

    def rate(self, now: float) -> float:
        """Events a second over the window before `now`, or since the first event where that is less."""
        recent = self._recent(now)
        if not recent:
            return 0.0
        return len(recent) / max(min(self._window_s, now - recent[0][0]), 0.25)

    def percentile(self, now: float, percent: float) -> float:
        """Of the durations in the window before `now` [s]; 0 where there are none."""
        recent = self._recent(now)
        return float(np.percentile([seconds for _, seconds in recent], percent)) if recent else 0.0

    def _recent(self, now: float) -> list[tuple[float, float]]:
        with self._lock:
            return [event for event in self._events if now - self._window_s < event[0] <= now]
