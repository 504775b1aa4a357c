"""A shopper for demonstrations and long runs: looks at the screen and does what a person would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from game.protocol import commands as c
from game.protocol.snapshot import Screen, SeeAs, Snapshot

READING_S = 1.5
"""Before anything is touched on a new screen."""
SEWING_S = 90.0
"""A garment is waited for so long."""


@dataclass(frozen=True, slots=True)
class Tastes:
    """What the shopper does. Times in seconds."""

    looks: tuple[int, ...] = (0, 1, 2)
    """Entries of the rack, one after the other."""
    admire_s: float = 3.0
    """Each is worn so long."""
    alteration: tuple[str, float] = ("sleeve", 0.04)
    see_mirror: bool = True
    keep: bool = True
    reveal_s: float = 4.0
    keep_s: float = 3.0


class Attendant:
    """`watch` turns what is shown into wishes. The same snapshots give the same wishes."""

    def __init__(self, tastes: Tastes | None = None) -> None:
        self._tastes = tastes or Tastes()
        self.visits = 0
        """Visits that have come to their goodbye."""
        self._screen: Screen | None = None
        self._plan: Iterator[c.Command | None] = iter(())
        self._snapshot: Snapshot | None = None

    def watch(self, snapshot: Snapshot) -> list[c.Command]:
        """What the shopper asks for now; often nothing."""
        self._snapshot = snapshot
        if snapshot.screen is Screen.MAINTENANCE:
            # What was begun goes on afterwards.
            self._screen = snapshot.screen
            return []
        if snapshot.screen is not self._screen:
            if snapshot.screen is Screen.GOODBYE:
                self.visits += 1
            resumed = self._screen is Screen.MAINTENANCE
            self._screen = snapshot.screen
            if not (resumed and snapshot.screen is Screen.MIRROR):
                self._plan = self._plan_for(snapshot.screen)
        wish = next(self._plan, None)
        return [] if wish is None else [wish]

    def _now(self) -> float:
        assert self._snapshot is not None
        return self._snapshot.now

    def _wait(self, seconds: float) -> Iterator[None]:
        until = self._now() + seconds
        while self._now() < until:
            yield None

    def _dressed(self) -> Iterator[None]:
        """Until what was asked for is worn, or it is clear that it will not be."""
        yield None
        until = self._now() + SEWING_S
        while self._snapshot is not None and (self._snapshot.busy or not self._snapshot.worn) and self._now() < until:
            yield None

    def _plan_for(self, screen: Screen) -> Iterator[c.Command | None]:
        tastes = self._tastes
        match screen:
            case Screen.ATTRACT:
                yield from self._wait(READING_S)
                # Who steps in is asked without touching.
                if self._snapshot is not None and not self._snapshot.camera_problem:
                    yield c.Begin()
            case Screen.CONSENT:
                yield from self._wait(READING_S)
                yield c.Consent(True)
            case Screen.REVEAL:
                yield from self._wait(tastes.reveal_s)
                yield c.Continue()
            case Screen.MIRROR:
                yield from self._at_mirror()
                yield c.GoToKeep()
            case Screen.KEEP:
                yield from self._wait(READING_S)
                if tastes.keep and self._snapshot is not None and self._snapshot.can_keep:
                    yield c.Keep()
                    while self._snapshot.keeping is None and not self._snapshot.notice:
                        yield None
                yield from self._wait(tastes.keep_s)
                yield c.Leave()

    def _at_mirror(self) -> Iterator[c.Command | None]:
        tastes = self._tastes
        for number, look in enumerate(tastes.looks):
            if self._snapshot is not None and look != self._snapshot.chosen:
                yield c.TryOn(look)
            yield from self._dressed()
            yield from self._wait(tastes.admire_s)
            if number == 0:
                name, value = tastes.alteration
                for share in (0.25, 0.5, 0.75):
                    yield c.Alter(name, share * value, final=False)
                    yield from self._wait(0.15)
                yield c.Alter(name, value)
                yield from self._dressed()
                yield from self._wait(tastes.admire_s)
        if tastes.see_mirror:
            yield c.See(SeeAs.MIRROR)
            yield from self._wait(tastes.admire_s)
            yield c.See(SeeAs.AVATAR)
            yield from self._wait(1.0)
