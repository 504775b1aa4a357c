"""How far joints turn: soft limits and a weak prior for the body model's joints.

Ranges of motion follow the usual clinical tables (American Academy of Orthopaedic Surgeons 1965; Kapandji), widened
where a rotation vector's components mix several of them (shoulder, hip). They are relative to the model's rest pose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel

# Degrees about the axes of frame b (x: the wearer's left, y: backwards, z: up) on the wearer's left; the right side
# is the mirror image. Bending forward is +x for the spine and -x for hanging limbs.
RANGES = {
    "spine_01": ((-12, 30), (-14, 14), (-12, 12)),
    "spine_02": ((-12, 25), (-14, 14), (-12, 12)),
    "spine_03": ((-12, 25), (-14, 14), (-14, 14)),
    "clavicle": ((-15, 15), (-35, 10), (-20, 20)),
    "upperarm": ((-150, 60), (-140, 70), (-95, 95)),
    "hand": ((-60, 60), (-60, 60), (-60, 60)),
    "neck_01": ((-30, 35), (-22, 22), (-35, 35)),
    "head": ((-30, 30), (-22, 22), (-40, 40)),
    "thigh": ((-120, 30), (-50, 30), (-40, 40)),
    "calf": ((-13, 140), (-8, 8), (-20, 20)),
    "foot": ((-40, 40), (-20, 20), (-25, 25)),
}
# About the elbow's own axes: flexion, twist of the forearm, and what an elbow does not do.
ELBOW_RANGE = ((-47, 108), (-85, 85), (-8, 8))
SPREADS = {
    "spine_01": 8.0,
    "spine_02": 8.0,
    "spine_03": 8.0,
    "clavicle": 8.0,
    "upperarm": 45.0,
    "lowerarm": 35.0,
    "hand": 18.0,
    "neck_01": 12.0,
    "head": 15.0,
    "thigh": 25.0,
    "calf": 25.0,
    "foot": 14.0,
}
LIMIT_SPREAD = np.deg2rad(3.0)
FREE = 1e3


@dataclass(frozen=True, slots=True)
class JointRanges:
    """Limits and spreads of all joints (J), in the form `BodyAlignment` takes."""

    lower: NDArray[np.float64]
    """[rad], (J, 3), about the rows of `axes`."""
    upper: NDArray[np.float64]
    """[rad], (J, 3)."""
    axes: NDArray[np.float64]
    """(J, 3, 3), rows in frame b."""
    precision: NDArray[np.float64]
    """1 / variance of each joint's turn from rest among people before a mirror [1/rad^2], (J, 3)."""


def joint_ranges(model: BodyModel) -> JointRanges:
    """The ranges of `model`'s joints."""
    count = model.joint_count
    lower, upper = np.full((count, 3), -FREE), np.full((count, 3), FREE)
    axes = np.tile(np.eye(3), (count, 1, 1))
    precision = np.zeros((count, 3))
    for j, name in enumerate(model.joint_names):
        base, _, side = name.rpartition("_") if name.endswith(("_l", "_r")) else (name, "", "l")
        if base in SPREADS:
            precision[j] = 1.0 / np.deg2rad(SPREADS[base]) ** 2
        if base in RANGES:
            limits = np.deg2rad(np.array(RANGES[base], np.float64))
            if side == "r":
                limits[1:] = -limits[1:, ::-1]
            lower[j], upper[j] = limits.T
        elif base == "lowerarm":
            lower[j], upper[j] = np.deg2rad(np.array(ELBOW_RANGE, np.float64)).T
            axes[j] = _elbow_axes(model, side)
    return JointRanges(lower, upper, axes, precision)


def _elbow_axes(model: BodyModel, side: str) -> NDArray[np.float64]:
    shoulder, elbow, wrist = (
        model.joint_template[model.joint(f"{n}_{side}")] for n in ("upperarm", "lowerarm", "hand")
    )
    forearm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    flexion = np.cross(elbow - shoulder, forearm)
    flexion /= np.linalg.norm(flexion)
    return np.stack([flexion, forearm, np.cross(flexion, forearm)]).astype(np.float64)
