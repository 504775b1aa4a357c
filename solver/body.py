"""The body model: a linear shape space over a skinned template, and its kinematics.

Vertices at rest are template + basis . coefficients; joints at rest are linear in the same coefficients; the posed
body is linear blend skinning of the rest body (Magnenat-Thalmann et al. 1988), rotations about joints relative to the
parent and expressed in the axes of frame b, as in SMPL (Loper et al. 2015) but without pose-dependent shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.kernels.blend_shape import blend_shape
from solver.kernels.kinematics import pose_joints
from solver.kernels.rotations import write_rotation_matrices
from solver.kernels.skinning import skin_vertices


@dataclass(frozen=True, slots=True)
class BodyModel:
    """What never changes about bodies (V vertices, J joints, K shape components). Loaded by `game.assets`."""

    template: NDArray[np.float32]
    """Mean adult at rest [m], shape (V, 3), frame b."""
    shape_basis: NDArray[np.float32]
    """Displacement per standard deviation [m], shape (K, V, 3)."""
    faces: NDArray[np.int32]
    """Triangles, shape (F, 3)."""
    uv: NDArray[np.float32]
    """Texture coordinates, shape (T, 2)."""
    uv_faces: NDArray[np.int32]
    """Texture coordinate indices of the triangles' corners, shape (F, 3)."""
    joint_names: tuple[str, ...]
    joint_parents: NDArray[np.int32]
    """Parent of each joint, -1 for the pelvis; parents come before children. Shape (J,)."""
    joint_template: NDArray[np.float32]
    """Mean joint positions at rest [m], shape (J, 3), frame b."""
    joint_basis: NDArray[np.float32]
    """Joint displacement per standard deviation [m], shape (K, J, 3)."""
    skin_joints: NDArray[np.int32]
    """The four joints that move each vertex, shape (V, 4)."""
    skin_weights: NDArray[np.float32]
    """Their weights, rows sum to 1, shape (V, 4)."""
    part_names: tuple[str, ...]
    part_labels: NDArray[np.uint8]
    """Index into `part_names` of each vertex, shape (V,)."""
    landmarks: Mapping[str, int]
    """Vertex index of each named landmark."""
    region_names: tuple[str, ...]
    """How surfaces look: skin, scalp, brows, eyes (the white), irises, pupils, lips, mouth_inside, nails, areolae."""
    region_labels: NDArray[np.uint8]
    """Index into `region_names` of each vertex, shape (V,)."""
    mirror: NDArray[np.int32]
    """The vertex on the other side of the body of each vertex, shape (V,)."""
    regressor_vertices: NDArray[np.int32]
    """Vertices that give each joint of any rest body, also one outside the shape space, shape (J, R)."""
    regressor_weights: NDArray[np.float32]
    """Their weights, not negative, rows sum to 1, shape (J, R)."""
    head_vertices: NDArray[np.int32]
    """The vertices that `head_basis` and `facial_units` move, shape (H,)."""
    head_template: NDArray[np.float32]
    """Mean head [m], shape (H, 3), frame b: `template` at `head_vertices`."""
    head_basis: NDArray[np.float32]
    """What the shape basis leaves of heads [m] per standard deviation, added to the shaped body, shape (C, H, 3)."""
    facial_unit_names: tuple[str, ...]
    facial_units: NDArray[np.float32]
    """Displacement of each facial action at full effect [m], shape (U, H, 3)."""

    @property
    def vertex_count(self) -> int:
        """V."""
        return self.template.shape[0]

    @property
    def joint_count(self) -> int:
        """J."""
        return len(self.joint_names)

    @property
    def shape_count(self) -> int:
        """K."""
        return self.shape_basis.shape[0]

    def joint(self, name: str) -> int:
        """Index of the joint called `name`."""
        return self.joint_names.index(name)

    def part(self, name: str) -> int:
        """Index of the part called `name`."""
        return self.part_names.index(name)

    def in_region(self, *names: str) -> NDArray[np.bool_]:
        """Which vertices lie in one of the regions called `names`, shape (V,)."""
        return np.isin(self.region_labels, [self.region_names.index(name) for name in names])


@dataclass(frozen=True, slots=True)
class RestBody:
    """One person's body at rest."""

    vertices: NDArray[np.float32]
    """[m], shape (V, 3), frame b."""
    joints: NDArray[np.float64]
    """[m], shape (J, 3), frame b."""


