"""What hands do: mouse, touch, keyboard and gamepad, all as one pointer and a few actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from panda3d.core import (
    ButtonHandle,
    ButtonThrower,
    DataGraphTraverser,
    EventQueue,
    GamepadButton,
    GraphicsOutput,
    InputDevice,
    InputDeviceManager,
    MouseAndKeyboard,
    MouseWatcher,
    NodePath,
)


class Action(Enum):
    """What keys and buttons mean."""

    LEFT = "left"
    RIGHT = "right"
    UP = "up"
    DOWN = "down"
    ACCEPT = "accept"
    BACK = "back"
    NEXT = "next"
    PREVIOUS = "previous"
    UNDO = "undo"
    REDO = "redo"


KEYS = {
    "arrow_left": Action.LEFT, "arrow_right": Action.RIGHT, "arrow_up": Action.UP, "arrow_down": Action.DOWN,
    "enter": Action.ACCEPT, "space": Action.ACCEPT, "escape": Action.BACK, "backspace": Action.BACK,
    "tab": Action.NEXT, "shift-tab": Action.PREVIOUS, "control-z": Action.UNDO, "control-y": Action.REDO,
    "shift-control-z": Action.REDO,
}  # fmt: skip
PAD = {
    "dpad_left": Action.LEFT, "dpad_right": Action.RIGHT, "dpad_up": Action.UP, "dpad_down": Action.DOWN,
    "face_a": Action.ACCEPT, "face_b": Action.BACK, "rshoulder": Action.NEXT, "lshoulder": Action.PREVIOUS,
    "face_x": Action.UNDO, "face_y": Action.REDO, "start": Action.ACCEPT, "back": Action.BACK,
}  # fmt: skip
STICK_DEAD = 0.6
REPEATING = frozenset((Action.LEFT, Action.RIGHT, Action.UP, Action.DOWN))


@dataclass(slots=True)
class Inputs:
    """What happened since the last picture."""

    pointer: tuple[float, float] | None = None
    """Where the mouse or finger is [units of the canvas]; None where there is none."""
    pressed: bool = False
    """The pointer went down."""
    released: bool = False
    """The pointer went up."""
    down: bool = False
    """The pointer is down."""
    actions: list[Action] = field(default_factory=list)
    quit: bool = False


def action_of_key(event: str) -> Action | None:
    """What a key event ("arrow_left", "tab", "arrow_left-repeat") means."""
    plain, repeat = (event[:-7], True) if event.endswith("-repeat") else (event, False)
    action = KEYS.get(plain)
    return action if action in REPEATING or not repeat else None


class Gamepad:
    """One gamepad: buttons by their edges, the left stick as arrows."""

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._leaning: Action | None = None

    def read(self, held: set[str], stick: tuple[float, float]) -> list[Action]:
        """What is new, from names of buttons that are `held` and where the left `stick` leans (-1..1, up positive)."""
        actions = [PAD[name] for name in sorted(held - self._held) if name in PAD]
        self._held = set(held)
        x, y = stick
        leaning = None
        if max(abs(x), abs(y)) > STICK_DEAD:
            if abs(x) > abs(y):
                leaning = Action.RIGHT if x > 0 else Action.LEFT
            else:
                leaning = Action.UP if y > 0 else Action.DOWN
        if leaning is not None and leaning != self._leaning:
            actions.append(leaning)
        self._leaning = leaning
        return actions


class Hands:
    """Reads the devices of a window."""

    def __init__(self, window: GraphicsOutput):
        self._root = NodePath("data")
        devices = self._root.attach_new_node(MouseAndKeyboard(window, 0, "devices"))
        self._watcher = MouseWatcher("watcher")
        thrower = ButtonThrower("buttons")
        thrower.set_button_down_event("down")
        thrower.set_button_repeat_event("again")
        thrower.set_button_up_event("up")
        watcher = devices.attach_new_node(self._watcher)
        watcher.attach_new_node(thrower)
        self._thrower = thrower
        self._traverser = DataGraphTraverser()
        self._events = EventQueue.get_global_event_queue()
        self._down = False
        self._modifiers: set[str] = set()
        self._pads: dict[Any, Gamepad] = {}

    def read(self, width: float, height: float) -> Inputs:
        """What happened since the last call, on a canvas of `width` and `height` [units]."""
        inputs = Inputs()
        self._traverser.traverse(self._root.node())
        while not self._events.is_queue_empty():
            event = self._events.dequeue_event()
            if event.get_name() not in ("down", "again", "up") or event.get_num_parameters() < 1:
                continue
            name = event.get_parameter(0).get_string_value()
            self._take(event.get_name(), name, inputs)
        if self._watcher.has_mouse():
            at = self._watcher.get_mouse()
            inputs.pointer = ((at.x + 1) / 2 * width, (1 - at.y) / 2 * height)
        inputs.down = self._down
        inputs.actions += self._read_pads()
        return inputs

    def _take(self, kind: str, name: str, inputs: Inputs) -> None:
        if name == "mouse1":
            inputs.pressed |= kind == "down"
            inputs.released |= kind == "up"
            self._down = kind == "down"
        elif name in ("shift", "control", "lshift", "rshift", "lcontrol", "rcontrol"):
            plain = name.lstrip("lr")
            (self._modifiers.add if kind == "down" else self._modifiers.discard)(plain)
        elif kind != "up":
            held = "".join(f"{m}-" for m in ("shift", "control") if m in self._modifiers)
            action = action_of_key(held + name + ("-repeat" if kind == "again" else ""))
            if action is not None:
                inputs.actions.append(action)

    def _read_pads(self) -> list[Action]:
        actions: list[Action] = []
        manager = InputDeviceManager.get_global_ptr()
        manager.update()
        found = manager.get_devices(InputDevice.DeviceClass.gamepad)
        for device in found:
            device.poll()
            pad = self._pads.setdefault(device, Gamepad())
            held = {name for name in PAD if device.find_button(_button(name)).pressed}
            x, y = (device.find_axis(axis).value for axis in (InputDevice.Axis.left_x, InputDevice.Axis.left_y))
            actions += pad.read(held, (x, y))
        self._pads = {device: self._pads[device] for device in found}
        return actions


def _button(name: str) -> ButtonHandle:
    return getattr(GamepadButton, name)()
