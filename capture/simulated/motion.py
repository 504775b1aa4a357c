"""What a simulated shopper does: walks in, stands in the A-pose, turns once, moves before the mirror, leaves.

Every motion is a function of time with a continuous first derivative, drawn from the person's seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import correlate1d, minimum_filter1d

from capture.simulated.gait import Place, Route, Walk
from capture.simulated.limbs import Skeleton, Stance
from capture.simulated.person import Person
from capture.simulated.surface_fields import smoothstep
from solver.body import ARM_ANGLE, LEG_ANGLE

WALKING_SPEED = 0.85
NARROW_STANCE_M = 0.10
"""Of each ankle from the middle, standing at ease."""
CROSSING_M = 1.9
BREATHS_PER_SECOND = 0.25


class Posture(NamedTuple):
    """The upper body: bone directions in the chest's axes (wearer's left is +x), rotation vectors [rad], shift [m]."""

    left_upper: tuple[float, float, float]
    left_lower: tuple[float, float, float]
    right_upper: tuple[float, float, float]
    right_lower: tuple[float, float, float]
    spine: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the pelvis: to the wearer's left, backward; and how far the knees let it down."""


def _mirrored(direction: tuple[float, float, float]) -> tuple[float, float, float]:
    return (-direction[0], direction[1], direction[2])


def _both(upper: tuple, lower: tuple, **rest: tuple) -> Posture:
    return Posture(upper, lower, _mirrored(upper), _mirrored(lower), **rest)


HANGING = (0.19, 0.05, -0.98), (0.12, -0.22, -0.97)
A_POSE = (np.sin(ARM_ANGLE), 0.0, -np.cos(ARM_ANGLE))
RAISED = (0.42, -0.12, 0.90), (0.12, -0.20, 0.97)
FORWARD = (0.25, -0.80, -0.45), (-0.10, -0.96, 0.25)
ON_HIP = (0.70, 0.35, -0.62), (-0.60, -0.62, -0.50)
AT_COLLAR = (0.35, -0.42, -0.84), (-0.52, -0.42, 0.74)

AT_EASE = _both(*HANGING)
SCAN = _both(A_POSE, A_POSE)
ACTIONS: dict[str, Posture] = {
    "raise right arm": Posture(*HANGING, _mirrored(RAISED[0]), _mirrored(RAISED[1]), spine=(0.0, 0.06, 0.0)),
    "raise left arm": Posture(*RAISED, _mirrored(HANGING[0]), _mirrored(HANGING[1]), spine=(0.0, -0.06, 0.0)),
    "look left": _both(*HANGING, spine=(0.0, 0.0, 0.30), head=(0.0, 0.0, 0.55), shift=(0.02, 0.0, 0.0)),
    "look right": _both(*HANGING, spine=(0.0, 0.0, -0.30), head=(0.0, 0.0, -0.55), shift=(-0.02, 0.0, 0.0)),
    "hands on hips": _both(*ON_HIP, head=(0.10, 0.0, 0.0)),
    "lean": _both(*ON_HIP, spine=(0.0, 0.26, 0.0), head=(0.0, -0.10, 0.0), shift=(-0.03, 0.0, 0.0)),
    "touch collar": Posture(*HANGING, _mirrored(AT_COLLAR[0]), _mirrored(AT_COLLAR[1]), head=(0.22, 0.0, 0.0)),
    "arms forward": _both(*FORWARD),
    "look down": _both(*HANGING, spine=(0.22, 0.0, 0.0), head=(0.40, 0.0, 0.0), shift=(0.0, 0.03, 0.02)),
    "small bend": _both(*FORWARD, spine=(0.20, 0.0, 0.0), shift=(0.0, 0.04, 0.10)),
}


class Change(NamedTuple):
    """A change of posture."""

    begin: float
    end: float
    posture: Posture


