"""Done with trying on: keep a profile that only the shopper can open, or leave without a trace."""

from __future__ import annotations

import cv2
import numpy as np

from game.protocol.commands import BackToMirror, Continue, Leave
from game.protocol.commands import Keep as Save
from game.protocol.snapshot import Keeping, Snapshot
from game.view.interface.canvas import Picture, Plate, Rect, Text, texture_of
from game.view.interface.inputs import Action
from game.view.interface.style import (
    ACCENT,
    BODY,
    GAP,
    HEADING,
    INK,
    INK_SOFT,
    LABEL,
    MARGIN,
    OVERLINE,
    PANEL,
    RADIUS,
    RADIUS_LARGE,
    TITLE,
    WHITE,
)
from game.view.interface.widgets import Button
from scenes.screen import Screen


class Keep(Screen):
    """Keep or leave; once kept, what opens the profile, shown once."""

    def enter(self, snapshot: Snapshot) -> None:
        """Begins with the question."""
        self._arranged_for: Keeping | None = None
        super().enter(snapshot)

    def arrange(self, snapshot: Snapshot) -> None:
        """A card over the dressed avatar."""
        self._arranged_for = snapshot.keeping
        canvas = self.display.canvas
        self.add_wordmark()
        width = min(canvas.width - 2 * MARGIN, 484.0)
        height = (500.0 if canvas.portrait else 452.0) if snapshot.keeping else (372.0 if canvas.portrait else 352.0)
        left = MARGIN if canvas.portrait else canvas.width - MARGIN - width
        top = canvas.height - MARGIN - height if canvas.portrait else (canvas.height - height) / 2 + 10
        card = Rect(left, top, width, height)
        Plate(self.layer, card, PANEL, RADIUS_LARGE).set_shadow(18, 0.14)
        if snapshot.keeping is None:
            self._arrange_question(snapshot, card)
        else:
            self._arrange_secret(snapshot.keeping, card)
        if canvas.portrait:
            self._within = (0.0, 60 / canvas.height, 1.0, (top - 14) / canvas.height)
        else:
            self._within = (0.0, 0.07, (left - 8) / canvas.width, 0.96)

    def _arrange_question(self, snapshot: Snapshot, card: Rect) -> None:
        pad = 32.0
        inner = card.width - 2 * pad
        Text(self.layer, "Keep your measures?", TITLE, INK, (card.x + pad, card.y + pad + 18))
        words = (
            "We lock them with a secret that only you hold, so that next time you can dress without a scan."
            if snapshot.can_keep
            else "This mirror keeps nothing. When you leave, everything of you is wiped."
        )
        Text(self.layer, words, BODY, INK_SOFT, (card.x + pad, card.y + pad + 74), width=inner)
        y = card.bottom - pad - 60
        half = (inner - GAP) / 2
        back = Button(self.layer, Rect(card.x + pad, y, half, 60), "Back", lambda: self.ask(BackToMirror()))
        leave = Button(
            self.layer, Rect(card.x + pad + half + GAP, y, half, 60), "Leave no trace", lambda: self.ask(Leave()),
            not snapshot.can_keep,
        )  # fmt: skip
        buttons = [back, leave]
        if snapshot.can_keep:
            wide = Rect(card.x + pad, y - GAP - 60, inner, 60)
            buttons.insert(0, Button(self.layer, wide, "Keep them for me", lambda: self.ask(Save()), True))
        self.touch.set_widgets(buttons)

    def _arrange_secret(self, keeping: Keeping, card: Rect) -> None:
        canvas = self.display.canvas
        pad = 32.0
        inner = card.width - 2 * pad
        Text(self.layer, "Kept for you", TITLE, INK, (card.x + pad, card.y + pad + 18))
        side = 196.0 if canvas.portrait else 148.0
        y = card.y + pad + 62
        frame = Rect(card.x + pad, y, side, side)
        Plate(self.layer, frame, WHITE, RADIUS)
        code = qr_picture(f"cheval:{keeping.profile_id}#{keeping.secret}")
        Picture(self.layer, frame.inset(12), texture_of(code, "qr", sharp=True))
        x = card.x + pad + side + 24
        beside = card.right - pad - x
        Text(self.layer, "YOUR NUMBER", OVERLINE, ACCENT, (x, y + 10))
        Text(self.layer, keeping.profile_id, HEADING, INK, (x, y + 40), width=beside)
        Text(self.layer, "Take a picture of the code. It opens your profile here.", LABEL, INK_SOFT,
             (x, y + 84), width=beside)  # fmt: skip
        y += side + 30
        Text(self.layer, "YOUR SECRET, SHOWN ONCE", OVERLINE, ACCENT, (card.x + pad, y))
        Text(self.layer, keeping.secret, HEADING, INK, (card.x + pad, y + 32), width=inner)
        y = card.bottom - pad - 60
        done = Button(self.layer, Rect(card.x + pad, y, inner, 60), "I have it", lambda: self.ask(Continue()), True)
        self.touch.set_widgets([done])

    def leftover(self, action: Action) -> None:
        """Back to the mirror."""
        if action is Action.BACK:
            self.ask(BackToMirror())

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """The avatar behind."""
        if snapshot.keeping != self._arranged_for:
            self.arrange_anew()
        self.display.show_stage(mirrored=True)
        shopper, dressed = snapshot.shopper, snapshot.dressed
        if shopper is None or dressed is None:
            return
        self.dresser.dress_stage(snapshot)
        center = dressed.body[::9, :2].mean(0).astype(np.float64)
        center = np.round(center, 1)
        stage = self.display.stage
        stage.place_studio(center)
        tall = float(shopper.canonical[:, 2].max())
        span = np.array([[*(center - 0.34 * tall), 0.0], [*(center + 0.34 * tall), 1.06 * tall]], np.float32)
        stage.camera.frame_body(span, margin=1.0, within=self.flipped(self._within))


def qr_picture(text: str) -> np.ndarray:
    """A QR code of `text` with its quiet zone, one pixel a module, (N, N, 3) uint8."""
    code = np.asarray(cv2.QRCodeEncoder.create().encode(text), np.uint8)
    return np.repeat(np.ascontiguousarray(code)[..., None], 3, axis=2)
