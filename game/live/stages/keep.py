"""Keeping: saves a profile without holding anybody up."""

from __future__ import annotations

from game.live.messages import Keepsake, Kept
from game.protocol.keeping import Keeper
from solver.errors import ChevalError


class KeepStage:
    """Hands what is to be kept to the keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def step(self, item: Keepsake) -> Kept:
        """Saves; a refusal is an answer, not a failure."""
        try:
            return Kept(item.order, self._keeper.keep(item.shopper, item.worn, item.consent, item.notice), "")
        except ChevalError as error:
            return Kept(item.order, None, str(error))

    def forget(self) -> None:
        """There is nothing to drop."""

    def close(self) -> None:
        """There is nothing to give back."""
