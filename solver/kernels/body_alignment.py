"""Normal equations of the articulated body: analytic Jacobians through linear blend skinning."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

ROOT_COUNT = 6
"""Parameters of the rigid motion: rotation about the pelvis, then translation, both in world axes."""


class LinearisedBody(NamedTuple):
    """The body at the pose where it is linearised, as the kernels want it.

    A *point* is a vertex (index below V) or a joint (index V + j): joints are skinned points with one weight.
    P = V + J points, J joints, K shape coefficients (0 where shape is fixed).
    """

    rest: NDArray[np.float32]
    """Points at rest [m], (P, 3), frame b."""
    skin_joints: NDArray[np.int32]
    """(P, 4)."""
    skin_weights: NDArray[np.float32]
    """(P, 4)."""
    transforms: NDArray[np.float64]
    """Rest to world of each joint, (J, 3, 4)."""
    centres: NDArray[np.float64]
    """Joint positions in the world [m], (J, 3)."""
    chains: NDArray[np.int32]
    """Active joints that move each joint, itself among them, (J, D); -1 after the last."""
    columns: NDArray[np.int32]
    """First parameter of each joint's rotation, -1 where it is not active, (J,)."""
    basis: NDArray[np.float32]
    """Displacement of the points at rest per coefficient, (P, 3, K)."""
    joint_shifts: NDArray[np.float64]
    """Displacement of each joint's transform per coefficient, (J, 3, K): how far a point at rest moves in the world
    because joints moved, apart from its own displacement."""


@njit(nogil=True, cache=True, parallel=True)
def pose_points(body, corners, barycentric, out):
    """World positions of points on the body: out_n = sum_c b_nc * sum_k w_k * T_k * rest_c.

    corners (N, 3) int32 point indices; barycentric (N, 3) float64; out (N, 3) float64.
    """
    for n in prange(corners.shape[0]):
        x = 0.0
        y = 0.0
        z = 0.0
        for c in range(3):
            b = barycentric[n, c]
            if b == 0.0:
                continue
            v = corners[n, c]
            for k in range(4):
                w = b * body.skin_weights[v, k]
                if w == 0.0:
                    continue
                t = body.transforms[body.skin_joints[v, k]]
                r = body.rest[v]
                x += w * (t[0, 0] * r[0] + t[0, 1] * r[1] + t[0, 2] * r[2] + t[0, 3])
                y += w * (t[1, 0] * r[0] + t[1, 1] * r[1] + t[1, 2] * r[2] + t[1, 3])
                z += w * (t[2, 0] * r[0] + t[2, 1] * r[1] + t[2, 2] * r[2] + t[2, 3])
        out[n, 0] = x
        out[n, 1] = y
        out[n, 2] = z


@njit(nogil=True, cache=True)
def _write_row(body, corners, barycentric, direction, row, touched, lever):
    """One row of the Jacobian, d(direction . v) / d(parameters), into `row` (only columns of touched joints, root and
    shape are written). Returns how many joints of `touched` are in use.

    With a_j = sum of w_k (T_k rest) and W_j = sum of w_k over the influences below joint j, a rotation e about joint j
    moves the point by e x (a_j - W_j c_j), so the row's block is (a_j - W_j c_j) x direction.
    """
    joints_in_use = 0
    d0 = direction[0]
    d1 = direction[1]
    d2 = direction[2]
    shape_column = row.shape[0] - body.basis.shape[2]
    for m in range(shape_column, row.shape[0]):
        row[m] = 0.0
    x = 0.0
    y = 0.0
    z = 0.0
    for c in range(3):
        b = barycentric[c]
        if b == 0.0:
            continue
        v = corners[c]
        u0 = 0.0
        u1 = 0.0
        u2 = 0.0
        for k in range(4):
            w = b * body.skin_weights[v, k]
            if w == 0.0:
                continue
            j = body.skin_joints[v, k]
            t = body.transforms[j]
            r = body.rest[v]
            px = w * (t[0, 0] * r[0] + t[0, 1] * r[1] + t[0, 2] * r[2] + t[0, 3])
            py = w * (t[1, 0] * r[0] + t[1, 1] * r[1] + t[1, 2] * r[2] + t[1, 3])
            pz = w * (t[2, 0] * r[0] + t[2, 1] * r[1] + t[2, 2] * r[2] + t[2, 3])
            x += px
            y += py
            z += pz
            for i in range(body.chains.shape[1]):
                a = body.chains[j, i]
                if a < 0:
                    break
                known = False
                for s in range(joints_in_use):
                    if touched[s] == a:
                        known = True
                        break
                if not known:
                    touched[joints_in_use] = a
                    joints_in_use += 1
                    lever[a, 0] = 0.0
                    lever[a, 1] = 0.0
                    lever[a, 2] = 0.0
                lever[a, 0] += px - w * body.centres[a, 0]
                lever[a, 1] += py - w * body.centres[a, 1]
                lever[a, 2] += pz - w * body.centres[a, 2]
            if shape_column < row.shape[0]:
                u0 += w * (t[0, 0] * d0 + t[1, 0] * d1 + t[2, 0] * d2)
                u1 += w * (t[0, 1] * d0 + t[1, 1] * d1 + t[2, 1] * d2)
                u2 += w * (t[0, 2] * d0 + t[1, 2] * d1 + t[2, 2] * d2)
                s = body.joint_shifts[j]
                for m in range(body.basis.shape[2]):
                    row[shape_column + m] += w * (d0 * s[0, m] + d1 * s[1, m] + d2 * s[2, m])
        if shape_column < row.shape[0]:
            s = body.basis[v]
            for m in range(body.basis.shape[2]):
                row[shape_column + m] += u0 * s[0, m] + u1 * s[1, m] + u2 * s[2, m]
    x -= body.centres[0, 0]
    y -= body.centres[0, 1]
    z -= body.centres[0, 2]
    row[0] = y * d2 - z * d1
    row[1] = z * d0 - x * d2
    row[2] = x * d1 - y * d0
    row[3] = d0
    row[4] = d1
    row[5] = d2
    for s in range(joints_in_use):
        a = touched[s]
        column = body.columns[a]
        row[column] = lever[a, 1] * d2 - lever[a, 2] * d1
        row[column + 1] = lever[a, 2] * d0 - lever[a, 0] * d2
        row[column + 2] = lever[a, 0] * d1 - lever[a, 1] * d0
    return joints_in_use


