"""Measures of a registered surface: as it stands where its pose allows it, else in the canonical A-pose."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.measures import Measurements, SurfaceError, measure_body
from solver.registration import Registration

LANDMARK_M = 0.006
"""How far named points of the model may slide along a foreign surface that it is laid over."""
REPOSE_RAD = np.deg2rad(2.0)
ARMS_OF_A = np.deg2rad((25.0, 70.0))
MOST_LEG_ANGLE = np.deg2rad(15.0)
MOST_LEAN = np.deg2rad(8.0)
MOST_BEND = np.deg2rad(20.0)

SHOULDER_KEYS = {"shoulder_width", "shoulder_length", "front_length", "chest_breadth"}
TRUNK_KEYS = {
    *(f"{level}_{kind}" for level in ("chest", "waist", "hip") for kind in ("girth", "depth", "breadth")),
    "underbust_girth",
    "back_length",
    "crotch_length",
}
LEG_KEYS = {"thigh_girth", "hip_girth", "hip_breadth", "hip_depth", "crotch_length"}


class Stance(NamedTuple):
    """How a body stands [rad]."""

    arms: float
    """Of the upper arms from the downward axis of the trunk, mean."""
    elbows: float
    """Bend, the larger."""
    legs: float
    """Of the thighs from the vertical, the larger."""
    lean: float
    """Of the trunk from the vertical."""

    @property
    def name(self) -> Literal["I", "A", "T"]:
        """Arms down, apart or spread."""
        return "I" if self.arms < ARMS_OF_A[0] else "T" if self.arms > ARMS_OF_A[1] else "A"


def stance_of(model: BodyModel, joints: NDArray) -> Stance:
    """The stance of joints (J, 3)."""

    def bone(start: str, end: str) -> NDArray:
        vector = joints[model.joint(end)] - joints[model.joint(start)]
        return vector / np.linalg.norm(vector)

    def angle(a: NDArray, b: NDArray) -> float:
        return float(np.arccos(np.clip(a @ b, -1.0, 1.0)))

    down = np.array([0.0, 0.0, -1.0])
    spine = bone("neck_01", "pelvis")
    upper = [bone(f"upperarm_{side}", f"lowerarm_{side}") for side in "lr"]
    lower = [bone(f"lowerarm_{side}", f"hand_{side}") for side in "lr"]
    thighs = [bone(f"thigh_{side}", f"calf_{side}") for side in "lr"]
    return Stance(
        float(np.mean([angle(arm, spine) for arm in upper])),
        max(angle(a, b) for a, b in zip(upper, lower, strict=True)),
        max(angle(thigh, down) for thigh in thighs),
        angle(spine, down),
    )


def measure_registered(model: BodyModel, registration: Registration, seed: int = 0) -> tuple[Measurements, Stance]:
    """Measures of a registered surface and the stance they were taken in."""
    stance = stance_of(model, registration.joints)
    noise = max(registration.rmse_m, 0.0005)
    as_it_stands = measure_body(
        model,
        registration.vertices,
        registration.joints,
        registration.coverage,
        floor_m=0.0,
        error=SurfaceError(noise_m=noise, landmark_m=LANDMARK_M),
        seed=seed,
    )
    reposed = measure_body(
        model,
        registration.canonical,
        registration.canonical_joints,
        registration.coverage,
        standing=registration.vertices,
        floor_m=0.0,
        error=SurfaceError(noise_m=noise, landmark_m=LANDMARK_M, pose_rad=REPOSE_RAD),
        seed=seed,
    )
    canonical_keys: set[str] = set()
    if stance.name != "A":
        canonical_keys |= SHOULDER_KEYS
    if stance.lean > MOST_LEAN:
        canonical_keys |= TRUNK_KEYS | SHOULDER_KEYS
    if stance.legs > MOST_LEG_ANGLE:
        canonical_keys |= LEG_KEYS
    if stance.elbows > MOST_BEND:
        canonical_keys |= {"arm_length", "elbow_girth"}
    return reposed.merged(as_it_stands, set(as_it_stands) - canonical_keys), stance
