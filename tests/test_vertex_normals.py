"""Vertex normals and ambient visibility."""

import numpy as np
import trimesh

from solver.ambient import ambient_visibility
from solver.kernels.vertex_normals import count_incident_faces, list_incident_faces
from solver.mesh import split_at_seams
from solver.normals import NormalField
from tests.naive import vertex_normals as naive


def bumpy_sphere(seed=0, subdivisions=2):
    sphere = trimesh.creation.icosphere(subdivisions)
    radii = 1.0 + 0.2 * np.random.default_rng(seed).random(len(sphere.vertices))
    return (sphere.vertices * radii[:, None]).astype(np.float32), sphere.faces.astype(np.int32)


def test_lists_of_incident_faces_are_the_naive_ones():
    vertices, faces = bumpy_sphere()
    starts = np.zeros(len(vertices) + 1, np.int32)
    incident = np.empty(3 * len(faces), np.int32)
    count_incident_faces(faces, starts)
    list_incident_faces(faces, starts, np.empty(len(vertices), np.int32), incident)
    for v, expected in enumerate(naive.incident_faces(faces, len(vertices))):
        assert sorted(incident[starts[v] : starts[v + 1]]) == expected


def test_normals_are_the_naive_ones():
    vertices, faces = bumpy_sphere()
    normals = NormalField(faces, len(vertices))(vertices)
    np.testing.assert_allclose(normals, naive.vertex_normals(vertices, faces), atol=2e-6)


def test_normals_of_a_sphere_are_its_radii():
    sphere = trimesh.creation.icosphere(4)
    normals = NormalField(sphere.faces.astype(np.int32), len(sphere.vertices))(sphere.vertices.astype(np.float32))
    assert np.abs(np.linalg.norm(normals, axis=1) - 1).max() < 1e-6
    assert ((normals * sphere.vertices).sum(1)).min() > np.cos(np.deg2rad(1.0))


def test_a_vertex_without_area_gets_the_up_direction():
    vertices = np.zeros((4, 3), np.float32)
    vertices[1, 0] = vertices[2, 1] = 1.0
    normals = NormalField(np.array([[0, 1, 2]], np.int32), 4)(vertices)
    np.testing.assert_array_equal(normals[3], (0, 0, 1))
    np.testing.assert_array_equal(normals[:3], np.tile((0, 0, 1), (3, 1)))


def test_a_sphere_sees_all_its_surroundings_and_a_pit_sees_less_than_the_rim():
    sphere = trimesh.creation.icosphere(3)
    seen = ambient_visibility(sphere.vertices.astype(np.float32), sphere.faces.astype(np.int32))
    assert seen.min() > 0.97
    # A box open on top, walls twice as high as wide: its floor's middle sees the sky through the opening only.
    box = trimesh.creation.box((1, 1, 2)).subdivide_loop(0).subdivide().subdivide().subdivide()
    inside = box.vertices.astype(np.float32)
    faces = box.faces[:, ::-1]
    faces = faces[~(inside[faces][..., 2] > 0.999).all(1)].astype(np.int32)
    seen = ambient_visibility(inside, faces, directions=256)
    floor = np.linalg.norm(inside - (0, 0, -1), axis=1) < 1e-3
    # View factor from a point to a square opening above it, half a side over distance x = 1/4.
    x = 0.25
    form = 4 / np.pi * x / np.sqrt(1 + x * x) * np.arctan(x / np.sqrt(1 + x * x))
    assert abs(seen[floor].mean() - form) < 0.04


def test_splitting_keeps_every_corner():
    faces = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    uv_faces = np.array([[0, 1, 2], [4, 5, 3]], np.int32)
    source, uv, split = split_at_seams(faces, uv_faces)
    np.testing.assert_array_equal(source[split], faces)
    np.testing.assert_array_equal(uv[split], uv_faces)
    assert len(source) == 6
