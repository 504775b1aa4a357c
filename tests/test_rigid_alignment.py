"""Rigid tracking's kernels against their slow twins, and motions against the truth."""

import numpy as np
import pytest

from benchmarks import _flights as flights
from solver.kernels.depth_pyramid import halve_depth, halve_image, write_luma, write_normals
from solver.kernels.match_descriptors import match_descriptors
from solver.kernels.rigid_alignment import (
    AGREEING,
    BAND_ROWS,
    COUNT,
    SUM_COUNT,
    IntensityRule,
    Picture,
    PlaneRule,
    accumulate_intensity,
    accumulate_planes,
)
from solver.odometry import se3
from solver.odometry.alignment import RigidAligner, drop_flat, unpack
from solver.odometry.pyramid import Pyramid, halve_intrinsics
from solver.thread_limit import thread_limit
from solver.types import Intrinsics
from tests.naive import rigid_alignment as naive

CAMERA = Intrinsics(40, 30, 42.0, 41.0, 19.2, 14.6)
T = se3.exp(np.array([0.02, -0.03, 0.01, 0.03, -0.02, 0.04]))[:3]


def two_pictures():
    """A bumpy surface with holes, twice, with grey values."""
    rng = np.random.default_rng(4)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    pictures = []
    for k in range(2):
        depth = 1.5 + 0.2 * np.sin(u / 7 + k / 9) + 0.15 * np.cos(v / 6) + rng.normal(0, 0.004, u.shape)
        depth[rng.random(u.shape) < 0.1] = 0.0
        depth = depth.astype(np.float32)
        normals = np.zeros((*u.shape, 3), np.float32)
        write_normals(depth, CAMERA, 1, 0.2, normals)
        gray = (120 + 60 * np.sin(u / 3 + 0.1 * k) * np.cos(v / 4) + rng.normal(0, 2, u.shape)).astype(np.float32)
        pictures.append(Picture(depth, normals, gray))
    return pictures


