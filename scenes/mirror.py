"""Trying on: the avatar or the live picture, dressed; what to wear, and how it should fit and look."""

from __future__ import annotations

import numpy as np

from game.protocol.commands import Alter, ChooseColor, ChooseFabric, ChoosePrint, GoToKeep, Redo, See, TryOn, Undo
from game.protocol.snapshot import Choice, SeeAs, Shopper, Snapshot
from game.view.camera import Crop
from game.view.interface.canvas import Layer, Plate, Rect, Ring, Text
from game.view.interface.carousel import Carousel
from game.view.interface.choosers import Slider, Swatches
from game.view.interface.inputs import Action, Inputs
from game.view.interface.style import (
    DARK_PANEL,
    GAP,
    INK,
    LABEL,
    MARGIN,
    PANEL,
    RADIUS_LARGE,
    SMALL,
    WHITE,
    approach,
    ease_out,
)
from game.view.interface.widgets import Button, Handle, Pill, Widget
from scenes.screen import Screen

FABRIC, PRINT, COLOR = "Fabric", "Print", "Colour"
CARDS_HEIGHT, PANEL_HEIGHT, ROW_HEIGHT = 116.0, 156.0, 56.0
HANDLE_HEIGHT = 36.0
"""Of the handle's strip on the panel, and of the bar that is left of the drawer."""
HEAD_ROOM = 1.13
"""Raised hands need air above the head."""
FOLLOW_S = 1.6
IDLE_S = 9.0
"""Without a touch the drawer of clothes and alterations closes, and the figure grows into its place."""
DRAWER_S = 0.6
PILL_AIR = 11.0
"""Beside a topic's words, at least."""
ZOOM = 1.28
"""A person stands small in a camera's picture."""


