"""Who is meant: the pointer's widget, and the focus of keys and gamepads."""

from __future__ import annotations

from collections.abc import Sequence

from game.view.interface.inputs import Action, Inputs
from game.view.interface.widgets import Widget


class Touch:
    """Hands inputs on to the widgets of a screen."""

    def __init__(self, widgets: Sequence[Widget] = ()) -> None:
        self._widgets = list(widgets)
        self._held: Widget | None = None
        self._focus: Widget | None = None

    def set_widgets(self, widgets: Sequence[Widget]) -> None:
        """What can be touched from now on; a widget keeps the focus if it is still there."""
        self._widgets = list(widgets)
        if self._held not in self._widgets:
            self._held = None
        if self._focus not in self._widgets:
            self._set_focus(None)

    @property
    def focus(self) -> Widget | None:
        """The widget that keys go to."""
        return self._focus

    def handle(self, inputs: Inputs, dt: float) -> list[Action]:
        """Passes `inputs` on; returns the actions that no widget had a use for."""
        self._point(inputs)
        left_over = [action for action in inputs.actions if not self._act(action)]
        for widget in self._widgets:
            widget.update(dt)
        return left_over

    def _point(self, inputs: Inputs) -> None:
        if inputs.pointer is not None:
            x, y = inputs.pointer
            if inputs.pressed:
                self._set_focus(None)
                self._held = next((w for w in reversed(self._widgets) if w.enabled and w.rect.holds(x, y)), None)
                if self._held:
                    self._held.press(x, y)
            elif inputs.down and self._held:
                self._held.drag(x, y)
            if inputs.released and self._held:
                held, self._held = self._held, None
                held.release(x, y)

    def _act(self, action: Action) -> bool:
        if self._focus is not None and self._focus.enabled and self._focus.act(action):
            return True
        usable = [widget for widget in self._widgets if widget.enabled]
        if not usable:
            return False
        if action in (Action.NEXT, Action.PREVIOUS):
            self._step(usable, 1 if action is Action.NEXT else -1)
            return True
        if action in (Action.LEFT, Action.RIGHT, Action.UP, Action.DOWN):
            if self._focus is None:
                self._set_focus(usable[0])
            else:
                self._set_focus(_neighbour(self._focus, usable, action) or self._focus)
            return True
        if action is Action.ACCEPT and self._focus is None:
            self._set_focus(usable[0])
            return True
        return False

    def _step(self, usable: list[Widget], by: int) -> None:
        if self._focus in usable:
            self._set_focus(usable[(usable.index(self._focus) + by) % len(usable)])
        else:
            self._set_focus(usable[0 if by > 0 else -1])

    def _set_focus(self, widget: Widget | None) -> None:
        if self._focus is not None:
            self._focus.focused = False
        self._focus = widget
        if widget is not None:
            widget.focused = True


def _neighbour(widget: Widget, others: list[Widget], action: Action) -> Widget | None:
    """The nearest one that way; what lies aside counts double."""
    x, y = widget.rect.middle
    best, least = None, float("inf")
    for other in others:
        if other is widget:
            continue
        ox, oy = other.rect.middle
        dx, dy = ox - x, oy - y
        ahead, aside = {
            Action.LEFT: (-dx, dy), Action.RIGHT: (dx, dy), Action.UP: (-dy, dx), Action.DOWN: (dy, dx),
        }[action]  # fmt: skip
        cost = ahead + 2.0 * abs(aside)
        if ahead > 4.0 and cost < least:
            best, least = other, cost
    return best
