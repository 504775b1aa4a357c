"""Signs of a distance where the mesh folds: the kernel against its slow twin, and a mesh that cuts itself."""

import numpy as np
import pytest

from game.assets import load_body_model
from solver.block_grid import lay_band
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.fusion import outer_faces
from solver.kernels.block_grid import SLOTS, BlockGrid
from solver.kernels.settle_signs import settle_signs
from solver.surface import close_holes, extract_surface, unique_edges
from tests.naive.settle_signs import settled
from tests.shapes import sphere

VOXEL = 0.005


def settle(grid, distance):
    result = distance.copy()
    settle_signs(grid, np.empty(len(distance), np.uint8), np.empty(len(distance), np.int32), result)
    return result


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    index = np.array([[[0, 1], [-1, 2]]], np.int32)
    grid = BlockGrid(index, np.argwhere(index >= 0).astype(np.int32), np.zeros(3), VOXEL)
    distance = (VOXEL * rng.uniform(-0.9, 0.9, 3 * SLOTS)).astype(np.float32)
    distance[rng.random(len(distance)) < 0.2] = np.inf
    dense = np.full((8, 16, 16), np.nan, np.float32)
    for n, (i, j, k) in enumerate(grid.blocks * 8):
        dense[i : i + 8, j : j + 8, k : k + 8] = distance[n * SLOTS : (n + 1) * SLOTS].reshape(8, 8, 8)
    dense[~np.isfinite(dense)] = np.nan
    expected = settled(dense, VOXEL)
    found = settle(grid, distance)
    assert (np.sign(found) != np.sign(distance)).sum() > 50
    for n, (i, j, k) in enumerate(grid.blocks * 8):
        block = found[n * SLOTS : (n + 1) * SLOTS].reshape(8, 8, 8)
        known = np.isfinite(block)
        np.testing.assert_array_equal(block[known], expected[i : i + 8, j : j + 8, k : k + 8][known])


def test_wrong_signs_of_a_ball_are_put_right():
    vertices, faces = sphere(0.1)
    band = lay_band(vertices, faces, VOXEL, 0.03)
    distance = band.distance.copy()
    known = np.flatnonzero(np.isfinite(distance))
    far = known[np.abs(distance[known]) > 1.1 * VOXEL]
    wrong = np.random.default_rng(0).choice(far, len(far) // 3, replace=False)
    distance[wrong] *= -1.0
    np.testing.assert_array_equal(settle(band.grid, distance), band.distance)


def test_no_sign_changes_far_from_the_bodys_surface():
    model = load_body_model()
    rest = shape_body(model, np.random.default_rng(0).normal(0.0, 1.0, 10))
    transforms = joint_transforms(model, rest.joints, canonical_pose(model, rest.joints))
    vertices = skin(model, rest.vertices, transforms)
    band = lay_band(vertices, close_holes(outer_faces(model)), 0.008, 0.04)
    shape = 8 * np.array(band.grid.block_index.shape)
    distance = np.full(shape, np.nan, np.float32)
    for n, (i, j, k) in enumerate(band.grid.blocks * 8):
        block = band.distance[n * SLOTS : (n + 1) * SLOTS].reshape(8, 8, 8)
        distance[i : i + 8, j : j + 8, k : k + 8] = np.where(np.isfinite(block), block, np.nan)
    for axis in range(3):
        a, b = (np.take(distance, np.arange(shape[axis] - 1) + n, axis) for n in (0, 1))
        assert not ((a * b < 0.0) & (np.abs(a) + np.abs(b) > 1.02 * band.grid.voxel_m)).any()
    # A crossing sheet would leave through the edge of the band.
    mesh = extract_surface(band.grid, band.distance).mesh
    assert set(unique_edges(mesh.faces)[1]) == {2}
