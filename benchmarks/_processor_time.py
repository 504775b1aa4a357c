"""Where the processor's time goes: by thread, from Linux's own account of every thread of this process."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import NamedTuple

TASKS = Path("/proc/self/task")
KINDS = (("llvmpipe", "llvmpipe"), ("drishti", "MediaPipe"), ("mediapipe", "MediaPipe"), ("XNN", "MediaPipe"))
"""Native threads by what their names begin with."""


class Share(NamedTuple):
    """Of one kind of thread, over some time [s]."""

    busy_s: float
    """On a core."""
    waited_s: float
    """Ready to run while no core was free."""


class ThreadClock:
    """Reads the account; `lap` is what was spent since the last one."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._last = self._read()

    @property
    def works(self) -> bool:
        """False where the system keeps no such account."""
        return bool(self._last)

    def lap(self) -> dict[str, Share]:
        """By kind of thread, the busiest first. Threads that ended meanwhile are left out."""
        now, shares = self._read(), dict[str, Share]()
        for task, (busy, waited) in now.items():
            busy_before, waited_before = self._last.get(task, (0, 0))
            name = self._names[task]
            share = shares.get(name, Share(0.0, 0.0))
            shares[name] = Share(
                share.busy_s + 1e-9 * (busy - busy_before), share.waited_s + 1e-9 * (waited - waited_before)
            )
        self._last = now
        return dict(sorted(shares.items(), key=lambda item: -item[1].busy_s))

    def _read(self) -> dict[int, tuple[int, int]]:
        """Nanoseconds on a core and in the queue, by thread."""
        own = {thread.native_id: thread.name.removeprefix("cheval-") for thread in threading.enumerate()}
        account: dict[int, tuple[int, int]] = {}
        if not TASKS.is_dir():
            return account
        for folder in TASKS.iterdir():
            try:
                busy, waited, _ = (folder / "schedstat").read_text().split()
                name = (folder / "comm").read_text().strip()
            except (OSError, ValueError):
                continue
            task = int(folder.name)
            account[task] = int(busy), int(waited)
            self._names[task] = "main" if task == os.getpid() else own.get(task) or _kind(name)
        return account


def _kind(name: str) -> str:
    return next((kind for beginning, kind in KINDS if name.startswith(beginning)), "other native threads")
