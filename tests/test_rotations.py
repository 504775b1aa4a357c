"""Rotation vectors and matrices, and the small systems of equations they appear in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.linalg import LinAlgError

from solver.alignment import composed_rotations, inverse_left_jacobians, rotation_vectors, solved
from solver.body import rotation_matrices
from tests.naive import rotations as naive

RNG = np.random.default_rng(1)
VECTORS = np.concatenate([RNG.normal(0.0, 1.0, (20, 3)), np.eye(3) * 3.1, np.eye(3) * -1e-7, np.zeros((1, 3))])


def test_rotations_agree_with_their_twins():
    matrices = rotation_matrices(VECTORS)
    np.testing.assert_allclose(matrices, [naive.matrix(v) for v in VECTORS], atol=1e-12)
    np.testing.assert_allclose(rotation_vectors(matrices), [naive.vector(m) for m in matrices], atol=1e-7)
    short = VECTORS[:20] * 0.5  # beyond a half turn the logarithm is another
    np.testing.assert_allclose(
        inverse_left_jacobians(short), [naive.inverse_left_jacobian(v) for v in short], atol=1e-5
    )
    other = RNG.permutation(VECTORS)
    turned = rotation_matrices(composed_rotations(VECTORS, other))
    np.testing.assert_allclose(turned, matrices @ rotation_matrices(other), atol=1e-12)


@pytest.mark.parametrize("axis", np.eye(3))
def test_half_turns_keep_their_axis(axis):
    """Where the sine vanishes: the angle is pi and the axis known up to its sign."""
    for angle in (np.pi, np.pi - 1e-9):
        found = rotation_vectors(rotation_matrices((axis * angle)[None]))[0]
        np.testing.assert_allclose(np.abs(found), axis * angle, atol=1e-7)


def test_positive_definite_systems_are_solved():
    for size in (1, 7, 63):
        root = RNG.normal(size=(size, size + 3))
        matrix, right = root @ root.T, RNG.normal(size=(size, 4))
        expected = np.linalg.solve(matrix, right)
        np.testing.assert_allclose(solved(matrix.copy(), right), expected, rtol=1e-6, atol=1e-9)
    with pytest.raises(LinAlgError):
        solved(-np.eye(3), np.ones((3, 1)))
