"""Nobody is being served: the mirror invites."""

from __future__ import annotations

import math

from game.protocol.commands import Begin
from game.protocol.snapshot import Snapshot
from game.view.interface.canvas import Rect as R
from game.view.interface.canvas import Ring, Text
from game.view.interface.inputs import Action, Inputs
from game.view.interface.style import BODY, DISPLAY, GLOW, WHITE, WHITE_SOFT, with_opacity
from game.view.interface.widgets import Button
from scenes.screen import Screen


class Attract(Screen):
    """The room as a soft picture, a few words, one button; a touch anywhere will do."""

    on_dark = True

    def arrange(self, snapshot: Snapshot) -> None:
        """One column; in landscape the words stand left of the button."""
        canvas = self.display.canvas
        self.add_wordmark()
        x = canvas.width / 2
        top = canvas.height * (0.44 if canvas.portrait else 0.34)
        title = Text(
            self.layer, "See yourself in\nsomething new" if canvas.portrait else "See yourself in something new",
            DISPLAY, WHITE, (x, top), "center",
        )  # fmt: skip
        Text(
            self.layer,
            "Made to your measure, in about a minute.",
            BODY,
            WHITE_SOFT,
            (x, top + title.height + 14),
            "center",
        )
        y = canvas.height - (196 if canvas.portrait else 120)
        self._button = Button(
            self.layer, R(x - 120, y - 34, 240, 68), "Touch to begin", lambda: self.ask(Begin()), True, True
        )
        self._halo = Ring(self.layer, R(x - 60, y + 60, 1, 1), 2.0, GLOW, GLOW)
        self._halo.set_opacity(0.0)
        self.touch.set_widgets([self._button])

    def update(self, snapshot: Snapshot, inputs: Inputs, dt: float):
        """A touch anywhere begins."""
        touched = inputs.released and inputs.pointer is not None
        commands = super().update(snapshot, inputs, dt)
        return commands or ([Begin()] if touched else [])

    def leftover(self, action: Action) -> None:
        """Any key begins."""
        self.ask(Begin())

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """The room, hardly more than its colours."""
        glass = self.display.glass
        breath = 0.5 + 0.5 * math.sin(self._age * 1.2)
        glass.set_veil((0.16, 0.12, 0.10, 0.46 - 0.04 * breath))
        glass.set_vignette(0.5, 0.45)
        if snapshot.camera is not None:
            glass.show_frame(snapshot.camera.frame, None, soft=True)
        self.dresser.undress_glass()
        self.display.show_glass()
        self._halo.set_fill(with_opacity(GLOW, 0.3))
