"""What may be said about a simulated visit: `sim:seed=3,turn=360,camera=d455,...`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from capture.simulated import clothes, hair
from capture.simulated.camera import CAMERAS
from solver.errors import UsageError

VISITS = ("full", "scan")
FAULTS = ("none", "nobody", "chair", "rack", "statue", "bystander", "cut", "disconnect")
OTHERS = ("none", "behind", "beside")
MOUNTS = ("portrait", "landscape")
PREFIX = "sim:"


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """Everything that can be chosen. The defaults are a usual visit in front of a usual mirror."""

    seed: int = 0
    """Who comes, how they move, and the noise."""
    visit: str = "full"
    """`full`: walks in, A-pose, turn, moves at the mirror, leaves; `scan`: A-pose and turn only."""
    turn: float = 360.0
    """How far the shopper turns [degrees], to the left where positive."""
    seconds: float = 10.0
    """How long the turn takes [s]."""
    camera: str = "d455"
    mount: str = "portrait"
    height: float = 1.25
    """Of the camera above the floor [m]."""
    distance: float = 1.8
    """From the camera to the mark on the floor that the shopper stands on [m]."""
    tilt: float = -4.0
    """Of the camera above the horizon [degrees]; negative looks down."""
    roll: float = 0.0
    """Of the camera, clockwise as it looks [degrees]."""
    serial: str = "0"
    """Which camera of its kind: each has lasting errors of its own."""
    clothes: str = "tight"
    hair: str = "any"
    fps: float = 30.0
    noise: int = 1
    """0: a camera without error."""
    live: int = 0
    """1: frames come in real time, and are lost when nobody reads them."""
    fault: str = "none"
    """What goes wrong: nobody, a chair or rack instead of a person, a statue (does not turn), a bystander, a person cut
    by the picture's edge, a disconnected camera."""
    other: str = "none"
    """A second person: walks to and fro behind the shopper, or stands beside them, a little further away."""
    at: float = 2.0
    """When the camera disconnects [s]."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for a value that is not allowed."""
        _one_of("visit", self.visit, VISITS)
        _one_of("camera", self.camera, tuple(CAMERAS))
        _one_of("mount", self.mount, MOUNTS)
        _one_of("clothes", self.clothes, clothes.STYLES)
        _one_of("hair", self.hair, ("any", *hair.STYLES))
        _one_of("fault", self.fault, FAULTS)
        _one_of("other", self.other, OTHERS)
        _within("seed", self.seed, 0, 2**31 - 1)
        _within("turn", self.turn, -1080.0, 1080.0)
        _within("seconds", self.seconds, 1.0, 120.0)
        _within("height", self.height, 0.3, 2.6)
        _within("distance", self.distance, 0.8, 4.5)
        _within("tilt", self.tilt, -45.0, 45.0)
        _within("roll", self.roll, -20.0, 20.0)
        _within("fps", self.fps, 1.0, 120.0)
        _within("noise", self.noise, 0, 1)
        _within("live", self.live, 0, 1)
        _within("at", self.at, 0.0, 3600.0)


def parse_options(spec: str) -> SimulationOptions:
    """The options in `sim:name=value,name=value`. Raises `UsageError` that names the option and what is allowed."""
    if not spec.startswith(PREFIX):
        raise UsageError(f"{spec}: a simulated source begins with {PREFIX}")
    known = {field.name: field for field in fields(SimulationOptions)}
    values: dict[str, object] = {}
    for item in filter(None, (part.strip() for part in spec[len(PREFIX) :].split(","))):
        name, equals, text = (part.strip() for part in item.partition("="))
        if name not in known:
            raise UsageError(f"{PREFIX} has no option '{name}'; there are {', '.join(known)}")
        if not equals or not text:
            raise UsageError(f"{PREFIX} option '{name}' needs a value: {name}={known[name].default}")
        if name in values:
            raise UsageError(f"{PREFIX} option '{name}' is given twice")
        kind = type(known[name].default)
        try:
            values[name] = kind(text)
        except ValueError as error:
            number = "a whole number" if kind is int else "a number"
            raise UsageError(f"{PREFIX} option '{name}' is {number}, not '{text}'") from error
    return SimulationOptions(**values)  # type: ignore[arg-type]


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{PREFIX} option '{name}' is one of {', '.join(allowed)}, not '{value}'")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UsageError(f"{PREFIX} option '{name}' lies between {low:g} and {high:g}, not {value:g}")
