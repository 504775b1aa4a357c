"""Where a person is, from landmarks alone: a rigid figure whose picture must lie where it is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel, rotation_matrices
from solver.errors import NotAPersonError
from solver.ground import levelled_pose
from solver.types import Ground, Intrinsics, Landmarks, Observation, read_only

LIMBS = ((11, 23), (23, 25), (25, 27), (12, 24), (24, 26), (26, 28))
"""Trunk, thigh and shin of both sides, as MediaPipe numbers their ends."""
LIMB_JOINTS = ("upperarm_l", "thigh_l"), ("thigh_l", "calf_l"), ("calf_l", "foot_l")
TRUNK = (11, 12, 23, 24)
FEET = (27, 28, 29, 30, 31, 32)
SOLE_BELOW_M = 0.03
"""Ankle, heel and toe landmarks lie about so far above the floor at the lowest of them."""
LEAST_VISIBILITY = 0.5
GUESS_RMS_M = 0.1


def turned_to_view(landmarks: Landmarks, intrinsics: Intrinsics) -> Landmarks:
    """`landmarks` with their world positions in the axes of frame c.

    The landmarker looks at a cut-out of the picture, as if the camera pointed at the person's middle: its axes are
    those of frame c turned to there, 10 degrees and more for a tall portrait picture.
    """
    middle = landmarks.image[list(TRUNK)].astype(np.float64).mean(0)
    ray = np.array([(middle[0] - intrinsics.cx) / intrinsics.fx, (middle[1] - intrinsics.cy) / intrinsics.fy, 1.0])
    ray /= np.linalg.norm(ray)
    axis = np.cross((0.0, 0.0, 1.0), ray)
    length = float(np.linalg.norm(axis))
    turn = rotation_matrices((axis * np.arctan2(length, ray[2]) / max(length, 1e-12))[None])[0]
    return replace(landmarks, world=read_only((landmarks.world @ turn.T).astype(np.float32)))


def place_figure(landmarks: Landmarks, intrinsics: Intrinsics, scale: float = 1.0) -> NDArray[np.float64]:
    """The hips' middle [m], (3,), frame c, that puts `scale` times the world landmarks where they are seen.

    Linear least squares: f (X + x) = (u - cx) (Z + z), and so down the picture, each landmark by its visibility. Raises
    `NotAPersonError` where too little of a person is in the picture.
    """
    seen = landmarks.image.astype(np.float64)
    inside = (seen > 0.0).all(1) & (seen[:, 0] < intrinsics.width) & (seen[:, 1] < intrinsics.height)
    weights = np.square(landmarks.visibility.astype(np.float64)) * inside
    if np.count_nonzero(weights > LEAST_VISIBILITY**2) < 6:
        raise NotAPersonError("too little of a person is in view: stand before the camera, whole in its picture")
    world = scale * landmarks.world.astype(np.float64)
    ray_x = (seen[:, 0] - intrinsics.cx) / intrinsics.fx
    ray_y = (seen[:, 1] - intrinsics.cy) / intrinsics.fy
    one, zero = np.ones(len(seen)), np.zeros(len(seen))
    rows = np.concatenate([np.stack([one, zero, -ray_x], 1), np.stack([zero, one, -ray_y], 1)])
    values = np.concatenate([ray_x * world[:, 2] - world[:, 0], ray_y * world[:, 2] - world[:, 1]])
    root = np.sqrt(np.tile(weights, 2))
    place, *_ = np.linalg.lstsq(rows * root[:, None], values * root, rcond=None)
    if not place[2] > 0.3:
        raise NotAPersonError("the person in view cannot be placed: stand before the camera, whole in its picture")
    return np.asarray(place, np.float64)


def figure_scale(model: BodyModel, landmarks: Landmarks) -> float:
    """By how much the world landmarks must grow to be a person of average stature: the sum of trunk and legs."""
    wanted = sum(
        float(np.linalg.norm(model.joint_template[model.joint(a)] - model.joint_template[model.joint(b)]))
        for a, b in LIMB_JOINTS
    )
    found = 0.5 * sum(float(np.linalg.norm(landmarks.world[a] - landmarks.world[b])) for a, b in LIMBS)
    return float(np.clip(wanted / max(found, 1e-3), 0.7, 1.4))


def assume_average(model: BodyModel, observation: Observation, gravity: NDArray | None = None) -> Ground:
    """A guess for a camera without depth: it is level (or as `gravity` says), and a person of average stature stands.

    The floor is put under their feet; `inlier_fraction` = 0 says that every length in such a world rests on that
    stature. Raises `NotAPersonError` where nobody stands there whole.
    """
    landmarks, frame = observation.landmarks, observation.frame
    if landmarks is None:
        raise NotAPersonError("nobody is in view: stand before the camera, whole in its picture")
    gravity = frame.gravity if gravity is None else gravity
    up = np.array([0.0, -1.0, 0.0]) if gravity is None else -np.asarray(gravity, np.float64) / np.linalg.norm(gravity)
    landmarks = turned_to_view(landmarks, frame.intrinsics)
    scale = figure_scale(model, landmarks)
    place = place_figure(landmarks, frame.intrinsics, scale)
    feet = place + scale * landmarks.world[list(FEET)].astype(np.float64)
    return Ground(read_only(levelled_pose(up, SOLE_BELOW_M - float((feet @ up).min()))), GUESS_RMS_M, 0.0)
