"""Rotation vectors and matrices, many at a time: with dozens of joints NumPy spends its time on calls, not numbers."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def write_rotation_matrices(vectors, out):
    """Rodrigues' formula: rotation vectors (N, 3) [rad] to matrices (N, 3, 3), float64."""
    for n in range(vectors.shape[0]):
        x, y, z = vectors[n, 0], vectors[n, 1], vectors[n, 2]
        angle = np.sqrt(x * x + y * y + z * z)
        sine, versine = 0.0, 0.0
        if angle >= 1e-12:
            x, y, z = x / angle, y / angle, z / angle
            sine, versine = np.sin(angle), 1.0 - np.cos(angle)
        out[n, 0, 0] = 1.0 - versine * (y * y + z * z)
        out[n, 0, 1] = versine * x * y - sine * z
        out[n, 0, 2] = versine * x * z + sine * y
        out[n, 1, 0] = versine * x * y + sine * z
        out[n, 1, 1] = 1.0 - versine * (x * x + z * z)
        out[n, 1, 2] = versine * y * z - sine * x
        out[n, 2, 0] = versine * x * z - sine * y
        out[n, 2, 1] = versine * y * z + sine * x
        out[n, 2, 2] = 1.0 - versine * (x * x + y * y)


@njit(nogil=True, cache=True)
def write_rotation_vectors(matrices, out):
    """Inverse of Rodrigues' formula, (N, 3, 3) to (N, 3) [rad], angles from 0 to pi.

    By way of the quaternion, of which there are four formulas, each exact where its own component is not small
    (Shepperd 1978).
    """
    for n in range(matrices.shape[0]):
        m = matrices[n]
        trace = m[0, 0] + m[1, 1] + m[2, 2]
        x, y, z = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
        largest = max(trace, m[0, 0], m[1, 1], m[2, 2])
        if largest == trace:
            w = 1.0 + trace
        elif largest == m[0, 0]:
            w, x, y, z = x, 1.0 + 2.0 * m[0, 0] - trace, m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]
        elif largest == m[1, 1]:
            w, x, y, z = y, m[0, 1] + m[1, 0], 1.0 + 2.0 * m[1, 1] - trace, m[1, 2] + m[2, 1]
        else:
            w, x, y, z = z, m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], 1.0 + 2.0 * m[2, 2] - trace
        sign = -1.0 if w < 0.0 else 1.0
        length = np.sqrt(w * w + x * x + y * y + z * z)
        sine = np.sqrt(x * x + y * y + z * z) / length
        scale = 2.0 if sine < 1e-12 else 2.0 * np.arctan2(sine, sign * w / length) / sine
        scale *= sign / length
        out[n, 0], out[n, 1], out[n, 2] = scale * x, scale * y, scale * z


@njit(nogil=True, cache=True)
def write_inverse_left_jacobians(vectors, out):
    """d(rotation vector) / d(left increment) of (N, 3), (N, 3, 3): log(exp(d) exp(v)) = v + J d (Sola 2018 eq. 146)."""
    for n in range(vectors.shape[0]):
        x, y, z = vectors[n, 0], vectors[n, 1], vectors[n, 2]
        squared = x * x + y * y + z * z
        angle = np.sqrt(squared)
        factor = 1.0 / 12.0
        if angle >= 1e-4:
            factor = (1.0 - 0.5 * angle / np.tan(0.5 * angle)) / squared
        # [v]x [v]x = v v^T - |v|^2
        out[n, 0, 0] = 1.0 + factor * (x * x - squared)
        out[n, 1, 1] = 1.0 + factor * (y * y - squared)
        out[n, 2, 2] = 1.0 + factor * (z * z - squared)
        out[n, 0, 1], out[n, 1, 0] = factor * x * y + 0.5 * z, factor * x * y - 0.5 * z
        out[n, 0, 2], out[n, 2, 0] = factor * x * z - 0.5 * y, factor * x * z + 0.5 * y
        out[n, 1, 2], out[n, 2, 1] = factor * y * z + 0.5 * x, factor * y * z - 0.5 * x


@njit(nogil=True, cache=True)
def compose_rotations(first, second, out):
    """Rotation vectors (N, 3) [rad] of exp(first) exp(second), both (N, 3)."""
    count = first.shape[0]
    a = np.empty((count, 3, 3))
    b = np.empty((count, 3, 3))
    product = np.zeros((count, 3, 3))
    write_rotation_matrices(first, a)
    write_rotation_matrices(second, b)
    for n in range(count):
        for i in range(3):
            for j in range(3):
                for k in range(3):
                    product[n, i, j] += a[n, i, k] * b[n, k, j]
    write_rotation_vectors(product, out)
