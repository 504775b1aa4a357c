"""What to ask of the one who is being scanned, from where they stand and how they move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from game.protocol.snapshot import Guidance
from solver.body import BodyModel, joint_transforms
from solver.types import BodyState, Frame, Ground, Landmarks

SURE_LANDMARK = 0.5
ANKLES, NOSE = (27, 28), 0
EDGE_PX = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Where words begin. The second number of a pair is where they end: what is said does not flicker."""

    far_m: tuple[float, float] = (3.2, 3.0)
    near_m: tuple[float, float] = (1.1, 1.2)
    small_share: tuple[float, float] = (0.42, 0.46)
    """Body height in picture heights."""
    outside_share: tuple[float, float] = (0.012, 0.004)
    """Of the body's vertices beyond the picture."""
    arm_rad: tuple[float, float] = (np.deg2rad(20.0), np.deg2rad(26.0))
    """Of the nearer upper arm from the trunk."""
    turn_rad_s: tuple[float, float] = (np.deg2rad(75.0), np.deg2rad(60.0))
    walk_m_s: tuple[float, float] = (0.35, 0.20)
    begun_rad: float = np.deg2rad(20.0)
    """Of the turn: from here on it is to go on."""
    settle_s: float = 0.35
    """A new word is said when it held so long."""
    least_s: float = 1.0
    """Every word stays so long."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How someone stands before the camera."""

    distance_m: float
    """Camera to trunk, level."""
    height_share: float
    """Height in the picture, in picture heights."""
    outside_share: float
    """0..1 of the body beyond the picture's edges."""
    arm_rad: float
    """Angle between the trunk and the nearer upper arm."""


def measure_stand(model: BodyModel, state: BodyState, ground: Ground, frame: Frame) -> Stand:
    """The geometry of `state` (frame w) as the camera of `frame` sees it."""
    T_cw = np.linalg.inv(ground.T_wc)
    points = state.vertices[::23] @ T_cw[:3, :3].T.astype(np.float32) + T_cw[:3, 3].astype(np.float32)
    camera = frame.intrinsics
    depth = np.maximum(points[:, 2], 0.05)
    x, y = camera.fx * points[:, 0] / depth + camera.cx, camera.fy * points[:, 1] / depth + camera.cy
    outside = (x < -0.5) | (x > camera.width - 0.5) | (y < -0.5) | (y > camera.height - 0.5) | (points[:, 2] < 0.05)
    middle = state.vertices.mean(0)[:2] - ground.T_wc[:2, 3]
    return Stand(
        float(np.linalg.norm(middle)), float(np.ptp(y)) / camera.height, float(outside.mean()), arm_angle(model, state)
    )


def arm_angle(model: BodyModel, state: BodyState) -> float:
    """The smaller angle [rad] between an upper arm and the trunk's axis, pelvis to neck."""
    rest = model.joint_template + np.tensordot(state.shape, model.joint_basis[: len(state.shape)], 1)
    transforms = joint_transforms(model, rest, state.pose, state.T_wb)
    joints = np.einsum("jab,jb->ja", transforms[:, :3, :3], rest) + transforms[:, :3, 3]
    down = joints[model.joint("pelvis")] - joints[model.joint("neck_01")]
    down /= np.linalg.norm(down)
    angles = []
    for side in "lr":
        arm = joints[model.joint(f"lowerarm_{side}")] - joints[model.joint(f"upperarm_{side}")]
        angles.append(np.arccos(np.clip(arm @ down / np.linalg.norm(arm), -1.0, 1.0)))
    return float(min(angles))


def cut_off(landmarks: Landmarks, frame: Frame) -> bool:
    """True where someone is seen whose head or feet lie beyond the picture's edges."""
    points = landmarks.image[[NOSE, *ANKLES]]
    camera = frame.intrinsics
    return bool(
        (points < EDGE_PX).any()
        or (points[:, 0] > camera.width - 1 - EDGE_PX).any()
        or (points[:, 1] > camera.height - 1 - EDGE_PX).any()
    )


class Guide:
    """Chooses the most urgent word, with hysteresis in measure and in time."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._held: dict[str, bool] = {}
        self._said: Guidance | None = None
        self._said_at = 0.0
        self._next: Guidance | None = None
        self._next_at = 0.0

    def judge(
        self,
        at: float,
        stand: Stand | None,
        *,
        seen_cut_off: bool = False,
        crowded: bool = False,
        turned: float = 0.0,
        turn_rate: float = 0.0,
        walking: float = 0.0,
        complete: bool = False,
    ) -> Guidance:
        """What to say at time `at` [s]. `stand` is None while nobody is followed; then `seen_cut_off` tells that
        someone is seen in part. Angles [rad], rates [rad/s], `walking` [m/s]."""
        return self._settled(
            at, self._wanted(stand, seen_cut_off, crowded, turned, abs(turn_rate), walking, complete), complete
        )

    def _wanted(
        self,
        stand: Stand | None,
        seen_cut_off: bool,
        crowded: bool,
        turned: float,
        turn_rate: float,
        walking: float,
        complete: bool,
    ) -> Guidance:
        limits = self._limits
        if complete:
            return Guidance.DONE
        if crowded:
            return Guidance.ONE_PERSON
        if stand is None:
            return Guidance.WHOLE_BODY if seen_cut_off else Guidance.STEP_IN
        far = self._above("far", stand.distance_m, limits.far_m)
        small = self._above("small", -stand.height_share, (-limits.small_share[0], -limits.small_share[1]))
        if far or small:
            return Guidance.NEARER
        if self._above("near", -stand.distance_m, (-limits.near_m[0], -limits.near_m[1])):
            return Guidance.FURTHER
        if self._above("outside", stand.outside_share, limits.outside_share):
            return Guidance.WHOLE_BODY
        if self._above("walking", walking, limits.walk_m_s):
            return Guidance.HOLD_STILL
        if self._above("arms", -stand.arm_rad, (-limits.arm_rad[0], -limits.arm_rad[1])):
            return Guidance.ARMS_OUT
        if self._above("fast", turn_rate, limits.turn_rad_s):
            return Guidance.SLOWER
        return Guidance.KEEP_TURNING if abs(turned) > limits.begun_rad else Guidance.TURN

    def _above(self, what: str, value: float, limit: tuple[float, float]) -> bool:
        held = value > limit[1 if self._held.get(what, False) else 0]
        self._held[what] = held
        return held

    def _settled(self, at: float, wanted: Guidance, at_once: bool) -> Guidance:
        if self._said is None or at_once:
            self._said, self._said_at = wanted, at
        if wanted != self._next:
            self._next, self._next_at = wanted, at
        ripe = at - self._next_at >= self._limits.settle_s and at - self._said_at >= self._limits.least_s
        if wanted != self._said and ripe:
            self._said, self._said_at = wanted, at
        return self._said
