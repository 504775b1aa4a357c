"""How often and how long: rates and durations over the last seconds."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from game.live.works import Works

RATE_EVERY_S = 0.5


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


class Rates:
    """What the session measures of itself, named as in `Snapshot.rates`."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._dressed, self._picture = Meter(), Meter()
        self._shown_capture = -1.0
        self._rated_at, self._last = -np.inf, dict[str, float]()

    def add_picture(self, now: float, captured_at: float) -> None:
        """At `now` a picture and the body in it can be seen that were taken at `captured_at` [s]."""
        self._picture.add(now, now - captured_at)

    def add_dressed(self, now: float, captured_at: float) -> None:
        """The avatar, dressed, by a pose taken at `captured_at`; only the first time counts."""
        if captured_at != self._shown_capture:
            self._shown_capture = captured_at
            self._dressed.add(now, now - captured_at)

    def __call__(self, now: float) -> dict[str, float]:
        """Steps a second of every stage that works, delays in milliseconds (`..._ms`), and what was left out."""
        if now - self._rated_at < RATE_EVERY_S:
            return self._last
        self._rated_at = now
        rates: dict[str, float] = {}
        for worker in self._works.workers:
            if (rate := worker.meter.rate(now)) > 0.0:
                rates[worker.name] = rate
                rates[f"{worker.name}_p50_ms"] = 1e3 * worker.meter.percentile(now, 50.0)
                rates[f"{worker.name}_p99_ms"] = 1e3 * worker.meter.percentile(now, 99.0)
        for name, meter in (("latency", self._dressed), ("picture_latency", self._picture)):
            if meter.rate(now) > 0.0:
                rates[f"{name}_p50_ms"] = 1e3 * meter.percentile(now, 50.0)
                rates[f"{name}_p95_ms"] = 1e3 * meter.percentile(now, 95.0)
        rates["dropped_frames"] = float(self._works.dropped_frames)
        rates["missed_cloth_steps"] = float(self._works.missed_beats)
        self._last = rates
        return rates
