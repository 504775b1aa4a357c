"""What the session asks of whoever saves profiles. `main.py` hands in what fulfils it; without one nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from game.protocol.snapshot import Keeping, Shopper, Worn


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """When the shopper agreed to be scanned."""

    at: float
    """[s] since the epoch."""


class Keeper(Protocol):
    """Saves what the shopper asked to keep."""

    def keep(self, shopper: Shopper, worn: tuple[Worn, ...], consent: ConsentGiven) -> Keeping:
        """Saves the shopper with what they wear. May take a second. Raises a `ChevalError` where it cannot."""
        ...
