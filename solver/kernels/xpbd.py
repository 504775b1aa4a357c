"""Cloth constraints by extended position-based dynamics: one Gauss-Seidel sweep a substep.

XPBD (Macklin, Mueller & Chentanez 2016) with small steps (Macklin et al. 2019): a constraint C(x) of compliance alpha
moves its particles by dx_i = w_i grad_i C dlambda, dlambda = -C / (sum_j w_j |grad_j C|^2 + alpha / dt^2).

Constraints lie in compact blocks. Blocks of one colour share no particle and run at the same time; inside a block the
constraints follow each other, so the result does not depend on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

FAST = {"contract", "arcp", "nsz", "reassoc"}


class ClothConstraints(NamedTuple):
    """The constraints of one garment (T triangles, H hinges, B blocks, C colours)."""

    triangles: NDArray[np.int32]
    """Particles, shape (T, 3), block by block."""
    strain: NDArray[np.float32]
    """Shape (T, 10): a1, a2, b1, b2, by which fu = a1 (x1 - x0) + a2 (x2 - x0) and fv likewise (1/m); sum w a^2,
    sum w b^2, sum w a b; 1 / (sum w a^2 + compliance / dt^2) for weft, the like for warp; shear's compliance / dt^2."""
    hinges: NDArray[np.int32]
    """The two particles of the common edge, then the two opposite ones, shape (H, 4)."""
    bending: NDArray[np.float32]
    """Shape (H, 5): the weights k_i of the four particles in the bend vector sum_i k_i x_i, and the inverse of
    sum_i w_i k_i^2 + compliance / dt^2."""
    block_triangles: NDArray[np.int32]
    """Where each block's triangles begin, shape (B + 1,)."""
    block_hinges: NDArray[np.int32]
    """Where each block's hinges begin, shape (B + 1,)."""
    colors: NDArray[np.int32]
    """Where each colour's blocks begin, shape (C + 1,)."""


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def solve_strain(x, corners, s, compression):
    """Weft and warp strain of one triangle, then its shear.

    With fu, fv the columns of the deformation gradient in grain axes the constraints are |fu| - 1, |fv| - 1 and
    fu . fv (as in strain based dynamics, Mueller et al. 2014). The first two have orthogonal gradients as long as the
    threads are, so they are solved together; shear is not orthogonal to them and must see their result: one sweep a
    substep is stable only up to an over-relaxation of 4/3 (the roots of z^2 + 2 (w - 1) z - (w - 1)). `compression`
    scales the correction of a shortened thread: real cloth buckles below the size of a triangle.
    """
    one = np.float32(1.0)
    # Unsigned indices: Numba then leaves out the test for negative ones.
    i, j, k = np.uint64(corners[0]), np.uint64(corners[1]), np.uint64(corners[2])
    a1, a2, b1, b2 = s[0], s[1], s[2], s[3]
    xi0, xi1, xi2, wi = x[i, 0], x[i, 1], x[i, 2], x[i, 3]
    xj0, xj1, xj2, wj = x[j, 0], x[j, 1], x[j, 2], x[j, 3]
    xk0, xk1, xk2, wk = x[k, 0], x[k, 1], x[k, 2], x[k, 3]
    u0 = (xj0 - xi0) * a1 + (xk0 - xi0) * a2
    u1 = (xj1 - xi1) * a1 + (xk1 - xi1) * a2
    u2 = (xj2 - xi2) * a1 + (xk2 - xi2) * a2
    v0 = (xj0 - xi0) * b1 + (xk0 - xi0) * b2
    v1 = (xj1 - xi1) * b1 + (xk1 - xi1) * b2
    v2 = (xj2 - xi2) * b1 + (xk2 - xi2) * b2
    uu = max(u0 * u0 + u1 * u1 + u2 * u2, np.float32(1e-6))
    vv = max(v0 * v0 + v1 * v1 + v2 * v2, np.float32(1e-6))
    # -C / |f| is 1 / |f| - 1, and s[7], s[8] hold 1 / (sum w a^2 + compliance / dt^2).
    weft = (one / np.sqrt(uu) - one) * s[7]
    warp = (one / np.sqrt(vv) - one) * s[8]
    if weft > 0.0:
        weft *= compression
    if warp > 0.0:
        warp *= compression
    # dx_i = w_i (a_i g + b_i h) changes fu by s4 g + s6 h and fv by s6 g + s5 h.
    g0, g1, g2 = weft * u0, weft * u1, weft * u2
    h0, h1, h2 = warp * v0, warp * v1, warp * v2
    u0 += s[4] * g0 + s[6] * h0
    u1 += s[4] * g1 + s[6] * h1
    u2 += s[4] * g2 + s[6] * h2
    v0 += s[6] * g0 + s[5] * h0
    v1 += s[6] * g1 + s[5] * h1
    v2 += s[6] * g2 + s[5] * h2
    uu = u0 * u0 + u1 * u1 + u2 * u2
    vv = v0 * v0 + v1 * v1 + v2 * v2
    uv = u0 * v0 + u1 * v1 + u2 * v2
    # grad_i of fu . fv is a_i fv + b_i fu
    shear = -uv / max(s[4] * vv + s[5] * uu + np.float32(2.0) * s[6] * uv + s[9], np.float32(1e-9))
    g0 += shear * v0
    g1 += shear * v1
    g2 += shear * v2
    h0 += shear * u0
    h1 += shear * u1
    h2 += shear * u2
    a0, b0 = -a1 - a2, -b1 - b2
    x[i, 0] = xi0 + wi * (a0 * g0 + b0 * h0)
    x[i, 1] = xi1 + wi * (a0 * g1 + b0 * h1)
    x[i, 2] = xi2 + wi * (a0 * g2 + b0 * h2)
    x[j, 0] = xj0 + wj * (a1 * g0 + b1 * h0)
    x[j, 1] = xj1 + wj * (a1 * g1 + b1 * h1)
    x[j, 2] = xj2 + wj * (a1 * g2 + b1 * h2)
    x[k, 0] = xk0 + wk * (a2 * g0 + b2 * h0)
    x[k, 1] = xk1 + wk * (a2 * g1 + b2 * h1)
    x[k, 2] = xk2 + wk * (a2 * g2 + b2 * h2)


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def solve_bending(x, h, c):
    """Bending of one hinge that is flat at rest: the quadratic model of Bergou et al. 2006, eq. 4.

    The energy B/2 / (A0 + A1) * |sum_i k_i x_i|^2 is a sum over x, y and z, which are solved one by one. The factor is
    a third of the paper's: with it a rolled sheet of even triangles has the energy B/2 * curvature^2 of a plate.
    """
    p, q, r, s = np.uint64(h[0]), np.uint64(h[1]), np.uint64(h[2]), np.uint64(h[3])
    for axis in range(3):
        bend = c[0] * x[p, axis] + c[1] * x[q, axis] + c[2] * x[r, axis] + c[3] * x[s, axis]
        step = -bend * c[4]
        x[p, axis] += x[p, 3] * c[0] * step
        x[q, axis] += x[q, 3] * c[1] * step
        x[r, axis] += x[r, 3] * c[2] * step
        x[s, axis] += x[s, 3] * c[3] * step


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def solve_constraints(constraints, compression, with_bending, positions):
    """One sweep over all constraints. positions (P, 4) float32: x, y, z [m] and inverse mass [1/kg]."""
    triangles = constraints.triangles
    strain = constraints.strain
    hinges = constraints.hinges
    bending = constraints.bending
    block_triangles = constraints.block_triangles
    block_hinges = constraints.block_hinges
    for color in range(constraints.colors.shape[0] - 1):
        for b in prange(constraints.colors[color], constraints.colors[color + 1]):
            for t in range(block_triangles[b], block_triangles[b + 1]):
                solve_strain(positions, triangles[t], strain[t], compression)
            if with_bending:
                for h in range(block_hinges[b], block_hinges[b + 1]):
                    solve_bending(positions, hinges[h], bending[h])


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def predict_positions(gravity_dt, dt, velocities, previous, positions):
    """Explicit step: previous = positions; v += dt * g where the particle is free; positions += dt * v.

    gravity_dt (3,) [m/s] is gravity times dt; velocities, previous (P, 3); positions (P, 4).
    """
    for i in prange(positions.shape[0]):
        free = positions[i, 3] > 0.0
        for axis in range(3):
            previous[i, axis] = positions[i, axis]
            if free:
                positions[i, axis] += dt * (velocities[i, axis] + gravity_dt[axis])


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def pull_tethers(anchors, lengths, positions):
    """Long-range attachments (Kim, Chentanez & Mueller 2012): no particle strays from its anchor further than the cloth
    between them is long. anchors (P,) particle or -1; lengths (P,) [m]. Anchors themselves have none."""
    for i in prange(positions.shape[0]):
        a = anchors[i]
        if a < 0 or positions[i, 3] == 0.0:
            continue
        d0 = positions[i, 0] - positions[a, 0]
        d1 = positions[i, 1] - positions[a, 1]
        d2 = positions[i, 2] - positions[a, 2]
        squared = d0 * d0 + d1 * d1 + d2 * d2
        if squared > lengths[i] * lengths[i]:
            scale = lengths[i] / np.sqrt(squared)
            positions[i, 0] = positions[a, 0] + scale * d0
            positions[i, 1] = positions[a, 1] + scale * d1
            positions[i, 2] = positions[a, 2] + scale * d2


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def update_velocities(inverse_dt, damping, speed_limit, previous, positions, velocities):
    """v = damping * (positions - previous) / dt, no faster than `speed_limit` [m/s].

    A particle that is faster loses the excess of its way as well, so that one bad substep cannot tear the cloth.
    """
    for i in prange(positions.shape[0]):
        d0 = positions[i, 0] - previous[i, 0]
        d1 = positions[i, 1] - previous[i, 1]
        d2 = positions[i, 2] - previous[i, 2]
        speed = np.sqrt(d0 * d0 + d1 * d1 + d2 * d2) * inverse_dt
        if speed > speed_limit:
            scale = speed_limit / speed
            d0 *= scale
            d1 *= scale
            d2 *= scale
            positions[i, 0] = previous[i, 0] + d0
            positions[i, 1] = previous[i, 1] + d1
            positions[i, 2] = previous[i, 2] + d2
        factor = damping * inverse_dt
        velocities[i, 0] = d0 * factor
        velocities[i, 1] = d1 * factor
        velocities[i, 2] = d2 * factor
