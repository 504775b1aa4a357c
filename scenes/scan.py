"""The shopper is scanned: an outline to step into, a ring that fills as they turn, a surface that grows."""

from __future__ import annotations

import math

import numpy as np

from game.protocol.commands import Consent
from game.protocol.snapshot import Guidance, ScanProgress, Snapshot
from game.view.figures import Figurine, mean_figure, outer_faces
from game.view.interface.canvas import Plate, Rect, Ring, Text
from game.view.interface.inputs import Action
from game.view.interface.style import BODY, GLOW, MARGIN, RADIUS_LARGE, TITLE, WHITE, WHITE_SOFT, approach, with_opacity
from game.view.interface.widgets import Button
from scenes.screen import Screen

CARD_TOP = 64.0
DARK_CARD = (0.10, 0.095, 0.09, 0.62)
MARK_M = 1.85
"""Where to stand [m] before the camera when nobody is there yet."""
FIGURINE_M = 0.62
"""The figurine's distance from the lens [m]."""
WAITING = frozenset((Guidance.STEP_IN, Guidance.WHOLE_BODY, Guidance.NEARER, Guidance.FURTHER))
HINTS = {
    Guidance.STEP_IN: "Stand in the outline, feet a little apart.",
    Guidance.ARMS_OUT: "Like this, hands free.",
    Guidance.TURN: "Slowly, with small steps.",
    Guidance.KEEP_TURNING: "Your figure grows as you turn.",
    Guidance.HOLD_STILL: "Just for a breath.",
    Guidance.SLOWER: "There is no hurry.",
}


