"""The two ways to drive the same stages: each in a thread of its own, or all in turn on a clock set by hand."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import Protocol

from game.live.clock import ManualClock
from game.live.worker import Turnable
from solver.errors import ChevalError
from solver.thread_limit import thread_limit

TICK_S = 1.0 / 60.0
LONGEST_WAIT_S = 0.5
"""Nobody sleeps longer, whatever bell was missed."""
END_PATIENCE_S = 10.0
SWITCH_S = 0.0005
"""Python's threads ask each other for the interpreter after so long [s]: with the usual 5 ms a stage that comes
back from one of its many short kernels waits as long."""
_log = logging.getLogger("cheval")


class Runner(Protocol):
    """Drives everything that turns."""

    def advance(self, seconds: float) -> None:
        """In lock-step: does the work of the next `seconds`."""
        ...

    def close(self) -> None:
        """Ends all work and closes everything. Raises `ChevalError` where something does not end."""
        ...


class ThreadedRunner:
    """One thread for each."""

    def __init__(self, turnables: Sequence[Turnable]) -> None:
        self._turnables = tuple(turnables)
        self._ending = threading.Event()
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._threads = [
            threading.Thread(target=self._run, args=(turnable,), name=f"cheval-{turnable.name}", daemon=True)
            for turnable in self._turnables
        ]
        for thread in self._threads:
            thread.start()

    def advance(self, seconds: float) -> None:
        """Nothing: the threads do it."""

    def close(self) -> None:
        """Ends all threads. Raises `ChevalError` where one does not end."""
        self._ending.set()
        for turnable in self._turnables:
            turnable.bell.set()
        for thread in self._threads:
            thread.join(END_PATIENCE_S)
        sys.setswitchinterval(self._switch_s)
        hanging = [thread.name for thread in self._threads if thread.is_alive()]
        if hanging:
            raise ChevalError(f"{', '.join(hanging)} did not end within {END_PATIENCE_S:g} s; end the program")

    def _run(self, turnable: Turnable) -> None:
        if turnable.niceness:
            _give_way(turnable.niceness)
        # Teams of two stages at once on two cores spin for each other: cloth and tracking took seconds a step.
        with thread_limit(turnable.threads):
            self._turn_until_end(turnable)
        # Native things are best closed by the thread that used them.
        turnable.close()

    def _turn_until_end(self, turnable: Turnable) -> None:
        while not self._ending.is_set():
            turnable.bell.clear()
            try:
                wait = turnable.turn()
            except Exception:
                # Workers tell their own failures; whatever else comes here is a fault of the program.
                _log.exception("%s failed", turnable.name)
                wait = LONGEST_WAIT_S
            if wait > 0.0 and not self._ending.is_set():
                turnable.bell.wait(min(wait, LONGEST_WAIT_S))


def _give_way(niceness: int) -> None:
    """Lets the calling thread, and those that it begins from now on, wait while others want the core.

    Only Linux has it by thread; elsewhere all stay equal.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            own = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(own + niceness, 19))


class LockstepRunner:
    """All in turn, in order, every 1/60 s of a clock set by hand: the same every time."""

    def __init__(self, turnables: Sequence[Turnable], clock: ManualClock) -> None:
        self._turnables = tuple(turnables)
        self._clock = clock
        self._begin = clock.now()
        self._ticks = 0
        self._owed = 0.0

    def advance(self, seconds: float) -> None:
        """Does the work of the next `seconds`."""
        self._owed += seconds
        while self._owed > TICK_S - 1e-9:
            self._owed -= TICK_S
            self._ticks += 1
            self._clock.set(self._begin + self._ticks * TICK_S)
            for turnable in self._turnables:
                turnable.turn()

    def close(self) -> None:
        """Closes everything."""
        for turnable in self._turnables:
            turnable.close()
