"""Long work in pieces: a generator that yields how far it is, so that its caller may show, interleave or abandon it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

Progress = TypeVar("Progress")
Result = TypeVar("Result")


def complete(
    work: Generator[Progress, None, Result], on_progress: Callable[[Progress], object] | None = None
) -> Result:
    """Does all of `work` at once and returns its result; `on_progress` is told what it yields."""
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value
        if on_progress is not None:
            on_progress(progress)