class Scan(Screen):
    """The live picture, mirrored; guidance in large type."""

    on_dark = True

    def enter(self, snapshot: Snapshot) -> None:
        """Begins with nothing turned."""
        self._share = 0.0
        self._figurine = Figurine(self.display.glass.root)
        super().enter(snapshot)

    def exit(self) -> None:
        """Takes the figurine away as well."""
        self._figurine.remove()
        self.display.glass.cover("figurine", None)
        self.display.glass.hide_body()
        super().exit()

    def arrange(self, snapshot: Snapshot) -> None:
        """Guidance above the shopper's head; at their side in landscape; the rest small in the corners."""
        canvas = self.display.canvas
        self.add_wordmark()
        # In landscape the shopper fills the picture's height: the words stand beside them.
        width = canvas.width - 2 * MARGIN if canvas.portrait else 290.0
        x = MARGIN + width / 2
        # A dark card, or white words would be lost before a white wall.
        self._card = Plate(self.layer, Rect(x - width / 2, CARD_TOP, width, 10), DARK_CARD, RADIUS_LARGE)
        self._guidance = Text(self.layer, "", TITLE, WHITE, (x, CARD_TOP + 38), "center", width - 48)
        self._hint = Text(self.layer, "", BODY, WHITE_SOFT, (x, CARD_TOP + 84), "center", width - 48)
        radius = 44.0
        x, y = MARGIN + radius + 8, canvas.height - MARGIN - radius - 8
        Plate(self.layer, Rect(x - radius - 8, y - radius - 8, 2 * radius + 16, 2 * radius + 16), DARK_CARD, radius + 8)
        self._ring = Ring(self.layer, Rect(x - radius, y - radius, 2 * radius, 2 * radius), 6.0, GLOW, (1, 1, 1, 0.26))
        self._number = Text(self.layer, "", BODY, WHITE, (x, y), "center")
        side = Rect(canvas.width - MARGIN - 104, canvas.height - MARGIN - 54, 104, 54)
        self._stop = Button(self.layer, side, "Stop", lambda: self.ask(Consent(False)), on_dark=True)
        self.touch.set_widgets([self._stop])

    def leftover(self, action: Action) -> None:
        """Back stops."""
        if action is Action.BACK:
            self.ask(Consent(False))

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """Picture, glow, ring, words, figurine."""
        scan = snapshot.scan
        glass = self.display.glass
        self.display.show_glass()
        refining = scan is not None and scan.refining is not None
        glass.set_veil((0.13, 0.10, 0.09, 0.62 if refining else 0.12))
        glass.set_vignette(0.25, 0.25)
        self.dresser.undress_glass()
        camera = snapshot.camera
        if camera is not None:
            glass.show_frame(camera.frame, camera.ground.T_wc if camera.ground else None, soft=refining)
        if scan is None:
            self._say("Step onto the mark", HINTS[Guidance.STEP_IN], "")
            self._ring.set_share(0.0)
        else:
            self._show_turn(scan, dt)
        if camera is not None and not refining:
            self._show_glow(snapshot)
        self._show_figurine(scan)

    def _show_turn(self, scan: ScanProgress, dt: float) -> None:
        target = scan.share if scan.refining is None else scan.refining
        self._share = approach(self._share, target, 0.4, dt) if self._age > 0.1 else target
        self._ring.set_share(self._share)
        if scan.refining is not None:
            self._say("Thank you", "Putting your measures together.", f"{100 * self._share:.0f} %")
        else:
            turning = self._share > 0.005
            degrees = f"{360 * self._share:.0f}°" if turning else ""
            self._say(scan.guidance.value, HINTS.get(scan.guidance, ""), degrees)

    def _say(self, guidance: str, hint: str, number: str) -> None:
        self._guidance.set_text(guidance)
        y = CARD_TOP + 38 + self._guidance.height - TITLE.size
        self._hint.move((self._card.rect.middle[0], y + 46))
        self._hint.set_text(hint)
        self._number.set_text(number)
        below = self._hint.height + 14 if hint else 0.0
        self._card.place(self._card.rect._replace(height=y - CARD_TOP + 34 + below))

    def _show_glow(self, snapshot: Snapshot) -> None:
        """Round the shopper where they are followed, else where they should stand."""
        camera, scan = snapshot.camera, snapshot.scan
        assert camera is not None
        self.display.glass.set_body(outer_faces(), mean_figure())
        breath = 0.5 + 0.5 * math.sin(2.2 * self._age)
        if camera.body is not None and (scan is None or scan.guidance is not Guidance.STEP_IN):
            self.display.glass.show_glow(camera.body.vertices, with_opacity(GLOW, 0.42 + 0.10 * breath))
        elif camera.ground is not None:
            outline = mean_figure() + np.array([0.0, MARK_M, 0.0], np.float32)
            self.display.glass.show_glow(outline, with_opacity(GLOW, 0.55 + 0.25 * breath))

    def _show_figurine(self, scan: ScanProgress | None) -> None:
        if scan is None or scan.surface is None:
            self._figurine.hide()
            self.display.glass.cover("figurine", None)
            return
        canvas, camera = self.display.canvas, self.display.glass.camera
        self._figurine.show(scan.surface, scan.surface_seen)
        k = camera.intrinsics
        refining = scan.refining is not None
        if refining:
            x = 0.5 if canvas.portrait else 0.36
            foot, height = (0.66, 0.52) if canvas.portrait else (0.90, 0.74)
        else:
            # The picture is flipped: what shall be seen at the left stands at the right.
            x, foot, height = (0.11, 0.865, 0.17) if canvas.portrait else (0.06, 0.80, 0.30)
        pixel = np.array([x * k.width, foot * k.height])
        at = (float((pixel[0] - k.cx) / k.fx), float((pixel[1] - k.cy) / k.fy))
        tall = float(scan.surface.vertices[:, 2].max())
        self._figurine.place(
            camera.T_wc,
            (at[0] * FIGURINE_M, at[1] * FIGURINE_M, FIGURINE_M),
            height * k.height / k.fy * FIGURINE_M,
            0.6 * self._age if refining else -scan.turned,
            max(tall, 0.5),
        )
        self.display.glass.cover("figurine", self._figurine.corners)
