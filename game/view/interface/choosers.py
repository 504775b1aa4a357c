"""Values and colours to choose: sliders with steppers, swatches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from game.view.interface.canvas import Layer, Plate, Rect, Text
from game.view.interface.inputs import Action
from game.view.interface.style import ACCENT, BODY, HAIRLINE, INK, INK_SOFT, LABEL, NOTHING, TARGET, TRACK, WHITE
from game.view.interface.widgets import Widget


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
