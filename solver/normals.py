"""Vertex normals of a mesh that moves but keeps its triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.kernels.vertex_normals import count_incident_faces, list_incident_faces, vertex_normals


class NormalField:
    """Owns the adjacency and scratch of one topology, so that new positions cost no allocation."""

    def __init__(self, faces: NDArray[np.int32], vertex_count: int):
        self._faces = np.ascontiguousarray(faces, np.int32)
        self._starts = np.zeros(vertex_count + 1, np.int32)
        self._incident = np.empty(3 * len(self._faces), np.int32)
        self._face_normals = np.empty((len(self._faces), 3), np.float32)
        count_incident_faces(self._faces, self._starts)
        list_incident_faces(self._faces, self._starts, np.empty(vertex_count, np.int32), self._incident)

    def __call__(self, vertices: NDArray[np.float32], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Unit normals, shape (V, 3), of `vertices` [m], shape (V, 3), float32."""
        if out is None:
            out = np.empty_like(vertices)
        vertex_normals(vertices, self._faces, self._starts, self._incident, self._face_normals, out)
        return out
