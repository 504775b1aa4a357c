"""Slow twins of `solver.kernels.visible_parts`."""

import numpy as np


def mark_cells(points, R_wc, t_wc, focal, middle, mirrored_width, side, shape):
    """Which squares points are drawn in, (rows, columns) bool."""
    marked = np.zeros(shape, bool)
    for point in points.astype(np.float64):
        x, y, z = R_wc.astype(np.float64).T @ (point - t_wc)
        u, v = np.array([x, y]) / max(z, 0.02) * focal + middle
        if mirrored_width:
            u = mirrored_width - 1 - u
        row, column = int(np.floor(v / side)), int(np.floor(u / side))
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            marked[row, column] = True
    return marked


def seen_faces(faces, source, unseen):
    """The triangles that have a corner which is seen."""
    return np.array([face for face in faces if not unseen[source[face]].all()]).reshape(-1, 3)
