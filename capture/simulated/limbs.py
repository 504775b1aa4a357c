"""Poses of a body from where its limbs should be: directions of arm bones, and feet that stand on given places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from capture.simulated.surface_fields import smoothstep
from solver.body import BodyModel, RestBody

REACH = 0.998
"""A leg is straight at most to this share of its length: the knee's angle would have no derivative at 1."""
SIDES = ("l", "r")


class FootPlace(NamedTuple):
    """Where a foot is."""

    x: float
    y: float
    """Of the ankle when the foot stands flat [m], frame w."""
    yaw: float
    """Of the foot about the vertical against the rest pose [rad], frame w."""
    lift: float
    """Of the sole above the floor [m]."""
    pitch: float
    """Heel raised about the ball of the foot where positive, toes raised about the heel where negative [rad]."""


@dataclass(frozen=True, slots=True)
class Stance:
    """What a body does at one moment. Angles [rad], lengths [m]; directions in the chest's axes at rest (frame b)."""

    x: float
    y: float
    yaw: float
    """Of frame b in the world."""
    pelvis_shift: NDArray[np.float64]
    """Horizontal displacement of the pelvis, shape (2,), frame w."""
    pelvis: NDArray[np.float64]
    """Rotation vector, shape (3,)."""
    spine: NDArray[np.float64]
    """Rotation vector of the chest against the pelvis, shape (3,)."""
    head: NDArray[np.float64]
    """Rotation vector of the head against the chest, shape (3,)."""
    upper_arms: NDArray[np.float64]
    """Unit directions, left then right, shape (2, 3)."""
    lower_arms: NDArray[np.float64]
    """Shape (2, 3)."""
    feet: tuple[FootPlace, FootPlace]
    """Left, right."""


