"""Colour on the grid of depth: the kernel against its slow twin, and where the answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from solver.kernels.align_color import (
    BROWN,
    MODIFIED_BROWN,
    PINHOLE,
    ColorCamera,
    align_color,
    fill_row,
    project_to_color,
)
from solver.types import Intrinsics, read_only
from tests.naive import align_color as naive

DEPTH_CAMERA = Intrinsics(40, 30, 38.0, 38.5, 19.0, 15.2)


def color_camera(distortion: int = PINHOLE, turn: float = 0.0, shift: tuple = (0.0, 0.0, 0.0)) -> ColorCamera:
    rotation, _ = cv2.Rodrigues(np.array([0.3 * turn, turn, -0.2 * turn]))
    coefficients = np.array([0.12, -0.2, 0.004, -0.003, 0.08]) if distortion else np.zeros(5)
    return ColorCamera(61.0, 60.0, 32.5, 23.0, distortion, coefficients, rotation, np.array(shift))


def align(depth, color, camera, intrinsics=DEPTH_CAMERA):
    aligned = np.full((*depth.shape, 3), 77, np.uint8)
    align_color(read_only(depth), intrinsics, read_only(color), camera, np.empty(depth.shape[1], np.float32), aligned)
    return aligned


@pytest.mark.parametrize("distortion", [PINHOLE, BROWN, MODIFIED_BROWN])
def test_agrees_with_the_slow_twin(distortion):
    rng = np.random.default_rng(distortion)
    depth = (0.4 + 2.0 * rng.random((30, 40))).astype(np.float32)
    depth[rng.random(depth.shape) < 0.3] = 0.0
    depth[7] = 0.0
    color = rng.integers(0, 256, (46, 66, 3)).astype(np.uint8)
    camera = color_camera(distortion, 0.06, (0.05, -0.01, 0.02))
    aligned = align(depth.copy(), color, camera)
    expected = naive.align_color(depth, DEPTH_CAMERA, color, camera)
    assert (np.abs(aligned.astype(int) - expected) <= 1).all()  # the kernel weighs in steps of 1/2048
    assert (aligned == expected).mean() > 0.97
    assert aligned.any()


def test_brown_is_opencvs():
    camera = color_camera(BROWN, 0.1, (0.05, 0.02, -0.01))
    points = np.random.default_rng(3).uniform((-0.6, -0.5, 0.8), (0.6, 0.5, 2.5), (50, 3))
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    rotation, _ = cv2.Rodrigues(camera.rotation)
    expected, _ = cv2.projectPoints(points, rotation, camera.translation, matrix, camera.coefficients)
    pixels = np.array([project_to_color(*point, camera) for point in points])
    np.testing.assert_allclose(pixels, expected[:, 0], atol=1e-9)


def test_plane_shifts_by_its_disparity():
    """A camera 0.1 m to the right sees a plane at z shifted to the left by f b / z."""
    focal, baseline, z = 40.0, 0.1, 0.8
    intrinsics = Intrinsics(40, 30, focal, focal, 19.5, 14.5)
    camera = ColorCamera(focal, focal, 19.5, 14.5, PINHOLE, np.zeros(5), np.eye(3), np.array([-baseline, 0.0, 0.0]))
    color = np.random.default_rng(0).integers(1, 256, (30, 40, 3)).astype(np.uint8)
    aligned = align(np.full((30, 40), z, np.float32), color, camera, intrinsics)
    shift = round(focal * baseline / z)
    np.testing.assert_array_equal(aligned[:, shift:], color[:, :-shift])
    assert not aligned[:, :shift].any()


def test_one_and_the_same_camera_changes_nothing_even_where_depth_is_missing():
    camera = ColorCamera(*DEPTH_CAMERA[2:], PINHOLE, np.zeros(5), np.eye(3), np.zeros(3))
    color = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    np.testing.assert_array_equal(align(np.zeros((30, 40), np.float32), color, camera), color)


def test_gaps_take_the_farther_neighbour():
    filled = np.empty(8, np.float32)
    fill_row(read_only(np.array([0, 2, 0, 0, 3, 0, 1, 0], np.float32)), filled)
    assert filled.tolist() == [2, 2, 3, 3, 3, 3, 1, 1]
    rng = np.random.default_rng(1)
    for _ in range(50):
        row = (rng.random(8) * (rng.random(8) > 0.6)).astype(np.float32)
        fill_row(read_only(row), filled)
        np.testing.assert_array_equal(filled, naive.fill_row(row))
