"""Triangle surfaces: extracting them from a signed distance, and what is known of a mesh as such."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solver.kernels.block_grid import SLOTS, BlockGrid
from solver.kernels.marching_cubes import connect_vertices, count_surface, place_vertices
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics, Mesh


@dataclass(frozen=True, slots=True)
class Extraction:
    """A surface and where on the grid its vertices came from."""

    mesh: Mesh
    normals: NDArray[np.float32]
    """Unit normals, outwards, from the distance's gradient, shape (N, 3)."""
    sources: NDArray[np.int32]
    """Slots of the two voxels between which each vertex lies, shape (N, 2)."""
    fractions: NDArray[np.float32]
    """How far along from the first to the second, 0..1, shape (N,)."""

    def interpolate(self, values: NDArray) -> NDArray[np.float32]:
        """`values` of the voxels (slots, ...) at the vertices (N, ...)."""
        t = self.fractions.reshape((-1,) + (1,) * (values.ndim - 1))
        return ((1.0 - t) * values[self.sources[:, 0]] + t * values[self.sources[:, 1]]).astype(np.float32)


def extract_surface(grid: BlockGrid, distance: NDArray[np.float32]) -> Extraction:
    """The zero level of a signed distance [m] (slots,), not finite where unknown.

    Vertices are shared by their triangles; where every cell that the level passes is known, the surface is closed."""
    block_count = len(grid.blocks)
    cut_edges = np.empty(block_count * SLOTS, np.uint8)
    vertex_counts = np.empty(block_count, np.int32)
    triangle_counts = np.empty(block_count, np.int32)
    count_surface(grid, distance, cut_edges, vertex_counts, triangle_counts)
    vertex_count, triangle_count = int(vertex_counts.sum()), int(triangle_counts.sum())
    vertices = np.empty((vertex_count, 3), np.float32)
    normals = np.empty((vertex_count, 3), np.float32)
    sources = np.empty((vertex_count, 2), np.int32)
    fractions = np.empty(vertex_count, np.float32)
    vertex_of_edge = np.empty((block_count * SLOTS, 3), np.int32)
    first_vertex = (np.cumsum(vertex_counts) - vertex_counts).astype(np.int32)
    place_vertices(grid, distance, cut_edges, first_vertex, vertices, normals, sources, fractions, vertex_of_edge)
    faces = np.empty((triangle_count, 3), np.int32)
    first_triangle = (np.cumsum(triangle_counts) - triangle_counts).astype(np.int32)
    connect_vertices(grid, distance, vertex_of_edge, first_triangle, faces)
    return keep_faces(Extraction(Mesh(vertices, faces), normals, sources, fractions), np.ones(triangle_count, bool))


def keep_faces(surface: Extraction, kept: NDArray[np.bool_]) -> Extraction:
    """The part of a surface that `kept` (F,) names, without the vertices that it does not use."""
    faces = surface.mesh.faces[kept]
    used = np.zeros(len(surface.mesh.vertices), bool)
    used[faces] = True
    if used.all():
        return Extraction(Mesh(surface.mesh.vertices, faces), surface.normals, surface.sources, surface.fractions)
    renumbered = (np.cumsum(used) - 1).astype(np.int32)
    return Extraction(
        Mesh(surface.mesh.vertices[used], renumbered[faces]),
        surface.normals[used],
        surface.sources[used],
        surface.fractions[used],
    )


def largest_component(surface: Extraction) -> Extraction:
    """The connected part with the largest area: without the bubbles inside and the flakes outside."""
    faces = surface.mesh.faces
    if not len(faces):
        return surface
    component = face_components(faces, len(surface.mesh.vertices))
    area = np.bincount(component, face_areas(surface.mesh))
    return keep_faces(surface, component == area.argmax())


def face_components(faces: NDArray[np.int32], vertex_count: int) -> NDArray[np.int32]:
    """Number of the connected part that each face belongs to, shape (F,)."""
    rows, columns = faces[:, :2].T
    rows, columns = np.concatenate([rows, faces[:, 1]]), np.concatenate([columns, faces[:, 2]])
    graph = sparse.coo_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(vertex_count, vertex_count))
    return connected_components(graph, directed=False)[1][faces[:, 0]]


def face_areas(mesh: Mesh) -> NDArray[np.float64]:
    """[m^2], shape (F,)."""
    a, b, c = np.asarray(mesh.vertices, np.float64)[mesh.faces].transpose(1, 0, 2)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def enclosed_volume(mesh: Mesh) -> float:
    """Volume inside a closed mesh [m^3] (divergence theorem); positive where faces are counter-clockwise outside."""
    a, b, c = np.asarray(mesh.vertices, np.float64)[mesh.faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6.0)


def euler_number(mesh: Mesh) -> int:
    """Vertices - edges + faces: 2 for a sphere, 0 for a torus."""
    return len(mesh.vertices) - len(unique_edges(mesh.faces)[0]) + len(mesh.faces)


def unique_edges(faces: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Undirected edges (E, 2), lower vertex first, and how many faces share each (E,)."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, counts = np.unique(ends, axis=0, return_counts=True)
    return edges, counts


def vertex_normals(vertices: NDArray, faces: NDArray[np.int32]) -> NDArray[np.float32]:
    """Unit normals of the vertices, faces weighted by area, shape (V, 3)."""
    a, b, c = np.asarray(vertices, np.float64)[faces].transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    normals = np.zeros((len(vertices), 3))
    for n in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(faces[:, n], face[:, axis], len(vertices))
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)).astype(np.float32)


def outside_vertices(vertices: NDArray, faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    """The vertices that can be seen from somewhere far away, (V,): not those inside the mouth."""
    vertices = np.asarray(vertices, np.float64)
    centre, size = 0.5 * (vertices.max(0) + vertices.min(0)), np.ptp(vertices, axis=0).max()
    pixels = 720
    away = 20.0 * size
    focal = 0.98 * pixels * away / size
    rasterizer = Rasterizer(Intrinsics(pixels, pixels, focal, focal, pixels / 2, pixels / 2))
    seen = np.zeros(len(vertices), bool)
    for elevation, count in ((0.0, 12), (0.6, 8), (-0.6, 8), (1.4, 2), (-1.4, 2)):
        for azimuth in 2.0 * np.pi * np.arange(count) / count:
            level = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
            forward = np.cos(elevation) * level + (0.0, 0.0, np.sin(elevation))
            right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
            R = np.stack([right, np.cross(forward, right), forward])
            placed = (vertices - centre) @ R.T
            placed[:, 2] += away
            triangle = rasterizer.render(placed.astype(np.float32), faces).triangle
            seen[faces[np.unique(triangle[triangle >= 0])]] = True
    return seen


def close_holes(faces: NDArray[np.int32]) -> NDArray[np.int32]:
    """`faces` and fans of triangles over every hole, from vertices that are there; consistently wound."""
    inner: dict[int, list[int]] = {}
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    forth, back = (directed << (32, 0)).sum(1), (directed << (0, 32)).sum(1)
    for a, b in directed[~np.isin(forth, back)].tolist():
        inner.setdefault(b, []).append(a)
    caps = []
    while inner:
        start = min(inner)
        loop, vertex = [], start
        while True:
            following = inner[vertex].pop()
            if not inner[vertex]:
                del inner[vertex]
            loop.append(vertex)
            vertex = following
            if vertex == start:
                break
        caps += [(loop[0], loop[n], loop[n + 1]) for n in range(1, len(loop) - 1)]
    return np.concatenate([faces, np.array(caps, np.int32).reshape(-1, 3)])
