"""Something is being mended."""

from __future__ import annotations

import math

from game.protocol.snapshot import Snapshot
from game.view.interface.canvas import Plate, Rect, Text
from game.view.interface.style import ACCENT, BODY, DISPLAY, INK, INK_SOFT, MARGIN, SMALL, with_opacity
from scenes.screen import Screen


class Maintenance(Screen):
    """A moment's patience; in small type what the shop's staff should know."""

    def arrange(self, snapshot: Snapshot) -> None:
        """In the middle, the staff's line at the bottom."""
        canvas = self.display.canvas
        self.add_wordmark()
        x, y = canvas.width / 2, canvas.height * (0.40 if canvas.portrait else 0.36)
        Text(self.layer, "One moment", DISPLAY, INK, (x, y), "center")
        Text(
            self.layer, "The mirror is being looked after.", BODY, INK_SOFT, (x, y + 66), "center",
            min(400.0, canvas.width - 80),
        )  # fmt: skip
        self._dots = [Plate(self.layer, Rect(x - 31 + 26 * i, y + 118, 10, 10), ACCENT, 5) for i in range(3)]
        self._note = Text(
            self.layer, "", SMALL, INK_SOFT, (x, canvas.height - MARGIN - 34), "center", canvas.width - 2 * MARGIN
        )

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """Three dots breathe."""
        self.display.show_stage(mirrored=True)
        self.display.stage.place_studio((0.0, 0.0))
        self.display.stage.camera.look_at((0.0, -4.4, 1.0), (0.0, 0.0, 0.95))
        for i, dot in enumerate(self._dots):
            dot.set_fill(with_opacity(ACCENT, 0.35 + 0.65 * max(0.0, math.sin(2.4 * self._age - 0.7 * i))))
        parts = [words for words in (snapshot.camera_problem, snapshot.maintenance) if words]
        self._note.set_text(" · ".join(parts))
