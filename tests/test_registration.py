"""Laying the body model over foreign surfaces: poses, units, axes, noise, holes, and things that are no people."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import sphere, tube

from game.assets import load_body_model
from solver.alignment import Articulation
from solver.body import canonical_pose, shape_body
from solver.errors import InputError, NotAPersonError
from solver.kernels.closest_points import find_closest_points
from solver.kernels.vertex_normals import count_incident_faces, list_incident_faces
from solver.measures import measure_body
from solver.measures.body import topology_of
from solver.measures.uncertainty import _wavy_field
from solver.registration import register_body, repose
from solver.standing_measures import measure_registered, stance_of
from solver.surface_points import cloud_points, sample_mesh
from tests.naive import closest_points as naive

GIRTHS = ("chest_girth", "waist_girth", "hip_girth", "thigh_girth", "calf_girth", "upper_arm_girth", "wrist_girth")


@pytest.fixture(scope="module")
def model():
    return load_body_model()


def stranger(model, seed, arms, yaw=0.0, legs=5.0):
    """Somebody outside the shape space (smooth individual relief), posed a little carelessly: mesh, joints, state."""
    rng = np.random.default_rng(seed)
    shape = 0.8 * rng.normal(size=model.shape_count)
    rest = shape_body(model, shape)
    pose = canonical_pose(model, rest.joints, np.deg2rad(arms), np.deg2rad(legs))
    for name in ("upperarm_l", "upperarm_r", "lowerarm_l", "lowerarm_r", "calf_l", "calf_r", "head"):
        pose[model.joint(name)] += rng.normal(0.0, np.deg2rad(3.0), 3)
    T_wb = np.eye(4)
    T_wb[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    state = Articulation(shape, pose, T_wb)
    vertices = state.vertices(model)
    normals = topology_of(model).normals(vertices)
    relief = 0.004 * _wavy_field(vertices, 0.12, rng)
    vertices = vertices + relief[:, None] * normals
    return vertices.astype(np.float64), state


def to_frame_b(vertices, joints, yaw):
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0.0], [-np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]])
    vertices, joints = vertices @ turn.T, joints @ turn.T
    floor = np.array([0.0, 0.0, vertices[:, 2].min()])
    return vertices - floor, joints - floor


def skin_of(model):
    return model.faces[topology_of(model).skin_faces]


def test_closest_points_like_the_twin():
    rng = np.random.default_rng(0)
    vertices, faces = sphere(0.3, rings=6, segments=8)
    points = rng.normal(0.0, 0.3, (40, 3))
    starts = np.zeros(len(vertices) + 1, np.int32)
    incident = np.empty(3 * len(faces), np.int32)
    count_incident_faces(faces, starts)
    list_incident_faces(faces, starts, np.empty(len(vertices), np.int32), incident)
    near = np.tile(np.arange(len(vertices)), (40, 1))
    triangle, barycentric, distance = np.empty(40, np.int32), np.empty((40, 3)), np.empty(40)
    find_closest_points(points, near, vertices, faces, starts, incident, triangle, barycentric, distance)
    for n, point in enumerate(points):
        slow = naive.closest_distance(point, vertices[faces])
        assert distance[n] <= slow + 1e-9
        assert distance[n] == pytest.approx(slow, abs=0.004)
        found = barycentric[n] @ vertices[faces[triangle[n]]]
        assert np.linalg.norm(found - point) == pytest.approx(distance[n], abs=1e-9)
        assert barycentric[n].min() >= -1e-9


def test_points_spread_by_area_and_face_outward():
    vertices, faces = tube([0.1, 0.1, 0.2], [0.0, 0.1, 2.0])
    rng = np.random.default_rng(0)
    for wound in (faces, faces[:, ::-1]):
        points = sample_mesh(vertices, wound, 4000, rng)
        side = (points.points[:, 2] > 0.2) & (points.points[:, 2] < 1.999)
        assert (points.points[side, :2] * points.normals[side, :2]).sum(1).min() > 0.0
        assert points.outward
    # A cone's mantle between two heights has an area that grows with its mean radius.
    heights = points.points[:, 2]
    low, high = ((heights > a) & (heights < a + 0.6) for a in (0.2, 1.3))
    radius = [0.1 + 0.1 * (z - 0.1) / 1.9 for z in (0.5, 1.6)]
    assert high.sum() / low.sum() == pytest.approx(radius[1] / radius[0], rel=0.02)
    cloud = cloud_points(points.points, None, 4000, rng)
    alike = np.abs((cloud.normals * cloud.points)[:, :2].sum(1)) / np.linalg.norm(cloud.points[:, :2], axis=1).clip(
        1e-9
    )
    assert not cloud.outward
    assert np.median(alike) > 0.95


def test_repose_undoes_a_pose(model):
    state = stranger(model, 0, arms=80.0)[1]
    rest = shape_body(model, state.shape)
    moved, joints = repose(model, state, state.vertices(model))
    straight = Articulation(state.shape, canonical_pose(model, rest.joints), np.eye(4))
    expected = straight.vertices(model).astype(np.float64)
    expected -= (0.0, 0.0, expected[topology_of(model).skin, 2].min())
    np.testing.assert_allclose(moved, expected, atol=2e-5)
    assert stance_of(model, joints).name == "A"


@pytest.mark.parametrize(
    ("seed", "arms", "yaw", "up", "unit"),
    [
        (100, 45.0, 0.4, "z", "m"),
        pytest.param(101, 88.0, 2.2, "y", "mm", marks=pytest.mark.slow),
        pytest.param(102, 15.0, 4.0, "y", "cm", marks=pytest.mark.slow),
    ],
)
def test_measures_a_stranger_as_exactly_as_the_model(model, seed, arms, yaw, up, unit):
    vertices, state = stranger(model, seed, arms, yaw)
    coordinates = vertices * {"m": 1.0, "cm": 100.0, "mm": 1000.0}[unit]
    if up == "y":
        coordinates = np.stack([coordinates[:, 0], coordinates[:, 2], -coordinates[:, 1]], 1)
    registration = register_body(model, coordinates, skin_of(model))
    assert (registration.up, registration.unit) == (up, unit)
    assert registration.rmse_m < 0.0025
    truth = measure_body(model, *to_frame_b(vertices, state.joints(model), yaw), sample_count=0)
    measures, stance = measure_registered(model, registration)
    assert stance.name == {45.0: "A", 88.0: "T", 15.0: "I"}[arms]
    assert measures["height"].value_mm == pytest.approx(truth["height"].value_mm, abs=5.0)
    # What stands on points that relief does not show (bust points, wrists) errs as much as it says.
    for key in (*GIRTHS, "crotch_height", "waist_height", "chest_height", "neck_girth"):
        error = abs(measures[key].value_mm - truth[key].value_mm)
        assert error < 3.5 * measures[key].std_mm, key
        assert error < 20.0, key
    for key in ("waist_girth", "hip_girth", "thigh_girth", "calf_girth"):
        assert measures[key].value_mm == pytest.approx(truth[key].value_mm, abs=4.0), key


@pytest.mark.slow
def test_noise_and_missing_sides_still_give_girths(model):
    vertices, state = stranger(model, 103, 40.0)
    truth = measure_body(model, *to_frame_b(vertices, state.joints(model), 0.0), sample_count=0)
    noisy = vertices + np.random.default_rng(0).normal(0.0, 0.002, vertices.shape)
    measures, _ = measure_registered(model, register_body(model, noisy, skin_of(model)))
    for key in ("waist_girth", "hip_girth", "thigh_girth", "calf_girth", "upper_arm_girth"):
        assert measures[key].value_mm == pytest.approx(truth[key].value_mm, abs=8.0), key


@pytest.mark.slow
def test_a_cloud_without_normals_is_enough(model):
    vertices, state = stranger(model, 104, 45.0)
    truth = measure_body(model, *to_frame_b(vertices, state.joints(model), 0.0), sample_count=0)
    cloud = sample_mesh(vertices, skin_of(model), 20_000, np.random.default_rng(1)).points
    measures, _ = measure_registered(model, register_body(model, cloud))
    for key in ("chest_girth", "waist_girth", "hip_girth", "thigh_girth"):
        assert measures[key].value_mm == pytest.approx(truth[key].value_mm, abs=8.0), key


@pytest.mark.slow
def test_refuses_a_ball(model):
    with pytest.raises(NotAPersonError, match="not a person"):
        register_body(model, *sphere(0.9, (0.0, 0.0, 0.9)))


@pytest.mark.slow
def test_refuses_columns_and_half_people(model):
    with pytest.raises(NotAPersonError):
        register_body(model, *tube([0.2, 0.2], [0.0, 1.75]))
    vertices, _ = stranger(model, 105, 45.0)
    faces = skin_of(model)
    headless = faces[vertices[faces, 2].max(1) < vertices[:, 2].max() - 0.25]
    with pytest.raises(NotAPersonError):
        register_body(model, vertices, headless)


def test_refuses_sizes_nobody_has(model):
    vertices, faces = sphere(0.9)
    with pytest.raises(InputError, match="--unit"):
        register_body(model, 150.0 * vertices + (0.0, 0.0, 5.0), faces, unit="cm")
    with pytest.raises(InputError, match="--unit"):
        register_body(model, 0.01 * vertices, faces)
