"""What is touched: buttons, pills, sliders with steppers, swatches, the carousel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from game.protocol.snapshot import Worn
from game.view.interface.canvas import Layer, Picture, Plate, Rect, Text, texture_of
from game.view.interface.inputs import Action
from game.view.interface.sketch import sketch
from game.view.interface.style import (
    ACCENT,
    BODY,
    HAIRLINE,
    INK,
    INK_SOFT,
    LABEL,
    LINE,
    NOTHING,
    PANEL,
    PRESS_S,
    RADIUS,
    SMALL,
    TARGET,
    TRACK,
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


class Slider(Widget):
    """A value between two ends, with a step less and a step more at its sides."""

    def __init__(
        self, layer: Layer, rect: Rect, label: str, minimum: float, maximum: float, value: float, step: float,
        say: Callable[[float], str], change: Callable[[float, bool], None],
    ):  # fmt: skip
        """`change(value, final)`; `say(value)` puts it into words."""
        super().__init__(rect)
        self.minimum, self.maximum, self.step = minimum, maximum, step
        self._say, self._change = say, change
        self._held: str | None = None
        side = min(rect.height, TARGET)
        self._less = Rect(rect.x, rect.bottom - side, side, side)
        self._more = Rect(rect.right - side, rect.bottom - side, side, side)
        self._way = Rect(rect.x + side + 20, rect.bottom - side, rect.width - 2 * side - 40, side)
        for place, sign in ((self._less, "–"), (self._more, "+")):
            plate = Plate(layer, place.inset(7), (1, 1, 1, 0.7), side / 2)
            plate.set_edge(HAIRLINE, 1.0)
            Text(layer, sign, BODY, INK, place.middle, "center")
        _, middle = self._way.middle
        Plate(layer, Rect(self._way.x - 2, middle - 1.5, self._way.width + 4, 3), TRACK, 1.5)
        self._done = Plate(layer, Rect(self._way.x, middle - 1.5, 4, 3), INK, 1.5)
        self._knob = Plate(layer, Rect(0, 0, 26, 26), WHITE, 13)
        self._knob.set_shadow(5, 0.30)
        Text(layer, label, LABEL, INK, (rect.x + 7, rect.y + 9), width=rect.width - 120, most=1)
        self._words = Text(layer, "", LABEL, INK_SOFT, (rect.right - 7, rect.y + 9), "right")
        self.value = value
        self._shown: tuple[float, bool] | None = None
        self.show(value)

    def show(self, value: float) -> None:
        """The value from outside; ignored while it is dragged."""
        if self._held != "knob":
            self.value = min(max(value, self.minimum), self.maximum)
        state = (self.value, self.focused)
        if state == self._shown:
            return
        self._shown = state
        share = (self.value - self.minimum) / max(self.maximum - self.minimum, 1e-9)
        x, (_, middle) = self._way.x + share * self._way.width, self._way.middle
        self._done.place(Rect(self._way.x - 2, middle - 1.5, x - self._way.x + 4, 3))
        self._knob.place(Rect(x - 13, middle - 13, 26, 26))
        self._knob.set_edge(ACCENT if self.focused else HAIRLINE, 3.0 if self.focused else 1.0)
        self._words.set_text(self._say(self.value))

    def press(self, x: float, y: float) -> None:
        """A step at the sides, else the knob is taken."""
        if self._less.holds(x, y):
            self._held = "less"
            self._step(-1)
        elif self._more.holds(x, y):
            self._held = "more"
            self._step(1)
        elif y >= self._way.y:
            self._held = "knob"
            self.drag(x, y)

    def drag(self, x: float, y: float) -> None:
        """Moves the knob, to whole steps."""
        if self._held == "knob":
            share = min(max((x - self._way.x) / self._way.width, 0.0), 1.0)
            self._set(self.minimum + share * (self.maximum - self.minimum), final=False)

    def release(self, x: float, y: float) -> None:
        """Lets the knob go: the value is meant."""
        if self._held == "knob":
            self._held = None
            self._change(self.value, True)
        self._held = None

    def act(self, action: Action) -> bool:
        """Left and right step."""
        if action in (Action.LEFT, Action.RIGHT):
            self._step(1 if action is Action.RIGHT else -1)
            return True
        return False

    def update(self, dt: float) -> None:
        """Shows the focus."""
        self.show(self.value)

    def _step(self, sign: int) -> None:
        self._set(self.value + sign * self.step, final=True)

    def _set(self, value: float, final: bool) -> None:
        value = self.minimum + round((value - self.minimum) / self.step) * self.step
        value = min(max(value, self.minimum), self.maximum)
        if abs(value - self.value) > 1e-9:
            self.value = value
            self._change(value, final)


class Swatches(Widget):
    """Colours to choose from, as round dabs in a row."""

    SIDE = 40.0

    def __init__(self, layer: Layer, rect: Rect, colors: Sequence[tuple[int, int, int]], choose: Callable[[int], None]):
        super().__init__(rect)
        self._choose = choose
        self._chosen = -1
        self._cursor = 0
        count = max(len(colors), 1)
        self._pitch = min(rect.width / count, 62.0)
        self._rings: list[Plate] = []
        for i, color in enumerate(colors):
            x, y = rect.x + self._pitch * (i + 0.5), rect.middle[1]
            side = self.SIDE
            fill = (color[0] / 255, color[1] / 255, color[2] / 255, 1.0)
            dab = Plate(layer, Rect(x - side / 2, y - side / 2, side, side), fill, side / 2)
            dab.set_edge(HAIRLINE, 1.0)
            ring = Plate(layer, Rect(x - side / 2 - 5, y - side / 2 - 5, side + 10, side + 10), NOTHING, side)
            self._rings.append(ring)
        self._shown: object = None

    def show(self, chosen: int) -> None:
        """Which one is chosen."""
        self._chosen = chosen
        state = (chosen, self._cursor, self.focused)
        if state == self._shown:
            return
        self._shown = state
        for i, ring in enumerate(self._rings):
            if self.focused and i == self._cursor:
                ring.set_edge(ACCENT, 3.0)
            else:
                ring.set_edge(INK if i == chosen else NOTHING, 2.0 if i == chosen else 0.0)

    def release(self, x: float, y: float) -> None:
        """Chooses what lies under the finger."""
        index = int((x - self.rect.x) / self._pitch)
        if 0 <= index < len(self._rings) and self.rect.holds(x, y):
            self._cursor = index
            self._choose(index)

    def act(self, action: Action) -> bool:
        """Left and right look along, accept chooses."""
        if action in (Action.LEFT, Action.RIGHT):
            self._cursor = (self._cursor + (1 if action is Action.RIGHT else -1)) % max(len(self._rings), 1)
            return True
        if action is Action.ACCEPT:
            self._choose(self._cursor)
            return True
        return False

    def update(self, dt: float) -> None:
        """Shows the focus."""
        self.show(self._chosen)


class Carousel(Widget):
    """Cards in a row, the chosen one in the middle; swiping, arrows at the sides and left and right move on."""

    CARD, SKETCH = 116.0, 66.0

    def __init__(
        self, layer: Layer, rect: Rect, names: Sequence[str], worn: Sequence[Worn], choose: Callable[[int], None],
    ):  # fmt: skip
        """Each card shows what it is called and a sketch of how it is `worn`."""
        super().__init__(rect)
        self._choose = choose
        self._chosen = 0
        self._at = 0.0
        self._from: float | None = None
        self._moved = 0.0
        self._focus_shown: bool | None = None
        self._shown_at: float | None = None
        self._cards: list[tuple[Layer, Plate, Text]] = []
        height = rect.height
        for name, item in zip(names, worn, strict=True):
            own = Layer(layer.canvas, layer.node)
            plate = Plate(own, Rect(0, 0, self.CARD, height), PANEL, RADIUS)
            plate.set_shadow(7, 0.10)
            middle = self.CARD / 2
            drawing = texture_of(sketch(item, round(self.SKETCH * layer.canvas.scale)), name)
            Picture(own, Rect(middle - self.SKETCH / 2, 8, self.SKETCH, self.SKETCH), drawing)
            words = Text(own, name, SMALL, INK, (middle, 0), "center", self.CARD - 14, 2)
            words.move((middle, height - 27 - 0.5 * (words.height - SMALL.size)))
            self._cards.append((own, plate, words))
        self._place()

    def show(self, chosen: int) -> None:
        """Which card is chosen."""
        self._chosen = chosen

    def press(self, x: float, y: float) -> None:
        """Takes hold of the row."""
        self._from, self._moved = x, 0.0

    def drag(self, x: float, y: float) -> None:
        """Moves the row along."""
        if self._from is not None:
            self._at -= (x - self._from) / (self.CARD + 10)
            self._moved += abs(x - self._from)
            self._from = x

    def release(self, x: float, y: float) -> None:
        """A swipe chooses what came to the middle, a tap what lies under the finger."""
        if self._from is None:
            return
        self._from = None
        if self._moved < 12.0:
            index = round(self._at + (x - self.rect.middle[0]) / (self.CARD + 10))
        else:
            index = round(self._at)
        self._go(index)

    def act(self, action: Action) -> bool:
        """Left and right choose the neighbour."""
        if action in (Action.LEFT, Action.RIGHT):
            self._go(self._chosen + (1 if action is Action.RIGHT else -1))
            return True
        return False

    def update(self, dt: float) -> None:
        """Glides to the chosen card."""
        if self._from is None:
            self._at = approach(self._at, self._chosen, 0.35, dt)
        self._place()

    def settle(self) -> None:
        """Is where it was going at once."""
        self._at = float(self._chosen)
        self._place()

    def _go(self, index: int) -> None:
        index = min(max(index, 0), len(self._cards) - 1)
        if index != self._chosen:
            self._chosen = index
            self._choose(index)

    def _place(self) -> None:
        state = round(self._at, 3) + 1000.0 * self._chosen
        if state == self._shown_at and self.focused == self._focus_shown:
            return
        self._shown_at, self._focus_shown = state, self.focused
        pitch = self.CARD + 10
        middle = self.rect.middle[0]
        for i, (own, plate, words) in enumerate(self._cards):
            x = middle + (i - self._at) * pitch - self.CARD / 2
            # Cards fade towards the row's ends.
            beyond = max(self.rect.x - x, x + self.CARD - self.rect.right, 0.0)
            own.set_opacity(max(0.0, 1.0 - beyond / (0.9 * self.CARD)))
            own.shift(x, self.rect.y)
            plate.set_opacity(max(0.0, 1.0 - beyond / (0.9 * self.CARD)))
            chosen = i == self._chosen
            plate.set_fill(WHITE if chosen else PANEL)
            ring = ACCENT if self.focused and chosen else INK if chosen else NOTHING
            plate.set_edge(ring, 2.5 if self.focused and chosen else 1.5 if chosen else 0.0)
            words.set_color(INK if chosen else INK_SOFT)
