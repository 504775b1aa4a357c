"""The visit is over: what was seen is wiped, and that is said when it is true."""

from __future__ import annotations

from game.protocol.commands import Continue
from game.protocol.snapshot import Snapshot
from game.view.interface.canvas import Rect, Ring, Text
from game.view.interface.inputs import Action
from game.view.interface.style import ACCENT, BODY, DISPLAY, INK, INK_SOFT, TRACK
from scenes.screen import Screen

WIPE_S = 2.0
"""What the house promises."""


class Goodbye(Screen):
    """An empty studio and a few words."""

    def enter(self, snapshot: Snapshot) -> None:
        """The shopper leaves the stage at once."""
        self.dresser.forget()
        super().enter(snapshot)

    def arrange(self, snapshot: Snapshot) -> None:
        """In the middle."""
        canvas = self.display.canvas
        self.add_wordmark()
        x, y = canvas.width / 2, canvas.height * (0.40 if canvas.portrait else 0.36)
        Text(self.layer, "Goodbye", DISPLAY, INK, (x, y), "center")
        self._words = Text(self.layer, "", BODY, INK_SOFT, (x, y + 66), "center", min(400.0, canvas.width - 80))
        self._ring = Ring(self.layer, Rect(x - 26, y + 168, 52, 52), 3.0, ACCENT, TRACK)

    def leftover(self, action: Action) -> None:
        """Any key goes on."""
        self.ask(Continue())

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """Says what is so."""
        self.display.show_stage(mirrored=True)
        wiped = snapshot.shopper is None and snapshot.dressed is None and snapshot.scan is None
        since = snapshot.now - snapshot.screen_since
        self._words.set_text("Nothing of you is left in this mirror." if wiped else "Wiping everything we saw of you.")
        self._ring.set_share(1.0 if wiped else min(since / WIPE_S, 0.95))
        stage = self.display.stage
        stage.place_studio((0.0, 0.0))
        stage.camera.look_at((0.0, -4.4, 1.0), (0.0, 0.0, 0.95))
