"""Laying a sparse grid around a mesh, and the mesh's signed distance on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.kernels.block_grid import BLOCK, SLOTS, BlockGrid
from solver.kernels.nearest_triangle import find_nearest_triangles, mark_blocks, sign_distances
from solver.kernels.settle_signs import settle_signs

LARGEST_BLOCK_COUNT = 1 << 21
"""Bounding boxes beyond this many blocks are a mistake in units, not a person."""


@dataclass(frozen=True, slots=True)
class Band:
    """Voxels near a mesh and where on the mesh each is nearest. Slots as in `solver.kernels.block_grid`."""

    grid: BlockGrid
    nearest: NDArray[np.int32]
    """Triangle nearest to each voxel, -1 outside the band, shape (slots,)."""
    barycentric: NDArray[np.float32]
    """Barycentric coordinates of corners 1 and 2 of the nearest point, shape (slots, 2)."""
    distance: NDArray[np.float32]
    """Signed distance [m], negative inside, +inf outside the band, shape (slots,)."""


def voxel_centres(grid: BlockGrid, slots: NDArray) -> NDArray[np.float32]:
    """Positions [m] of voxels, shape (N, 3)."""
    block, local = np.divmod(slots, SLOTS)
    place = np.stack([local >> 6, (local >> 3) & 7, local & 7], 1) + BLOCK * grid.blocks[block]
    return (grid.origin + grid.voxel_m * place).astype(np.float32)


def lay_band(vertices: NDArray, faces: NDArray[np.int32], voxel_m: float, reach_m: float) -> Band:
    """The voxels within `reach_m` of a closed mesh. Voxel centres lie at whole multiples of `voxel_m`.

    vertices (V, 3) [m]; faces (F, 3). Raises `InputError` for a mesh of absurd size.
    """
    vertices = np.asarray(vertices, np.float64)
    low, high = vertices[faces].min((0, 1)), vertices[faces].max((0, 1))
    if not np.isfinite(low).all() or not np.isfinite(high).all():
        raise InputError("the mesh has vertices that are not numbers")
    first = np.floor((low - reach_m) / voxel_m) - 1
    shape = np.ceil(((high + reach_m) / voxel_m + 2 - first) / BLOCK).astype(int)
    if np.prod(shape.astype(float)) > LARGEST_BLOCK_COUNT:
        raise InputError(
            f"a grid of {voxel_m * 1e3:g} mm around a mesh of {np.round(high - low, 2)} m is too large; check its units"
        )
    origin = first * voxel_m
    triangles = np.ascontiguousarray(vertices[faces])
    in_use = np.zeros(shape, np.uint8)
    mark_blocks(triangles, origin, voxel_m, reach_m, in_use)
    blocks = np.argwhere(in_use).astype(np.int32)
    block_index = np.full(shape, -1, np.int32)
    block_index[tuple(blocks.T)] = np.arange(len(blocks), dtype=np.int32)
    grid = BlockGrid(block_index, blocks, origin, float(voxel_m))
    slots = len(blocks) * SLOTS
    nearest = np.empty(slots, np.int32)
    distance = np.empty(slots, np.float32)
    find_nearest_triangles(triangles, grid, reach_m, nearest, distance)
    barycentric = np.zeros((slots, 2), np.float32)
    sign_distances(triangles, pseudo_normals(vertices, faces), grid, nearest, barycentric, distance)
    settle_signs(grid, np.empty(slots, np.uint8), np.empty(slots, np.int32), distance)
    return Band(grid, nearest, barycentric, distance)


def pseudo_normals(vertices: NDArray, faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Normals of each triangle's face, edges (from corner e to the next) and corners, shape (F, 7, 3).

    Edge normals are the sum of the two faces', corner normals the sum weighted by the angles (Baerentzen and
    Aanaes 2005).
    """
    corners = np.asarray(vertices, np.float64)[faces]
    sides = np.roll(corners, -1, 1) - corners
    face = np.cross(sides[:, 0], sides[:, 1])
    face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), 1e-30)
    length = np.maximum(np.linalg.norm(sides, axis=2), 1e-30)
    turn = -(sides * np.roll(sides, 1, 1)).sum(2) / (length * np.roll(length, 1, 1))
    angle = np.arccos(np.clip(turn, -1.0, 1.0))
    vertex = np.zeros((len(vertices), 3))
    for c in range(3):
        np.add.at(vertex, faces[:, c], angle[:, c, None] * face)
    ends = np.stack([faces, np.roll(faces, -1, 1)], 2).reshape(-1, 2)
    _, edge = np.unique(np.sort(ends, 1), axis=0, return_inverse=True)
    edge = edge.reshape(-1)
    total = np.zeros((edge.max() + 1, 3))
    np.add.at(total, edge, np.repeat(face, 3, 0))
    return np.concatenate([face[:, None], total[edge].reshape(-1, 3, 3), vertex[faces]], 1).astype(np.float32)
