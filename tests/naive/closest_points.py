"""Slow twin of `solver.kernels.closest_points`: the nearest of a fine lattice over each triangle."""

import numpy as np

STEPS = 60


def closest_distance(point, triangles):
    """Distance [m] of a point from triangles (N, 3, 3), to the lattice's fineness."""
    i, j = np.meshgrid(np.arange(STEPS + 1), np.arange(STEPS + 1))
    inside = i + j <= STEPS
    b, c = i[inside] / STEPS, j[inside] / STEPS
    weights = np.stack([1.0 - b - c, b, c], 1)
    return min(np.linalg.norm(weights @ triangle - point, axis=1).min() for triangle in triangles)
