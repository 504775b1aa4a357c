"""Normal equations of the articulated body: analytic Jacobians through linear blend skinning.

A rotation about a joint moves everything below it as one rigid body, so a row of the Jacobian is a linear function of
the wrenches (moment about the origin, force) with which the row's direction pulls at the few joints that carry its
point: row = sum_o B_o [m_o; f_o], with m_o = (sum w_k T_k rest) x d and f_o = (sum w_k) d over the influences owned by
joint o (spatial algebra, Featherstone 2008, chapter 2). Rows are summed as products of wrenches, 6 numbers a joint
instead of 3 for every joint up the chain, and B, the same for all rows, is applied once to the sum.
"""

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
    owners: NDArray[np.int32]
    """Which wrench each joint's influence belongs to, (J,): 0 for the root, 1 + n for the n-th active joint."""
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
    total = 0.0
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
            total += w
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
    x -= total * body.centres[0, 0]
    y -= total * body.centres[0, 1]
    z -= total * body.centres[0, 2]
    row[0] = y * d2 - z * d1
    row[1] = z * d0 - x * d2
    row[2] = x * d1 - y * d0
    row[3] = total * d0
    row[4] = total * d1
    row[5] = total * d2
    for s in range(joints_in_use):
        a = touched[s]
        column = body.columns[a]
        row[column] = lever[a, 1] * d2 - lever[a, 2] * d1
        row[column + 1] = lever[a, 2] * d0 - lever[a, 0] * d2
        row[column + 2] = lever[a, 0] * d1 - lever[a, 1] * d0
    return joints_in_use


@njit(nogil=True, cache=True)
def _write_wrenches(body, corners, barycentric, direction, owners, wrenches):
    """The wrenches of one row, (n, 6) into `wrenches`, of n different `owners`. Returns n."""
    d0, d1, d2 = direction[0], direction[1], direction[2]
    in_use = 0
    for c in range(3):
        b = barycentric[c]
        if b == 0.0:
            continue
        v = corners[c]
        r0, r1, r2 = body.rest[v, 0], body.rest[v, 1], body.rest[v, 2]
        for k in range(4):
            w = b * body.skin_weights[v, k]
            if w == 0.0:
                continue
            j = body.skin_joints[v, k]
            t = body.transforms
            x = w * (t[j, 0, 0] * r0 + t[j, 0, 1] * r1 + t[j, 0, 2] * r2 + t[j, 0, 3])
            y = w * (t[j, 1, 0] * r0 + t[j, 1, 1] * r1 + t[j, 1, 2] * r2 + t[j, 1, 3])
            z = w * (t[j, 2, 0] * r0 + t[j, 2, 1] * r1 + t[j, 2, 2] * r2 + t[j, 2, 3])
            owner = body.owners[j]
            s = 0
            while s < in_use and owners[s] != owner:
                s += 1
            if s == in_use:
                owners[s] = owner
                wrenches[s, :] = 0.0
                in_use += 1
            wrenches[s, 0] += y * d2 - z * d1
            wrenches[s, 1] += z * d0 - x * d2
            wrenches[s, 2] += x * d1 - y * d0
            wrenches[s, 3] += w * d0
            wrenches[s, 4] += w * d1
            wrenches[s, 5] += w * d2
    return in_use


@njit(nogil=True, cache=True)
def _write_shape_row(body, corners, barycentric, direction, joints, forces, row):
    """d(direction . v) / d(shape), (K,) into `row`; joints (12,) and forces (12, 3) are scratch."""
    d0, d1, d2 = direction[0], direction[1], direction[2]
    count = row.shape[0]
    row[:] = 0.0
    in_use = 0
    for c in range(3):
        b = barycentric[c]
        if b == 0.0:
            continue
        v = corners[c]
        u0 = u1 = u2 = 0.0
        for k in range(4):
            w = b * body.skin_weights[v, k]
            if w == 0.0:
                continue
            j = body.skin_joints[v, k]
            t = body.transforms
            u0 += w * (t[j, 0, 0] * d0 + t[j, 1, 0] * d1 + t[j, 2, 0] * d2)
            u1 += w * (t[j, 0, 1] * d0 + t[j, 1, 1] * d1 + t[j, 2, 1] * d2)
            u2 += w * (t[j, 0, 2] * d0 + t[j, 1, 2] * d1 + t[j, 2, 2] * d2)
            s = 0
            while s < in_use and joints[s] != j:
                s += 1
            if s == in_use:
                joints[s] = j
                forces[s, :] = 0.0
                in_use += 1
            forces[s, 0] += w * d0
            forces[s, 1] += w * d1
            forces[s, 2] += w * d2
        g = body.basis[v]
        for m in range(count):
            row[m] += u0 * g[0, m] + u1 * g[1, m] + u2 * g[2, m]
    for s in range(in_use):
        e0, e1, e2 = forces[s, 0], forces[s, 1], forces[s, 2]
        shifts = body.joint_shifts[joints[s]]
        for m in range(count):
            row[m] += e0 * shifts[0, m] + e1 * shifts[1, m] + e2 * shifts[2, m]


