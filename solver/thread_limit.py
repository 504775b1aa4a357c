"""How many threads parallel kernels may use, for one piece of work on one Python thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba


@contextmanager
def thread_limit(count: int) -> Iterator[None]:
    """Parallel kernels called within use at most `count` threads; other Python threads are not touched.

    Work of many kernels of a fraction of a millisecond each is best done on one: on a machine whose cores are taken,
    every parallel region waits for its slowest thread, which measured as 150 ms a frame of tracking instead of 20.
    """
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)
