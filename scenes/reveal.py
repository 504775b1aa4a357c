"""The scanned body turns; measures with how sure they are, where the tapes lay, what was not seen."""

from __future__ import annotations

import math

import numpy as np

from game.protocol.commands import Continue, ScanAgain
from game.protocol.snapshot import Shopper, Snapshot
from game.view.figures import Tapes
from game.view.interface.canvas import Plate, Rect, Text
from game.view.interface.inputs import Action
from game.view.interface.style import (
    ACCENT,
    GAP,
    HAIRLINE,
    INK,
    INK_SOFT,
    LABEL,
    MARGIN,
    NUMBER,
    PANEL,
    RADIUS_LARGE,
    SMALL,
    TITLE,
)
from game.view.interface.widgets import Button
from scenes.screen import Screen

MEASURES = (
    ("height", "Height"), ("chest_girth", "Chest"), ("waist_girth", "Waist"),
    ("hip_girth", "Hip"), ("arm_length", "Arm"), ("crotch_height", "Inside leg"),
)  # fmt: skip
TAPED = ("chest_girth", "waist_girth", "hip_girth", "thigh_girth", "neck_girth")
TURN_S = 12.0
SEEN_ENOUGH = 0.75
PARTS = {"hand": "hands", "foot": "feet", "head": "head", "trunk": "trunk", "thigh": "thighs"}


class Reveal(Screen):
    """This is you."""

    def enter(self, snapshot: Snapshot) -> None:
        """Begins facing forward."""
        self._tapes = Tapes(self.display.stage.root)
        self._taped: Shopper | None = None
        self._turned = 0.0
        super().enter(snapshot)

    def exit(self) -> None:
        """Takes the tapes away as well."""
        self._tapes.remove()
        super().exit()

    def arrange(self, snapshot: Snapshot) -> None:
        """The body above a card of measures; in landscape beside it."""
        canvas = self.display.canvas
        self.add_wordmark()
        columns, pad, row = (3, 26.0, 98.0) if canvas.portrait else (2, 24.0, 92.0)
        rows = math.ceil(len(MEASURES) / columns)
        width = canvas.width - 2 * MARGIN if canvas.portrait else 372.0
        height = rows * row + 2 * pad - 12 + 26
        left = MARGIN if canvas.portrait else canvas.width - MARGIN - width
        buttons = 60.0
        top = canvas.height - MARGIN - buttons - GAP - height
        title_at = (canvas.width / 2, MARGIN + 66) if canvas.portrait else (left + 4, max(top - 42, 56))
        Text(self.layer, "This is you", TITLE, INK, title_at, "center" if canvas.portrait else "left")
        Plate(self.layer, Rect(left, top, width, height), PANEL, RADIUS_LARGE).set_shadow(14, 0.10)
        self._values: dict[str, tuple[Text, Text]] = {}
        cell = (width - 2 * pad) / columns
        for i, (key, label) in enumerate(MEASURES):
            x, y = left + pad + (i % columns) * cell, top + pad + (i // columns) * row
            Text(self.layer, label, LABEL, INK_SOFT, (x, y + 8))
            value = Text(self.layer, "", NUMBER, INK, (x, y + 40))
            spread = Text(self.layer, "", SMALL, INK_SOFT, (x, y + 67))
            self._values[key] = (value, spread)
            if i % columns:
                Plate(self.layer, Rect(x - 16, y + 2, 1, row - 26), HAIRLINE)
        self._unseen = Text(
            self.layer, "", SMALL, INK_SOFT, (left + pad, top + height - pad - 2), width=width - 2 * pad
        )
        half = (width - GAP) / 2
        y = canvas.height - MARGIN - buttons
        again = Button(self.layer, Rect(left, y, half, buttons), "Scan again", lambda: self.ask(ScanAgain()))
        go = Button(
            self.layer, Rect(left + half + GAP, y, half, buttons), "Try things on", lambda: self.ask(Continue()), True
        )
        self.touch.set_widgets([go, again])
        if canvas.portrait:
            self._within = (0.0, (MARGIN + 96) / canvas.height, 1.0, (top - 18) / canvas.height)
        else:
            self._within = (0.02, 0.06, (left - 10) / canvas.width, 0.95)

    def leftover(self, action: Action) -> None:
        """Back scans again."""
        if action is Action.BACK:
            self.ask(ScanAgain())

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """The body on its turntable."""
        self.display.show_stage(mirrored=False)
        shopper = snapshot.shopper
        if shopper is None:
            return
        self.dresser.show_body(shopper)
        stage = self.display.stage
        stage.remove_garments()
        if self._taped is not shopper:
            self._taped = shopper
            stage.update_body(shopper.canonical)
            self._say(shopper)
            paths = [path for key in TAPED if key in shopper.measurements for path in shopper.measurements[key].paths]
            self._tapes.show(paths, (ACCENT[0], ACCENT[1], ACCENT[2], 1.0), 2.0 * self.display.canvas.scale)
        self._turned += 2.0 * math.pi * dt / TURN_S
        azimuth = 0.35 - self._turned
        center = np.zeros(2)
        stage.place_studio(center, azimuth)
        tall = float(shopper.canonical[:, 2].max())
        reach = float(np.linalg.norm(shopper.canonical[:, :2], axis=1).max())
        span = np.array([[-reach, -reach, 0.0], [reach, reach, tall]], np.float32)
        stage.camera.frame_body(span, azimuth, 1.04, within=self._within)

    def settle(self) -> None:
        """All words there."""
        super().settle()

    def arrange_anew(self) -> None:
        """The words must be said again."""
        self._taped = None
        super().arrange_anew()

    def _say(self, shopper: Shopper) -> None:
        for key, (value, spread) in self._values.items():
            measure = shopper.measurements.get(key)
            if measure is None:
                value.set_text("–")
                spread.set_text("")
                continue
            value.set_text(f"{measure.value_mm / 10:.1f}")
            spread.set_text(f"± {max(measure.std_mm / 10, 0.1):.1f} cm")
        self._unseen.set_text(_unseen_words(shopper))


def _unseen_words(shopper: Shopper) -> str:
    """What was hardly seen, in words."""
    if shopper.of_average_depth:
        return "Without a depth camera, girths are a guess."
    names = []
    for part, share in shopper.coverage.items():
        word = PARTS.get(part.rsplit("_", 1)[0], part.replace("_", " ").removesuffix(" l").removesuffix(" r"))
        if share < SEEN_ENOUGH and word not in names:
            names.append(word)
    if not names:
        return "All of you was seen."
    return f"Not seen well: {', '.join(names)}. There we filled in."
