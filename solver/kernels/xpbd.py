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

from solver.kernels.lanes import gather_rows, relax_rows, scatter_rows

FAST = {"contract", "arcp", "nsz", "reassoc"}
RUN_MAX = 128
"""Triangles that are gathered, corrected and scattered at a time."""
LANES = 8
"""Numbers in a vector register: runs are as long as a multiple of it."""
ROW = RUN_MAX + 8
"""Stride of the buffers for them: a power of two would put all rows in the same cache lines."""


class ClothConstraints(NamedTuple):
    """The constraints of one garment (T triangles, H hinges, R runs, B blocks, C colours)."""

    triangles: NDArray[np.unsignedinteger]
    """Particles, shape (T, 3), block by block, run by run."""
    strain: NDArray[np.float32]
    """Shape (7 T,): the numbers of each run's n triangles as a matrix (7, n). Rows: a1, a2, b1, b2, by which
    fu = a1 (x1 - x0) + a2 (x2 - x0) and fv likewise (1/m); 1 / (sum w a^2 + compliance / dt^2) for weft, the like for
    warp; shear's compliance / dt^2."""
    hinges: NDArray[np.unsignedinteger]
    """The two particles of the common edge, then the two opposite ones, shape (H, 4)."""
    bending: NDArray[np.float32]
    """Shape (4 H,), four numbers a hinge: the weights k_i of its first three particles in the bend vector
    sum_i k_i x_i, of which all four sum to zero, and the inverse of sum_i w_i k_i^2 + compliance / dt^2."""
    runs: NDArray[np.int32]
    """Where each run of triangles begins, shape (R + 1,). Triangles of a run, RUN_MAX at most, share no particle, but
    for its last one, which is repeated until there is a multiple of LANES: it is corrected more than once from the same
    state, to the same end."""
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

    strain (7 count,); before, after (12 ROW,): rows x, y, z, inverse mass of the first corners, of the second, of the
    third. Flat arrays with constant strides and two separate buffers are what
    lets the compiler see that lanes do not meet.
    """
    one, tiny, least = np.float32(1.0), np.float32(1e-6), np.float32(1e-9)
    for n in range(count):
        a1, a2, b1, b2 = strain[n], strain[count + n], strain[2 * count + n], strain[3 * count + n]
        x0, x1, x2 = before[n], before[ROW + n], before[2 * ROW + n]
        y0, y1, y2 = before[4 * ROW + n], before[5 * ROW + n], before[6 * ROW + n]
        z0, z1, z2 = before[8 * ROW + n], before[9 * ROW + n], before[10 * ROW + n]
        wx, wy, wz = before[3 * ROW + n], before[7 * ROW + n], before[11 * ROW + n]
        a0, b0 = -a1 - a2, -b1 - b2
        aa = wx * a0 * a0 + wy * a1 * a1 + wz * a2 * a2
        bb = wx * b0 * b0 + wy * b1 * b1 + wz * b2 * b2
        ab = wx * a0 * b0 + wy * a1 * b1 + wz * a2 * b2
        u0 = (y0 - x0) * a1 + (z0 - x0) * a2
        u1 = (y1 - x1) * a1 + (z1 - x1) * a2
        u2 = (y2 - x2) * a1 + (z2 - x2) * a2
        v0 = (y0 - x0) * b1 + (z0 - x0) * b2
        v1 = (y1 - x1) * b1 + (z1 - x1) * b2
        v2 = (y2 - x2) * b1 + (z2 - x2) * b2
        # -C / |f| is 1 / |f| - 1, and rows 4, 5 hold 1 / (sum w a^2 + compliance / dt^2).
        weft = (one / np.sqrt(u0 * u0 + u1 * u1 + u2 * u2 + tiny) - one) * strain[4 * count + n]
        warp = (one / np.sqrt(v0 * v0 + v1 * v1 + v2 * v2 + tiny) - one) * strain[5 * count + n]
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
        shear = -uv / (aa * vv + bb * uu + np.float32(2.0) * ab * uv + strain[6 * count + n] + least)
        g0 += shear * v0
        g1 += shear * v1
        g2 += shear * v2
        h0 += shear * u0
        h1 += shear * u1
        h2 += shear * u2
        after[n] = x0 + wx * (a0 * g0 + b0 * h0)
        after[ROW + n] = x1 + wx * (a0 * g1 + b0 * h1)
        after[2 * ROW + n] = x2 + wx * (a0 * g2 + b0 * h2)
        after[4 * ROW + n] = y0 + wy * (a1 * g0 + b1 * h0)
        after[5 * ROW + n] = y1 + wy * (a1 * g1 + b1 * h1)
        after[6 * ROW + n] = y2 + wy * (a1 * g2 + b1 * h2)
        after[8 * ROW + n] = z0 + wz * (a2 * g0 + b2 * h0)
        after[9 * ROW + n] = z1 + wz * (a2 * g1 + b2 * h1)
        after[10 * ROW + n] = z2 + wz * (a2 * g2 + b2 * h2)
        after[3 * ROW + n], after[7 * ROW + n], after[11 * ROW + n] = wx, wy, wz


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def solve_strain(first, last, triangles, strain, compression, before, after, x):
    """Gather triangles [first, last) of one run from flat positions x (4 P,), correct their strain, scatter."""
    # Unsigned indices: Numba then leaves out the test for negative ones.
    stride = np.uint64(ROW)
    for n in range(0, last - first, 4):
        t = np.uint64(first + n)
        for corner in range(3):
            gather_rows(  # pyright: ignore[reportCallIssue]
                x,
                triangles[t, corner],
                triangles[t + np.uint64(1), corner],
                triangles[t + np.uint64(2), corner],
                triangles[t + np.uint64(3), corner],
                before,
                np.uint64(n + 4 * corner * ROW),
                stride,
            )
    correct_strain(last - first, strain[7 * first : 7 * last], compression, before, after)
    for n in range(0, last - first, 4):
        t = np.uint64(first + n)
        for corner in range(3):
            scatter_rows(  # pyright: ignore[reportCallIssue]
                after,
                np.uint64(n + 4 * corner * ROW),
                stride,
                x,
                triangles[t, corner],
                triangles[t + np.uint64(1), corner],
                triangles[t + np.uint64(2), corner],
                triangles[t + np.uint64(3), corner],
            )


@njit(nogil=True, cache=True, error_model="numpy", fastmath=FAST)
def solve_bending(first, last, hinges, bending, x):
    """Bending of hinges [first, last) that are flat at rest, in flat positions x (4 P,): the quadratic model of Bergou
    et al. 2006, eq. 4.

    The energy B/2 / (A0 + A1) * |sum_i k_i x_i|^2 is a sum over x, y and z, which are solved one by one. The factor is
    a third of the paper's: with it a rolled sheet of even triangles has the energy B/2 * curvature^2 of a plate.
    """
    for h in range(np.uint64(first), np.uint64(last)):
        relax_rows(x, hinges[h, 0], hinges[h, 1], hinges[h, 2], hinges[h, 3], bending, h)  # pyright: ignore[reportCallIssue]


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
                solve_bending(block_hinges[b], block_hinges[b + 1], hinges, bending, flat)


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


@njit(nogil=True, cache=True, error_model="numpy", inline="always", fastmath=FAST)
def way_of(i, way_limit, previous, positions):
    """The way of particle i in this substep; what exceeds `way_limit` [m] is taken back."""
    d0 = positions[i, 0] - previous[i, 0]
    d1 = positions[i, 1] - previous[i, 1]
    d2 = positions[i, 2] - previous[i, 2]
    squared = d0 * d0 + d1 * d1 + d2 * d2
    if squared > way_limit * way_limit:
        scale = way_limit / np.sqrt(squared)
        d0 *= scale
        d1 *= scale
        d2 *= scale
        positions[i, 0] = previous[i, 0] + d0
        positions[i, 1] = previous[i, 1] + d1
        positions[i, 2] = previous[i, 2] + d2
    return d0, d1, d2


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def update_velocities(inverse_dt, damping, speed_limit, previous, positions, velocities):
    """v = damping * (positions - previous) / dt, no faster than `speed_limit` [m/s].

    A particle that is faster loses the excess of its way as well, so that one bad substep cannot tear the cloth.
    """
    way_limit = speed_limit / inverse_dt
    factor = damping * inverse_dt
    for i in prange(positions.shape[0]):
        d0, d1, d2 = way_of(i, way_limit, previous, positions)
        velocities[i, 0] = d0 * factor
        velocities[i, 1] = d1 * factor
        velocities[i, 2] = d2 * factor


@njit(nogil=True, cache=True, error_model="numpy", parallel=True, fastmath=FAST)
def go_on(gravity_dt, dt, damping, speed_limit, previous, positions):
    """`update_velocities` of one substep and `predict_positions` of the next in one pass; keeps no velocities."""
    way_limit = speed_limit * dt
    g0, g1, g2 = dt * gravity_dt[0], dt * gravity_dt[1], dt * gravity_dt[2]
    for i in prange(positions.shape[0]):
        d0, d1, d2 = way_of(i, way_limit, previous, positions)
        x0, x1, x2 = positions[i, 0], positions[i, 1], positions[i, 2]
        previous[i, 0] = x0
        previous[i, 1] = x1
        previous[i, 2] = x2
        if positions[i, 3] > 0.0:
            positions[i, 0] = x0 + damping * d0 + g0
            positions[i, 1] = x1 + damping * d1 + g1
            positions[i, 2] = x2 + damping * d2 + g2