class PhaseSpan(NamedTuple):
    """A named part of the visit."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Script:
    """When the shopper does what."""

    route: Route
    changes: tuple[Change, ...]
    first: Posture
    phases: tuple[PhaseSpan, ...]
    duration_s: float


class Moment(NamedTuple):
    """The body at one time."""

    pose: NDArray[np.float64]
    """Joint rotation vectors [rad], shape (J, 3)."""
    T_wb: NDArray[np.float64]
    """Body to world, shape (4, 4)."""
    breath: float
    """0 breathed out .. 1 breathed in."""


class Motion:
    """The motion of one person along a script."""

    def __init__(self, person: Person, script: Script) -> None:
        self._skeleton = Skeleton(person.model, person.rest)
        self._script = script
        rng = np.random.default_rng([person.seed, 3])
        self._tracks = np.stack([_flatten(c.posture) for c in script.changes]) if script.changes else np.zeros((0, 21))
        self._drift_rate = rng.uniform(0.12, 0.6, (12, 3)) * 2.0 * np.pi
        self._drift_phase = rng.uniform(0.0, 2.0 * np.pi, (12, 3))
        self._breath_phase = rng.uniform(0.0, 2.0 * np.pi)
        self._droop = rng.uniform(0.02, 0.09)
        self._elbow = rng.uniform(0.03, 0.14)
        self._pelvis_rise = self._smooth_pelvis()

    @property
    def duration_s(self) -> float:
        """Length of the visit [s]."""
        return self._script.duration_s

    @property
    def phases(self) -> tuple[PhaseSpan, ...]:
        """Parts of the visit: enter, pose, turn, mirror, leave."""
        return self._script.phases

    def at(self, t: float) -> Moment:
        """The body at time `t` [s] of the visit."""
        stance, drop = self._stance(t)
        pose, T_wb = self._skeleton.solve(stance, float(self._pelvis_rise(t)) - drop)
        breath = 0.5 - 0.5 * np.cos(2.0 * np.pi * BREATHS_PER_SECOND * t + self._breath_phase)
        return Moment(pose, T_wb, float(breath))

    def _smooth_pelvis(self) -> CubicSpline:
        """How high the pelvis is over the visit: as high as the legs reach, never higher, without jerks."""
        rate, reach = 60.0, 6
        times = np.arange(-reach, int(self.duration_s * rate) + 2 + reach) / rate
        limit = np.array([self._skeleton.highest_pelvis(self._stance(t)[0]) for t in times])
        # The lowest within a time, averaged over as long a time, is nowhere above what it came from.
        window = 2 * reach + 1
        lowest = minimum_filter1d(limit, window, mode="nearest")
        weights = np.hanning(window + 2)[1:-1]
        return CubicSpline(times, correlate1d(lowest, weights / weights.sum(), mode="nearest"))

    def _stance(self, t: float) -> tuple[Stance, float]:
        """The figure at a time, and how far the knees let the pelvis down below what the legs reach."""
        route = self._script.route
        place = route.place(t)
        feet = route.foot(0, t), route.foot(1, t)
        values = _flatten(self._script.first)
        for change, goal in zip(self._script.changes, self._tracks, strict=True):
            if t <= change.begin:
                break
            values = _blend(values, goal, float(smoothstep((t - change.begin) / (change.end - change.begin))))
        arms = values[:12].reshape(4, 3)
        spine, head, shift = values[12:15], values[15:18], values[18:21]

        drift = np.sin(self._drift_rate * t + self._drift_phase).sum(1) / np.sqrt(1.5)
        c, s = np.cos(place.yaw), np.sin(place.yaw)
        # The pelvis leans over the foot that carries, and drifts by a few millimetres.
        stride = np.array([feet[0].x - feet[1].x, feet[0].y - feet[1].y])
        over = -0.10 * route.lean(t) * stride
        sideways, backward = shift[0] + 0.004 * drift[0], shift[1] + 0.005 * drift[1]
        pelvis_shift = over + np.array([c * sideways - s * backward, s * sideways + c * backward])

        # Arms swing against the legs: `ahead` is how far the left foot is before the right one.
        ahead = stride @ np.array([s, -c])
        brisk = float(smoothstep(route.speed(t) / 0.8))
        swing = float(np.clip(ahead, -0.6, 0.6)) * brisk
        twist = -0.22 * swing
        still = 1.0 - brisk
        spine = spine + np.array([0.010 * drift[2] + 0.05 * brisk, 0.008 * drift[3], -2.0 * twist + 0.012 * drift[4]])
        head = head + np.array([0.02 * drift[5], 0.015 * drift[6], twist + 0.035 * drift[7] * still])
        held = self._held_out(arms)
        upper, lower = np.empty((2, 3)), np.empty((2, 3))
        for side in range(2):
            outward = 1.0 if side == 0 else -1.0
            sag = held * (self._droop + 0.012 * drift[8 + side])
            reach = swing * (0.85 if side == 0 else -0.85)
            u = _turned(arms[2 * side], np.array([reach, -outward * sag, 0.0]))
            bend = np.array(
                [0.02 * drift[10 + side] - held * self._elbow - 0.45 * brisk * max(0.25 - 0.5 * reach, 0.0), 0, 0]
            )
            upper[side], lower[side] = u, _turned(arms[2 * side + 1], np.array([reach, -outward * sag, 0.0]) + bend)
        stance = Stance(
            x=place.x,
            y=place.y,
            yaw=place.yaw,
            pelvis_shift=pelvis_shift,
            pelvis=np.array([0.006 * drift[3], 0.0, twist]),
            spine=spine,
            head=head,
            upper_arms=upper,
            lower_arms=lower,
            feet=feet,
        )
        return stance, float(shift[2] + 0.001 + 0.010 * brisk)

    @staticmethod
    def _held_out(arms: NDArray) -> float:
        """1 where both arms are held away from the body as in the A-pose, 0 where they hang."""
        return float(smoothstep((min(arms[0, 0], -arms[2, 0]) - 0.25) / 0.4))


def _flatten(posture: Posture) -> NDArray[np.float64]:
    parts = [np.asarray(part, np.float64) for part in posture]
    return np.concatenate([part / np.linalg.norm(part) for part in parts[:4]] + parts[4:])


def _blend(a: NDArray, b: NDArray, share: float) -> NDArray[np.float64]:
    """Between two flattened postures: directions go along great circles (Shoemake 1985), the rest straight."""
    if share >= 1.0:
        return b
    values = a + share * (b - a)
    for k in range(0, 12, 3):
        angle = np.arccos(np.clip(a[k : k + 3] @ b[k : k + 3], -1.0, 1.0))
        if angle > 1e-6:
            arc = np.sin((1.0 - share) * angle) * a[k : k + 3] + np.sin(share * angle) * b[k : k + 3]
            values[k : k + 3] = arc / np.sin(angle)
    return values


def _turned(direction: NDArray, vector: NDArray) -> NDArray[np.float64]:
    """`direction`, made a unit vector, turned by a rotation vector (Rodrigues)."""
    direction = direction / np.linalg.norm(direction)
    angle = np.linalg.norm(vector)
    if angle < 1e-12:
        return direction
    axis = vector / angle
    c, s = np.cos(angle), np.sin(angle)
    return c * direction + s * np.cross(axis, direction) + (1.0 - c) * (axis @ direction) * axis


def scan_width(person: Person) -> float:
    """Distance of each ankle from the middle [m] in the A-pose."""
    joints, model = person.rest.joints, person.model
    leg = np.linalg.norm(joints[model.joint("foot_l")] - joints[model.joint("thigh_l")])
    return float(abs(joints[model.joint("thigh_l"), 0]) + np.sin(LEG_ANGLE) * leg)


def scan_script(person: Person, mark: tuple[float, float], turn_rad: float, turn_s: float) -> Script:
    """A visit that is nothing but the scan: stands in the A-pose facing the camera, turns, stands, ends."""
    start = Place(*mark, 0.0, scan_width(person))
    walks, t = _turn(start, 1.0, turn_rad, turn_s)
    phases = (PhaseSpan("pose", 0.0, 1.0), PhaseSpan("turn", 1.0, t), PhaseSpan("pose", t, t + 0.6))
    return Script(Route(walks), (), SCAN, phases, t + 0.6)


def still_script(person: Person, mark: tuple[float, float], duration_s: float, posture: Posture = SCAN) -> Script:
    """Stands in the A-pose, or another posture, and does not turn."""
    start = Place(*mark, 0.0, scan_width(person))
    walk = Walk(duration_s + 10.0, duration_s + 11.0, start, start, 0.5)
    return Script(Route([walk]), (), posture, (PhaseSpan("pose", 0.0, duration_s),), duration_s)


def crossing_script(middle: tuple[float, float], side: float, duration_s: float) -> Script:
    """Walks to and fro across the camera's view through `middle`, beginning `CROSSING_M` out on `side` (1 or -1)."""
    x, y = middle
    heading = -side * np.pi / 2.0
    here = Place(x + side * CROSSING_M, y, heading, NARROW_STANCE_M)
    seconds = 2.0 * CROSSING_M / WALKING_SPEED + 0.7
    walks, t = [], 0.2
    while t < duration_s:
        there = here._replace(x=2.0 * x - here.x)
        round_again = there._replace(yaw=there.yaw + np.pi)
        walks.append(Walk(t, t + seconds, here, there, 0.54, roll_rad=0.6))
        walks.append(Walk(t + seconds + 0.3, t + seconds + 2.0, there, round_again, 0.48, lift_m=0.04, ramp_s=0.4))
        here, t = round_again, t + seconds + 2.4
    return Script(Route(walks), (), AT_EASE, (PhaseSpan("walk", 0.0, duration_s),), duration_s)