class Mirror(Screen):
    """The shopper, dressed."""

    def enter(self, snapshot: Snapshot) -> None:
        """Begins with the first alteration of what is worn."""
        self._topic = snapshot.choices[0].name if snapshot.choices else FABRIC
        self._center: np.ndarray | None = None
        self._framed: tuple | None = None
        self._head: np.ndarray | None = None
        self._open, self._wanted_open, self._idle = 1.0, True, 0.0
        super().enter(snapshot)

    def update(self, snapshot: Snapshot, inputs: Inputs, dt: float):
        """A touch that no widget takes opens the drawer; so does any key."""
        used = inputs.pressed or inputs.down or inputs.released or bool(inputs.actions)
        self._idle = 0.0 if used else self._idle + dt
        if self._foldable:
            if self._idle > IDLE_S:
                self._fold(False)
            elif not self._wanted_open and (inputs.actions or (inputs.pressed and not self._on_widget(inputs))):
                self._fold(True)
                # What opened it shall not also choose something.
                inputs = Inputs(quit=inputs.quit)
        return super().update(snapshot, inputs, dt)

    def arrange(self, snapshot: Snapshot) -> None:
        """Everything within reach: at the bottom, in landscape at the right."""
        canvas = self.display.canvas
        self.add_wordmark()
        width = canvas.width - 2 * MARGIN if canvas.portrait else 400.0
        left = MARGIN if canvas.portrait else canvas.width - MARGIN - width
        row = canvas.height - MARGIN - ROW_HEIGHT
        self._foldable = canvas.portrait
        strip = HANDLE_HEIGHT - 10 if self._foldable else 0.0
        height = PANEL_HEIGHT + strip
        self._panel = Rect(left, row - GAP - height, width, height)
        self._inner = Rect(left, self._panel.y + strip, width, PANEL_HEIGHT)
        cards = Rect(left, self._panel.y - GAP - CARDS_HEIGHT, width, CARDS_HEIGHT)
        self._drawer = Layer(canvas, self.layer.node)
        if canvas.portrait:
            cards = Rect(0, cards.y, canvas.width, cards.height)
        self._carousel = Carousel(
            self._drawer, cards, [item.label for item in snapshot.rack], [item.worn for item in snapshot.rack],
            lambda i: self.ask(TryOn(i)),
        )  # fmt: skip
        self._carousel.show(snapshot.chosen)
        self._carousel.settle()
        self._arrange_row(snapshot, Rect(left, row, width, ROW_HEIGHT))
        Plate(self._drawer, self._panel, PANEL, RADIUS_LARGE).set_shadow(14, 0.10)
        self._arrange_handles(Rect(left, row - GAP - HANDLE_HEIGHT - 8, width, HANDLE_HEIGHT + 8))
        self._arrange_topics(snapshot)
        self._arrange_busy(cards)
        self._content: Layer | None = None
        self._fill_panel(snapshot)
        if canvas.portrait:
            bottoms = (self._bar_at.y - 8, cards.y + 2)
            self._withins = tuple((0.0, 48 / canvas.height, 1.0, y / canvas.height) for y in bottoms)
        else:
            self._withins = ((0.0, 0.07, (left - 8) / canvas.width, 0.96),) * 2
        self._framed = None
        self._show_drawer(0.0)

    def _arrange_handles(self, bar: Rect) -> None:
        """One on the panel that closes the drawer, one that is left when it is closed."""
        self._bar_at = bar
        self._bar_layer = Layer(self.display.canvas, self.layer.node)
        self._bar = Handle(self._bar_layer, bar, lambda: self._fold(True), "Clothes, fit and colour")
        x = self._panel.middle[0]
        strip = Rect(x - 90, self._panel.y - 6, 180, HANDLE_HEIGHT)
        self._handle = Handle(self._drawer, strip, lambda: self._fold(False)) if self._foldable else None

    def _fold(self, open_: bool) -> None:
        if open_ != self._wanted_open:
            self._wanted_open, self._idle = open_, 0.0
            self._set_widgets()

    def _show_drawer(self, dt: float) -> None:
        """On its way between open and closed."""
        if not self._foldable:
            self._open, self._wanted_open = 1.0, True
        target = 1.0 if self._wanted_open else 0.0
        self._open = approach(self._open, target, DRAWER_S, dt) if abs(self._open - target) > 0.002 else target
        self._drawer.set_opacity(ease_out(self._open))
        self._drawer.shift(0.0, (1.0 - self._open) * 0.8 * (self._panel.bottom - self._carousel.rect.y))
        self._bar_layer.set_opacity(max(0.0, 1.0 - 3.0 * self._open))
        closed, opened = self._withins
        left, top, right, bottom = (a + self._open * (b - a) for a, b in zip(closed, opened, strict=True))
        self._within = (left, top, right, bottom)

    def _on_widget(self, inputs: Inputs) -> bool:
        return inputs.pointer is not None and any(w.rect.holds(*inputs.pointer) for w in self._row_widgets())

    def _row_widgets(self) -> list[Widget]:
        return [self._bar, self._undo, self._redo, self._see, self._done]

    def _arrange_row(self, snapshot: Snapshot, place: Rect) -> None:
        gap = 10.0
        shares = (0.19, 0.19, 0.32, 0.30)
        free = place.width - gap * (len(shares) - 1)
        rects, x = [], place.x
        for share in shares:
            rects.append(Rect(x, place.y, free * share, place.height))
            x += free * share + gap
        self._undo = Button(self.layer, rects[0], "Undo", lambda: self.ask(Undo()), style=LABEL)
        self._redo = Button(self.layer, rects[1], "Redo", lambda: self.ask(Redo()), style=LABEL)
        self._see = Button(self.layer, rects[2], "", self._look_otherwise, style=LABEL)
        self._done = Button(self.layer, rects[3], "I am done", lambda: self.ask(GoToKeep()), True, style=LABEL)

    def _arrange_topics(self, snapshot: Snapshot) -> None:
        names = [(choice.name, choice.label) for choice in snapshot.choices]
        names += [(FABRIC, FABRIC)] if snapshot.fabrics else []
        names += [(PRINT, PRINT)] if snapshot.prints else []
        names += [(COLOR, COLOR)] if snapshot.colors else []
        self._topics: dict[str, Pill] = {}
        if not names:
            return
        pad, gap, height = 14.0, 5.0, 42.0
        meter = Layer(self.display.canvas)
        longest = [Text(meter, label, SMALL, INK, (0, 0)).longest for _, label in names]
        meter.remove()
        # What is over is shared out, so that the row is full.
        room = self._panel.width - 2 * pad - gap * (len(names) - 1)
        # Only the longest words are cut, down to what the others leave them.
        most = max(longest)
        while sum(min(own, most) + PILL_AIR for own in longest) > room and most > PILL_AIR:
            most -= 1.0
        longest = [min(own, most) for own in longest]
        free = room - sum(longest)
        x = self._panel.x + pad
        for (name, label), own in zip(names, longest, strict=True):
            rect = Rect(x, self._inner.y + pad, own + free / len(names), height)
            self._topics[name] = Pill(self._drawer, rect, label, lambda name=name: self._choose_topic(name), SMALL)
            x += rect.width + gap

    def _arrange_busy(self, cards: Rect) -> None:
        canvas = self.display.canvas
        self._busy = Layer(canvas, self.layer.node)
        x = canvas.width / 2 if canvas.portrait else (cards.x - 8) / 2
        y = cards.y - 40 if canvas.portrait else canvas.height - 56
        Plate(self._busy, Rect(x - 120, y - 22, 240, 44), DARK_PANEL, 22)
        self._busy_ring = Ring(self._busy, Rect(x - 106, y - 10, 20, 20), 3.0, WHITE, (1, 1, 1, 0.3))
        self._busy_words = Text(self._busy, "", SMALL, WHITE, (x - 74, y), width=184.0, most=1)
        self._busy.set_opacity(0.0)

    def leftover(self, action: Action) -> None:
        """Back is done; undo and redo as everywhere."""
        if action is Action.BACK:
            self.ask(GoToKeep())
        else:
            super().leftover(action)

    def show(self, snapshot: Snapshot, dt: float) -> None:
        """Picture and controls."""
        self._show_drawer(dt)
        self._carousel.show(snapshot.chosen)
        self._undo.enable(snapshot.can_undo)
        self._redo.enable(snapshot.can_redo)
        self._see.set_words("See in mirror" if snapshot.see_as is SeeAs.AVATAR else "See avatar")
        for name, pill in self._topics.items():
            pill.choose(name == self._topic)
        if self._signature(snapshot) != self._filled:
            self._arrange_again(snapshot)
        self._sync(snapshot)
        self._busy.set_opacity(1.0 if snapshot.busy else 0.0)
        if snapshot.busy:
            self._busy_words.set_text(snapshot.busy[0].upper() + snapshot.busy[1:])
            self._busy_ring.set_share(snapshot.busy_share)
        if snapshot.see_as is SeeAs.MIRROR and snapshot.camera is not None:
            glass = self.display.glass
            glass.set_veil((0.0, 0.0, 0.0, 0.0))
            glass.set_vignette(0.12, 0.25)
            self.dresser.dress_glass(snapshot, self._crop(snapshot, dt))
            self.display.show_glass()
        else:
            self.dresser.dress_stage(snapshot)
            self._frame(snapshot, dt)
            self.display.show_stage(mirrored=True)

    # ---------------------------------------------------------------- the panel

    def _signature(self, snapshot: Snapshot) -> tuple:
        """What the panel was made for: it is made anew when another garment offers other things."""
        return (
            tuple((c.name, c.minimum, c.maximum) for c in snapshot.choices),
            snapshot.fabrics, tuple(name for name, _ in snapshot.prints), snapshot.colors,
            tuple(item.name for item in snapshot.rack), self._topic,
        )  # fmt: skip

    def _arrange_again(self, snapshot: Snapshot) -> None:
        before = self._filled[:5]
        if before == self._signature(snapshot)[:5]:
            self._fill_panel(snapshot)
            return
        if self._topic not in {FABRIC, PRINT, COLOR} | {choice.name for choice in snapshot.choices}:
            self._topic = snapshot.choices[0].name if snapshot.choices else FABRIC
        self.arrange_anew()

    def _choose_topic(self, name: str) -> None:
        self._topic = name

    def _fill_panel(self, snapshot: Snapshot) -> None:
        if self._content is not None:
            self._content.remove()
        self._content = Layer(self.display.canvas, self._drawer.node)
        self._filled = self._signature(snapshot)
        self._slider: Slider | None = None
        self._swatches: Swatches | None = None
        self._pills: list[tuple[object, Pill]] = []
        place = Rect(self._inner.x + 18, self._inner.y + 64, self._inner.width - 36, self._inner.height - 76)
        inner: list[Widget] = []
        choice = next((c for c in snapshot.choices if c.name == self._topic), None)
        if choice is not None:
            self._slider = self._make_slider(self._content, place, choice)
            inner = [self._slider]
        elif self._topic == COLOR:
            colors = [color for _, color in snapshot.colors]
            self._swatches = Swatches(
                self._content, place, colors, lambda i: self.ask(ChooseColor(snapshot.colors[i][1]))
            )
            inner = [self._swatches]
        elif self._topic == FABRIC:
            items = [(name, name.capitalize(), lambda n=name: self.ask(ChooseFabric(n))) for name in snapshot.fabrics]
            inner = self._make_pills(self._content, place, items)
        elif self._topic == PRINT:
            items = [(p.kind, name, lambda p=p: self.ask(ChoosePrint(p))) for name, p in snapshot.prints]
            inner = self._make_pills(self._content, place, items)
        self._in_panel = inner
        self._set_widgets()

    def _set_widgets(self) -> None:
        """What can be touched: with the drawer closed, its bar only."""
        row = self._row_widgets()
        if self._wanted_open:
            handle = [self._handle] if self._handle is not None else []
            row = [self._carousel, *handle, *self._topics.values(), *self._in_panel, *row[1:]]
        self.touch.set_widgets(row)

    def _make_slider(self, layer: Layer, place: Rect, choice: Choice) -> Slider:
        step = 0.01 if choice.unit == "m" else (choice.maximum - choice.minimum) / 20
        return Slider(
            layer, place, choice.label, choice.minimum, choice.maximum, choice.value, step,
            lambda value: _in_words(choice, value),
            lambda value, final: self.ask(Alter(choice.name, value, final)),
        )  # fmt: skip

    def _make_pills(self, layer: Layer, place: Rect, items) -> list[Widget]:
        if not items:
            return []
        gap = 8.0
        per_row = len(items) if len(items) <= 5 else (len(items) + 1) // 2
        rows = -(-len(items) // per_row)
        height = 44.0 if rows == 1 else 36.0
        width = (place.width - gap * (per_row - 1)) / per_row
        top = place.y + (place.height - rows * height - (rows - 1) * 6) / 2
        for i, (key, words, do) in enumerate(items):
            rect = Rect(place.x + (i % per_row) * (width + gap), top + (i // per_row) * (height + 6), width, height)
            self._pills.append((key, Pill(layer, rect, words, do, SMALL)))
        return [pill for _, pill in self._pills]

    def _sync(self, snapshot: Snapshot) -> None:
        worn = snapshot.worn[0] if snapshot.worn else None
        if self._slider is not None:
            choice = next((c for c in snapshot.choices if c.name == self._topic), None)
            if choice is not None and not snapshot.busy:
                self._slider.show(choice.value)
        if worn is None:
            return
        if self._swatches is not None:
            colors = [color for _, color in snapshot.colors]
            self._swatches.show(colors.index(worn.printed.ground) if worn.printed.ground in colors else -1)
        for key, pill in self._pills:
            pill.choose(key == (worn.fabric if self._topic == FABRIC else worn.printed.kind))

    def _look_otherwise(self) -> None:
        assert self.snapshot is not None
        other = SeeAs.MIRROR if self.snapshot.see_as is SeeAs.AVATAR else SeeAs.AVATAR
        self.ask(See(other))

    # ---------------------------------------------------------------- the camera

    def _crop(self, snapshot: Snapshot, dt: float) -> Crop:
        """The picture a little nearer, the shopper's head where the controls leave room; follows them slowly."""
        portrait = self.display.canvas.portrait
        at = (0.5, 0.14) if portrait else (1.0 - self._within[2] / 2, 0.16)
        camera = snapshot.camera
        if camera is not None and camera.person is not None and camera.person.any():
            rows = np.flatnonzero(camera.person.any(1))
            columns = np.flatnonzero(camera.person[rows[0] : rows[0] + max(8, len(rows) // 6)].any(0))
            height, width = camera.person.shape
            head = np.array([columns.mean() / width, rows[0] / height])
            if self._head is None:
                self._head = head
            elif np.linalg.norm(head - self._head) > 0.03:
                self._head = np.array([approach(self._head[i], head[i], FOLLOW_S, dt) for i in range(2)])
        if self._head is None:
            return Crop()
        point = (round(float(self._head[0]), 3), round(float(self._head[1]), 3))
        return Crop(ZOOM if portrait else 1.0, point, at)

    def _frame(self, snapshot: Snapshot, dt: float) -> None:
        """Follows the avatar about the room, slowly; stands still while it does."""
        shopper, dressed = snapshot.shopper, snapshot.dressed
        if shopper is None or dressed is None:
            return
        here = dressed.body[::9, :2].mean(0).astype(np.float64)
        center = here if self._center is None else self._center
        if np.linalg.norm(here - center) > 0.04:
            center = np.array([approach(center[i], here[i], FOLLOW_S, dt) for i in range(2)])
        self._center = center
        framed = (*np.round(center, 4), *self._within, self.display.size, id(shopper))
        if framed == self._framed:
            return
        self._framed = framed
        left, top, right, bottom = self._within
        stage = self.display.stage
        stage.place_studio(center)
        stage.camera.frame_body(_span(shopper, center), margin=1.0, within=self.flipped((left, top, right, bottom)))


def _span(shopper: Shopper, center: np.ndarray) -> np.ndarray:
    """Two corners of a box about the shopper, with room for raised hands."""
    tall = float(shopper.canonical[:, 2].max())
    reach = 0.36 * tall
    return np.array(
        [
            [center[0] - reach, center[1] - reach, -0.03 * tall],
            [center[0] + reach, center[1] + reach, HEAD_ROOM * tall],
        ],
        np.float32,
    )


def _in_words(choice: Choice, value: float) -> str:
    """A change against the design: "+2 cm"."""
    if choice.unit != "m":
        return f"{value:g} {choice.unit}".strip()
    change = round(100 * (value - choice.default))
    return "as designed" if change == 0 else f"{change:+d} cm".replace("-", "−")