def shape_body(model: BodyModel, coefficients: NDArray) -> RestBody:
    """The rest body of shape `coefficients` (any length up to K; the rest are zero)."""
    coefficients = np.trim_zeros(np.asarray(coefficients, np.float64), "b")
    count = len(coefficients)
    vertices = np.empty_like(model.template)
    blend_shape(
        model.template.reshape(-1),
        model.shape_basis.reshape(model.shape_count, -1),
        coefficients.astype(np.float32),
        vertices.reshape(-1),
    )
    joints = model.joint_template + np.tensordot(coefficients, model.joint_basis[:count], 1)
    return RestBody(vertices, joints.astype(np.float64))


def rotation_matrices(rotation_vectors: NDArray) -> NDArray[np.float64]:
    """Rodrigues' formula: rotation vectors [rad], shape (N, 3), to matrices, shape (N, 3, 3)."""
    vectors = as_float64(rotation_vectors)
    out = np.empty((len(vectors), 3, 3))
    write_rotation_matrices(vectors, out)
    return out


def joint_transforms(
    model: BodyModel, joints_rest: NDArray, pose: NDArray, T_wb: NDArray | None = None
) -> NDArray[np.float64]:
    """Skinning transforms of all joints, shape (J, 4, 4): rest position in frame b to posed position in frame w.

    `pose` (J, 3) holds rotation vectors [rad]; `T_wb` (4, 4) defaults to the identity.
    """
    transforms = np.empty((model.joint_count, 4, 4))
    root = np.eye(4) if T_wb is None else T_wb
    pose_joints(as_float64(joints_rest), as_float64(pose), model.joint_parents, as_float64(root), transforms)
    return transforms


def skin(
    model: BodyModel, vertices_rest: NDArray[np.float32], transforms: NDArray, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Posed vertices [m], shape (V, 3), of `vertices_rest` under joint `transforms` (J, 4, 4)."""
    if out is None:
        out = np.empty_like(vertices_rest)
    matrices = np.ascontiguousarray(transforms[:, :3, :], np.float32)
    skin_vertices(vertices_rest, model.skin_joints, model.skin_weights, matrices, out)
    return out


ARM_ANGLE = np.deg2rad(45.0)
LEG_ANGLE = np.deg2rad(5.0)


def canonical_pose(
    model: BodyModel, joints_rest: NDArray, arm_angle: float = ARM_ANGLE, leg_angle: float = LEG_ANGLE
) -> NDArray[np.float64]:
    """The A-pose that measures are taken in, shape (J, 3): upper arms 45 degrees from the trunk in the frontal plane,
    legs 5 degrees apart from the vertical each, straight elbows and knees, feet, hands and head as at rest.

    Other angles [rad] from the vertical give stances of the same kind: arms at 90 degrees are a T-pose.
    """
    pose = np.zeros((model.joint_count, 3))
    for side, sign in (("l", 1.0), ("r", -1.0)):
        arm = np.array([sign * np.sin(arm_angle), 0.0, -np.cos(arm_angle)])
        leg = np.array([sign * np.sin(leg_angle), 0.0, -np.cos(leg_angle)])
        chains = ((arm, "upperarm", "lowerarm", "hand"), (leg, "thigh", "calf", "foot"))
        for direction, upper, lower, end in chains:
            a, b, c = (joints_rest[model.joint(f"{name}_{side}")] for name in (upper, lower, end))
            upper_turn = _turn_between(b - a, direction)
            pose[model.joint(f"{upper}_{side}")] = _rotation_vector(upper_turn)
            # The lower bone, seen in the turned upper bone's axes, must point the same way.
            pose[model.joint(f"{lower}_{side}")] = _rotation_vector(_turn_between(c - b, upper_turn.T @ direction))
        foot = model.joint(f"foot_{side}")
        legs = rotation_matrices(pose[[model.joint(f"thigh_{side}"), model.joint(f"calf_{side}")]])
        pose[foot] = _rotation_vector((legs[0] @ legs[1]).T)
    return pose


def as_float64(array: NDArray) -> NDArray[np.float64]:
    """`array` as the kernels know it: contiguous and, to compile but once, writable in type."""
    array = np.ascontiguousarray(array, np.float64)
    return array if array.flags.writeable else array.copy()


def _turn_between(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """The smallest rotation that takes direction `a` to direction `b`, shape (3, 3)."""
    a = a / np.linalg.norm(a)
    b = b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    if sine < 1e-12:
        return np.eye(3)
    return rotation_matrices((axis / sine * np.arctan2(sine, a @ b))[None])[0]


def _rotation_vector(matrix: NDArray) -> NDArray[np.float64]:
    """Inverse of `rotation_matrices` for one matrix with an angle below pi."""
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    sine = np.linalg.norm(axis) / 2.0
    if sine < 1e-12:
        return np.zeros(3)
    return axis / (2.0 * sine) * np.arctan2(sine, (np.trace(matrix) - 1.0) / 2.0)
