"""What goes from stage to stage. Everything carries the order that it was made under: what is older is thrown away."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from capture.source import SourceInfo
from game.protocol.keeping import ConsentGiven, Notice
from game.protocol.snapshot import CameraMoment, Dressed, Guidance, Keeping, Shopper, Worn
from game.scan import Evidence
from solver.cloth.dressing import Garment
from solver.errors import ChevalError
from solver.pose_motion import Stance
from solver.types import DepthNoise, Frame, Mesh, Observation


class Task(Enum):
    """What the stages are about."""

    WATCH = "only whether somebody is there"
    SCAN = "the turn"
    REFINE = "the body from what was kept"
    FOLLOW = "the avatar moves as the shopper does"


@dataclass(frozen=True, slots=True)
class Order:
    """What the session wants of its stages."""

    visit: int = 0
    """Whatever belongs to an earlier visit is forgotten."""
    scan: int = 0
    """The turn begins anew when it grows."""
    task: Task = Task.WATCH
    shopper: Shopper | None = field(default=None, compare=False)
    """Whose avatar moves; without one the cloth sleeps."""
    evidence: Evidence | None = field(default=None, compare=False)
    """What to make the body from, in `Task.REFINE`."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A frame on the session's clock."""

    frame: Frame
    info: SourceInfo
    connection: int
    """Grows with every camera that was opened."""


@dataclass(frozen=True, slots=True)
class NoPicture:
    """Why no frame comes, though the source may recover by itself."""

    message: str
    over: bool = False
    """A recording has come to its end."""


@dataclass(frozen=True, slots=True)
class TurnNews:
    """How the turn goes."""

    guidance: Guidance
    turned: float
    share: float
    evidence: Evidence | None
    """Once the turn is complete."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """What the track stage made of a frame."""

    order: Order
    present: bool
    """Somebody is in view."""
    moment: CameraMoment | None
    """None while only watching: then nothing of the picture is kept."""
    observation: Observation | None
    turn: TurnNews | None
    noise: DepthNoise | None


@dataclass(frozen=True, slots=True)
class Growing:
    """The surface so far."""

    order: Order
    surface: Mesh
    seen: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Refining:
    """How far the body is."""

    order: Order
    share: float


@dataclass(frozen=True, slots=True)
class Known:
    """The scan is done."""

    order: Order
    shopper: Shopper


@dataclass(frozen=True, slots=True)
class Unusable:
    """The turn gave no body; it must be made again."""

    order: Order
    reason: str


@dataclass(frozen=True, slots=True)
class Sewing:
    """A garment that is wanted."""

    order: Order
    number: int
    """Later ones win."""
    worn: Worn
    shopper: Shopper


@dataclass(frozen=True, slots=True)
class SewingShare:
    """How far it is."""

    order: Order
    number: int
    share: float


@dataclass(frozen=True, slots=True)
class Sewn:
    """The garment is ready to be put on."""

    order: Order
    number: int
    worn: Worn
    garment: Garment
    heir: bool
    """The same particles as the garment before: it takes over where that one is."""
    stance: Stance | None = None
    """How the body stands that wears it so far; None: as it was draped."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The garment cannot be."""

    order: Order
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The avatar at a moment, and which garment it wears."""

    order: Order
    number: int
    """Of the `Sewing` that it wears; 0 for none."""
    dressed: Dressed


@dataclass(frozen=True, slots=True)
class Keepsake:
    """What is to be kept, because the shopper asked for it."""

    order: Order
    shopper: Shopper
    worn: tuple[Worn, ...]
    consent: ConsentGiven
    notice: Notice
    """What they saw when they asked."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The profile is saved, or why not."""

    order: Order
    keeping: Keeping | None
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A stage failed. It is made anew after a while."""

    stage: str
    error: ChevalError
    at: float
    count: int
    """How often in a row."""
