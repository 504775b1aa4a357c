"""Whether somebody is there, and since when."""

from __future__ import annotations

import math

BLIND_S = 1.5
"""Without a picture for so long nobody is there."""
BLINK_S = 0.4
"""Shorter gaps are the landmarker's, not the shopper's."""


class Presence:
    """Told of every frame that was looked at; smooths over gaps."""

    def __init__(self) -> None:
        self.here = False
        self.since = -math.inf
        """[s], when they came or went."""
        self._seen_at = -math.inf
        self._looked_at = -math.inf

    def look(self, present: bool, now: float) -> None:
        """A frame was looked at."""
        self._looked_at = now
        if present:
            self._seen_at = now
            if not self.here:
                self.here, self.since = True, now

    def tick(self, now: float) -> None:
        """Time goes by."""
        gone = now - self._seen_at > BLINK_S if now - self._looked_at < BLINK_S else now - self._seen_at > BLIND_S
        if self.here and gone:
            self.here, self.since = False, self._seen_at

    def here_s(self, now: float) -> float:
        """How long somebody has been there [s], 0 where nobody is."""
        return now - self.since if self.here else 0.0

    def gone_s(self, now: float) -> float:
        """How long nobody has been there [s], 0 where somebody is."""
        return 0.0 if self.here else now - self.since
