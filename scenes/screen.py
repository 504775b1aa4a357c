"""What every screen of the mirror has: a layer of interface, hands, words in passing, and a way in and out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from game.protocol.commands import Command, Redo, Undo
from game.protocol.snapshot import Snapshot
from game.view.display import Display
from game.view.dresser import Dresser
from game.view.interface.canvas import Layer, Plate, Rect, Text
from game.view.interface.focus import Touch
from game.view.interface.inputs import Action, Inputs
from game.view.interface.style import (
    DARK_PANEL,
    FADE_S,
    INK_SOFT,
    LABEL,
    MARGIN,
    OVERLINE,
    WHITE,
    WHITE_SOFT,
    ease_out,
)

WORDMARK = "CHEVAL"
NOTICE_S = 4.0


class Screen(ABC):
    """One screen. It is entered, updated for every picture, and left; it owns nothing of the session."""

    on_dark = False
    """Words are light: a camera's picture lies behind."""

    def __init__(self, display: Display, dresser: Dresser) -> None:
        self.display = display
        self.dresser = dresser
        self.touch = Touch()
        self._layer: Layer | None = None
        self._commands: list[Command] = []
        self._age = 0.0
        self._toast: Layer | None = None
        self._notice, self._notice_age = "", 0.0
        self.snapshot: Snapshot | None = None

    @property
    def layer(self) -> Layer:
        """Where the screen's things are."""
        assert self._layer is not None
        return self._layer

    def enter(self, snapshot: Snapshot) -> None:
        """The screen begins."""
        self.snapshot = snapshot
        self._age = 0.0
        self._notice = ""
        self.arrange_anew()

    def arrange_anew(self) -> None:
        """Lays everything out for the canvas as it is now."""
        self._remove_layers()
        self._layer = Layer(self.display.canvas)
        self.touch.set_widgets([])
        assert self.snapshot is not None
        self.arrange(self.snapshot)
        self._layer.set_opacity(ease_out(self._age / FADE_S))

    def update(self, snapshot: Snapshot, inputs: Inputs, dt: float) -> list[Command]:
        """One picture: shows `snapshot`, takes `inputs`; `dt` [s] have passed. Returns wishes."""
        self.snapshot = snapshot
        self._age += dt
        if self._age < FADE_S + 0.2:
            self.layer.set_opacity(ease_out(self._age / FADE_S))
        for action in self.touch.handle(inputs, dt):
            self.leftover(action)
        self.show(snapshot, dt)
        self._show_notice(snapshot.notice, dt)
        commands, self._commands = self._commands, []
        return commands

    def exit(self) -> None:
        """The screen ends: its things are taken away."""
        self._remove_layers()
        self.touch.set_widgets([])

    @abstractmethod
    def arrange(self, snapshot: Snapshot) -> None:
        """Makes the screen's things."""

    @abstractmethod
    def show(self, snapshot: Snapshot, dt: float) -> None:
        """Brings them up to date."""

    def leftover(self, action: Action) -> None:
        """An action that no widget had a use for."""
        if action is Action.UNDO:
            self.ask(Undo())
        elif action is Action.REDO:
            self.ask(Redo())

    def ask(self, command: Command) -> None:
        """Passes a wish on with the next `update`."""
        self._commands.append(command)

    def settle(self) -> None:
        """As after all that moves has come to rest: for stills."""
        self._age = FADE_S + 1.0
        self.layer.set_opacity(1.0)

    @staticmethod
    def flipped(within: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Where to frame what the mirror's flip brings `within` (left, top, right, bottom; shares of the picture)."""
        left, top, right, bottom = within
        return 1.0 - right, top, 1.0 - left, bottom

    def add_wordmark(self) -> None:
        """The house's name, at the top."""
        color = WHITE_SOFT if self.on_dark else INK_SOFT
        canvas = self.display.canvas
        place, align = (
            ((canvas.width / 2, MARGIN + 10), "center") if canvas.portrait else ((MARGIN, MARGIN + 6), "left")
        )
        Text(self.layer, WORDMARK, OVERLINE, color, place, align)

    def _show_notice(self, words: str, dt: float) -> None:
        if words != self._notice:
            self._notice, self._notice_age = words, 0.0
            if self._toast is not None:
                self._toast.remove()
                self._toast = None
            if words:
                self._toast = self._make_toast(words)
        self._notice_age += dt
        if self._toast is not None:
            left = NOTICE_S - self._notice_age
            self._toast.set_opacity(min(ease_out(self._notice_age / FADE_S), ease_out(left / FADE_S)))

    def _make_toast(self, words: str) -> Layer:
        canvas = self.display.canvas
        toast = Layer(canvas)
        plate = Plate(toast, Rect(0, 0, 10, 10), DARK_PANEL, 26)
        y = MARGIN + 58
        text = Text(toast, words, LABEL, WHITE, (canvas.width / 2, y), "center", min(420.0, canvas.width - 120))
        width, height = text.longest + 48, text.height + 28
        plate.place(Rect((canvas.width - width) / 2, y - 8 - 14, width, height), min(26.0, height / 2))
        return toast

    def _remove_layers(self) -> None:
        for layer in (self._layer, self._toast):
            if layer is not None:
                layer.remove()
        self._layer = self._toast = None
        self._notice = ""
