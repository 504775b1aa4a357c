"""Cloth constraints one at a time, in double precision, from their definitions."""

from __future__ import annotations

import numpy as np

STEP = 1e-6


def gradient(function, x):
    """Central differences of a scalar function of positions (n, 3)."""
    result = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        forward, backward = x.copy(), x.copy()
        forward[index] += STEP
        backward[index] -= STEP
        result[index] = (function(forward) - function(backward)) / (2.0 * STEP)
    return result


def threads(x, coefficients):
    """The deformation gradient's columns: images of the unit vectors across and along the grain."""
    a1, a2, b1, b2 = coefficients
    return (x[1] - x[0]) * a1 + (x[2] - x[0]) * a2, (x[1] - x[0]) * b1 + (x[2] - x[0]) * b2


def strain_steps(x, inverse_masses, coefficients, compliances, compression):
    """Positions (3, 3) after weft and warp of one triangle are solved from the same state, and shear from theirs."""
    constraints = (
        lambda y: np.linalg.norm(threads(y, coefficients)[0]) - 1.0,
        lambda y: np.linalg.norm(threads(y, coefficients)[1]) - 1.0,
        lambda y: threads(y, coefficients)[0] @ threads(y, coefficients)[1],
    )
    moved = x.copy()
    for k, constraint in enumerate(constraints):
        if k == 2:
            x = moved.copy()
        slope = gradient(constraint, x)
        value = constraint(x)
        step = -value / ((inverse_masses * (slope**2).sum(axis=1)).sum() + compliances[k])
        if k < 2 and value < 0.0:
            step *= compression
        moved += inverse_masses[:, None] * slope * step
    return moved


def bend_step(x, inverse_masses, weights, compliance):
    """Positions (4, 3) after the bend vector sum_i weights_i x_i of one hinge is solved."""
    moved = x.copy()
    for axis in range(3):
        value = weights @ x[:, axis]
        step = -value / ((inverse_masses * weights**2).sum() + compliance)
        moved[:, axis] += inverse_masses * weights * step
    return moved
