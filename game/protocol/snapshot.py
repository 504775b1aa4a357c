"""What the session shows the screens: one frozen picture of everything at a moment.

The session publishes a new `Snapshot` whenever something changed; screens read the newest and own nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from game.appearance import BodyPaint
from game.materials import Print
from game.scan import Scan
from solver.body import RestBody
from solver.measures import Measurements
from solver.types import BodyState, Frame, Ground, Mesh


class Screen(Enum):
    """The screens of a visit, in their usual order, and the one shown while something is being mended."""

    ATTRACT = "attract"
    CONSENT = "consent"
    SCAN = "scan"
    REVEAL = "reveal"
    MIRROR = "mirror"
    KEEP = "keep"
    GOODBYE = "goodbye"
    MAINTENANCE = "maintenance"


class Guidance(Enum):
    """What the shopper is asked to do while being scanned, most urgent first."""

    STEP_IN = "Step onto the mark"
    ONE_PERSON = "One person at a time, please"
    NEARER = "Come a little nearer"
    FURTHER = "Take a step back"
    WHOLE_BODY = "Step back until you see yourself whole"
    ARMS_OUT = "Hold your arms a little away from your body"
    SLOWER = "A little slower"
    TURN = "Turn once on the spot"
    KEEP_TURNING = "Keep turning"
    HOLD_STILL = "Hold still for a moment"
    DONE = "Thank you"


class SeeAs(Enum):
    """The two ways to see oneself."""

    AVATAR = "avatar"
    """The scanned body in the studio, dressed, moving as the shopper does."""
    MIRROR = "mirror"
    """The camera's live picture with the garments over it."""


@dataclass(frozen=True, slots=True)
class CameraMoment:
    """A frame that was looked at, and the body followed in it."""

    frame: Frame
    ground: Ground | None
    """None until the floor is found."""
    person: NDArray[np.uint8] | None
    """255 where the shopper is, shape (H, W); None without anybody."""
    body: BodyState | None
    """None while nobody is followed."""
    of_average_depth: bool = False
    """True where the camera has no depth: the body's girths are a guess."""


@dataclass(frozen=True, slots=True)
class ScanProgress:
    """How far a scan is."""

    guidance: Guidance
    turned: float
    """[rad], signed: how far the shopper has turned."""
    share: float
    """0..1 of the turn."""
    refining: float | None
    """0..1 of the final refinement; None while the shopper still turns."""
    surface: Mesh | None
    """What is reconstructed so far, frame b in the canonical A-pose; grows while the shopper turns."""
    surface_seen: NDArray[np.float32] | None
    """0 inferred .. 1 seen, of the vertices of `surface`, (N,)."""


@dataclass(frozen=True, slots=True)
class Shopper:
    """What is known of the one before the mirror, once they are scanned. Forgotten when they leave."""

    rest: RestBody
    """The body at rest: what `solver.body.skin` moves."""
    canonical: NDArray[np.float32]
    """The body in the canonical A-pose [m], (V, 3), frame b, soles at z = 0."""
    shape: NDArray[np.float64]
    paint: BodyPaint
    measurements: Measurements
    coverage: Mapping[str, float]
    """0..1 by part of the body."""
    of_average_depth: bool = False
    """True where the body is not scanned but of average depth."""
    scan: Scan | None = None
    """The scan that all this is from; None where the body is of average depth."""


@dataclass(frozen=True, slots=True)
class Worn:
    """One garment as chosen: design, alterations, cloth. What undo goes back to."""

    design: str
    """Name of a design of the rack, as `drape` of the command line knows it."""
    options: Mapping[str, float] = field(default_factory=dict)
    """Alterations by option's name, in the option's unit; what is not named is as designed."""
    fabric: str = "jersey"
    printed: Print = field(default_factory=Print)


@dataclass(frozen=True, slots=True)
class Choice:
    """One alteration that the worn design offers."""

    name: str
    label: str
    value: float
    minimum: float
    maximum: float
    default: float
    unit: str


@dataclass(frozen=True, slots=True)
class RackItem:
    """One entry of the carousel."""

    name: str
    label: str
    worn: Worn


@dataclass(frozen=True, slots=True)
class ClothMesh:
    """Topology of a draped garment: changes only when it is cut anew."""

    version: int
    """Differs for every cut."""
    triangles: NDArray[np.int32]
    """Of particles, (F, 3)."""
    uv: NDArray[np.float32]
    """Positions in the flat pattern [m], (T, 2)."""
    uv_triangles: NDArray[np.int32]
    """(F, 3)."""


@dataclass(frozen=True, slots=True)
class Dressed:
    """The avatar and its garments at one moment of the cloth's clock, frame w."""

    step: int
    """Number of the step of 1/60 s."""
    shown_at: float
    """The session clock's time that this is the pose of [s]."""
    captured_at: float
    """Time of the frame that the pose came from [s], on the session's clock."""
    body: NDArray[np.float32]
    """(V, 3) [m]."""
    garments: tuple[tuple[ClothMesh, NDArray[np.float32]], ...]
    """Each garment's mesh and particle positions [m], (P, 3)."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """The profile that was saved."""

    profile_id: str
    secret: str
    """What opens it, shown once (as text and QR code) and not stored."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the screens may show."""

    sequence: int
    now: float
    """The session clock [s]."""
    screen: Screen
    screen_since: float
    """[s], when `screen` was entered."""
    camera: CameraMoment | None = None
    camera_problem: str = ""
    """Why there is no picture, in words for the shop; empty where there is one."""
    scan: ScanProgress | None = None
    shopper: Shopper | None = None
    see_as: SeeAs = SeeAs.AVATAR
    dressed: Dressed | None = None
    worn: tuple[Worn, ...] = ()
    rack: tuple[RackItem, ...] = ()
    chosen: int = 0
    """Index in `rack` of what is worn."""
    choices: tuple[Choice, ...] = ()
    """Alterations of the worn design with their present values."""
    fabrics: tuple[str, ...] = ()
    prints: tuple[tuple[str, Print], ...] = ()
    """Named prints to choose from."""
    colors: tuple[tuple[str, tuple[int, int, int]], ...] = ()
    """Named ground colours, sRGB."""
    can_undo: bool = False
    can_redo: bool = False
    busy: str = ""
    """What is being done ("cutting and sewing"); empty when nothing is."""
    busy_share: float = 0.0
    notice: str = ""
    """A passing remark or refusal, in words for the shopper."""
    keeping: Keeping | None = None
    can_keep: bool = False
    """True where a profile store is set up."""
    keep_notice: str = ""
    """What who asks to be kept agrees to, word for word; empty but on the screen that asks."""
    maintenance: str = ""
    """What is being mended, for the shop's staff."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Frames or steps a second by stage (`track`, `cloth`, ...) and their times (`track_p50_ms`, `track_p99_ms`);
    delays from capture to the dressed avatar (`latency_p50_ms`, `latency_p95_ms`) and to picture and body
    (`picture_latency_...`); `dropped_frames`, `missed_cloth_steps`, and `wipe_s`, what the last wipe took."""

    @property
    def seen_at(self) -> float | None:
        """When what is seen of the shopper was taken [s], the live picture or the pose of the avatar; None while
        there is nothing of them."""
        if self.screen is Screen.SCAN or self.see_as is SeeAs.MIRROR:
            return None if self.camera is None else self.camera.frame.captured_at
        return None if self.dressed is None else self.dressed.captured_at
