"""Plain twins of the body model's kernels."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def shape(template, basis, coefficients):
    """template + sum_k c_k basis_k, in float64."""
    vertices = template.astype(np.float64)
    for coefficient, component in zip(coefficients, basis, strict=False):
        vertices = vertices + coefficient * component.astype(np.float64)
    return vertices


def pose_joints(joints_rest, rotation_vectors, parents, root):
    """Transforms (J, 4, 4) from rest to posed, joint by joint with homogeneous matrices."""
    transforms = []
    for joint, vector, parent in zip(joints_rest, rotation_vectors, parents, strict=True):
        there, back, turn = np.eye(4), np.eye(4), np.eye(4)
        there[:3, 3], back[:3, 3] = joint, -joint
        turn[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
        before = root if parent < 0 else transforms[parent]
        transforms.append(before @ there @ turn @ back)
    return np.array(transforms)


def skin_vertices(rest, skin_joints, skin_weights, transforms):
    """Linear blend skinning, vertex by vertex, in float64."""
    posed = np.zeros(rest.shape)
    for v, point in enumerate(rest.astype(np.float64)):
        for joint, weight in zip(skin_joints[v], skin_weights[v], strict=True):
            posed[v] += weight * (transforms[joint, :3, :3] @ point + transforms[joint, :3, 3])
    return posed
