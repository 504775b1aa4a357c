"""What is touched: buttons, pills, handles; and what everything touched has in common."""

from __future__ import annotations

from collections.abc import Callable

from game.view.interface.canvas import Layer, Plate, Rect, Text
from game.view.interface.inputs import Action
from game.view.interface.style import (
    ACCENT,
    BODY,
    HAIRLINE,
    INK,
    LABEL,
    LINE,
    NOTHING,
    PANEL,
    PRESS_S,
    WHITE,
    Color,
    TypeStyle,
    approach,
    with_opacity,
)


class Widget:
    """Something with a place that can be pointed at and that can have the focus."""

    def __init__(self, rect: Rect) -> None:
        self.rect = rect
        self.enabled = True
        self.focused = False

    def press(self, x: float, y: float) -> None:
        """The pointer went down on it at (x, y) [units]."""

    def drag(self, x: float, y: float) -> None:
        """The pointer moved while down."""

    def release(self, x: float, y: float) -> None:
        """The pointer went up."""

    def act(self, action: Action) -> bool:
        """An action while it has the focus; True if it was of use."""
        return False

    def update(self, dt: float) -> None:
        """`dt` [s] has passed."""


class Button(Widget):
    """Words on a rounded plate."""

    def __init__(
        self, layer: Layer, rect: Rect, words: str, do: Callable[[], None],
        primary: bool = False, on_dark: bool = False, style: TypeStyle = BODY,
    ):  # fmt: skip
        super().__init__(rect)
        self._do = do
        self._down = False
        self._pressed = 0.0
        self._primary, self._on_dark = primary, on_dark
        if primary:
            self._fill: Color = WHITE if on_dark else INK
            ink: Color = INK if on_dark else WHITE
        else:
            self._fill = (1.0, 1.0, 1.0, 0.14) if on_dark else (1.0, 1.0, 1.0, 0.66)
            ink = WHITE if on_dark else INK
        self._ink = ink
        self._plate = Plate(layer, rect, self._fill, rect.height / 2)
        self._words = Text(layer, words, style, ink, rect.middle, "center")
        self._look()

    def set_words(self, words: str) -> None:
        """Other words."""
        self._words.set_text(words)

    def enable(self, enabled: bool) -> None:
        """Whether it can be pressed."""
        if enabled != self.enabled:
            self.enabled = enabled
            self._look()

    def press(self, x: float, y: float) -> None:
        """Down."""
        self._down = True

    def release(self, x: float, y: float) -> None:
        """Up: it counts where it still lies under the pointer."""
        if self._down and self.rect.holds(x, y):
            self._do()
        self._down = False

    def act(self, action: Action) -> bool:
        """Accept presses it."""
        if action is not Action.ACCEPT:
            return False
        self._pressed = 1.0
        self._do()
        return True

    def update(self, dt: float) -> None:
        """Sinks while it is down."""
        target = 1.0 if self._down else 0.0
        if abs(self._pressed - target) > 0.01:
            self._pressed = approach(self._pressed, target, PRESS_S, dt)
            shrink = 2.0 * self._pressed
            self._plate.place(self.rect.inset(shrink))
        self._look()

    def _look(self) -> None:
        opacity = 1.0 if self.enabled else 0.35
        self._plate.set_fill(with_opacity(self._fill, self._fill[3] * opacity))
        self._words.set_color(with_opacity(self._ink, opacity))
        if self.focused:
            self._plate.set_edge(ACCENT, 2.5)
        elif self._primary:
            self._plate.set_edge(NOTHING, 0.0)
        else:
            self._plate.set_edge((1, 1, 1, 0.55) if self._on_dark else HAIRLINE, 1.0)


class Pill(Widget):
    """One of several choices: chosen or not."""

    def __init__(self, layer: Layer, rect: Rect, words: str, do: Callable[[], None], style: TypeStyle = LABEL):
        super().__init__(rect)
        self._do = do
        self._chosen: bool | None = None
        self._was_focused = False
        self._plate = Plate(layer, rect, NOTHING, rect.height / 2)
        self._words = Text(layer, words, style, INK, rect.middle, "center", rect.width - 6, 1)
        self.choose(False)

    def choose(self, chosen: bool) -> None:
        """Whether it is the chosen one."""
        if chosen == self._chosen and self.focused == self._was_focused:
            return
        self._chosen, self._was_focused = chosen, self.focused
        self._plate.set_fill(INK if chosen else NOTHING)
        self._plate.set_edge(ACCENT if self.focused else NOTHING if chosen else HAIRLINE, 2.5 if self.focused else 1.0)
        self._words.set_color(WHITE if chosen else INK)

    def release(self, x: float, y: float) -> None:
        """Up on it: chosen."""
        if self.rect.holds(x, y):
            self._do()

    def act(self, action: Action) -> bool:
        """Accept chooses it."""
        if action is Action.ACCEPT:
            self._do()
            return True
        return False

    def update(self, dt: float) -> None:
        """Shows the focus."""
        self.choose(bool(self._chosen))


class Handle(Widget):
    """A short line that opens and closes a drawer: by a touch, a pull, or accept."""

    def __init__(self, layer: Layer, rect: Rect, do: Callable[[], None], words: str = ""):
        """With `words` it is a bar of its own, else the line lies on whatever is there."""
        super().__init__(rect)
        self._do = do
        x, y = rect.middle
        self._plate = Plate(layer, rect, PANEL if words else NOTHING, rect.height / 2)
        Plate(layer, Rect(x - 22, rect.y + 8 if words else y - 2, 44, 4), LINE, 2)
        if words:
            self._plate.set_shadow(10, 0.10)
            Text(layer, words, LABEL, INK, (x, y + 5), "center", rect.width - 40, 1)
        self._focus_shown = False

    def release(self, x: float, y: float) -> None:
        """A touch, or the end of a pull, wherever that is."""
        self._do()

    def act(self, action: Action) -> bool:
        """Accept does the same."""
        if action is Action.ACCEPT:
            self._do()
            return True
        return False

    def update(self, dt: float) -> None:
        """Shows the focus."""
        if self.focused != self._focus_shown:
            self._focus_shown = self.focused
            self._plate.set_edge(ACCENT if self.focused else NOTHING, 2.5 if self.focused else 0.0)
