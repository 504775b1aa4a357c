"""Rigid motions, places known again, and graphs of poses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.odometry import se3
from solver.odometry.places import PlaceFeatures, PlaceIndex, agree_on_motion, rigid_fit
from solver.odometry.pose_graph import REFUSED, Edge, optimise
from solver.odometry.trajectory import trajectory_error

twists = st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6).map(np.array)


@given(twists, twists)
def test_exp_and_log_undo_each_other(x, y):
    T = se3.exp(x)
    np.testing.assert_allclose(se3.log(T), x, atol=1e-8)
    np.testing.assert_allclose(T @ se3.inverse(T), np.eye(4), atol=1e-12)
    carried = T @ se3.exp(1e-6 * y) @ se3.inverse(T)
    np.testing.assert_allclose(se3.log(carried), 1e-6 * se3.adjoint(T) @ y, atol=1e-9)


def test_tiny_motions_are_exact():
    x = np.array([1e-7, -2e-7, 3e-8, 1e-3, 0.0, 2.0])
    np.testing.assert_allclose(se3.log(se3.exp(x)), x, rtol=1e-9, atol=1e-18)


def ring(count=40, wander=0.01, seed=0):
    """Poses around a circle, and edges with a wandering error between neighbours."""
    rng = np.random.default_rng(seed)
    true = np.array(
        [se3.exp([0, 0, 2 * np.pi * k / count, 0, 0, 0]) @ se3.exp([0, 0, 0, 1, 0, 0]) for k in range(count)]
    )
    information = np.eye(6) / wander**2
    edges = []
    for k in range(count - 1):
        noise = se3.exp(wander * rng.normal(size=6) + [0, 0, 0.5 * wander, 0, 0, 0])
        edges.append(Edge(k, k + 1, se3.inverse(true[k]) @ true[k + 1] @ noise, information))
    found = [true[0]]
    for edge in edges:
        found.append(found[-1] @ edge.T_fs)
    return true, np.array(found), edges


def test_a_closure_takes_out_drift():
    true, drifted, edges = ring()
    closure = Edge(0, 39, se3.inverse(true[0]) @ true[39], np.eye(6) / 0.003**2, closure=True)
    # A wrong closure says that opposite sides are one place.
    wrong = Edge(3, 23, np.eye(4), np.eye(6) / 0.003**2, closure=True)
    before = trajectory_error(drifted, true)
    good = optimise(drifted, [*edges, closure])
    assert trajectory_error(good.poses, true).ate_m < 0.5 * before.ate_m
    both = optimise(drifted, [*edges, closure, wrong])
    assert both.shares[-2] > 0.5
    assert both.shares[-1] < REFUSED
    assert trajectory_error(both.poses, true).ate_m < 0.6 * before.ate_m
    np.testing.assert_array_equal(good.poses[0], drifted[0])


def test_exact_measurements_are_met_from_afar():
    true, _, _ = ring()
    edges = [Edge(k, k + 1, se3.inverse(true[k]) @ true[k + 1], np.eye(6)) for k in range(39)]
    edges.append(Edge(0, 39, se3.inverse(true[0]) @ true[39], np.eye(6), closure=True))
    rng = np.random.default_rng(3)
    start = true @ se3.exp(0.1 * rng.normal(size=(40, 6)))
    start[0] = true[0]
    np.testing.assert_allclose(optimise(start, edges, 50).poses, true, atol=1e-4)


def place(count, rng):
    return PlaceFeatures(
        np.column_stack([rng.uniform(-1, 1, (count, 2)), rng.uniform(1.0, 3.0, count)]),
        rng.integers(0, 1 << 62, (count, 4)).astype(np.uint64),
    )


@pytest.mark.parametrize("outliers", [0.0, 0.6])
def test_matches_agree_on_the_motion(outliers):
    rng = np.random.default_rng(7)
    first = place(150, rng)
    motion = se3.exp(np.array([0.3, -0.5, 0.2, 0.4, 0.1, -0.3]))
    points = first.points @ motion[:3, :3].T + motion[:3, 3] + rng.normal(0, 0.003, first.points.shape)
    wrong = rng.random(150) < outliers
    points[wrong] = place(int(wrong.sum()), rng).points
    second = PlaceFeatures(points, first.descriptors ^ np.uint64(1 << 17))
    agreed = agree_on_motion(first, second, rng)
    assert agreed is not None
    off = se3.inverse(motion) @ agreed[0]
    assert se3.distance(off) < 0.01
    assert agreed[1] >= 0.9 * (~wrong).sum()
    assert agree_on_motion(first, place(150, rng), rng) is None


def test_a_place_is_ranked_first_where_features_are_shared():
    rng = np.random.default_rng(8)
    places = [place(80, rng) for _ in range(12)]
    index = PlaceIndex()
    for known in places:
        index.add(known)
    half = PlaceFeatures(places[5].points[:40], places[5].descriptors[:40] ^ np.uint64(3))
    assert index.rank(half, 12)[0] == 5
    assert 5 not in index.rank(half, 5)


def test_trajectory_error_knows_no_world():
    true, drifted, _ = ring()
    there = se3.exp(np.array([0.3, 1.0, -0.4, 5.0, 6.0, 7.0]))
    here, moved = trajectory_error(drifted, true), trajectory_error(there @ drifted, true)
    np.testing.assert_allclose(here, moved, rtol=1e-6)
    assert trajectory_error(there @ true, true).ate_m < 1e-9


def test_rigid_fit_never_mirrors():
    rng = np.random.default_rng(9)
    points = rng.normal(size=(30, 3)) * [1, 1, 0.01]
    fit = rigid_fit(points, points * [1, 1, -1])
    assert np.linalg.det(fit[:3, :3]) == pytest.approx(1.0)