def visit_script(person: Person, mark: tuple[float, float], turn_rad: float, turn_s: float, actions: int = 5) -> Script:
    """The whole visit."""
    rng = np.random.default_rng([person.seed, 4])
    side = float(rng.choice([-1.0, 1.0]))
    x, y = mark
    wide = scan_width(person)
    phases, changes = [], []

    # Walks in from the side, a little behind the mark, and turns to the mirror on the last steps.
    entry = np.array([x + 1.9 * side, y + 0.55])
    way = np.array([x, y]) - entry
    heading = float(np.arctan2(way[0], -way[1]))
    seconds = float(np.linalg.norm(way)) / WALKING_SPEED + 1.0
    start = Place(float(entry[0]), float(entry[1]), heading, NARROW_STANCE_M)
    here = Place(x, y, 0.0, NARROW_STANCE_M)
    walks = [Walk(0.2, 0.2 + seconds, start, here, 0.54, turn_from=0.55, roll_rad=0.6)]
    t = 0.2 + seconds
    phases.append(PhaseSpan("enter", 0.0, t))

    # Takes the A-pose: a step to each side, arms away from the body.
    begin = t
    t += rng.uniform(0.5, 0.9)
    apart = here._replace(width=wide)
    walks.append(Walk(t, t + 1.1, here, apart, 0.5, lift_m=0.03))
    changes.append(Change(t + 0.1, t + 1.3, SCAN))
    t += 1.3 + rng.uniform(0.7, 1.1)
    phases.append(PhaseSpan("pose", begin, t))

    begin = t
    turning, t = _turn(apart, t, turn_rad, turn_s)
    walks += turning
    phases.append(PhaseSpan("turn", begin, t))
    here = apart._replace(yaw=turn_rad)
    t += 0.6

    # Comes back to the mirror's side if the turn was not a whole one, and stands at ease.
    begin = t
    changes.append(Change(t, t + 1.2, AT_EASE))
    front = 2.0 * np.pi * np.round(turn_rad / (2.0 * np.pi))
    ease = here._replace(yaw=float(front), width=NARROW_STANCE_M)
    seconds = 1.1 + abs(front - turn_rad) / 1.3
    walks.append(Walk(t, t + seconds, here, ease, 0.5, lift_m=0.03))
    t += seconds + 0.3
    here = ease
    names = list(rng.permutation(list(ACTIONS)))[:actions]
    for name in names:
        into, hold = rng.uniform(0.7, 1.1), rng.uniform(0.4, 1.0)
        changes.append(Change(t, t + into, ACTIONS[name]))
        t += into + hold
        back = rng.uniform(0.7, 1.0)
        changes.append(Change(t, t + back, AT_EASE))
        t += back + rng.uniform(0.1, 0.4)
    # Half a turn to see the back over the shoulder, and round again.
    sense = float(rng.choice([-1.0, 1.0]))
    behind = here._replace(yaw=here.yaw + sense * np.deg2rad(150.0))
    walks.append(Walk(t, t + 1.9, here, behind, 0.48, lift_m=0.04, ramp_s=0.4))
    over = _both(*HANGING, spine=(0.0, 0.0, 0.25 * sense), head=(0.05, 0.0, 0.75 * sense))
    changes.append(Change(t + 1.3, t + 2.1, over))
    changes.append(Change(t + 2.8, t + 3.5, AT_EASE))
    walks.append(Walk(t + 3.0, t + 4.9, behind, here, 0.48, lift_m=0.04, ramp_s=0.4))
    t += 5.2
    phases.append(PhaseSpan("mirror", begin, t))

    begin = t
    out = np.array([x - 1.9 * side, y + 0.45])
    way = out - np.array([x, y])
    heading = here.yaw + float(np.arctan2(way[0], -way[1]))
    aside = here._replace(yaw=heading)
    walks.append(Walk(t, t + 1.1, here, aside, 0.5, lift_m=0.04, ramp_s=0.4))
    seconds = float(np.linalg.norm(way)) / WALKING_SPEED + 0.7
    gone = Place(float(out[0]), float(out[1]), heading, NARROW_STANCE_M)
    walks.append(Walk(t + 1.45, t + 1.45 + seconds, aside, gone, 0.54, roll_rad=0.6))
    t += 1.45 + seconds
    phases.append(PhaseSpan("leave", begin, t))
    return Script(Route(walks), tuple(changes), AT_EASE, tuple(phases), t)


def _turn(place: Place, begin: float, turn_rad: float, turn_s: float) -> tuple[list[Walk], float]:
    """Turns on the spot by small steps."""
    steps = max(2, round(abs(turn_rad) / np.deg2rad(24.0)))
    goal = place._replace(yaw=place.yaw + turn_rad)
    return [Walk(begin, begin + turn_s, place, goal, turn_s / steps, lift_m=0.035)], begin + turn_s
