"""One stage at work: it is given its mail, its failures are told, and it is made anew after them."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from game.forgetting import overwrite_small_blocks
from game.live.clock import Clock
from game.live.messages import Failure, Order
from game.live.rates import Meter
from solver.errors import ChevalError

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
HEALTHY_S = 10.0
"""After so long without a failure the next one is a first one."""
_log = logging.getLogger("cheval")


class StageError(ChevalError):
    """A stage failed in a way that nobody foresaw; the cause is chained."""


class Stage(Protocol[In_contra, Out_co]):
    """A part of the loop. Used by one thread at a time."""

    def step(self, item: In_contra) -> Out_co | None:
        """Does one piece of work."""
        ...

    def forget(self) -> None:
        """Drops all that it knows of the shopper."""
        ...

    def close(self) -> None:
        """Gives everything back."""
        ...


class Turnable(Protocol):
    """What a runner drives."""

    name: str
    bell: threading.Event
    """Set when there may be something to do."""
    threads: int
    """How many threads its kernels may use."""
    niceness: int
    """How readily its thread gives way to others, 0 to 19."""

    def turn(self) -> float:
        """Does one piece of work, if there is any. Returns after how long it wants to be turned again [s]: 0 at once,
        `math.inf` when the bell rings."""
        ...

    def close(self) -> None:
        """Ends for good."""
        ...


class Worker(Generic[In, Out]):
    """Drives one stage. The same in both runners."""

    def __init__(
        self,
        name: str,
        make: Callable[[], Stage[In, Out]],
        take: Callable[[Order, float], In | None],
        deliver: Callable[[Out], None],
        order: Callable[[], Order],
        clock: Clock,
        *,
        pause: Callable[[Order, float], float] | None = None,
        clear: Callable[[], None] = lambda: None,
        threads: int = 1,
        niceness: int = 0,
    ) -> None:
        """`make()` opens the stage; `take(order, now)` is its next piece of work, None where there is none;
        `deliver` is given what it makes of it; `pause(order, now)` is how long until there may be work that no bell
        tells of [s]; `clear()` empties its mailboxes."""
        self.name = name
        self.bell = threading.Event()
        self.threads = threads
        self.niceness = niceness
        self.trouble: Failure | None = None
        """Set from a failure until the stage works again."""
        self.failure_count = 0
        """Failures ever."""
        self.meter = Meter()
        self._make, self._take, self._deliver, self._order, self._clock = make, take, deliver, order, clock
        self._pause = pause or (lambda order, now: math.inf)
        self._clear = clear
        self._stage: Stage[In, Out] | None = None
        self.visit = 0
        """The visit that it works for: what belongs to earlier ones is forgotten."""
        self._in_a_row = 0
        self._failed_at = -math.inf

    def turn(self) -> float:
        """Does one piece of work, if there is any."""
        order, now = self._order(), self._clock.now()
        if self.trouble is not None and now < self._retry_at:
            self._obey(order)
            return self._retry_at - now
        try:
            if self._stage is None:
                self._stage = self._make()
            self._obey(order)
            self.trouble = None
            item = self._take(order, now)
            if item is None:
                return self._pause(order, now)
            result = self._stage.step(item)
        except ChevalError as error:
            return self._fail(error)
        except Exception as error:
            _log.exception("the %s stage failed", self.name)
            # No name for it here: its cause's traceback holds this call, and both would stay until a collection.
            return self._fail(self._unforeseen(error))
        if result is not None:
            end = self._clock.now()
            self.meter.add(end, end - now)
            if self._order().visit == order.visit:
                self._deliver(result)
        return 0.0

    def close(self) -> None:
        """Closes the stage. Safe to call twice."""
        stage, self._stage = self._stage, None
        self._clear()
        if stage is not None:
            stage.close()

    def _obey(self, order: Order) -> None:
        if order.visit == self.visit:
            return
        self._clear()
        if self._stage is not None:
            self._stage.forget()
        if self.trouble is not None:
            # A traceback holds the frames, and these the arrays, of what went wrong.
            self.trouble.error.__traceback__ = None
            self.trouble.error.__cause__ = None
            self.trouble.error.__context__ = None
        # What was freed in this thread lies ready for this thread alone.
        overwrite_small_blocks()
        self.visit = order.visit

    def _unforeseen(self, error: Exception) -> StageError:
        wrapped = StageError(f"the {self.name} stage failed ({type(error).__name__}: {error}); it is started again")
        wrapped.__cause__ = error
        return wrapped

    def _fail(self, error: ChevalError) -> float:
        now = self._clock.now()
        self._in_a_row = self._in_a_row + 1 if now - self._failed_at < HEALTHY_S + LONGEST_PAUSE_S else 1
        self._failed_at = now
        pause = min(FIRST_PAUSE_S * 2.0 ** (self._in_a_row - 1), LONGEST_PAUSE_S)
        self._retry_at = now + pause
        stage, self._stage = self._stage, None
        if stage is not None:
            try:
                stage.close()
            except Exception as second:
                _log.exception("the %s stage failed to close", self.name)
                error.add_note(f"and it could not be closed: {second}")
        self.failure_count += 1
        self.trouble = Failure(self.name, error, now, self._in_a_row)
        return pause
