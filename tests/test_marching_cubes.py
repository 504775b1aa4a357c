"""Surfaces from signed distances: known bodies, closedness, and the obvious twin."""

import itertools

import numpy as np
import pytest

from solver.block_grid import lay_band, voxel_centres
from solver.errors import InputError
from solver.fusion import sample
from solver.kernels.block_grid import SLOTS, BlockGrid
from solver.kernels.marching_cubes import TRIANGLE_COUNT, TRIANGLES
from solver.surface import (
    close_holes,
    enclosed_volume,
    euler_number,
    extract_surface,
    face_areas,
    face_components,
    largest_component,
    unique_edges,
    vertex_normals,
)
from solver.types import Mesh
from tests.naive.marching_cubes import cell_loops, crossing, loop_area
from tests.naive.nearest_triangle import nearest_distance
from tests.shapes import sphere, tube


def dense_grid(blocks, voxel_m, origin=(0.0, 0.0, 0.0)):
    """A grid without holes of (Bx, By, Bz) blocks."""
    index = np.arange(np.prod(blocks), dtype=np.int32).reshape(blocks)
    return BlockGrid(index, np.argwhere(index >= 0).astype(np.int32), np.asarray(origin, np.float64), voxel_m)


def values_of(grid, function):
    centres = voxel_centres(grid, np.arange(len(grid.blocks) * SLOTS)).astype(np.float64)
    return function(centres).astype(np.float32)


def ball(centre, radius):
    return lambda p: np.linalg.norm(p - centre, axis=1) - radius


def test_sphere_has_its_area_volume_and_shape():
    centre = (0.0801, 0.0792, 0.0811)
    missing = []
    for blocks, voxel_m in ((4, 0.005), (8, 0.0025)):
        grid = dense_grid((blocks,) * 3, voxel_m)
        surface = extract_surface(grid, values_of(grid, ball(centre, 0.06)))
        mesh = surface.mesh
        missing.append(1.0 - enclosed_volume(mesh) / (4.0 / 3.0 * np.pi * 0.06**3))
        assert face_areas(mesh).sum() == pytest.approx(4.0 * np.pi * 0.06**2, rel=4e-3)
        assert euler_number(mesh) == 2
        assert set(unique_edges(mesh.faces)[1]) == {2}
        outward = (mesh.vertices - centre) / 0.06
        assert np.abs(np.linalg.norm(outward, axis=1) - 1.0).max() < 2e-3
        assert (surface.normals * outward).sum(1).min() > 0.999
        assert (vertex_normals(*mesh) * outward).sum(1).min() > 0.95
    # Flat triangles cut off what bulges between their corners: second order in the voxel.
    assert 0.0 < missing[0] < 5e-3
    assert missing[0] / missing[1] == pytest.approx(4.0, rel=0.15)


def test_torus_has_one_hole():
    def torus(p):
        ring = np.hypot(p[:, 0] - 0.08, p[:, 1] - 0.08) - 0.05
        return np.hypot(ring, p[:, 2] - 0.04) - 0.018

    grid = dense_grid((5, 5, 3), 0.004)
    mesh = extract_surface(grid, values_of(grid, torus)).mesh
    assert euler_number(mesh) == 0
    assert set(unique_edges(mesh.faces)[1]) == {2}
    assert enclosed_volume(mesh) == pytest.approx(2.0 * np.pi**2 * 0.05 * 0.018**2, rel=0.012)


@pytest.mark.parametrize("radius", [0.04, 0.055, 0.12])
def test_cylinders_are_not_thinner_or_thicker_than_they_are(radius):
    """A girth that is 2 pi times the mean radius is right to a tenth of a millimetre at 5 mm voxels."""
    blocks = int(np.ceil((2.0 * radius + 0.03) / 0.04))
    grid = dense_grid((blocks, blocks, 2), 0.005)
    centre = 0.02 * blocks + np.array([0.0013, -0.0007])
    tilt = np.array([0.05, 0.08])
    surface = extract_surface(
        grid, values_of(grid, lambda p: np.linalg.norm(p[:, :2] - centre - tilt * p[:, 2:], axis=1) - radius)
    )
    v = surface.mesh.vertices.astype(np.float64)
    radii = np.linalg.norm(v[:, :2] - centre - tilt * v[:, 2:], axis=1)
    assert abs(radii.mean() - radius) * 2.0 * np.pi < 0.2e-3


def test_noise_stays_closed_and_agrees_with_every_cell_by_itself():
    rng = np.random.default_rng(0)
    grid = dense_grid((2, 2, 2), 1.0)
    dense = rng.normal(size=(16, 16, 16))
    dense[[0, -1]] = dense[:, [0, -1]] = dense[:, :, [0, -1]] = 1.0
    places = voxel_centres(grid, np.arange(8 * SLOTS)).astype(int)
    surface = extract_surface(grid, dense[tuple(places.T)].astype(np.float32))
    vertices, faces = surface.mesh
    assert set(unique_edges(faces)[1]) == {2}
    known = {tuple(np.round(v, 4)) for v in vertices.tolist()}
    expected = set()
    area = 0.0
    areas = 0.0
    for cell in itertools.product(range(15), repeat=3):
        for loop in cell_loops(dense, cell):
            expected |= {tuple(np.round(crossing(dense, *edge), 4).tolist()) for edge in loop}
            area += np.linalg.norm(loop_area(dense, loop))
    assert len(vertices) == len(expected)
    assert max(min(np.abs(np.subtract(a, b)).max() for b in expected) for a in list(known)[:200]) < 2e-3
    # A loop's vector area does not depend on its triangles: sum them by cell and loop.
    corners = vertices[faces].astype(np.float64)
    cell_of = np.floor(corners.mean(1)).astype(int)
    vector = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for cell in np.unique(cell_of, axis=0):
        mine = (cell_of == cell).all(1)
        parts = face_components(faces[mine], len(vertices))
        for part in np.unique(parts):
            areas += np.linalg.norm(vector[mine][parts == part].sum(0))
    assert areas == pytest.approx(area, rel=1e-3)


