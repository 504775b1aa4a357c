"""How far a scanned surface lies from what the camera saw, each part of the body by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from capture.simulated.source import SimulatedSource
from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, rotation_matrices, skin
from solver.kernels.voxel_warp import unskin_points
from solver.normals import NormalField

TRUNK_AND_LIMBS = (
    "trunk",
    *(f"{part}_{side}" for part in ("upper_arm", "lower_arm", "thigh", "calf") for side in "lr"),
)
ALIGNMENTS = 6
SEEN = 0.5
"""Coverage from which a vertex counts as seen."""


def canonical_body(model: BodyModel, rest: RestBody) -> NDArray[np.float32]:
    """`rest` in the canonical A-pose, (V, 3)."""
    return skin(model, rest.vertices, joint_transforms(model, rest.joints, canonical_pose(model, rest.joints)))


def dressed_truth(source: SimulatedSource) -> NDArray[np.float32]:
    """What the camera saw, clothes and all, in the canonical A-pose: the model's vertices, (V, 3)."""
    person, truth = source.person, source.truth(0)
    model, joints = person.model, person.rest.joints
    transforms = np.ascontiguousarray(joint_transforms(model, joints, truth.pose, truth.T_wb)[:, :3])
    clothed, rest = np.ascontiguousarray(truth.clothed[: model.vertex_count]), np.empty((model.vertex_count, 3), "f4")
    unskin_points(clothed, model.skin_joints, model.skin_weights, transforms, rest)
    return canonical_body(model, RestBody(rest, joints))


def part_errors(model: BodyModel, vertices: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """Distance [m] of `vertices` (V, 3) from `truth` (V, 3), outwards, (V,), each part of the body by itself.

    Two A-poses differ by where joints are thought to be; that is no error of the surface.
    """
    normals = NormalField(model.faces, model.vertex_count)(truth).astype(np.float64)
    tree, found = cKDTree(truth), np.asarray(vertices, np.float64)
    error = np.zeros(len(found))
    for part in range(len(model.part_names)):
        mine = np.flatnonzero(model.part_labels == part)
        points = found[mine] - found[mine].mean(0) + truth[mine].mean(0)
        for step in range(ALIGNMENTS + 1):
            nearest = tree.query(points)[1]
            n = normals[nearest]
            offset = np.einsum("vi,vi->v", points - truth[nearest], n)
            if step < ALIGNMENTS:
                middle = points.mean(0)
                rows = np.column_stack([np.cross(points - middle, n), n])
                turn, shift = np.split(-np.linalg.lstsq(rows, offset, rcond=None)[0], 2)
                points = middle + (points - middle) @ rotation_matrices(turn[None])[0].T + shift
        error[mine] = offset
    return error


def seen_of_trunk_and_limbs(model: BodyModel, coverage: NDArray) -> NDArray[np.bool_]:
    """Which vertices are judged, (V,): seen ones of trunk and limbs."""
    parts = [model.part(part) for part in TRUNK_AND_LIMBS]
    return np.isin(model.part_labels, parts) & (np.asarray(coverage) > SEEN)
