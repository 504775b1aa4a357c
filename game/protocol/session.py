"""What the app asks of a session: the newest snapshot, and an ear for wishes."""

from __future__ import annotations

from typing import Protocol

from game.protocol.commands import Command
from game.protocol.snapshot import Snapshot


class Session(Protocol):
    """The mirror's state and work, run by threads of its own or in lock-step by the one who draws."""

    def latest(self) -> Snapshot:
        """The newest snapshot; never waits."""
        ...

    def ask(self, command: Command) -> None:
        """Passes a wish on; never waits. Its effect shows in a later snapshot."""
        ...

    def advance(self, seconds: float) -> None:
        """In lock-step: does all the work of the next `seconds` of the session's clock. Threaded: does nothing."""

    def close(self) -> None:
        """Ends all work, closes the source and forgets the shopper. Safe to call twice."""
