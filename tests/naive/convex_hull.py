"""Slow twin of `solver.kernels.convex_hull`: an edge belongs to the hull when no point lies to its right."""

import numpy as np


def tape_length(points):
    """Perimeter of the convex hull of points (N, 2) in general position."""
    total = 0.0
    for i, a in enumerate(points):
        for j, b in enumerate(points):
            if i == j:
                continue
            turns = (b[0] - a[0]) * (points[:, 1] - a[1]) - (b[1] - a[1]) * (points[:, 0] - a[0])
            turns[[i, j]] = 0.0
            if (turns >= 0.0).all():
                total += np.hypot(*(b - a))
    return total
