"""Forward kinematics of a joint tree."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def pose_joints(joints_rest, rotation_vectors, parents, root, out):
    """Chain local rotations about joints into rest-to-posed transforms.

    out_j = out_parent(j) * [R_j | p_j - R_j p_j], with R_j by Rodrigues' formula from rotation_vectors (J, 3) [rad]
    and p_j from joints_rest (J, 3) [m]; parents (J,) int32, -1 takes `root` (4, 4); out (J, 4, 4). All float64.
    """
    local = np.empty((3, 4))
    for j in range(joints_rest.shape[0]):
        x, y, z = rotation_vectors[j]
        angle = np.sqrt(x * x + y * y + z * z)
        if angle < 1e-12:
            sine, versine = 0.0, 0.0
        else:
            x, y, z = x / angle, y / angle, z / angle
            sine, versine = np.sin(angle), 1.0 - np.cos(angle)
        local[0, 0] = 1.0 - versine * (y * y + z * z)
        local[0, 1] = versine * x * y - sine * z
        local[0, 2] = versine * x * z + sine * y
        local[1, 0] = versine * x * y + sine * z
        local[1, 1] = 1.0 - versine * (x * x + z * z)
        local[1, 2] = versine * y * z - sine * x
        local[2, 0] = versine * x * z - sine * y
        local[2, 1] = versine * y * z + sine * x
        local[2, 2] = 1.0 - versine * (x * x + y * y)
        for i in range(3):
            turned = 0.0
            for k in range(3):
                turned += local[i, k] * joints_rest[j, k]
            local[i, 3] = joints_rest[j, i] - turned
        parent = parents[j]
        before = root if parent < 0 else out[parent]
        for i in range(3):
            for k in range(4):
                total = before[i, 3] if k == 3 else 0.0
                for m in range(3):
                    total += before[i, m] * local[m, k]
                out[j, i, k] = total
            out[j, 3, i] = 0.0
        out[j, 3, 3] = 1.0


@njit(nogil=True, cache=True)
def shift_joints(parents, rotations, root, basis, moved, out):
    """How far each joint's transform moves a point at rest per shape coefficient, apart from its own displacement.

    out_j = dc_j - R_j dJ_j with dc_j = dc_parent + R_parent (dJ_j - dJ_parent), dJ `basis` (J, 3, K); of the first
    joint dc = `root` dJ. rotations (J, 3, 3), root (3, 3); moved (J, 3, K) is scratch, the joints' own motion dc.
    """
    count = basis.shape[2]
    for j in range(parents.shape[0]):
        p = parents[j]
        for i in range(3):
            for k in range(count):
                moved[j, i, k] = 0.0 if p < 0 else moved[p, i, k]
            for l in range(3):
                turn = root[i, l] if p < 0 else rotations[p, i, l]
                for k in range(count):
                    moved[j, i, k] += turn * (basis[j, l, k] - (0.0 if p < 0 else basis[p, l, k]))
            for k in range(count):
                out[j, i, k] = moved[j, i, k]
            for l in range(3):
                turn = rotations[j, i, l]
                for k in range(count):
                    out[j, i, k] -= turn * basis[j, l, k]
