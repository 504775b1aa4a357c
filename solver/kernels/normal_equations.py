"""From sums over wrenches to the normal equations of a body's parameters, priors on joints, and their solution.

Matrices of 60 to 100 rows: too small to be shared out among threads, which is what a BLAS does with them, and on a
machine whose cores are taken waits for the slowest: 7 ms in place of 0.1.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def convert_wrenches(products, pulls, owner_parents, centres, parent_axes, hessian, gradient):
    """Add B P B^T to `hessian` (M, M) and B p to `gradient` (M,), B being what `body_alignment` says.

    products (S, 6 O + K, 6 O + K) and pulls (S, 6 O + K) of `accumulate_rows`; owner_parents (O,): the next owner up
    the chain, less than the owner itself, -1 for the root; centres (O, 3) and parent_axes (O, 3, 3) of the owners'
    joints. About joint a at c_a a wrench owned by a or a joint below it makes R_parent^T (m - c_a x f); about the
    pelvis all do, and their forces make the root's translation.
    """
    owner_count = owner_parents.shape[0]
    wrench_count = 6 * owner_count
    size = pulls.shape[1]
    column_count = 3 + 3 * owner_count
    whole = np.zeros((size, size))
    pull = np.zeros(size)
    for share in range(products.shape[0]):
        pull += pulls[share]
        for i in range(wrench_count):
            for j in range(6 * (i // 6 + 1)):
                whole[i, j] += products[share, i, j]
            for j in range(wrench_count, size):
                whole[i, j] += products[share, i, j]
        for i in range(wrench_count, size):
            for j in range(wrench_count, i + 1):
                whole[i, j] += products[share, i, j]
    for i in range(size):
        for j in range(i):
            if i >= wrench_count and j < wrench_count:
                whole[i, j] = whole[j, i]
            else:
                whole[j, i] = whole[i, j]
    # A joint carries what the joints below it carry: composite sums, from the ends of the chains to the root.
    for o in range(owner_count - 1, 0, -1):
        up, own = 6 * owner_parents[o], 6 * o
        for i in range(6):
            pull[up + i] += pull[own + i]
            for j in range(size):
                whole[up + i, j] += whole[own + i, j]
    for i in range(size):
        for o in range(owner_count - 1, 0, -1):
            up, own = 6 * owner_parents[o], 6 * o
            for k in range(6):
                whole[i, up + k] += whole[i, own + k]
    levers = np.zeros((column_count, 6))
    for i in range(3):
        levers[3 + i, 3 + i] = 1.0
    for o in range(owner_count):
        first = 0 if o == 0 else 3 + 3 * o
        c0, c1, c2 = centres[o, 0], centres[o, 1], centres[o, 2]
        for i in range(3):
            if o == 0:
                r0, r1, r2 = 1.0 * (i == 0), 1.0 * (i == 1), 1.0 * (i == 2)
            else:
                r0, r1, r2 = parent_axes[o, 0, i], parent_axes[o, 1, i], parent_axes[o, 2, i]
            levers[first + i, 0], levers[first + i, 1], levers[first + i, 2] = r0, r1, r2
            levers[first + i, 3] = r2 * c1 - r1 * c2
            levers[first + i, 4] = r0 * c2 - r2 * c0
            levers[first + i, 5] = r1 * c0 - r0 * c1
    half = np.zeros(size)
    for r in range(column_count):
        own = 0 if r < 6 else 6 * ((r - 3) // 3)
        half[:] = 0.0
        for i in range(6):
            factor = levers[r, i]
            gradient[r] += factor * pull[own + i]
            for j in range(size):
                half[j] += factor * whole[own + i, j]
        for c in range(column_count):
            other = 0 if c < 6 else 6 * ((c - 3) // 3)
            total = 0.0
            for k in range(6):
                total += half[other + k] * levers[c, k]
            hessian[r, c] += total
        for m in range(size - wrench_count):
            hessian[r, column_count + m] += half[wrench_count + m]
            hessian[column_count + m, r] += half[wrench_count + m]
    for m in range(size - wrench_count):
        gradient[column_count + m] += pull[wrench_count + m]
        for n in range(size - wrench_count):
            hessian[column_count + m, column_count + n] += whole[wrench_count + m, wrench_count + n]


@njit(nogil=True, cache=True)
def add_rotation_priors(jacobians, residuals, precision, frames, columns, hessian, gradient):
    """Add sum_j (F J)^T W (F J) and (F J)^T W r for joints with `columns` (N,) as their first parameter.

    jacobians (N, 3, 3) of the rotation vectors; frames (N, 3, 3): rows are the axes of residuals and precision (N, 3).
    """
    turned = np.empty((3, 3))
    for n in range(columns.shape[0]):
        first = columns[n]
        for a in range(3):
            weight = precision[n, a]
            if weight == 0.0:
                continue
            for i in range(3):
                total = 0.0
                for b in range(3):
                    total += frames[n, a, b] * jacobians[n, b, i]
                turned[a, i] = total
            for i in range(3):
                value = weight * turned[a, i]
                gradient[first + i] += value * residuals[n, a]
                for k in range(3):
                    hessian[first + i, first + k] += value * turned[a, k]


@njit(nogil=True, cache=True)
def solve_positive_definite(matrix, right):
    """Solve matrix x = right in place by Cholesky's factorisation: matrix (M, M) symmetric positive definite, its lower
    triangle is overwritten; right (M, C) becomes x. Returns whether the matrix was positive definite."""
    count = matrix.shape[0]
    width = right.shape[1]
    for j in range(count):
        pivot = matrix[j, j]
        for k in range(j):
            pivot -= matrix[j, k] * matrix[j, k]
        if not pivot > 0.0:
            return False
        pivot = np.sqrt(pivot)
        matrix[j, j] = pivot
        for i in range(j + 1, count):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = total / pivot
    for i in range(count):
        for k in range(i):
            factor = matrix[i, k]
            for c in range(width):
                right[i, c] -= factor * right[k, c]
        for c in range(width):
            right[i, c] /= matrix[i, i]
    for i in range(count - 1, -1, -1):
        for c in range(width):
            right[i, c] /= matrix[i, i]
        for k in range(i):
            factor = matrix[i, k]
            for c in range(width):
                right[k, c] -= factor * right[i, c]
    return True


@njit(nogil=True, cache=True)
def eliminate_pose(hessian, gradient, split, gain, reduced, right):
    """Takes the first `split` parameters out of normal equations (Schur complement).

    hessian (M, M), gradient (M,); gain (split, 1 + M - split) becomes A^-1 [g_a, B], so that their own step is
    -gain_0 - gain_1.. times the others'; reduced (M - split, M - split) and right (M - split,) become C - B^T A^-1 B
    and g_b - B^T A^-1 g_a. Returns whether A was positive definite.
    """
    size = hessian.shape[0]
    rest = size - split
    for i in range(split):
        gain[i, 0] = gradient[i]
        for m in range(rest):
            gain[i, 1 + m] = hessian[i, split + m]
    if not solve_positive_definite(hessian[:split, :split].copy(), gain):
        return False
    for m in range(rest):
        right[m] = gradient[split + m]
        row = reduced[m]
        for n in range(rest):
            row[n] = hessian[split + m, split + n]
        for i in range(split):
            factor = hessian[split + m, i]
            right[m] -= factor * gain[i, 0]
            for n in range(rest):
                row[n] -= factor * gain[i, 1 + n]
    return True
