"""Sewing: the panels of a pattern become one sheet of particles.

Points that a stitch joins become one particle (seam vertices merged, as GarmentCode does: Korosteleva & Sorkine-Hornung
2023); every triangle keeps the shape that it has on its flat panel as its shape at rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from solver.errors import InputError
from solver.pattern.panel import EdgeRef, Panel
from solver.pattern.triangulate import PatternMesh


@dataclass(frozen=True)
class SewnMesh:
    """A garment as particles (P) and, for drawing, the panels' own vertices (N >= P): two or more at a seam."""

    particle_count: int
    uv: NDArray[np.float32]
    """Panel coordinates of the vertices [m], shape (N, 2): texture coordinates, y along the grain."""
    particles: NDArray[np.int32]
    """The particle of each vertex, shape (N,)."""
    faces: NDArray[np.int32]
    """Vertex indices, counter-clockwise seen from outside, shape (F, 3)."""
    layers: NDArray[np.int32]
    """How many layers of cloth lie on each triangle, shape (F,)."""
    panel_names: tuple[str, ...]
    panels: NDArray[np.int32]
    """Index into `panel_names` of each vertex, shape (N,)."""
    edges: Mapping[EdgeRef, NDArray[np.int32]]
    """Vertices along every edge of the pattern: seams and hems."""

    @property
    def triangles(self) -> NDArray[np.int32]:
        """Particle indices of the triangles, shape (F, 3)."""
        return self.particles[self.faces]

    def panel_vertices(self, name: str) -> NDArray[np.int32]:
        """Vertices of the panel called `name`."""
        return np.flatnonzero(self.panels == self.panel_names.index(name)).astype(np.int32)


def sew(mesh: PatternMesh) -> SewnMesh:
    """Join the panels of `mesh` along their stitches. Raises `InputError` where a stitch folds a triangle away."""
    starts = np.cumsum([0] + [len(panel.points) for panel in mesh.panels])
    edges = {
        EdgeRef(panel.panel.name, name): indices + np.int32(start)
        for panel, start in zip(mesh.panels, starts[:-1], strict=True)
        for name, indices in panel.edge_points.items()
    }
    pairs = [np.zeros((0, 2), int)]
    for stitch in mesh.pattern.stitches:
        vertices_a, slots_a = _run(edges, stitch.a)
        vertices_b, slots_b = _run(edges, stitch.b)
        vertices = np.concatenate([vertices_a, vertices_b])
        slots = np.concatenate([slots_a, slots_b.max() - slots_b])
        first = np.unique(slots, return_index=True)[1]
        pairs.append(np.stack([vertices, vertices[first[slots]]], axis=1))
    particles, particle_count = _merge(int(starts[-1]), np.concatenate(pairs))
    faces = np.concatenate([panel.faces + np.int32(s) for panel, s in zip(mesh.panels, starts[:-1], strict=True)])
    corners = particles[faces]
    folded = (corners == corners[:, [1, 2, 0]]).any(axis=1)
    if folded.any():
        panel = mesh.panels[int(np.searchsorted(starts, faces[np.argmax(folded), 0], side="right")) - 1].panel.name
        raise InputError(f"panel {panel}: a stitch joins two corners of one triangle; use a smaller edge length")
    return SewnMesh(
        particle_count=particle_count,
        uv=np.concatenate([panel.points for panel in mesh.panels]).astype(np.float32),
        particles=particles,
        faces=faces.astype(np.int32),
        layers=np.concatenate([_layers(panel.panel, panel.points, panel.faces) for panel in mesh.panels]),
        panel_names=tuple(panel.panel.name for panel in mesh.panels),
        panels=np.repeat(np.arange(len(mesh.panels), dtype=np.int32), np.diff(starts)),
        edges=edges,
    )


def _run(edges: Mapping[EdgeRef, NDArray], run: tuple[EdgeRef, ...]) -> tuple[NDArray, NDArray]:
    """Vertices along a run and their places 0, 1, ... in it; where edges meet, both their ends share a place."""
    counts = [len(edges[ref]) - 1 for ref in run]
    starts = np.cumsum([0, *counts[:-1]])
    slots = [np.arange(count + 1) + start for count, start in zip(counts, starts, strict=True)]
    return np.concatenate([edges[ref] for ref in run]), np.concatenate(slots)


def _merge(count: int, pairs: NDArray) -> tuple[NDArray[np.int32], int]:
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    number, label = connected_components(graph, directed=False)
    return label.astype(np.int32), int(number)


def _layers(panel: Panel, points: NDArray, faces: NDArray) -> NDArray[np.int32]:
    """Layers of cloth on each triangle: the panel's own, twice where a hem is folded under."""
    layers = np.full(len(faces), panel.layers, np.int32)
    centre = points[faces].mean(axis=1)
    for edge in panel.edges:
        if edge.hem_m > 0.0:
            distance = np.full(len(centre), np.inf)
            for a, b in pairwise(edge.points):
                along = np.clip(((centre - a) @ (b - a)) / ((b - a) @ (b - a)), 0.0, 1.0)
                distance = np.minimum(distance, np.linalg.norm(centre - a - along[:, None] * (b - a), axis=1))
            layers[distance < edge.hem_m] = 2 * panel.layers
    return layers
