"""The slow obvious twin of solver/kernels/vertex_normals.py."""

import numpy as np


def incident_faces(faces, vertex_count):
    return [[f for f, corners in enumerate(faces) for c in corners if c == v] for v in range(vertex_count)]


def vertex_normals(vertices, faces):
    vertices = np.asarray(vertices, np.float64)
    normals = np.zeros_like(vertices)
    for a, b, c in faces:
        twice_area = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        for corner in (a, b, c):
            normals[corner] += twice_area
    for v, normal in enumerate(normals):
        length = np.linalg.norm(normal)
        normals[v] = normal / length if length > 1e-20 else (0.0, 0.0, 1.0)
    return normals
