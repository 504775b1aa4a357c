"""The cone-beam projector: transpose, closed forms, the obvious twin, what must not change a projection."""

import numpy as np
import pytest

from benchmarks._phantoms import Ellipsoid, line_integrals, shepp_logan, voxel_means
from solver.errors import InputError
from solver.kernels.cone_beams import scale_by_length
from solver.thread_limit import thread_limit
from solver.tomography import (
    ConeBeamGeometry,
    VolumeGrid,
    back_project,
    camera_geometry,
    circular_geometry,
    helical_geometry,
    panel_geometry,
    project,
)
from solver.tomography.projector import Projector
from solver.types import Intrinsics
from tests.naive.joseph import system_matrix

SMALL = VolumeGrid((7, 6, 5), (0.03, 0.035, 0.04), (-0.08, -0.1, -0.07))


def arbitrary(views, rows, columns, generator):
    """Sources all around, panels opposite, turned about their middle in any way."""
    away = generator.normal(size=(views, 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    right = np.cross(away, generator.normal(size=(views, 3)))
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    pixel = 0.6 / max(rows, columns)
    u, v = pixel * right, pixel * np.cross(away, right)
    return panel_geometry(0.5 * away, -0.5 * away - 0.5 * (columns - 1) * u - 0.5 * (rows - 1) * v, u, v, rows, columns)


def camera_poses(count):
    """World to camera, from a metre and a half all around, looking slightly down."""
    poses = []
    for angle in np.linspace(0.0, 2.0 * np.pi, count, endpoint=False):
        forward = np.array([-np.cos(angle), -np.sin(angle), -0.2]) / np.sqrt(1.04)
        right = np.array([-np.sin(angle), np.cos(angle), 0.0])
        R = np.stack([right, np.cross(forward, right), forward])
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = R, R @ forward * 1.5
        poses.append(T)
    return np.array(poses)


GEOMETRIES = {
    "circle": circular_geometry(6, 0.5, 0.9, 9, 11, 0.05),
    "half turn, offset panel": circular_geometry(
        5, 0.5, 0.9, 9, 11, 0.05, arc_rad=3.4, start_rad=0.3, offset_m=(0.1, 0.04)
    ),
    "helix": helical_geometry(9, 0.5, 0.9, 5, 11, 0.05, turns=2.0, pitch_m=0.08),
    "tilted": circular_geometry(6, 0.5, 0.9, 9, 11, 0.05, tilt_rad=0.3),
    "along z": circular_geometry(6, 0.5, 0.9, 9, 11, 0.05, tilt_rad=1.4),
    "steep cone": circular_geometry(4, 0.14, 0.3, 13, 11, 0.1, start_rad=0.1, offset_m=(0.013, 0.007)),
    "anywhere": arbitrary(8, 9, 11, np.random.default_rng(3)),
    "depth camera": camera_geometry(Intrinsics(12, 10, 60.0, 60.0, 5.5, 4.5), camera_poses(4)),
    "from inside": panel_geometry(
        np.array([[0.01, 0.02, 0.0]]),
        np.array([[-0.2, 0.3, 0.2]]),
        np.array([[0.04, 0, 0]]),
        np.array([[0, 0, -0.04]]),
        11,
        11,
    ),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_projector_equals_its_twin(name):
    geometry = GEOMETRIES[name]
    generator = np.random.default_rng(1)
    A = system_matrix(geometry, SMALL)
    volume = generator.random(SMALL.shape)
    rays = generator.random(geometry.projections_shape)
    assert np.abs(A).sum() > 0.0
    forward = project(volume, geometry, SMALL)
    np.testing.assert_allclose(forward.ravel(), A @ volume.ravel(), rtol=1e-5, atol=2e-6)
    backward = back_project(rays, geometry, SMALL)
    np.testing.assert_allclose(backward.ravel(), A.T @ rays.ravel(), rtol=1e-5, atol=1e-5)


def test_both_ways_through_the_volume_are_tried():
    shares = {name: Projector(geometry, SMALL).beams.upright.mean() for name, geometry in GEOMETRIES.items()}
    assert shares["circle"] == shares["helix"] == shares["from inside"] == 1.0
    assert shares["tilted"] == shares["steep cone"] == shares["anywhere"] == shares["depth camera"] == 0.0


@pytest.mark.parametrize("name", GEOMETRIES)
def test_back_projector_is_the_transpose(name):
    """<A x, y> = <x, A^T y> in float64 sums."""
    geometry = GEOMETRIES[name]
    grid = VolumeGrid.centred((40, 36, 44), (0.006, 0.0065, 0.0055))
    generator = np.random.default_rng(2)
    x = generator.random(grid.shape, np.float32)
    y = generator.random(geometry.projections_shape, np.float32)
    there = np.sum(project(x, geometry, grid) * y.astype(np.float64))
    back = np.sum(back_project(y, geometry, grid) * x.astype(np.float64))
    assert there / back == pytest.approx(1.0, abs=1e-6)


def test_upright_views_equal_any_view():
    """`joseph_columns` and `joseph_rays` have the same weights."""
    geometry = helical_geometry(7, 0.5, 0.9, 24, 40, 0.015, turns=1.5, pitch_m=0.1)
    grid = VolumeGrid.centred((40, 36, 44), (0.006, 0.0065, 0.0055))
    volume = np.random.default_rng(4).random(grid.shape, np.float32)
    projector = Projector(geometry, grid)
    columns, rays = projector.stack(), projector.stack()
    backward = np.empty((2, *grid.shape), np.float32)
    projector.project(volume, projector.all_views, columns)
    projector.back_project(columns, projector.all_views, backward[0])
    projector.beams.upright[::2] = 0
    projector.project(volume, projector.all_views, rays)
    projector.back_project(columns, projector.all_views, backward[1])
    np.testing.assert_allclose(columns, rays, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(backward[0], backward[1], rtol=2e-5)


@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_ellipsoid_has_its_line_integrals(tilt):
    """The error falls faster than the voxels' size: it comes from the steps of the voxelised edge alone."""
    shapes = [Ellipsoid((0.01, -0.02, 0.015), (0.07, 0.05, 0.06), 0.5, 20.0)]
    errors, biases = [], []
    for count in (24, 48):
        grid = VolumeGrid.centred((count,) * 3, 0.2 / count)
        geometry = circular_geometry(5, 0.6, 1.2, 40, 44, 0.01, start_rad=0.1, tilt_rad=tilt)
        exact = line_integrals(shapes, geometry)
        found = project(voxel_means(shapes, grid, 4), geometry, grid)
        errors.append(np.sqrt(np.mean((found - exact) ** 2)) / exact.max())
        middle = exact > 0.6 * exact.max()
        assert np.abs(found - exact)[middle].max() < 0.04 * exact.max()
        biases.append(abs((found - exact)[middle].mean()) / exact.max())
    assert errors[0] < 0.02
    assert errors[1] < 0.6 * errors[0]
    # Where no edge is near, the blur of a voxel's size is left: second order.
    assert biases[0] < 0.01
    assert biases[1] < 0.4 * biases[0]


def test_shepp_logan_has_its_line_integrals():
    head = shepp_logan(0.1, 20.0)
    grid = VolumeGrid.centred((64,) * 3, 0.2 / 64)
    geometry = circular_geometry(4, 0.6, 1.2, 48, 48, 0.009, start_rad=0.2)
    exact = line_integrals(head, geometry)
    found = project(voxel_means(head, grid), geometry, grid)
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.02 * exact.max()
    assert found.mean() == pytest.approx(exact.mean(), rel=2e-3)


def test_sum_of_line_integrals_is_the_mass():
    """From far away rays are parallel: pixel area times their sum is what the volume holds, in any direction."""
    grid = VolumeGrid.centred((32, 34, 30), (0.01, 0.009, 0.011))
    x, y, z = grid.centres()
    volume = np.exp(-((x / 0.03) ** 2 + ((y - 0.02) / 0.025) ** 2 + ((z + 0.01) / 0.035) ** 2))
    mass = volume.sum() * np.prod(grid.spacing_m)
    for tilt in (0.0, 0.5):
        geometry = circular_geometry(7, 1000.0, 1000.0, 72, 72, 0.005, start_rad=0.2, tilt_rad=tilt)
        found = project(volume, geometry, grid).sum(axis=(1, 2), dtype=np.float64) * 0.005**2
        np.testing.assert_allclose(found, mass, rtol=5e-4)


def test_projection_is_linear():
    geometry = GEOMETRIES["anywhere"]
    a, b = np.random.default_rng(6).normal(size=(2, *SMALL.shape))
    together = project(2.0 * a - 3.0 * b, geometry, SMALL)
    apart = 2.0 * project(a, geometry, SMALL) - 3.0 * project(b, geometry, SMALL)
    np.testing.assert_allclose(together, apart, atol=1e-5)


@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_turning_volume_and_scanner_together_changes_nothing(tilt):
    grid = VolumeGrid.centred((15, 15, 12), 0.015)
    volume = np.random.default_rng(7).random(grid.shape, np.float32)
    geometry = circular_geometry(5, 0.5, 0.9, 12, 20, 0.02, start_rad=0.15, tilt_rad=tilt)
    quarter = np.array([[0.0, -1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    turned = ConeBeamGeometry(geometry.matrices @ quarter.T, geometry.rows, geometry.columns)
    np.testing.assert_allclose(
        project(np.rot90(volume, 1, (0, 1)), turned, grid), project(volume, geometry, grid), rtol=1e-5, atol=1e-6
    )


def test_upside_down_is_upside_down():
    grid = VolumeGrid.centred((15, 15, 12), 0.015)
    volume = np.random.default_rng(8).random(grid.shape, np.float32)
    geometry = circular_geometry(5, 0.5, 0.9, 12, 20, 0.02, start_rad=0.15)
    upright = project(volume, geometry, grid)
    np.testing.assert_allclose(project(volume[:, :, ::-1], geometry, grid), upright[:, ::-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["circle", "anywhere"])
def test_result_does_not_depend_on_threads(name):
    geometry = GEOMETRIES[name]
    generator = np.random.default_rng(9)
    volume = generator.random(SMALL.shape)
    rays = generator.random(geometry.projections_shape)
    with thread_limit(1):
        alone = project(volume, geometry, SMALL), back_project(rays, geometry, SMALL)
    together = project(volume, geometry, SMALL), back_project(rays, geometry, SMALL)
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


def test_what_lies_behind_the_source_is_not_seen():
    geometry = GEOMETRIES["from inside"]
    _, y, _ = SMALL.centres()
    behind = np.broadcast_to(y < 0.02, SMALL.shape).astype(np.float32)
    assert project(behind, geometry, SMALL).max() < project(np.ones(SMALL.shape), geometry, SMALL).max()
    before = np.broadcast_to(y > 0.06, SMALL.shape).astype(np.float32)
    far = np.broadcast_to(y < -0.02, SMALL.shape).astype(np.float32)
    assert project(far, geometry, SMALL).max() == 0.0
    assert project(before, geometry, SMALL).max() > 0.0


def test_length_of_a_ray_between_planes():
    projector = Projector(GEOMETRIES["circle"], SMALL)
    rays = np.ones((1, 11, 9), np.float32)
    scale_by_length(rays, projector.beams, np.array([0], np.int32), rays)
    # From +x: the middle ray runs along x.
    assert rays[0, 5, 4] == pytest.approx(SMALL.spacing_m[0], rel=1e-6)
    slope = 5 * 0.05 / 0.9
    assert rays[0, 10, 4] == pytest.approx(SMALL.spacing_m[0] * np.hypot(1.0, slope), rel=1e-6)


def test_a_panel_is_where_it_is_said_to_be():
    geometry = circular_geometry(4, 0.5, 0.9, 9, 11, 0.05, offset_m=(0.1, 0.04))
    np.testing.assert_allclose(geometry.sources[1], (0.0, 0.5, 0.0), atol=1e-12)
    u, v, w = geometry.matrices[0] @ (0.0, 0.0, 0.0, 1.0)
    np.testing.assert_allclose((u / w, v / w), (5.0 - 2.0, 4.0 - 0.8))
    assert w > 0.0
    # Rows downwards.
    up = geometry.matrices[0] @ (0.0, 0.0, 0.1, 1.0)
    assert up[1] / up[2] < v / w


BAD = {
    "shape": lambda: ConeBeamGeometry(np.zeros((3, 3)), 4, 4),
    "no view": lambda: ConeBeamGeometry(np.zeros((0, 3, 4)), 4, 4),
    "no pixel": lambda: ConeBeamGeometry(np.ones((1, 3, 4)), 0, 4),
    "nan": lambda: ConeBeamGeometry(np.full((1, 3, 4), np.nan), 4, 4),
    "singular": lambda: ConeBeamGeometry(np.ones((1, 3, 4)), 4, 4),
    "source in panel": lambda: panel_geometry(
        np.zeros((1, 3)), np.array([[1.0, 0, 0]]), np.array([[0.1, 0, 0]]), np.array([[0, 0.1, 0]]), 4, 4
    ),
    "sizes": lambda: circular_geometry(4, 0.9, 0.5, 4, 4, 0.1),
    "empty grid": lambda: VolumeGrid((4, 0, 4), (0.1, 0.1, 0.1), (0.0, 0.0, 0.0)),
    "flat grid": lambda: VolumeGrid((4, 4, 4), (0.1, 0.0, 0.1), (0.0, 0.0, 0.0)),
    "looks away": lambda: project(
        np.zeros(SMALL.shape), ConeBeamGeometry(-GEOMETRIES["circle"].matrices, 9, 11), SMALL
    ),
    "volume shape": lambda: project(np.zeros((3, 3, 3)), GEOMETRIES["circle"], SMALL),
    "volume nan": lambda: project(np.full(SMALL.shape, np.inf), GEOMETRIES["circle"], SMALL),
    "complex": lambda: project(np.zeros(SMALL.shape, complex), GEOMETRIES["circle"], SMALL),
    "projections shape": lambda: back_project(np.zeros((1, 2, 3)), GEOMETRIES["circle"], SMALL),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    with pytest.raises(InputError) as caught:
        BAD[name]()
    assert "\n" not in str(caught.value)
