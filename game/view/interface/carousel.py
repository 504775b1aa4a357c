"""The clothes to choose from, as cards in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from game.protocol.snapshot import Worn
from game.view.interface.canvas import Layer, Picture, Plate, Rect, Text, texture_of
from game.view.interface.inputs import Action
from game.view.interface.sketch import sketch
from game.view.interface.style import ACCENT, INK, INK_SOFT, NOTHING, PANEL, RADIUS, SMALL, WHITE, approach
from game.view.interface.widgets import Widget


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