def test_no_case_puts_a_diagonal_into_a_face_twice():
    """Every case of two cubes side by side stays closed: edges inside their common face belong to two triangles."""
    assert TRIANGLE_COUNT[0] == TRIANGLE_COUNT[255] == 0
    assert TRIANGLE_COUNT.max() == TRIANGLES.shape[1]
    rng = np.random.default_rng(5)
    grid = dense_grid((4, 1, 1), 1.0)
    for _ in range(40):
        values = np.ones((32, 8, 8))
        values[1:-1, 1:-1, 1:-1] = np.where(rng.random((30, 6, 6)) < 0.5, -1.0, 1.0)
        places = voxel_centres(grid, np.arange(4 * SLOTS)).astype(int)
        faces = extract_surface(grid, values[tuple(places.T)].astype(np.float32)).mesh.faces
        assert set(unique_edges(faces)[1]) == {2}


def test_unknown_voxels_leave_an_open_edge_and_no_loose_vertex():
    grid = dense_grid((3, 3, 3), 0.005)
    values = values_of(grid, ball((0.06, 0.06, 0.06), 0.04))
    centres = voxel_centres(grid, np.arange(len(values)))
    values[centres[:, 2] > 0.07] = np.inf
    mesh = extract_surface(grid, values).mesh
    assert mesh.vertices[:, 2].max() <= 0.071
    assert set(unique_edges(mesh.faces)[1]) == {1, 2}
    assert len(np.unique(mesh.faces)) == len(mesh.vertices)


def test_largest_component_drops_the_bubble():
    grid = dense_grid((4, 4, 4), 0.005)
    two = values_of(
        grid,
        lambda p: np.minimum(ball((0.06, 0.06, 0.06), 0.04)(p), ball((0.13, 0.13, 0.13), 0.015)(p)),
    )
    kept = largest_component(extract_surface(grid, two))
    assert euler_number(kept.mesh) == 2
    assert enclosed_volume(kept.mesh) == pytest.approx(4.0 / 3.0 * np.pi * 0.04**3, rel=0.01)
    assert np.allclose(kept.interpolate(voxel_centres(grid, np.arange(len(two)))), kept.mesh.vertices, atol=1e-6)


def test_nothing_inside_gives_an_empty_mesh():
    grid = dense_grid((1, 1, 1), 0.01)
    mesh = largest_component(extract_surface(grid, np.ones(SLOTS, np.float32))).mesh
    assert len(mesh.vertices) == len(mesh.faces) == 0


def test_band_holds_the_exact_distance_with_its_sign():
    vertices, faces = tube([0.03, 0.06, 0.02], [0.0, 0.1, 0.2], segments=24, depth=0.6)
    band = lay_band(vertices, faces, 0.008, 0.03)
    slots = np.flatnonzero(np.isfinite(band.distance))
    points = voxel_centres(band.grid, slots).astype(np.float64)
    for n in np.random.default_rng(1).choice(len(slots), 60, replace=False):
        assert abs(band.distance[slots[n]]) == pytest.approx(nearest_distance(points[n], vertices[faces]), abs=3e-4)
    # Inside the tube: nearer to the axis than the ellipse at that height.
    radius = np.interp(points[:, 2], [0.0, 0.1, 0.2], [0.03, 0.06, 0.02]) * np.cos(np.pi / 24)
    inside = (np.hypot(points[:, 0], points[:, 1] / 0.6) < radius * 0.999) & (np.abs(points[:, 2] - 0.1) < 0.099)
    assert (band.distance[slots[inside]] < 0.0).all()
    assert (np.abs(band.distance[slots]) <= 0.03 + 1e-6).all()


def test_band_and_cubes_give_the_mesh_back():
    vertices, faces = sphere(0.05, (0.2, -0.1, 1.0))
    band = lay_band(vertices, faces, 0.005, 0.02)
    mesh = extract_surface(band.grid, band.distance).mesh
    assert euler_number(mesh) == 2
    assert np.abs(np.linalg.norm(mesh.vertices - (0.2, -0.1, 1.0), axis=1) - 0.05).max() < 5e-4
    distance, gradient = sample(band.grid, band.distance, np.array([[0.2, -0.1, 1.058], [5.0, 5.0, 5.0]]))
    assert distance[0] == pytest.approx(0.008, abs=3e-4)
    assert gradient[0] == pytest.approx((0.0, 0.0, 1.0), abs=0.05)
    assert np.isnan(distance[1])


def test_a_mesh_in_millimetres_is_refused():
    vertices, faces = sphere(1000.0)
    with pytest.raises(InputError, match="units"):
        lay_band(vertices, faces, 0.005, 0.04)
    vertices[0] = np.nan
    with pytest.raises(InputError, match="not numbers"):
        lay_band(vertices, faces, 0.005, 0.04)


def test_holes_are_closed():
    vertices, faces = sphere(0.05)
    holed = np.delete(faces, [10, 11, 12, 700, 701, 900], axis=0)
    closed = close_holes(holed)
    assert set(unique_edges(holed)[1]) == {1, 2}
    assert set(unique_edges(closed)[1]) == {2}
    assert enclosed_volume(Mesh(vertices, closed)) == pytest.approx(enclosed_volume(Mesh(vertices, faces)), rel=0.01)