@njit(nogil=True, cache=True, parallel=True)
def accumulate_rows(body, corners, barycentric, directions, residuals, weights, hessians, gradients):
    """Add sum_n w_n J_n^T J_n and sum_n w_n J_n^T r_n, where J_n = d(direction_n . v_n) / d(parameters).

    corners (N, 3) int32 point indices; barycentric, directions (N, 3), residuals, weights (N,) float64.
    hessians (S, M, M), gradients (S, M) float64: one slab for each share of the rows, so that threads never meet and
    the sum does not depend on their number. Only lower triangles are written. Rotations are in world axes.
    """
    share_count = hessians.shape[0]
    row_count = corners.shape[0]
    parameter_count = gradients.shape[1]
    shape_count = body.basis.shape[2]
    shape_column = parameter_count - shape_count
    for share in prange(share_count):
        hessian = hessians[share]
        gradient = gradients[share]
        row = np.empty(parameter_count)
        used = np.empty(shape_column, np.int32)
        touched = np.empty(body.centres.shape[0], np.int32)
        lever = np.empty((body.centres.shape[0], 3))
        for n in range(share * row_count // share_count, (share + 1) * row_count // share_count):
            weight = weights[n]
            if weight <= 0.0:
                continue
            joints_in_use = _write_row(body, corners[n], barycentric[n], directions[n], row, touched, lever)
            used_count = ROOT_COUNT
            for i in range(ROOT_COUNT):
                used[i] = i
            for s in range(joints_in_use):
                for i in range(3):
                    used[used_count] = body.columns[touched[s]] + i
                    used_count += 1
            for i in range(used_count):
                p = used[i]
                value = weight * row[p]
                gradient[p] += value * residuals[n]
                for k in range(i + 1):
                    q = used[k]
                    # Joints come in any order: the lower triangle is where the row's index is the larger one.
                    if q <= p:
                        hessian[p, q] += value * row[q]
                    else:
                        hessian[q, p] += value * row[q]
            for p in range(shape_column, parameter_count):
                value = weight * row[p]
                gradient[p] += value * residuals[n]
                for i in range(used_count):
                    hessian[p, used[i]] += value * row[used[i]]
                for q in range(shape_column, p + 1):
                    hessian[p, q] += value * row[q]


@njit(nogil=True, cache=True)
def write_jacobian(body, corners, barycentric, directions, out):
    """The Jacobian itself, one row a point, (N, M) float64; for those who need it whole."""
    touched = np.empty(body.centres.shape[0], np.int32)
    lever = np.empty((body.centres.shape[0], 3))
    for n in range(corners.shape[0]):
        out[n, :] = 0.0
        _write_row(body, corners[n], barycentric[n], directions[n], out[n], touched, lever)