def summed(kernel, current, reference, rule):
    sums = np.full((-(-CAMERA.height // BAND_ROWS), SUM_COUNT), np.nan)
    kernel(current, reference, CAMERA, T, rule, sums)
    return sums.sum(0)


def test_planes_as_by_the_book():
    current, reference = two_pictures()
    rule = PlaneRule(0.002, 0.001, 0.003, 0.4, 0.1, 0.17, 1)
    sums = summed(accumulate_planes, current, reference, rule)
    H, g, count, agreeing = naive.planes(current, reference, CAMERA, T, rule)
    hessian, gradient = unpack(sums)
    assert count > 500
    np.testing.assert_allclose(hessian, H, rtol=1e-5, atol=1e-5 * np.abs(H).max())
    np.testing.assert_allclose(gradient, g, rtol=1e-5, atol=1e-5 * np.abs(g).max())
    assert (sums[COUNT], sums[AGREEING]) == (count, agreeing)


def test_grays_as_by_the_book():
    current, reference = two_pictures()
    rule = IntensityRule(1.1, -4.0, 6.0, 0.01, 0.002, 2.0, 1)
    sums = summed(accumulate_intensity, current, reference, rule)
    H, g, count = naive.grays(current, reference, CAMERA, T, rule)
    hessian, gradient = unpack(sums)
    assert count > 300
    np.testing.assert_allclose(hessian, H, rtol=1e-5, atol=1e-5 * np.abs(H).max())
    np.testing.assert_allclose(gradient, g, rtol=1e-4, atol=1e-4 * np.abs(g).max())
    assert sums[COUNT] == count


def test_sums_do_not_depend_on_threads():
    current, reference = two_pictures()
    rule = PlaneRule(0.002, 0.001, 0.003, 0.4, 0.1, 0.17, 1)
    with thread_limit(1):
        one = summed(accumulate_planes, current, reference, rule)
    np.testing.assert_array_equal(one, summed(accumulate_planes, current, reference, rule))


def test_halving():
    depth = two_pictures()[0].depth
    depth[4:6, 4] = 0.7
    out = np.empty((15, 20), np.float32)
    halve_depth(depth, 0.02, out)
    np.testing.assert_allclose(out, naive.halve_depth(depth, 0.02), rtol=1e-5)
    color = np.random.default_rng(0).integers(0, 256, (8, 6, 3)).astype(np.uint8)
    gray, half = np.empty((8, 6), np.float32), np.empty((4, 3), np.float32)
    write_luma(color, gray)
    np.testing.assert_allclose(gray, color @ [0.299, 0.587, 0.114], rtol=1e-5)
    halve_image(gray, half)
    np.testing.assert_allclose(half, gray.reshape(4, 2, 3, 2).mean((1, 3)), rtol=1e-5)


def test_a_plane_stays_where_it_is_when_halved_and_its_normal_is_exact():
    normal = np.array([0.3, -0.2, -0.9])
    normal /= np.linalg.norm(normal)

    def seen(k):
        v, u = np.mgrid[: k.height, : k.width]
        rays = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones(u.shape)], -1)
        return (-1.5 / (rays @ normal)).astype(np.float32)

    half = halve_intrinsics(CAMERA)
    out, normals = np.empty((15, 20), np.float32), np.empty((15, 20, 3), np.float32)
    halve_depth(seen(CAMERA), 1.0, out)
    np.testing.assert_allclose(out, seen(half), rtol=1e-5)
    write_normals(out, half, 2, 1.0, normals)
    np.testing.assert_allclose(normals[2:-2, 2:-2], np.broadcast_to(normal, (11, 16, 3)), atol=1e-4)
    assert not normals[:2].any()
    # Neither holes nor an edge rule that leaves some of four pixels out may move it.
    steep = np.where(np.random.default_rng(0).random((30, 40)) < 0.3, 0.0, seen(CAMERA)).astype(np.float32)
    for spread in (0.006, 0.012, 0.02, 1.0):
        halve_depth(steep, spread, out)
        there = out > 0.0
        np.testing.assert_allclose(out[there], seen(half)[there], rtol=1e-5)
    assert 0.5 < there.mean() < 0.9


def test_descriptors_are_matched_by_the_bits_they_share():
    rng = np.random.default_rng(1)
    first, second = (rng.integers(0, 256, (n, 32)).astype(np.uint8) for n in (9, 14))
    results = tuple(np.empty(9, np.int32) for _ in range(3))
    match_descriptors(first.view(np.uint64), second.view(np.uint64), *results)
    bits = [np.unpackbits(d, axis=1) for d in (first, second)]
    for mine, theirs in zip(results, naive.match(*bits), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_flat_directions_are_dropped_and_no_others():
    rng = np.random.default_rng(2)
    points = np.stack([rng.uniform(-1, 1, 400), rng.uniform(-1, 1, 400), np.full(400, 2.0)], 1)

    def equations(normals):
        rows = np.concatenate([np.cross(points, normals), normals], 1)
        return rows.T @ rows, rows.T @ rng.normal(size=400)

    flat = np.tile([0.0, 0.0, -1.0], (400, 1))
    H, g = drop_flat(*equations(flat), 400.0, points.mean(0), 2.0, 0.0025)
    assert np.linalg.matrix_rank(H, tol=1e-6 * np.abs(H).max()) == 3
    for free in ([0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 0]):
        assert abs(g @ free) < 1e-9 * np.abs(g).max() + 1e-9
    varied = rng.normal(size=(400, 3))
    varied /= np.linalg.norm(varied, axis=1, keepdims=True)
    before = equations(varied)
    after = drop_flat(*before, 400.0, points.mean(0), 2.0, 0.0025)
    assert after[0] is before[0]


@pytest.mark.parametrize("color", [True, False])
def test_the_motion_between_two_frames_is_found(color):
    flight = flights.turn(240, noisy=False)
    steps = (30, 33)
    first, second = list(flights.Flight(flight.poses[list(steps)], flight.vertices, flight.faces, noisy=False).frames())
    pyramids = [Pyramid(flights.INTRINSICS, flights.NOISE, color) for _ in range(2)]
    for pyramid, frame in zip(pyramids, (first, second), strict=True):
        pyramid.load(frame.depth, frame.color)
    pyramids[0].add_normals()
    aligner = RigidAligner(flights.NOISE, flights.INTRINSICS.height)
    gray = {"gray_reference": pyramids[0], "T_gr": np.eye(4)} if color else {}
    found = aligner.align(pyramids[1], pyramids[0], np.eye(4), **gray)
    true = se3.inverse(flight.poses[steps[0]]) @ flight.poses[steps[1]]
    off = se3.inverse(true) @ found.T_rc
    assert se3.distance(true) > 0.02
    assert se3.distance(off) < 0.002
    assert se3.angle(off) < 0.001
    assert found.agreement > 0.95
    assert not len(found.unseen)
