"""Points with normals on a surface: of a triangle mesh by area, of a cloud by its neighbourhoods."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

CLOUD_NEIGHBOURS = 14


class SurfacePoints(NamedTuple):
    """Points on a surface."""

    points: NDArray[np.float64]
    """[m], shape (N, 3)."""
    normals: NDArray[np.float64]
    """Unit vectors, shape (N, 3)."""
    outward: bool
    """Whether the normals are known to point outwards; else their signs mean nothing."""

    def subset(self, count: int, rng: np.random.Generator) -> SurfacePoints:
        """At most `count` of them, drawn without replacement."""
        if len(self.points) <= count:
            return self
        chosen = rng.choice(len(self.points), count, replace=False)
        return SurfacePoints(self.points[chosen], self.normals[chosen], self.outward)


def sample_mesh(vertices: NDArray, faces: NDArray, count: int, rng: np.random.Generator) -> SurfacePoints:
    """`count` points spread over the triangles by area. Normals follow the winding, turned outward as a whole where the
    mesh encloses a volume; where neighbours are wound against each other their signs are worth nothing."""
    vertices = np.asarray(vertices, np.float64)
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    doubled = np.linalg.norm(across, axis=1)
    valid = doubled > 0.0
    faces, corners, across, doubled = faces[valid], corners[valid], across[valid], doubled[valid]
    # Stratified: one draw in each of `count` equal shares of the area.
    ladder = np.cumsum(doubled)
    draws = (np.arange(count) + rng.random(count)) * ladder[-1] / count
    chosen = np.minimum(np.searchsorted(ladder, draws), len(ladder) - 1)
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1.0 - a, a * (1.0 - b), a * b], 1)
    points = np.einsum("nk,nki->ni", weights, corners[chosen])
    normals = across[chosen] / doubled[chosen, None]
    middle = points.mean(0)
    volume = float(((corners.mean(1) - middle) * across).sum())
    return SurfacePoints(points, normals if volume >= 0.0 else -normals, _wound_alike(faces))


def cloud_points(points: NDArray, normals: NDArray | None, count: int, rng: np.random.Generator) -> SurfacePoints:
    """At most `count` points of a cloud; normals, where none are given, are those of the best plane through each
    neighbourhood, without sign."""
    points = np.asarray(points, np.float64)
    chosen = rng.permutation(len(points))[:count]
    if normals is not None:
        lengths = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return SurfacePoints(points[chosen], (normals / lengths)[chosen], True)
    near = cKDTree(points).query(points[chosen], k=min(CLOUD_NEIGHBOURS, len(points)))[1]
    patches = points[near] - points[near].mean(1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", patches, patches))
    return SurfacePoints(points[chosen], np.ascontiguousarray(axes[:, :, 0]), False)


def _wound_alike(faces: NDArray) -> bool:
    """Whether triangles that share an edge run along it in opposite directions, as one surface's do."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    keys = edges[:, 0] * (int(faces.max()) + 1) + edges[:, 1]
    _, counts = np.unique(keys, return_counts=True)
    return float((counts > 1).sum()) < 0.02 * len(counts)