class Skeleton:
    """Solves poses for one person."""

    def __init__(self, model: BodyModel, rest: RestBody) -> None:
        self._model = model
        self._joints = rest.joints
        at = {name: model.joint(name) for name in model.joint_names}
        self._at = at
        self._heel = {s: rest.vertices[model.landmarks[f"heel_{s}"]].astype(np.float64) for s in SIDES}
        feet = {s: model.part_labels == model.part(f"foot_{s}") for s in SIDES}
        # Both soles touch the floor although the body is not symmetric.
        self._sole = {s: float(rest.vertices[feet[s], 2].min()) for s in SIDES}
        self.ankle_height = {s: float(rest.joints[at[f"foot_{s}"], 2]) - self._sole[s] for s in SIDES}
        self.leg_length = float(
            np.mean([self._bone(f"thigh_{s}", f"calf_{s}") + self._bone(f"calf_{s}", f"foot_{s}") for s in SIDES])
        )

    def _bone(self, upper: str, lower: str) -> float:
        return float(np.linalg.norm(self._joints[self._at[lower]] - self._joints[self._at[upper]]))

    def highest_pelvis(self, stance: Stance) -> float:
        """How far the pelvis can be above its rest height [m] with both feet where they are put."""
        pelvis = _matrix(stance.pelvis)
        limits = []
        for side, foot in zip(SIDES, stance.feet, strict=True):
            hip, ankle, _ = self._leg_ends(stance, pelvis, side, foot)
            length = self._bone(f"thigh_{side}", f"calf_{side}") + self._bone(f"calf_{side}", f"foot_{side}")
            flat = np.sum((hip - ankle)[:2] ** 2)
            limits.append(ankle[2] + np.sqrt(max((REACH * length) ** 2 - flat, 0.25 * length**2)) - hip[2])
        return float(min(limits))

    def solve(self, stance: Stance, pelvis_rise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pose (J, 3) and T_wb (4, 4), with the pelvis `pelvis_rise` [m] above its rest height.

        Feet stay exactly where they are put as long as that is no more than `highest_pelvis`.
        """
        pose = np.zeros((self._model.joint_count, 3))
        pelvis = _matrix(stance.pelvis)
        pose[self._at["pelvis"]] = stance.pelvis
        for name, share in (("spine_01", 0.3), ("spine_02", 0.35), ("spine_03", 0.35)):
            pose[self._at[name]] = share * stance.spine
        for name, share in (("neck_01", 0.45), ("head", 0.55)):
            pose[self._at[name]] = share * stance.head
        for i, side in enumerate(SIDES):
            self._place_arm(pose, side, stance.upper_arms[i], stance.lower_arms[i])

        for side, foot in zip(SIDES, stance.feet, strict=True):
            hip, ankle, turn = self._leg_ends(stance, pelvis, side, foot)
            hip[2] += pelvis_rise
            self._place_leg(pose, side, pelvis, hip, ankle, turn)
            pose[self._at[f"ball_{side}"], 0] = -foot.pitch * _eased_sign(foot.pitch)
        T_wb = np.eye(4)
        T_wb[:3, :3] = _about_z(stance.yaw)
        T_wb[:3, 3] = stance.x, stance.y, pelvis_rise
        T_wb[:2, 3] += stance.pelvis_shift
        return pose, T_wb

    def _leg_ends(
        self, stance: Stance, pelvis: NDArray, side: str, foot: FootPlace
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Hip (pelvis at rest height), ankle and the foot's rotation, in axes that turn with the body, below it."""
        yaw = _about_z(stance.yaw)
        root, hip = self._joints[self._at["pelvis"]], self._joints[self._at[f"thigh_{side}"]]
        ankle, turn = self._place_foot(side, foot)
        shift = np.array([*stance.pelvis_shift, 0.0])
        place = np.array([stance.x, stance.y, 0.0])
        return root + pelvis @ (hip - root) + yaw.T @ shift, yaw.T @ (ankle - place), yaw.T @ turn

    def _place_arm(self, pose: NDArray, side: str, upper: NDArray, lower: NDArray) -> None:
        a, b, c = (self._joints[self._at[f"{name}_{side}"]] for name in ("upperarm", "lowerarm", "hand"))
        outward = 1.0 if side == "l" else -1.0
        # The collar bone follows the arm above the horizontal, and so does the shoulder's fullness.
        raised = 0.35 * max(float(upper[2]) + 0.2, 0.0) ** 2
        clavicle = np.array([0.0, -outward * raised, 0.0])
        pose[self._at[f"clavicle_{side}"]] = clavicle
        base = _matrix(clavicle)
        turn = _between(b - a, base.T @ upper)
        pose[self._at[f"upperarm_{side}"]] = _vector(turn)
        pose[self._at[f"lowerarm_{side}"]] = _vector(_between(c - b, (base @ turn).T @ lower))

    def _place_foot(self, side: str, foot: FootPlace) -> tuple[NDArray, NDArray]:
        """The ankle's position and the foot's rotation, frame w."""
        ankle_rest = self._joints[self._at[f"foot_{side}"]]
        on_ball = _eased_sign(foot.pitch)
        pivot_rest = (1.0 - on_ball) * self._heel[side] + on_ball * self._joints[self._at[f"ball_{side}"]]
        pivot_rest[2] = self._sole[side]
        heading = _about_z(foot.yaw)
        turn = heading @ _matrix(np.array([foot.pitch, 0.0, 0.0]))
        pivot = np.array([foot.x, foot.y, foot.lift]) + heading @ np.array([*(pivot_rest - ankle_rest)[:2], 0.0])
        return pivot + turn @ (ankle_rest - pivot_rest), turn

    def _place_leg(
        self, pose: NDArray, side: str, pelvis: NDArray, hip: NDArray, ankle: NDArray, foot_turn: NDArray
    ) -> None:
        names = tuple(f"{name}_{side}" for name in ("thigh", "calf", "foot"))
        a, b, c = (self._joints[self._at[name]] for name in names)
        thigh, calf = np.linalg.norm(b - a), np.linalg.norm(c - b)
        reach = ankle - hip
        distance = min(float(np.linalg.norm(reach)), 0.99999 * (thigh + calf))
        direction = reach / np.linalg.norm(reach)
        # The knee points where pelvis and foot point, half each.
        forward = pelvis @ np.array([0.0, -1.0, 0.0]) + foot_turn @ np.array([0.0, -1.0, 0.0])
        forward[2] = 0.0
        forward -= (forward @ direction) * direction
        forward /= np.linalg.norm(forward)
        cosine = (thigh**2 + distance**2 - calf**2) / (2.0 * thigh * distance)
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        knee = hip + thigh * (np.cos(angle) * direction + np.sin(angle) * forward)
        ahead = np.array([0.0, -1.0, 0.0])
        upper = _frame(knee - hip, forward) @ _frame(b - a, ahead).T
        lower = _frame(ankle - knee, forward) @ _frame(c - b, ahead).T
        pose[self._at[names[0]]] = _vector(pelvis.T @ upper)
        pose[self._at[names[1]]] = _vector(upper.T @ lower)
        pose[self._at[names[2]]] = _vector(lower.T @ foot_turn)


def _matrix(vector: NDArray) -> NDArray[np.float64]:
    return Rotation.from_rotvec(vector).as_matrix()


def _vector(matrix: NDArray) -> NDArray[np.float64]:
    return Rotation.from_matrix(matrix).as_rotvec()


def _eased_sign(angle: float) -> float:
    """0 for a foot on its heel, 1 for one on its ball, smooth between: there the foot is flat and both agree."""
    return float(smoothstep(angle / 0.06 + 0.5))


def _about_z(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _between(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """The smallest rotation that takes direction `a` to direction `b`."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    if sine < 1e-9:
        return np.eye(3)
    return _matrix(axis / sine * np.arctan2(sine, a @ b))


def _frame(along: NDArray, ahead: NDArray) -> NDArray[np.float64]:
    """Orthonormal columns: `along`, the part of `ahead` square to it, and their cross product."""
    along = along / np.linalg.norm(along)
    ahead = ahead - (ahead @ along) * along
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([along, ahead, np.cross(along, ahead)], axis=1)
