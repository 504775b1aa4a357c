"""Gauss-Newton of the articulated body: derivatives against differences, known bodies found again."""

from __future__ import annotations

import numpy as np
import pytest

from game.assets import load_body_model
from solver.alignment import (
    Articulation,
    BodyAlignment,
    inverse_left_jacobians,
    robust_weights,
    rotation_vectors,
)
from solver.body import rotation_matrices
from solver.kernels.kinematics import shift_joints
from solver.kernels.normal_equations import eliminate_pose
from solver.types import Intrinsics
from tests.naive import body_alignment as naive

MODEL = load_body_model()
CAMERA = Intrinsics(640, 480, 600.0, 600.0, 320.0, 240.0)


def random_state(rng, shape_sigma=1.0, angle=0.4):
    state = Articulation.at_rest(MODEL)
    state.shape[:] = rng.normal(0.0, shape_sigma, MODEL.shape_count) * (np.arange(MODEL.shape_count) < 12)
    state.pose[1:] = rng.normal(0.0, angle, (MODEL.joint_count - 1, 3))
    state.T_wb[:3, :3] = rotation_matrices(rng.normal(0.0, 1.0, (1, 3)))[0]
    state.T_wb[:3, 3] = rng.normal(0.0, 1.0, 3)
    return state


def random_points(rng, count):
    """Half plain points (some of them joints), half points inside triangles."""
    corners = MODEL.faces[rng.integers(len(MODEL.faces), size=count)].copy()
    barycentric = rng.dirichlet(np.ones(3), count)
    plain = np.arange(count) < count // 2
    barycentric[plain] = (1.0, 0.0, 0.0)
    corners[plain, 0] = rng.integers(MODEL.vertex_count + MODEL.joint_count, size=plain.sum())
    return np.ascontiguousarray(corners, np.int32), barycentric


def test_jacobian_is_the_derivative():
    rng = np.random.default_rng(1)
    alignment = BodyAlignment(MODEL, shape_count=6)
    alignment.linearise(random_state(rng))
    corners, barycentric = random_points(rng, 60)
    directions = rng.normal(size=(60, 3))
    expected = naive.jacobian_by_differences(alignment, corners, barycentric, directions)
    found = alignment.jacobian(corners, directions, barycentric)
    # The rest vertices are float32: differences over 2e-4 see their rounding as 1e-3.
    np.testing.assert_allclose(found, expected, atol=3e-3)
    assert np.abs(expected).max() > 1.0


def test_posed_points_agree_with_the_naive_ones():
    rng = np.random.default_rng(2)
    alignment = BodyAlignment(MODEL)
    state = random_state(rng)
    alignment.linearise(state)
    corners, barycentric = random_points(rng, 100)
    expected = naive.posed_points(MODEL, state, corners, barycentric)
    np.testing.assert_allclose(alignment.positions(corners, barycentric), expected, atol=1e-6)
    np.testing.assert_allclose(alignment.vertices, state.vertices(MODEL), atol=1e-5)


