"""Nobody is being served: the mirror invites."""

from __future__ import annotations

from game.protocol.commands import Begin
from game.protocol.snapshot import Snapshot
from game.view.interface.canvas import Rect as R
from game.view.interface.canvas import Text
from game.view.interface.inputs import Action, Inputs
from game.view.interface.style import BODY, DISPLAY, HEADING, INK, INK_SOFT
from game.view.interface.widgets import Button
from scenes.mannequin import Mannequin
from scenes.screen import Screen


class Attract(Screen):
    """A mannequin that turns in clothes of the rack, a few words, one button; a touch anywhere will do.

    No camera's picture: nobody has agreed to be looked at.
    """

    def enter(self, snapshot: Snapshot) -> None:
        """The mannequin steps onto the stage."""
        self.dresser.forget()
        self._mannequin = Mannequin(self.display)
        super().enter(snapshot)

    def exit(self) -> None:
        """And leaves it."""
        self._mannequin.remove()
        super().exit()

    def arrange(self, snapshot: Snapshot) -> None:
        """Words, mannequin, button from top to bottom; in landscape words and button stand beside it."""
        canvas = self.display.canvas
        self.add_wordmark()
        width, height = canvas.width, canvas.height
        if canvas.portrait:
            x, top, y = width / 2, 116.0, height - 116.0
            within = (0.0, 274 / height, 1.0, (height - 176) / height)
        else:
            x, top, y = 0.70 * width, 0.30 * height, 0.72 * height
            within = (0.0, 0.10, 0.46, 0.94)
        title = Text(self.layer, "See yourself in\nsomething new", DISPLAY, INK, (x, top), "center")
        words = "Made to your measure, in about a minute."
        Text(self.layer, words, BODY, INK_SOFT, (x, top + title.height + 12), "center")
        place = R(x - 150, y - 38, 300, 76)
        self._button = Button(self.layer, place, "Touch to begin", lambda: self.ask(Begin()), True, style=HEADING)
        self.touch.set_widgets([self._button])
        self._mannequin.frame(self.flipped(within))

    def update(self, snapshot: Snapshot, inputs: Inputs, dt: float):
        """A touch anywhere begins."""
        touched = inputs.released and inputs.pointer is not None
        commands = super().update(snapshot, inputs, dt)
        return commands or ([Begin()] if touched else [])

    def leftover(self, action: Action) -> None:
        """Any key begins."""
        self.ask(Begin())

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """The mannequin turns."""
        self._mannequin.update(dt)
        self.display.show_stage(mirrored=True)
