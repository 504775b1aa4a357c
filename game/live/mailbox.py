"""A mailbox for one item: the newest wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Hands the newest item from one thread to another. What was not taken in time is dropped and counted."""

    def __init__(self, ring: Callable[[], object] | None = None) -> None:
        """`ring()` is called after every `put`: it wakes whoever waits for the mail."""
        self._lock = threading.Lock()
        self._item: Item | None = None
        self._ring = ring
        self._put_count = self._dropped_count = 0

    @property
    def put_count(self) -> int:
        """Items that were ever put in."""
        return self._put_count

    @property
    def dropped_count(self) -> int:
        """Items that a newer one replaced before they were taken."""
        return self._dropped_count

    def put(self, item: Item) -> None:
        """Leaves `item`, in place of an older one."""
        with self._lock:
            self._put_count += 1
            self._dropped_count += self._item is not None
            self._item = item
        if self._ring is not None:
            self._ring()

    def take(self) -> Item | None:
        """The item, which is then gone; None where there is none. Never waits."""
        with self._lock:
            item, self._item = self._item, None
            return item

    def clear(self) -> None:
        """Throws away what is there, uncounted."""
        with self._lock:
            self._item = None