@pytest.mark.parametrize("shape_count", [0, 9, 20])
def test_sums_are_those_of_the_whole_jacobian(shape_count):
    rng = np.random.default_rng(3)
    alignment = BodyAlignment(MODEL, shape_count=shape_count)
    alignment.linearise(random_state(rng))
    corners, barycentric = random_points(rng, 301)
    directions, residuals = rng.normal(size=(301, 3)), rng.normal(size=301)
    weights = rng.uniform(0.0, 2.0, 301) * (rng.uniform(size=301) > 0.2)
    alignment.add_rows(corners, directions, residuals, weights, barycentric)
    expected = naive.normal_equations(alignment.jacobian(corners, directions, barycentric), residuals, weights)
    for found, wanted in zip(alignment.normal_equations(), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def priors(alignment, state):
    """The cost of every prior, its Hessian and gradient, at `state`."""
    mean = np.full((MODEL.joint_count, 3), 0.1)
    axes = rotation_matrices(np.random.default_rng(5).normal(size=(MODEL.joint_count, 3)))
    alignment.linearise(state)
    alignment.add_pose_prior(mean, 3.0)
    alignment.add_joint_limits(mean - 0.2, mean + 0.2, 2.0, axes)
    alignment.add_shape_prior(0.5, 4.0)
    alignment.add_root_prior(np.eye(4), 1.5, (1.0, 2.0, 3.0))
    return alignment.normal_equations()


def prior_cost(alignment, state):
    active = alignment.active_joints
    mean = np.full((MODEL.joint_count, 3), 0.1)
    axes = rotation_matrices(np.random.default_rng(5).normal(size=(MODEL.joint_count, 3)))
    angles = np.einsum("jab,jb->ja", axes, state.pose)[active]
    excess = np.maximum(np.abs(angles - 0.1) - 0.2, 0.0)
    turn = rotation_vectors(state.T_wb[None, :3, :3])[0]
    alignment.linearise(state)
    moved = alignment.joints[0] - alignment._joints_rest[0]
    return 0.5 * (
        3.0 * np.square(state.pose - mean)[active].sum()
        + 2.0 * np.square(excess).sum()
        + 4.0 * np.square(state.shape[: alignment.shape_count] - 0.5).sum()
        + 1.5 * np.square(turn).sum()
        + (np.square(moved) * (1.0, 2.0, 3.0)).sum()
    )


def test_gradient_of_priors_is_that_of_their_cost():
    rng = np.random.default_rng(4)
    alignment = BodyAlignment(MODEL, shape_count=3)
    state = random_state(rng, angle=0.5)
    _, gradient = priors(alignment, state)
    for m in range(alignment.parameter_count):
        step = np.zeros(alignment.parameter_count)
        step[m] = 1e-5
        alignment.linearise(state)
        ahead, behind = alignment.moved(step), alignment.moved(-step)
        difference = (prior_cost(alignment, ahead) - prior_cost(alignment, behind)) / 2e-5
        assert gradient[m] == pytest.approx(difference, abs=2e-4 * max(1.0, abs(difference))), m


def vertex_normals(vertices):
    """Area-weighted unit normals of the model's vertices."""
    a, b, c = (vertices[MODEL.faces[:, i]].astype(np.float64) for i in range(3))
    normals = np.zeros((len(vertices), 3))
    np.add.at(normals, MODEL.faces.ravel(), np.repeat(np.cross(b - a, c - a), 3, axis=0))
    return normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]


def test_finds_a_known_pose_from_its_surface():
    """Exact point-to-plane correspondences of a body that has moved: pose and place come back."""
    rng = np.random.default_rng(6)
    truth = random_state(rng, angle=0.2)
    alignment = BodyAlignment(MODEL)
    truth.pose[np.setdiff1d(np.arange(MODEL.joint_count), alignment.active_joints)] = 0.0
    points = rng.choice(MODEL.vertex_count, 2500, replace=False).astype(np.int32)
    alignment.linearise(truth)
    targets, joints = alignment.positions(points), alignment.joints.copy()
    normals = vertex_normals(alignment.vertices)[points]
    state = Articulation(truth.shape, np.zeros_like(truth.pose), truth.T_wb.copy())
    state.T_wb[:3, 3] += (0.1, -0.05, 0.08)
    for _ in range(10):
        alignment.linearise(state)
        alignment.add_point_to_plane(points, targets, normals, np.full(len(points), 1e4))
        alignment.add_point_to_point(points, targets, np.full(len(points), 1e2))
        state = alignment.step()
    alignment.linearise(state)
    assert np.abs(alignment.joints - joints).max() < 1e-6


def test_finds_a_known_shape_and_pose_together():
    rng = np.random.default_rng(7)
    truth = random_state(rng, angle=0.1)
    truth.shape[8:] = 0.0
    alignment = BodyAlignment(MODEL, shape_count=8)
    idle = np.setdiff1d(np.arange(MODEL.joint_count), alignment.active_joints)
    truth.pose[idle] = 0.0
    points = rng.choice(MODEL.vertex_count, 1500, replace=False).astype(np.int32)
    alignment.linearise(truth)
    targets = alignment.positions(points)
    state = Articulation(np.zeros_like(truth.shape), np.zeros_like(truth.pose), truth.T_wb.copy())
    for _ in range(15):
        alignment.linearise(state)
        alignment.add_point_to_point(points, targets, np.full(len(points), 1e4))
        state = alignment.step()
    np.testing.assert_allclose(state.shape, truth.shape, atol=1e-3)
    alignment.linearise(state)
    assert np.abs(alignment.positions(points) - targets).max() < 1e-4


