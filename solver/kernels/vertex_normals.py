"""Normals of a triangle mesh's vertices, weighted by the areas of the triangles around them."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def count_incident_faces(faces, starts):
    """Where each vertex's list begins: `starts` (V + 1,) int32, the exclusive prefix sum of incident corners."""
    starts[:] = 0
    for f in range(faces.shape[0]):
        for k in range(3):
            starts[faces[f, k] + 1] += 1
    for v in range(1, starts.shape[0]):
        starts[v] += starts[v - 1]


@njit(nogil=True, cache=True)
def list_incident_faces(faces, starts, cursor, incident):
    """The triangles around each vertex: `incident` (3 F,) int32, vertex v's from starts[v] to starts[v + 1].

    `cursor` (V,) int32 is scratch.
    """
    cursor[:] = starts[:-1]
    for f in range(faces.shape[0]):
        for k in range(3):
            v = faces[f, k]
            incident[cursor[v]] = f
            cursor[v] += 1


@njit(nogil=True, cache=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def vertex_normals(vertices, faces, starts, incident, face_normals, out):
    """Unit normals, counter-clockwise triangles facing outwards; (0, 0, 1) where no area is incident.

    vertices (V, 3) float32 [m]; faces (F, 3) int32; starts (V + 1,), incident (3 F,) int32 from `list_incident_faces`;
    face_normals (F, 3) float32 scratch (twice the area times the normal on return); out (V, 3) float32.
    """
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux = vertices[b, 0] - vertices[a, 0]
        uy = vertices[b, 1] - vertices[a, 1]
        uz = vertices[b, 2] - vertices[a, 2]
        vx = vertices[c, 0] - vertices[a, 0]
        vy = vertices[c, 1] - vertices[a, 1]
        vz = vertices[c, 2] - vertices[a, 2]
        face_normals[f, 0] = uy * vz - uz * vy
        face_normals[f, 1] = uz * vx - ux * vz
        face_normals[f, 2] = ux * vy - uy * vx
    for v in range(vertices.shape[0]):
        x = np.float32(0.0)
        y = np.float32(0.0)
        z = np.float32(0.0)
        for i in range(starts[v], starts[v + 1]):
            f = incident[i]
            x += face_normals[f, 0]
            y += face_normals[f, 1]
            z += face_normals[f, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > np.float32(1e-20):
            out[v, 0] = x / length
            out[v, 1] = y / length
            out[v, 2] = z / length
        else:
            out[v, 0] = np.float32(0.0)
            out[v, 1] = np.float32(0.0)
            out[v, 2] = np.float32(1.0)
