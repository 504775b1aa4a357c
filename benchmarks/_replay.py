"""A simulated visit rendered ahead into memory, played in real time: the load is the mirror's, not the simulator's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self

from capture.simulated.source import SimulatedSource
from capture.source import FrameTimeoutError
from solver.body import BodyModel
from solver.errors import DeviceLostError
from solver.types import Frame

REST_S = 4.0
"""Between two turns."""


class RenderedVisit:
    """The frames of a visit's turn and of some seconds at the mirror."""

    def __init__(self, spec: str, model: BodyModel, mirror_s: float, tell: Callable[[float], None]) -> None:
        """Renders what `spec` describes; `tell` hears the share that is done."""
        with SimulatedSource.from_spec(spec, model) as source:
            spans = {span.name: span for span in source.phases}
            rate = source.info.frame_rate
            first, turned = int(spans["pose"].begin * rate), int(spans["turn"].end * rate)
            last = turned + int(mirror_s * rate)
            frames: list[Frame] = []
            source.skip(first)
            for number in range(last - first):
                frames.append(source.read())
                tell((number + 1) / (last - first))
            self.info = replace(source.info, live=True, frame_count=None)
            self.turn, self.mirror = frames[: turned - first], frames[turned - first :]


class ReplayedVisit:
    """Plays a `RenderedVisit` as a live camera: the turn, again and again, then, from `go_on`, the mirror's part to and
    fro."""

    def __init__(self, visit: RenderedVisit) -> None:
        self._visit = visit
        self._began_at = self._turn_at = time.monotonic()
        self._mirror_at: float | None = None
        self._sequence = -1
        self._closed = False
        self.info = visit.info

    def go_on(self) -> None:
        """The shopper begins to move before the mirror."""
        self._mirror_at = time.monotonic()

    def begin_turn(self) -> None:
        """The shopper begins to turn now."""
        self._turn_at = time.monotonic()

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The frame that is due; what was not read in time is lost."""
        if self._closed:
            raise DeviceLostError(f"{self.info.name} is closed: open it again")
        rate, now = self.info.frame_rate, time.monotonic()
        self._sequence = max(self._sequence + 1, int((now - self._began_at) * rate))
        due = self._began_at + self._sequence / rate
        if due - now > timeout_s:
            time.sleep(timeout_s)
            raise FrameTimeoutError(f"{self.info.name}: no frame within {timeout_s:g} s")
        time.sleep(max(due - now, 0.0))
        if self._mirror_at is None:
            place = int(max(due - self._turn_at, 0.0) * rate)
            # Whoever is not understood turns again.
            place %= len(self._visit.turn) + round(REST_S * rate)
            frame = self._visit.turn[min(place, len(self._visit.turn) - 1)]
        else:
            count = len(self._visit.mirror)
            place = int(max(due - self._mirror_at, 0.0) * rate) % (2 * count)
            frame = self._visit.mirror[place if place < count else 2 * count - 1 - place]
        return replace(frame, sequence=self._sequence, captured_at=due)

    def close(self) -> None:
        """Ends the visit."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
