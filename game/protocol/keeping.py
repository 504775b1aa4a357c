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


@dataclass(frozen=True, slots=True)
class Notice:
    """What a shopper agrees to who asks to be kept."""

    words: str
    """As they are shown."""
    expires_at: int
    """[s] since the epoch: the end of the keeping that they promise."""


class Keeper(Protocol):
    """Saves what the shopper asked to keep."""

    def notice(self) -> Notice:
        """What is to be shown before the question is answered; at once."""
        ...

    def keep(self, shopper: Shopper, worn: tuple[Worn, ...], consent: ConsentGiven, notice: Notice) -> Keeping:
        """Saves the shopper with what they wear, under the words of `notice`, which they saw. May take a second. Raises
        a `ChevalError` where it cannot."""
        ...