@njit(nogil=True, cache=True)
def _add_shape_rows(rows, weights, first, product):
    """Adds sum_i w_i s_i s_i^T of four rows (4, K) to the lower triangle of `product` from row and column `first` on.

    Four rows and two of the product's at a time: each number that is loaded is used several times.
    """
    count = rows.shape[1]
    r0, r1, r2, r3 = rows[0], rows[1], rows[2], rows[3]
    for m in range(0, count - 1, 2):
        a0, a1, a2, a3 = weights[0] * r0[m], weights[1] * r1[m], weights[2] * r2[m], weights[3] * r3[m]
        n = m + 1
        b0, b1, b2, b3 = weights[0] * r0[n], weights[1] * r1[n], weights[2] * r2[n], weights[3] * r3[n]
        upper = product[first + m, first : first + count]
        lower = product[first + n, first : first + count]
        for q in range(m + 2):
            upper[q] += a0 * r0[q] + a1 * r1[q] + a2 * r2[q] + a3 * r3[q]
            lower[q] += b0 * r0[q] + b1 * r1[q] + b2 * r2[q] + b3 * r3[q]
    if count % 2 == 1:
        m = count - 1
        last = product[first + m, first : first + count]
        for q in range(count):
            for i in range(4):
                last[q] += weights[i] * rows[i, m] * rows[i, q]


@njit(nogil=True, cache=True, parallel=True)
def accumulate_rows(body, corners, barycentric, directions, residuals, weights, products, pulls):
    """Add sum_n w_n s_n s_n^T and sum_n w_n s_n r_n, where s_n are the wrenches and the shape part of row n.

    corners (N, 3) int32 point indices; barycentric, directions (N, 3), residuals, weights (N,) float64.
    products (S, 6 O + K, 6 O + K), pulls (S, 6 O + K) float64, O owners: one slab for each share of the rows, so that
    threads never meet and the sum does not depend on their number. Of products only the blocks where the row's owner
    is not less than the column's are meant, of wrenches and shape those whose rows are wrenches, and of the shape only
    the lower triangle.
    """
    share_count = products.shape[0]
    row_count = corners.shape[0]
    shape_count = body.basis.shape[2]
    shape_row = pulls.shape[1] - shape_count
    for share in prange(share_count):
        product = products[share]
        pull = pulls[share]
        owners = np.empty(12, np.int32)
        wrenches = np.empty((12, 6))
        joints = np.empty(12, np.int32)
        forces = np.empty((12, 3))
        shapes = np.zeros((4, shape_count))
        waiting = np.zeros(4)
        held = 0
        for n in range(share * row_count // share_count, (share + 1) * row_count // share_count):
            weight = weights[n]
            if weight <= 0.0:
                continue
            in_use = _write_wrenches(body, corners[n], barycentric[n], directions[n], owners, wrenches)
            for s in range(in_use):
                first = 6 * owners[s]
                for i in range(6):
                    value = weight * wrenches[s, i]
                    pull[first + i] += value * residuals[n]
                    for t in range(in_use):
                        if owners[t] <= owners[s]:
                            column = 6 * owners[t]
                            for k in range(6):
                                product[first + i, column + k] += value * wrenches[t, k]
            if shape_count > 0:
                shape = shapes[held]
                _write_shape_row(body, corners[n], barycentric[n], directions[n], joints, forces, shape)
                value = weight * residuals[n]
                own = pull[shape_row:]
                for m in range(shape_count):
                    own[m] += value * shape[m]
                for s in range(in_use):
                    for i in range(6):
                        value = weight * wrenches[s, i]
                        across = product[6 * owners[s] + i, shape_row:]
                        for m in range(shape_count):
                            across[m] += value * shape[m]
                waiting[held] = weight
                held += 1
                if held == 4:
                    _add_shape_rows(shapes, waiting, shape_row, product)
                    held = 0
        if held > 0:
            waiting[held:] = 0.0
            _add_shape_rows(shapes, waiting, shape_row, product)


@njit(nogil=True, cache=True)
def write_jacobian(body, corners, barycentric, directions, out):
    """The Jacobian itself, one row a point, (N, M) float64; for those who need it whole."""
    touched = np.empty(body.centres.shape[0], np.int32)
    lever = np.empty((body.centres.shape[0], 3))
    for n in range(corners.shape[0]):
        out[n, :] = 0.0
        _write_row(body, corners[n], barycentric[n], directions[n], out[n], touched, lever)
