"""Done with trying on: keep a profile that only the shopper can open, or leave without a trace."""

from __future__ import annotations

import cv2
import numpy as np

from game.protocol.commands import BackToMirror, Continue, Leave
from game.protocol.commands import Keep as Save
from game.protocol.snapshot import Keeping, Snapshot
from game.view.interface.canvas import Layer, Picture, Plate, Rect, Text, texture_of
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
    SMALL,
    TITLE,
    WHITE,
)
from game.view.interface.widgets import Button
from scenes.screen import Screen

PAD = 30.0
"""From the card's edge [units]."""
GROUPS_A_LINE = 4


class Keep(Screen):
    """Keep or leave; once kept, what opens the profile, shown once."""

    def enter(self, snapshot: Snapshot) -> None:
        """Begins with the question."""
        self._arranged_for: tuple[Keeping | None, str] | None = None
        super().enter(snapshot)

    def arrange(self, snapshot: Snapshot) -> None:
        """A card over the dressed avatar, as high as what stands in it."""
        self._arranged_for = (snapshot.keeping, snapshot.keep_notice)
        canvas = self.display.canvas
        self.add_wordmark()
        width = min(canvas.width - 2 * MARGIN, 484.0)
        left = MARGIN if canvas.portrait else canvas.width - MARGIN - width
        arrange = self._arrange_question if snapshot.keeping is None else self._arrange_secret
        meter = Layer(canvas)
        height = arrange(snapshot, meter, Rect(left, 0.0, width, 0.0))
        meter.remove()
        top = canvas.height - MARGIN - height if canvas.portrait else (canvas.height - height) / 2
        card = Rect(left, top, width, height)
        Plate(self.layer, card, PANEL, RADIUS_LARGE).set_shadow(18, 0.14)
        arrange(snapshot, self.layer, card)
        if canvas.portrait:
            self._within = (0.0, 60 / canvas.height, 1.0, (top - 14) / canvas.height)
        else:
            self._within = (0.0, 0.07, (left - 8) / canvas.width, 0.96)

    def _arrange_question(self, snapshot: Snapshot, layer: Layer, card: Rect) -> float:
        """Lays it out from the card's top; returns how high the card must be [units]."""
        x, inner = card.x + PAD, card.width - 2 * PAD
        y = card.y + PAD + 18
        Text(layer, "Keep your measures?", TITLE, INK, (x, y))
        words = (
            "Locked with a secret that only you hold: next time you can dress without a scan."
            if snapshot.can_keep
            else "This mirror keeps nothing. When you leave, everything of you is wiped."
        )
        y += 56
        said = Text(layer, words, BODY, INK_SOFT, (x, y), width=inner)
        y += said.height + 12
        half = (inner - GAP) / 2
        buttons = []
        if snapshot.can_keep:
            # What is agreed to stands above the button that agrees.
            notice = Text(layer, snapshot.keep_notice, SMALL, INK_SOFT, (x, y + 4), width=inner)
            y += notice.height + 18 if snapshot.keep_notice else 6
            buttons.append(
                Button(layer, Rect(x, y, inner, 58), "Keep them for me", lambda: self.ask(Save()), primary=True)
            )
            y += 58 + GAP
        else:
            y += 10
        buttons.append(Button(layer, Rect(x, y, half, 58), "Back", lambda: self.ask(BackToMirror())))
        buttons.append(
            Button(
                layer, Rect(x + half + GAP, y, half, 58), "Leave no trace", lambda: self.ask(Leave()),
                not snapshot.can_keep,
            )
        )  # fmt: skip
        self.touch.set_widgets(buttons)
        return y + 58 + PAD - card.y

    def _arrange_secret(self, snapshot: Snapshot, layer: Layer, card: Rect) -> float:
        """As `_arrange_question`."""
        keeping = snapshot.keeping
        assert keeping is not None
        x, inner = card.x + PAD, card.width - 2 * PAD
        y = card.y + PAD + 18
        Text(layer, "Kept for you", TITLE, INK, (x, y))
        y += 44
        side = 196.0 if self.display.canvas.portrait else 156.0
        frame = Rect(x, y, side, side)
        Plate(layer, frame, WHITE, RADIUS)
        code = qr_picture(f"cheval:{keeping.profile_id}#{keeping.secret}")
        Picture(layer, frame.inset(12), texture_of(code, "qr", sharp=True))
        beside = x + side + 22
        narrow = card.right - PAD - beside
        Text(layer, "YOUR NUMBER", OVERLINE, ACCENT, (beside, y + 10))
        number = Text(layer, keeping.profile_id, LABEL, INK, (beside, y + 36), width=narrow, most=3)
        Text(layer, "Take a picture of the code. It opens your profile here.", SMALL, INK_SOFT,
             (beside, y + 36 + number.height + 16), width=narrow)  # fmt: skip
        y += side + 28
        Text(layer, "YOUR SECRET, SHOWN ONCE", OVERLINE, ACCENT, (x, y))
        y += 30
        secret = Text(layer, in_groups(keeping.secret), HEADING, INK, (x, y), width=inner)
        y += secret.height + 12
        done = Button(layer, Rect(x, y, inner, 58), "I have it", lambda: self.ask(Continue()), True)
        self.touch.set_widgets([done])
        return y + 58 + PAD - card.y

    def leftover(self, action: Action) -> None:
        """Back to the mirror."""
        if action is Action.BACK:
            self.ask(BackToMirror())

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """The avatar behind."""
        if (snapshot.keeping, snapshot.keep_notice) != self._arranged_for:
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


def in_groups(secret: str) -> str:
    """A code of many groups in lines of four, as one reads it off; a passphrase as it is."""
    groups = secret.split("-")
    if len(groups) <= GROUPS_A_LINE or " " in secret:
        return secret
    lines = (groups[i : i + GROUPS_A_LINE] for i in range(0, len(groups), GROUPS_A_LINE))
    return "-\n".join("-".join(line) for line in lines)
