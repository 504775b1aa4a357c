"""Slow and obvious twins of solver.kernels.rotations: exponential and logarithm of matrices."""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm, logm


def cross_matrix(v):
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def matrix(vector):
    return expm(cross_matrix(vector))


def vector(matrix):
    log = logm(matrix).real
    return np.array([log[2, 1], log[0, 2], log[1, 0]])


def inverse_left_jacobian(v, step=1e-6):
    """Central differences of log(exp(d) exp(v))."""
    columns = []
    for d in np.eye(3) * step:
        columns.append((vector(matrix(d) @ matrix(v)) - vector(matrix(-d) @ matrix(v))) / (2.0 * step))
    return np.stack(columns, 1)
