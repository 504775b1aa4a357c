"""Undo and redo."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """States in the order they were chosen, and where we are in them."""

    def __init__(self, first: State, depth: int = 60) -> None:
        """Keeps at most `depth` states."""
        self._states = [first]
        self._at = 0
        self._depth = depth

    @property
    def present(self) -> State:
        """The state that holds."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later one."""
        return self._at + 1 < len(self._states)

    def do(self, state: State) -> None:
        """`state` holds from now on; what was undone is gone. The same state again is no step."""
        if state == self.present:
            return
        self._states = [*self._states[: self._at + 1], state][-self._depth :]
        self._at = len(self._states) - 1

    def drop(self) -> None:
        """The present state turned out to be impossible: the one before holds, and this one cannot be had again."""
        if self.can_undo:
            del self._states[self._at]
            self._at -= 1

    def undo(self) -> State:
        """Back by one, if there is one."""
        self._at = max(self._at - 1, 0)
        return self.present

    def redo(self) -> State:
        """Forward by one, if there is one."""
        self._at = min(self._at + 1, len(self._states) - 1)
        return self.present
