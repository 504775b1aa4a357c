"""The rasteriser against its slow twin and against shapes whose picture is known."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from solver.kernels.rasterize import project_points
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics
from tests.naive import rasterize as naive

NEAR = 0.1
CAMERA = Intrinsics(25, 21, 27.0, 26.5, 11.7, 10.6)


def sphere(rings: int, segments: int, radius: float, center) -> tuple[np.ndarray, np.ndarray]:
    polar = np.linspace(0.0, np.pi, rings + 1)
    around = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    points = np.stack(
        [
            np.outer(np.sin(polar), np.cos(around)),
            np.outer(np.sin(polar), np.sin(around)),
            np.repeat(np.cos(polar)[:, None], segments, 1),
        ],
        axis=-1,
    ).reshape(-1, 3)
    faces = []
    for r in range(rings):
        for s in range(segments):
            a, b = r * segments + s, r * segments + (s + 1) % segments
            faces += [(a, a + segments, b + segments), (a, b + segments, b)]
    return (points * radius + center).astype(np.float32), np.array(faces, np.int32)


def random_soup(seed: int, count: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Triangles in front of, across and behind the camera."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform((-1.5, -1.5, -0.5), (1.5, 1.5, 4.0), (count, 1, 3))
    vertices = (centers + rng.normal(0.0, 0.6, (count, 3, 3))).reshape(-1, 3)
    return vertices.astype(np.float32), np.arange(3 * count, dtype=np.int32).reshape(-1, 3)


@pytest.mark.parametrize("cull", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_agrees_with_the_twin(seed, cull):
    vertices, faces = random_soup(seed)
    raster = Rasterizer(CAMERA, NEAR).render(vertices, faces, cull)
    depth, triangle, barycentric = naive.rasterize(vertices, faces, CAMERA, NEAR, cull)
    assert (triangle >= 0).mean() > 0.15
    agrees = raster.triangle == triangle
    assert agrees.mean() > 0.999
    np.testing.assert_allclose(raster.depth[agrees], depth[agrees], rtol=1e-5)
    hit = agrees & (triangle >= 0)
    np.testing.assert_allclose(raster.barycentric[hit], barycentric[hit], atol=1e-5)


def test_projects_like_the_twin():
    points = np.random.default_rng(2).uniform(-1.0, 3.0, (50, 3)).astype(np.float32)
    pixels = np.empty((50, 2))
    project_points(points, CAMERA, NEAR, pixels)
    np.testing.assert_allclose(pixels, naive.project_points(points, CAMERA, NEAR), rtol=1e-12)


def test_interpolates_like_the_twin():
    vertices, faces = random_soup(5)
    attributes = np.random.default_rng(5).normal(size=(len(vertices), 4)).astype(np.float32)
    rasterizer = Rasterizer(CAMERA, NEAR)
    raster = rasterizer.render(vertices, faces)
    expected = naive.interpolate_attributes(faces, raster.triangle, raster.barycentric, attributes)
    np.testing.assert_allclose(rasterizer.interpolate(attributes), expected, atol=1e-5)


def test_sphere_shows_its_analytic_depth():
    camera = Intrinsics(160, 120, 150.0, 150.0, 79.5, 59.5)
    center, radius = np.array([0.1, -0.05, 2.0]), 0.5
    vertices, faces = sphere(120, 240, radius, center)
    raster = Rasterizer(camera).render(vertices, faces)
    x, y = np.meshgrid(np.arange(160), np.arange(120))
    rays = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x, float)], axis=-1)
    a, b, c = (rays**2).sum(-1), rays @ center, center @ center - radius**2
    root = b**2 - a * c
    seen = raster.depth > 0
    assert np.count_nonzero(seen != (root > 0)) < 12  # facets flatten the outline
    inside = seen & (root > 0.02)
    expected = (b - np.sqrt(np.maximum(root, 0.0))) / a
    assert np.abs(raster.depth - expected)[inside].max() < 1e-3


def test_barycentrics_give_back_the_position():
    camera = Intrinsics(160, 120, 150.0, 150.0, 79.5, 59.5)
    vertices, faces = sphere(20, 30, 0.6, (0.0, 0.0, 1.5))
    rasterizer = Rasterizer(camera)
    raster = rasterizer.render(vertices, faces)
    points = rasterizer.interpolate(vertices)
    rows, columns = np.nonzero(raster.depth)
    np.testing.assert_allclose(points[rows, columns, 2], raster.depth[rows, columns], atol=1e-6)
    u = camera.fx * points[rows, columns, 0] / points[rows, columns, 2] + camera.cx
    np.testing.assert_allclose(u, columns, atol=1e-3)


def test_floor_that_runs_under_the_camera_is_cut_at_the_near_plane():
    camera = Intrinsics(80, 60, 60.0, 60.0, 39.5, 29.5)
    height = 1.0
    vertices = np.array([[-9, height, -9], [9, height, -9], [9, height, 50], [-9, height, 50]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    raster = Rasterizer(camera).render(vertices, faces, cull_back=False)
    y = np.arange(60)
    z = height * camera.fy / np.where(y > camera.cy, y - camera.cy, np.nan)
    for row in range(60):
        middle = raster.depth[row, 39]
        if np.isnan(z[row]) or z[row] > 50:
            assert middle == 0.0
        else:
            assert middle == pytest.approx(z[row], rel=1e-5)


def test_closed_surface_has_no_cracks():
    camera = Intrinsics(300, 300, 900.0, 900.0, 149.5, 149.5)
    vertices, faces = sphere(200, 400, 0.5, (0.013, 0.017, 2.0))
    raster = Rasterizer(camera).render(vertices, faces)
    x, y = np.meshgrid(np.arange(300), np.arange(300))
    middle = np.hypot(x - 155, y - 157) < 120
    assert (raster.depth[middle] > 0).all()


def test_same_picture_whatever_the_number_of_threads():
    vertices, faces = sphere(60, 90, 0.5, (0.0, 0.0, 1.4))
    threads = numba.get_num_threads()
    rasterizer = Rasterizer(Intrinsics(212, 120, 106.0, 106.0, 106.0, 60.0))
    pictures = []
    try:
        for count in (1, threads):
            numba.set_num_threads(count)
            pictures.append([array.copy() for array in rasterizer.render(vertices, faces)])
    finally:
        numba.set_num_threads(threads)
    for one, many in zip(*pictures, strict=True):
        np.testing.assert_array_equal(one, many)


def test_buffers_serve_meshes_of_any_size():
    rasterizer = Rasterizer(CAMERA)
    large = sphere(40, 60, 0.5, (0.0, 0.0, 1.2))
    small = sphere(8, 9, 0.5, (0.0, 0.0, 1.2))
    first = rasterizer.render(*large).depth.copy()
    rasterizer.render(*small)
    np.testing.assert_array_equal(rasterizer.render(*large).depth, first)
    empty = rasterizer.render(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    assert (empty.depth == 0).all()
    assert (empty.triangle == -1).all()


def test_reads_read_only_arrays():
    vertices, faces = sphere(8, 9, 0.5, (0.0, 0.0, 1.2))
    vertices.flags.writeable = faces.flags.writeable = False
    assert (Rasterizer(CAMERA).render(vertices, faces).depth > 0).any()
