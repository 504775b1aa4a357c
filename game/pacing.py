"""When to begin a picture: as soon as there is something new of the shopper to show, and evenly where there is not."""

from __future__ import annotations

import time
from collections.abc import Callable

from game.protocol.session import Session

MOST_PER_S = 30.0
"""Pictures; more would, drawn by the processor, take its time from those who find out what to show."""
CALM_PER_S = 12.0
"""Pictures while a scanned body is computed: little moves, and all who wait do so for that."""
EARLY = 0.85
"""News may begin a picture when so much of the time to the next one has passed: it follows a camera as fast."""
PATIENCE_S = 0.010
"""A picture that is due waits so long for news: begun just before, it would show them a whole picture later."""
LOOK_EVERY_S = 0.001
"""From one look for news to the next."""


class Pacer:
    """Waits until the next picture is to begin."""

    def __init__(
        self,
        session: Session,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session, self._clock, self._sleep = session, clock, sleep
        self._began = -float("inf")
        self._shown: float | None = None
        self._has_news = False

    def wait(self) -> None:
        """Returns when the next picture is to begin. What it will show is the newest then."""
        snapshot = self._session.latest()
        calm = snapshot.scan is not None and snapshot.scan.refining is not None
        period = 1.0 / (CALM_PER_S if calm else MOST_PER_S)
        # Who waits for somebody who stands there and is not followed would draw late for nothing.
        latest = self._began + period + (PATIENCE_S if self._has_news and not calm else 0.0)
        self._sleep_until(self._began + EARLY * period)
        while (now := self._clock()) < latest and not self._is_news():
            self._sleep(min(LOOK_EVERY_S, latest - now))
        self._has_news = self._is_news()
        self._shown = self._session.latest().seen_at
        self._began = self._clock()

    def _is_news(self) -> bool:
        seen_at = self._session.latest().seen_at
        return seen_at is not None and seen_at != self._shown

    def _sleep_until(self, at: float) -> None:
        left = at - self._clock()
        if left > 0.0:
            self._sleep(left)
