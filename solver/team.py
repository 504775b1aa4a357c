"""Independent pieces of one work, side by side: a thread for every core that kernels may use here, at most two."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Self

import numba

from solver.thread_limit import thread_limit

MOST = 2
"""More hands than this want more scratch than they save time."""


class Team:
    """Does `work(item, hand)` for many items. A hand does one item at a time, so scratch belongs to hands.

    What comes out must be kept by item and summed in their order: then it does not depend on who did which, nor on
    how many hands there are. The threads end with the team, and what they kept at hand of freed memory with them.
    """

    def __init__(self, size: int | None = None) -> None:
        """`size` hands, the caller's thread among them (default: as many as its kernels may use, at most `MOST`)."""
        self.size = min(MOST, numba.get_num_threads()) if size is None else size
        self._helpers = ThreadPoolExecutor(self.size - 1, "team") if self.size > 1 else None

    def each(self, work: Callable[[int, int], object], item_count: int) -> None:
        """`work(item, hand)` for all items 0 .. `item_count` - 1, hands 0 .. `size` - 1. The first error is raised when
        all hands are idle again."""
        items = count()
        errors: list[BaseException] = []

        def toil(hand: int) -> None:
            # Teams of threads within a team would wait for each other.
            with thread_limit(1):
                while not errors and (item := next(items)) < item_count:
                    try:
                        work(item, hand)
                    except BaseException as error:
                        errors.append(error)

        if self._helpers is None or item_count < 2:
            toil(0)
        else:
            others = [self._helpers.submit(toil, hand) for hand in range(1, self.size)]
            toil(0)
            for other in others:
                other.result()
        if errors:
            # Not kept here: its traceback holds this call, and both would stay until a collection.
            raise errors.pop(0)

    def close(self) -> None:
        """Ends the threads."""
        if self._helpers is not None:
            self._helpers.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
