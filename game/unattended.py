"""A visitor who needs no hands: goes through the screens by itself, for films, tests and shop windows."""

from __future__ import annotations

from game.protocol.commands import Begin, Command, Consent, Continue, GoToKeep, Leave
from game.protocol.snapshot import Screen, Snapshot

STAY_S = {
    Screen.ATTRACT: 2.0, Screen.CONSENT: 2.5, Screen.REVEAL: 6.0, Screen.MIRROR: 20.0, Screen.KEEP: 3.0,
}  # fmt: skip
"""How long each screen is looked at [s]; the others end by themselves."""
ANSWERS: dict[Screen, Command] = {
    Screen.ATTRACT: Begin(),
    Screen.CONSENT: Consent(True),
    Screen.REVEAL: Continue(),
    Screen.MIRROR: GoToKeep(),
    Screen.KEEP: Leave(),
}


class Unattended:
    """Answers each screen once, after a while."""

    def __init__(self) -> None:
        self._answered: tuple[Screen, float] | None = None

    def answer(self, snapshot: Snapshot) -> Command | None:
        """What to ask of the session now, if anything."""
        visit = (snapshot.screen, snapshot.screen_since)
        if visit == self._answered or snapshot.screen not in ANSWERS or snapshot.busy:
            return None
        if snapshot.now - snapshot.screen_since < STAY_S[snapshot.screen]:
            return None
        self._answered = visit
        return ANSWERS[snapshot.screen]
