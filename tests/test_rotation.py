"""Pictures turned upright: a point keeps its colour, its depth, its place in the world and the way down."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from capture.rotation import rotate_frame, rotate_intrinsics, rotation_matrix
from solver.types import read_only
from tests import recordings


def test_quarter_turn_is_clockwise():
    frame = rotate_frame(recordings.frame_of(0), 90)
    assert frame.color.shape == (96, 64, 3)
    assert tuple(frame.color[2, -3]) == (250, 10, 10)  # the red corner, once upper left, is upper right
    assert tuple(frame.color[-3, -3]) == (10, 10, 250)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_points_stay_where_they_are(degrees):
    frame = dataclasses.replace(recordings.frame_of(1), T_wc=read_only(recordings.pose_of(3)))
    turned = rotate_frame(frame, degrees)
    rng = np.random.default_rng(degrees)
    for _ in range(20):
        row, column = rng.integers(0, 64), rng.integers(0, 96)
        z = float(frame.depth[row, column])
        i = frame.intrinsics
        point = np.array([(column - i.cx) / i.fx * z, (row - i.cy) / i.fy * z, z])
        seen = rotation_matrix(degrees) @ point
        j = turned.intrinsics
        if z == 0.0:
            continue
        u, v = j.fx * seen[0] / z + j.cx, j.fy * seen[1] / z + j.cy
        assert abs(u - round(u)) < 1e-9
        assert abs(v - round(v)) < 1e-9
        assert turned.depth[round(v), round(u)] == frame.depth[row, column]
        np.testing.assert_array_equal(turned.color[round(v), round(u)], frame.color[row, column])
        world = frame.T_wc[:3, :3] @ point + frame.T_wc[:3, 3]
        np.testing.assert_allclose(turned.T_wc[:3, :3] @ seen + turned.T_wc[:3, 3], world, atol=1e-12)
        assert seen @ turned.gravity == pytest.approx(point @ frame.gravity)


def test_four_quarters_are_none():
    frame = recordings.frame_of(0)
    turned = frame
    for _ in range(4):
        turned = rotate_frame(turned, 90)
    assert turned.intrinsics == frame.intrinsics
    np.testing.assert_array_equal(turned.color, frame.color)
    np.testing.assert_allclose(turned.gravity, frame.gravity, atol=1e-15)
    assert rotate_intrinsics(rotate_intrinsics(frame.intrinsics, 90), 270) == frame.intrinsics
