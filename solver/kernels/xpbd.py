"""Cloth constraints by extended position-based dynamics: one Gauss-Seidel sweep a substep.

XPBD (Macklin, Mueller & Chentanez 2016) with small steps (Macklin et al. 2019): a constraint C(x) of compliance alpha
moves its particles by dx_i = w_i grad_i C dlambda, dlambda = -C / (sum_j w_j |grad_j C|^2 + alpha / dt^2).

Constraints lie in compact blocks. Blocks of one colour share no particle and run at the same time; inside a block the
constraints follow each other, so the result does not depend on the number of threads. A block's triangles are sorted
into runs that share no particle either: a run goes through the processor's vector unit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

FAST = {"contract", "arcp", "nsz", "reassoc"}
RUN_MAX = 128
"""Triangles that are gathered, corrected and scattered at a time."""
ROW = RUN_MAX + 8
"""Stride of the buffers for them: a power of two would put all rows in the same cache lines."""


class ClothConstraints(NamedTuple):
    """The constraints of one garment (T triangles, H hinges, R runs, B blocks, C colours)."""

    triangles: NDArray[np.int32]
    """Particles, shape (T, 3), block by block, run by run."""
    strain: NDArray[np.float32]
    """Shape (10 T,): the numbers of each run's n triangles as a matrix (10, n). Rows: a1, a2, b1, b2, by which
    fu = a1 (x1 - x0) + a2 (x2 - x0) and fv likewise (1/m); sum w a^2, sum w b^2, sum w a b; 1 / (sum w a^2 +
    compliance / dt^2) for weft, the like for warp; shear's compliance / dt^2."""
    hinges: NDArray[np.int32]
    """The two particles of the common edge, then the two opposite ones, shape (H, 4)."""
    bending: NDArray[np.float32]
    """Shape (H, 5): the weights k_i of the four particles in the bend vector sum_i k_i x_i, and the inverse of
    sum_i w_i k_i^2 + compliance / dt^2."""
    runs: NDArray[np.int32]
    """Where each run of triangles begins, shape (R + 1,). Triangles of a run, RUN_MAX at most, share no particle."""
    block_runs: NDArray[np.int32]
    """Where each block's runs begin, shape (B + 1,)."""
    block_hinges: NDArray[np.int32]
    """Where each block's hinges begin, shape (B + 1,)."""
    colors: NDArray[np.int32]
    """Where each colour's blocks begin, shape (C + 1,)."""


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def correct_strain(count, strain, compression, before, after):
    """Weft and warp strain of `count` triangles that share no particle, then their shear: one pass of vector code.

    With fu, fv the columns of the deformation gradient in grain axes the constraints are |fu| - 1, |fv| - 1 and
    fu . fv (as in strain based dynamics, Mueller et al. 2014). The first two have orthogonal gradients as long as the
    threads are, so they are solved together; shear is not orthogonal to them and must see their result: one sweep a
    substep is stable only up to an over-relaxation of 4/3 (the roots of z^2 + 2 (w - 1) z - (w - 1)). `compression`
    scales the correction of a shortened thread: real cloth buckles below the size of a triangle.

    strain (10 count,); before, after (12 ROW,): rows x, y, z, inverse mass of the first corners, of the second, of the
    third; the masses of `after` are not written. Flat arrays with constant strides and two separate buffers are what
    lets the compiler see that lanes do not meet.
    """
    one, tiny, least = np.float32(1.0), np.float32(1e-6), np.float32(1e-9)
    for n in range(count):
        a1, a2, b1, b2 = strain[n], strain[count + n], strain[2 * count + n], strain[3 * count + n]
        aa, bb, ab = strain[4 * count + n], strain[5 * count + n], strain[6 * count + n]
        x0, x1, x2 = before[n], before[ROW + n], before[2 * ROW + n]
        y0, y1, y2 = before[4 * ROW + n], before[5 * ROW + n], before[6 * ROW + n]
        z0, z1, z2 = before[8 * ROW + n], before[9 * ROW + n], before[10 * ROW + n]
        u0 = (y0 - x0) * a1 + (z0 - x0) * a2
        u1 = (y1 - x1) * a1 + (z1 - x1) * a2
        u2 = (y2 - x2) * a1 + (z2 - x2) * a2
        v0 = (y0 - x0) * b1 + (z0 - x0) * b2
        v1 = (y1 - x1) * b1 + (z1 - x1) * b2
        v2 = (y2 - x2) * b1 + (z2 - x2) * b2
        # -C / |f| is 1 / |f| - 1, and rows 7, 8 hold 1 / (sum w a^2 + compliance / dt^2).
        weft = (one / np.sqrt(u0 * u0 + u1 * u1 + u2 * u2 + tiny) - one) * strain[7 * count + n]
        warp = (one / np.sqrt(v0 * v0 + v1 * v1 + v2 * v2 + tiny) - one) * strain[8 * count + n]
        weft *= compression if weft > np.float32(0.0) else one
        warp *= compression if warp > np.float32(0.0) else one
        # dx_i = w_i (a_i g + b_i h) changes fu by aa g + ab h and fv by ab g + bb h.
        g0, g1, g2 = weft * u0, weft * u1, weft * u2
        h0, h1, h2 = warp * v0, warp * v1, warp * v2
        u0 += aa * g0 + ab * h0
        u1 += aa * g1 + ab * h1
        u2 += aa * g2 + ab * h2
        v0 += ab * g0 + bb * h0
        v1 += ab * g1 + bb * h1
        v2 += ab * g2 + bb * h2
        uu = u0 * u0 + u1 * u1 + u2 * u2
        vv = v0 * v0 + v1 * v1 + v2 * v2
        uv = u0 * v0 + u1 * v1 + u2 * v2
        # grad_i of fu . fv is a_i fv + b_i fu
        shear = -uv / (aa * vv + bb * uu + np.float32(2.0) * ab * uv + strain[9 * count + n] + least)
        g0 += shear * v0
        g1 += shear * v1
        g2 += shear * v2
        h0 += shear * u0
        h1 += shear * u1
        h2 += shear * u2
        wx, wy, wz = before[3 * ROW + n], before[7 * ROW + n], before[11 * ROW + n]
        a0, b0 = -a1 - a2, -b1 - b2
        after[n] = x0 + wx * (a0 * g0 + b0 * h0)
        after[ROW + n] = x1 + wx * (a0 * g1 + b0 * h1)
        after[2 * ROW + n] = x2 + wx * (a0 * g2 + b0 * h2)
        after[4 * ROW + n] = y0 + wy * (a1 * g0 + b1 * h0)
        after[5 * ROW + n] = y1 + wy * (a1 * g1 + b1 * h1)
        after[6 * ROW + n] = y2 + wy * (a1 * g2 + b1 * h2)
        after[8 * ROW + n] = z0 + wz * (a2 * g0 + b2 * h0)
        after[9 * ROW + n] = z1 + wz * (a2 * g1 + b2 * h1)
        after[10 * ROW + n] = z2 + wz * (a2 * g2 + b2 * h2)


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def solve_strain(first, last, triangles, strain, compression, before, after, x):
    """Gather triangles [first, last) of one run from flat positions x (4 P,), correct their strain, scatter."""
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    count = last - first
    for n in range(count):
        # Unsigned indices: Numba then leaves out the test for negative ones.
        i = np.uint64(4) * np.uint64(triangles[first + n, 0])
        j = np.uint64(4) * np.uint64(triangles[first + n, 1])
        k = np.uint64(4) * np.uint64(triangles[first + n, 2])
        before[n], before[ROW + n], before[2 * ROW + n] = x[i], x[i + one], x[i + two]
        before[3 * ROW + n] = x[i + three]
        before[4 * ROW + n], before[5 * ROW + n], before[6 * ROW + n] = x[j], x[j + one], x[j + two]
        before[7 * ROW + n] = x[j + three]
        before[8 * ROW + n], before[9 * ROW + n], before[10 * ROW + n] = x[k], x[k + one], x[k + two]
        before[11 * ROW + n] = x[k + three]
    correct_strain(count, strain[10 * first : 10 * last], compression, before, after)
    for n in range(count):
        i = np.uint64(4) * np.uint64(triangles[first + n, 0])
        j = np.uint64(4) * np.uint64(triangles[first + n, 1])
        k = np.uint64(4) * np.uint64(triangles[first + n, 2])
        x[i], x[i + one], x[i + two] = after[n], after[ROW + n], after[2 * ROW + n]
        x[j], x[j + one], x[j + two] = after[4 * ROW + n], after[5 * ROW + n], after[6 * ROW + n]
        x[k], x[k + one], x[k + two] = after[8 * ROW + n], after[9 * ROW + n], after[10 * ROW + n]


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
    runs = constraints.runs
    block_runs = constraints.block_runs
    block_hinges = constraints.block_hinges
    flat = positions.reshape(positions.size)
    for color in range(constraints.colors.shape[0] - 1):
        for b in prange(constraints.colors[color], constraints.colors[color + 1]):
            before = np.empty(12 * ROW, np.float32)
            after = np.empty(12 * ROW, np.float32)
            for r in range(block_runs[b], block_runs[b + 1]):
                solve_strain(runs[r], runs[r + 1], triangles, strain, compression, before, after, flat)
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
