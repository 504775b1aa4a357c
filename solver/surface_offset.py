"""Moves the vertices of a fitted model along their normals to a surface, neighbours alike.

Sparse least squares over one offset a vertex (Allen et al. 2003 with normal displacements): the distance of surface
points from the model's triangles along the points' normals, and how much the offsets bend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import cg
from scipy.spatial import cKDTree

from solver.kernels.closest_points import find_closest_points
from solver.kernels.vertex_normals import count_incident_faces, list_incident_faces
from solver.measures.figure import Topology
from solver.surface_points import SurfacePoints

ROUNDS = 4
GATES_M = (0.04, 0.012)
SIGMA_M = 0.002
BEND_PER_M = 1.5
"""How sharply offsets may bend: over an edge of length h they leave their neighbours' mean by BEND_PER_M * h^2."""
REACH_M = 0.02
"""Spread of the offsets themselves: what pulls unseen parts back to the model."""
NORMAL_LENGTH_M = 0.05
STILL_PARTS = ("hand_l", "hand_r")
"""Fingers of other people's meshes lie anywhere: hands follow their neighbours only."""


@dataclass(frozen=True, slots=True)
class OffsetFit:
    """The model moved to a surface."""

    vertices: NDArray[np.float64]
    """[m], shape (V, 3)."""
    rmse_m: float
    """Root mean square distance of the surface's points from it, of those that belong to it."""
    coverage: NDArray[np.float64]
    """Share of each vertex's neighbourhood that the surface shows, 0 to 1, shape (V,)."""


def offset_to_surface(topology: Topology, vertices: NDArray, surface: SurfacePoints) -> OffsetFit:
    """Fits vertices (V, 3) [m], already within a few centimetres, to a surface in the same frame."""
    model = topology.model
    faces = np.ascontiguousarray(model.faces, np.int32)
    matcher = _Matcher(topology, surface)
    current = np.ascontiguousarray(vertices, np.float64)
    still = np.isin(model.part_labels, [model.part(name) for name in STILL_PARTS]) | ~topology.skin
    for gate in np.geomspace(*GATES_M, ROUNDS):
        normals = topology.normals(current.astype(np.float32)).astype(np.float64)
        triangle, barycentric, distance = matcher.match(current, normals, gate)
        kept = np.flatnonzero(triangle >= 0)
        corners = faces[triangle[kept]]
        on_model = np.einsum("nk,nki->ni", barycentric[kept], current[corners])
        facing = surface.normals[kept]
        residual = np.einsum("ni,ni->n", facing, surface.points[kept] - on_model)
        gain = barycentric[kept] * np.einsum("ni,nki->nk", facing, normals[corners])
        gain[still[corners]] = 0.0
        trust = 1.0 / np.square(1.0 + np.square(3.0 * distance[kept] / gate))
        rows = np.repeat(np.arange(len(kept)), 3)
        jacobian = coo_matrix((gain.ravel(), (rows, corners.ravel())), shape=(len(kept), model.vertex_count)).tocsr()
        weighted = jacobian.multiply((trust / SIGMA_M**2)[:, None]).tocsr()
        bends = _bends(faces, current)
        system = weighted.T @ jacobian + bends.T @ bends + diags(np.full(model.vertex_count, 1.0 / REACH_M**2))
        diagonal = system.diagonal()
        offsets, _ = cg(system.tocsr(), weighted.T @ residual, rtol=1e-4, maxiter=400, M=diags(1.0 / diagonal))
        current = current + offsets[:, None] * normals
    normals = topology.normals(current.astype(np.float32)).astype(np.float64)
    triangle, _, distance = matcher.match(current, normals, GATES_M[1])
    own = triangle >= 0
    rmse = float(np.sqrt(np.mean(np.square(distance[own])))) if own.any() else np.inf
    return OffsetFit(current, rmse, _coverage(topology, current, normals, surface))


class _Matcher:
    """Finds the nearest model triangle of each surface point that faces alike."""

    def __init__(self, topology: Topology, surface: SurfacePoints):
        model = topology.model
        self.surface = surface
        self.faces = np.ascontiguousarray(model.faces, np.int32)
        self.outer = np.flatnonzero(topology.skin)
        self.starts = np.zeros(model.vertex_count + 1, np.int32)
        self.incident = np.empty(3 * len(self.faces), np.int32)
        count_incident_faces(self.faces, self.starts)
        list_incident_faces(self.faces, self.starts, np.empty(model.vertex_count, np.int32), self.incident)

    def match(
        self, vertices: NDArray, normals: NDArray, gate: float
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """Triangle (N,), -1 where none fits, barycentric weights (N, 3) and distance (N,) [m] of each surface point."""
        surface = self.surface
        weight = NORMAL_LENGTH_M if surface.outward else 0.0
        tree = cKDTree(np.concatenate([vertices[self.outer], weight * normals[self.outer]], 1))
        near = tree.query(np.concatenate([surface.points, weight * surface.normals], 1), k=3)[1]
        count = len(surface.points)
        triangle, barycentric, distance = np.empty(count, np.int32), np.empty((count, 3)), np.empty(count)
        find_closest_points(
            np.ascontiguousarray(surface.points),
            self.outer[near],
            np.ascontiguousarray(vertices),
            self.faces,
            self.starts,
            self.incident,
            triangle,
            barycentric,
            distance,
        )
        model_normals = np.einsum("nk,nki->ni", barycentric, normals[self.faces[triangle]])
        alike = np.einsum("ni,ni->n", model_normals, surface.normals)
        triangle[((alike if surface.outward else np.abs(alike)) < 0.5) | (distance > gate)] = -1
        return triangle, barycentric, distance


def _bends(faces: NDArray, vertices: NDArray) -> csr_matrix:
    """Rows: offset of a vertex less the mean of its neighbours', in units of what is to be expected, shape (V, V)."""
    count = len(vertices)
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1), axis=0)
    a, b = edges.T
    links = coo_matrix((np.ones(len(edges)), (a, b)), shape=(count, count))
    links = (links + links.T).tocsr()
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1.0)
    lengths = np.linalg.norm(vertices[a] - vertices[b], axis=1)
    spacing = (np.bincount(a, lengths, count) + np.bincount(b, lengths, count)) / degree
    scale = 1.0 / (BEND_PER_M * np.square(np.maximum(spacing, 0.004)))
    return (diags(scale) @ (diags(np.ones(count)) - diags(1.0 / degree) @ links)).tocsr()


def _coverage(topology: Topology, vertices: NDArray, normals: NDArray, surface: SurfacePoints) -> NDArray[np.float64]:
    """1 where the surface has points about a vertex that face as it does, 0 where it has none."""
    tree = cKDTree(surface.points)
    spacing = np.sqrt(2.0 / max(len(surface.points), 1))
    reach = 0.02 + 1.5 * spacing
    distance, nearest = tree.query(vertices, k=4, distance_upper_bound=reach)
    padded = np.concatenate([surface.normals, np.zeros((1, 3))])
    alike = np.einsum("vki,vi->vk", padded[nearest], normals)
    seen = (np.isfinite(distance) & ((alike if surface.outward else np.abs(alike)) > 0.3)).any(1).astype(np.float64)
    faces = topology.model.faces
    total, weight = seen.copy(), np.ones(len(vertices))
    for corner in range(3):
        for other in ((corner + 1) % 3, (corner + 2) % 3):
            np.add.at(total, faces[:, corner], seen[faces[:, other]])
            np.add.at(weight, faces[:, corner], 1.0)
    return total / weight
