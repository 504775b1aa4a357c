"""The simulation's kernels against their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from solver.kernels.color_sensor import develop_color
from solver.kernels.counter_noise import window_noise
from solver.kernels.depth_sensor import FlightSensor, StereoSensor, find_half_occluded, sense_flight, sense_stereo
from solver.kernels.shade import (
    CHECKS,
    FIELDS,
    PLAIN,
    SPECKLES,
    STRIPES,
    Layers,
    Lighting,
    compose_over_room,
    shade_surface,
)
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics
from tests.naive import color_sensor, counter_noise, depth_sensor, shade

SHAPE = (23, 31)
STEREO = StereoSensor(focal_baseline=40.0, sigma=0.08, scale=1.002, step=1 / 32, near=0.4, far=6.0)
FLIGHT = FlightSensor(0.0015, 0.0006, 0.017, 1.001, 0.0025, 0.7, 1.5, 0.001, 0.25, 5.0)
KEY = np.uint64(12345)


@pytest.fixture
def scene():
    """A person-like block before a wall, some pixels without anything; grazing and dark places."""
    rng = np.random.default_rng(4)
    depth = np.full(SHAPE, 3.0) + np.linspace(0.0, 0.3, SHAPE[1])
    depth[5:20, 9:18] = 1.6 + 0.01 * np.arange(9)
    depth[rng.random(SHAPE) < 0.05] = 0.0
    surface = np.stack([rng.uniform(0.0, 1.0, SHAPE), rng.uniform(0.02, 0.4, SHAPE)], axis=-1)
    fields = rng.standard_normal((3, *SHAPE))
    return [array.astype(np.float32) for array in (depth, surface, *fields[:2], 0.05 * fields[2])]


def test_window_noise():
    out, scratch = np.empty(SHAPE, np.float32), np.empty((SHAPE[0] + 6, SHAPE[1]), np.float32)
    window_noise(KEY, 7, scratch, out)
    np.testing.assert_allclose(out, counter_noise.window_noise(KEY, 7, SHAPE), atol=1e-4)


def test_half_occlusion(scene):
    depth = scene[0]
    occluded = np.empty(SHAPE, bool)
    find_half_occluded(depth, STEREO.focal_baseline, occluded)
    np.testing.assert_array_equal(occluded, depth_sensor.find_half_occluded(depth, STEREO.focal_baseline))
    # 40 px m / 1.6 m - 40 px m / 3 m: about twelve pixels beside the block, on the left, and none on the right.
    assert occluded[12, :9].sum() > 5
    assert not occluded[12, 18:].any()
    sideways = np.empty(SHAPE[::-1], bool)
    turned = np.ascontiguousarray(depth.T)
    find_half_occluded(turned.T, STEREO.focal_baseline, sideways.T)
    np.testing.assert_array_equal(sideways, occluded.T)


def test_stereo(scene):
    depth, surface, noise, luck, field = scene
    occluded = depth_sensor.find_half_occluded(depth, STEREO.focal_baseline)
    out = np.empty(SHAPE, np.float32)
    sense_stereo(depth, surface, occluded, noise, luck, field, STEREO, out)
    expected = depth_sensor.sense_stereo(depth, surface, occluded, noise, luck, field, STEREO)
    assert 0.2 < (expected > 0).mean() < 0.95
    # A disparity that lies between two steps may be rounded to either.
    one_step = expected**2 / STEREO.focal_baseline * STEREO.step
    assert (np.abs(out - expected) < 1e-5 + 1.1 * one_step).all()
    assert (np.abs(out - expected) < 1e-5).mean() > 0.99


def test_time_of_flight(scene):
    out = np.empty(SHAPE, np.float32)
    sense_flight(*scene, FLIGHT, out)
    expected = depth_sensor.sense_flight(*scene, FLIGHT)
    assert 0.2 < (expected > 0).mean() < 0.99
    assert (np.abs(out - expected) < 1.1 * FLIGHT.step).all()
    assert (np.abs(out - expected) < 1e-5).mean() > 0.98


def test_develop_color():
    light = np.random.default_rng(1).uniform(0.0, 1.1, (*SHAPE, 3)).astype(np.float32)
    gains = np.array([1.0, 0.97, 1.05], np.float32)
    tone = np.rint(np.linspace(0, 255, 4096)).astype(np.uint8)
    out = np.empty(light.shape, np.uint8)
    develop_color(light, gains, 0.0003, 0.004, KEY, tone, out)
    expected = color_sensor.develop_color(light, gains, 0.0003, 0.004, KEY, tone)
    assert np.abs(out.astype(int) - expected).max() <= 1
    assert (out == expected).mean() > 0.995


@pytest.fixture
def lit():
    """A raster of a bent sheet with two layers over it, and lights."""
    rng = np.random.default_rng(8)
    x, y = np.meshgrid(np.linspace(-0.6, 0.6, 7), np.linspace(-0.5, 0.5, 6))
    vertices = np.stack([x, y, 1.5 + 0.2 * x**2], axis=-1).reshape(-1, 3).astype(np.float32)
    index = np.arange(42).reshape(6, 7)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, c, b], 1), np.stack([a, d, c], 1)]).astype(np.int32)
    camera = Intrinsics(31, 23, 25.0, 25.0, 15.0, 11.0)
    raster = Rasterizer(camera).render(vertices, faces, cull_back=False)
    normals = rng.normal((0.0, 0.0, -1.0), 0.3, (42, 3)).astype(np.float32)
    attributes = rng.uniform(0.2, 0.9, (42, FIELDS + 2)).astype(np.float32)
    attributes[:, 4:7] = vertices
    attributes[:, FIELDS:] = rng.standard_normal((42, 2))
    layers = Layers(
        rng.uniform(0.0, 1.0, (2, 2, 3)).astype(np.float32),
        np.array([CHECKS, PLAIN], np.int32),
        np.array([0.11, 1.0], np.float32),
        np.array([0.1, 0.02, 0.05], np.float32),
        np.array([0.1, 0.02, 0.12], np.float32),
    )
    directions = np.array([[-0.5, -0.6, -0.62], [0.7, 0.1, -0.7]])
    lights = Lighting(
        (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32),
        np.array([[0.5, 0.5, 0.4], [0.2, 0.2, 0.3]], np.float32),
        np.array([0.25, 0.1], np.float32),
        np.array([0.0, -1.0, 0.0], np.float32),
        np.array([0.4, 0.4, 0.45], np.float32),
        np.array([0.3, 0.25, 0.2], np.float32),
    )
    return faces, raster, camera, normals, attributes, layers, lights


@pytest.mark.parametrize("pattern", [PLAIN, STRIPES, CHECKS, SPECKLES])
def test_shade_surface(lit, pattern):
    faces, raster, camera, normals, attributes, layers, lights = lit
    layers = layers._replace(patterns=np.array([pattern, PLAIN], np.int32))
    color, surface = np.zeros((*SHAPE, 3), np.float32), np.zeros((*SHAPE, 2), np.float32)
    shade_surface(faces, raster, camera, normals, attributes, layers, lights, color, surface)
    expected = shade.shade_surface(faces, raster, camera, normals, attributes, layers, lights)
    assert (raster.triangle >= 0).mean() > 0.4
    # A pixel that lies on a layer's very edge may fall on either side.
    assert (np.abs(color - expected[0]).max(-1) < 1e-4).mean() > 0.99
    assert (np.abs(surface - expected[1]).max(-1) < 1e-4).mean() > 0.99


def test_compose_over_room(lit):
    camera = lit[2]
    rng = np.random.default_rng(2)
    person = np.where(rng.random(SHAPE) < 0.3, 1.5, 0.0).astype(np.float32)
    room = (
        rng.choice([0.0, 1.0, 2.0, 2.3], SHAPE).astype(np.float32),
        rng.random((*SHAPE, 3)).astype(np.float32),
        rng.random((*SHAPE, 2)).astype(np.float32),
    )
    T_wc = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0.5], [0, 0, 0, 1.0]])
    shadows = np.array([[0.0, 2.0, 0.4, 0.5], [0.3, 1.9, 0.1, 0.4]])
    color, surface = rng.random((*SHAPE, 3)).astype(np.float32), rng.random((*SHAPE, 2)).astype(np.float32)
    expected = shade.compose_over_room(person, room, camera, T_wc, shadows, color, surface)
    depth = np.empty(SHAPE, np.float32)
    compose_over_room(person, room, camera, T_wc, shadows, depth, color, surface)
    for got, wanted in zip((depth, color, surface), expected, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
