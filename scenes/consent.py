"""Nothing is captured before the shopper has agreed."""

from __future__ import annotations

from game.protocol.commands import Consent as Answer
from game.protocol.snapshot import Snapshot
from game.view.interface.canvas import Plate, Rect, Text
from game.view.interface.inputs import Action
from game.view.interface.style import (
    ACCENT,
    BODY,
    DISPLAY,
    GAP,
    INK,
    INK_SOFT,
    MARGIN,
    OVERLINE,
    PANEL,
    RADIUS_LARGE,
    TITLE,
)
from game.view.interface.widgets import Button
from scenes.screen import Screen

LINES = (
    ("WHAT WE SEE", "A depth picture of you while you turn around once."),
    ("WHAT FOR", "Your measures, and an avatar that tries clothes on for you."),
    ("WHAT STAYS", "Nothing. It all stays in this mirror and is wiped when you leave, unless you ask us to keep it."),
)


SOFT_LIGHT = (1.0, 0.99, 0.97, 0.30)
"""Lies over the studio."""


class Consent(Screen):
    """What is captured, what for, what stays; two buttons."""

    def arrange(self, snapshot: Snapshot) -> None:
        """A card at the bottom, or in landscape in the middle."""
        canvas = self.display.canvas
        self.add_wordmark()
        pad = 32.0
        width = min(canvas.width - 2 * MARGIN, 620.0)
        height = 502.0 if canvas.portrait else 440.0
        left = (canvas.width - width) / 2
        top = canvas.height - MARGIN - height if canvas.portrait else (canvas.height - height) / 2 + 14
        Plate(self.layer, canvas.whole, SOFT_LIGHT)
        if canvas.portrait:
            x = canvas.width / 2
            Text(self.layer, "Welcome", DISPLAY, INK, (x, top / 2 - 8), "center")
            Text(self.layer, "First, a word about what this mirror sees.", BODY, INK_SOFT, (x, top / 2 + 48), "center")
        Plate(self.layer, Rect(left, top, width, height), PANEL, RADIUS_LARGE).set_shadow(18, 0.22)
        y = top + pad + 18
        Text(self.layer, "Before we look", TITLE, INK, (left + pad, y))
        y += 62 if canvas.portrait else 54
        for heading, words in LINES:
            Text(self.layer, heading, OVERLINE, ACCENT, (left + pad, y))
            text = Text(self.layer, words, BODY, INK, (left + pad, y + 27), width=width - 2 * pad)
            y += 27 + text.height + (28 if canvas.portrait else 20)
        half = (width - 2 * pad - GAP) / 2
        row = top + height - pad - 60
        no = Button(self.layer, Rect(left + pad, row, half, 60), "No, thank you", lambda: self.ask(Answer(False)))
        yes = Button(
            self.layer,
            Rect(left + pad + half + GAP, row, half, 60),
            "Yes, scan me",
            lambda: self.ask(Answer(True)),
            True,
        )
        self.touch.set_widgets([yes, no])

    def leftover(self, action: Action) -> None:
        """Back means no."""
        if action is Action.BACK:
            self.ask(Answer(False))

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """The empty studio, softly."""
        stage = self.display.stage
        stage.place_studio((0.0, 0.0))
        stage.camera.look_at((0.0, -4.4, 1.0), (0.0, 0.0, 0.95))
        self.display.show_stage(mirrored=True)