def test_landmarks_in_the_picture_turn_the_body():
    """Joints seen as pixels from two sides fix a pose; each residual is in pixels and falls to nothing."""
    rng = np.random.default_rng(8)
    truth = Articulation.at_rest(MODEL)
    alignment = BodyAlignment(MODEL)
    truth.pose[alignment.active_joints] = rng.normal(0.0, 0.15, (len(alignment.active_joints), 3))
    joints = alignment.joint_point(np.arange(MODEL.joint_count))
    front = np.array([[1, 0, 0, 0], [0, 0, -1, 1.0], [0, 1, 0, 2.5], [0, 0, 0, 1.0]])
    side = np.array([[0, 1, 0, 0], [0, 0, -1, 1.0], [-1, 0, 0, 2.5], [0, 0, 0, 1.0]])
    alignment.linearise(truth)
    views = []
    for T_cw in (front, side):
        p = alignment.joints @ T_cw[:3, :3].T + T_cw[:3, 3]
        views.append((T_cw, np.stack([600 * p[:, 0] / p[:, 2] + 320, 600 * p[:, 1] / p[:, 2] + 240], 1)))
    state = Articulation.at_rest(MODEL)
    for _ in range(15):
        alignment.linearise(state)
        residuals = [
            alignment.add_reprojection(joints, pixels, np.ones(len(joints)), CAMERA, T_cw) for T_cw, pixels in views
        ]
        alignment.add_pose_prior(state.pose, 1e-3)
        state = alignment.step()
    assert np.abs(residuals).max() < 0.05


def test_what_nothing_was_said_about_stays():
    rng = np.random.default_rng(9)
    state = random_state(rng)
    alignment = BodyAlignment(MODEL, shape_count=4)
    alignment.linearise(state)
    head = alignment.joint_point(np.array([MODEL.joint("pelvis")]))
    alignment.add_point_to_point(head, alignment.joints[:1] + 0.1, np.array([1.0]))
    moved = alignment.step()
    np.testing.assert_allclose(moved.pose[1:], state.pose[1:], atol=1e-6)
    assert np.abs(moved.T_wb - state.T_wb).max() > 0.01


def test_rotation_vectors_invert_the_matrices():
    rng = np.random.default_rng(10)
    vectors = rng.normal(size=(200, 3))
    vectors *= (rng.uniform(0.0, np.pi - 1e-6, 200) / np.linalg.norm(vectors, axis=1))[:, None]
    vectors[0] = 0.0
    vectors[1] = (1e-9, 0.0, 0.0)
    np.testing.assert_allclose(rotation_vectors(rotation_matrices(vectors)), vectors, atol=1e-7)


def test_inverse_left_jacobian_is_the_derivative_of_the_vector():
    vectors = np.array([[0.3, -0.2, 0.9], [1e-6, 0.0, 0.0], [2.0, 1.0, 0.5]])
    found = inverse_left_jacobians(vectors)
    for n, v in enumerate(vectors):
        matrix = rotation_matrices(v[None])[0]
        for i in range(3):
            d = np.zeros((2, 3))
            d[0, i], d[1, i] = 1e-6, -1e-6
            ahead, behind = rotation_vectors(rotation_matrices(d) @ matrix)
            np.testing.assert_allclose(found[n, :, i], (ahead - behind) / 2e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["huber", "tukey", "geman_mcclure"])
def test_robust_weights_fall_with_the_residual(kind):
    weights = robust_weights(np.array([0.0, 0.5, 1.0, 3.0, 10.0]), 1.0, kind)
    assert weights[0] == pytest.approx(1.0)
    assert (np.diff(weights) <= 0.0).all()
    assert weights[-1] < 0.2


def test_taking_out_a_block_is_solving_for_it():
    """The others' step from what is left, and the block's from the gain, are those of the whole system."""
    rng = np.random.default_rng(9)
    root = rng.normal(size=(30, 12))
    hessian, gradient, split = root.T @ root, rng.normal(size=12), 7
    gain, reduced, right = np.empty((split, 6)), np.empty((5, 5)), np.empty(5)
    assert eliminate_pose(hessian, gradient, split, gain, reduced, right)
    others = -np.linalg.solve(reduced, right)
    step = np.concatenate([-gain[:, 0] - gain[:, 1:] @ others, others])
    np.testing.assert_allclose(step, -np.linalg.solve(hessian, gradient), rtol=1e-9)
    assert not eliminate_pose(-hessian, gradient, split, gain, reduced, right)


def test_joint_shifts_agree_with_the_recursion():
    rng = np.random.default_rng(10)
    parents = np.array([-1, 0, 1, 0], np.int32)
    rotations = rotation_matrices(rng.normal(size=(4, 3)))
    root, basis = rotation_matrices(rng.normal(size=(1, 3)))[0], rng.normal(size=(4, 3, 5))
    own = np.zeros_like(basis)
    for j, parent in enumerate(parents):
        own[j] = root @ basis[j] if parent < 0 else own[parent] + rotations[parent] @ (basis[j] - basis[parent])
    found, motion = np.empty_like(basis), np.empty_like(basis)
    shift_joints(parents, rotations, root, basis, motion, found)
    np.testing.assert_allclose(found, own - rotations @ basis, atol=1e-12)
    np.testing.assert_allclose(motion, own, atol=1e-12)
