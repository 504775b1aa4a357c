"""Colours of an atlas at points near the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from solver.atlas.layout import texture_coordinates
from solver.body import BodyModel
from solver.kernels.closest_points import find_closest_points
from solver.kernels.vertex_normals import count_incident_faces, list_incident_faces

CANDIDATES = 3
"""Vertices about which the nearest triangle is looked for."""


def colors_near(
    model: BodyModel, vertices: NDArray[np.float32], atlas: NDArray[np.uint8], points: NDArray
) -> NDArray[np.uint8]:
    """sRGB (P, 3) at the places of the body `vertices` (V, 3) [m] that are nearest to `points` (P, 3) [m]."""
    starts, incident = np.zeros(model.vertex_count + 1, np.int32), np.empty(3 * len(model.faces), np.int32)
    count_incident_faces(model.faces, starts)
    list_incident_faces(model.faces, starts, np.empty(model.vertex_count, np.int32), incident)
    body, points = np.ascontiguousarray(vertices, np.float64), np.ascontiguousarray(points, np.float64)
    near = cKDTree(body).query(points, CANDIDATES)[1]
    triangle, weights = np.empty(len(points), np.int32), np.empty((len(points), 3))
    find_closest_points(points, near, body, model.faces, starts, incident, triangle, weights, np.empty(len(points)))
    uv = np.einsum("nk,nki->ni", weights, texture_coordinates(model)[model.uv_faces[triangle]])
    column, row = np.clip((uv * len(atlas)).astype(int), 0, len(atlas) - 1).T
    return atlas[row, column]
