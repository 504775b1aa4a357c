"""Contact by looking at every triangle."""

from __future__ import annotations

import numpy as np


def closest_on_triangle(point, corners):
    """Nearest point of one triangle (Ericson 2005, 5.1.5, by cases on projections instead of dot products)."""
    a, b, c = corners
    normal = np.cross(b - a, c - a)
    weights = np.linalg.solve(np.stack([b - a, c - a, normal], axis=1), point - a)[:2]
    if weights.min() >= 0.0 and weights.sum() <= 1.0:
        return a + weights[0] * (b - a) + weights[1] * (c - a)
    best = None
    for p, q in ((a, b), (b, c), (c, a)):
        t = np.clip((point - p) @ (q - p) / ((q - p) @ (q - p)), 0.0, 1.0)
        candidate = p + t * (q - p)
        if best is None or np.linalg.norm(point - candidate) < np.linalg.norm(point - best):
            best = candidate
    return best


def distance_to_mesh(point, vertices, faces):
    """Least distance from a point to any triangle."""
    return min(np.linalg.norm(point - closest_on_triangle(point, vertices[face])) for face in faces)


def winding_numbers(points, vertices, faces):
    """How often a closed surface goes round each point: 1 inside, 0 outside (van Oosterom & Strackee 1983)."""
    corners = np.asarray(vertices, np.float64)[faces]
    result = np.zeros(len(points))
    for i, point in enumerate(points):
        a, b, c = (corners[:, k] - point for k in range(3))
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        triple = np.einsum("ij,ij->i", a, np.cross(b, c))
        below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        result[i] = np.arctan2(triple, below).sum() / (2.0 * np.pi)
    return result


def coulomb(slip, friction, depth):
    """The part of a tangential `slip` (3,) that friction takes back when a contact is `depth` deep."""
    length = np.linalg.norm(slip)
    return slip if length <= friction * depth else slip / length * friction * depth
