"""Slow twin of `solver.kernels.surface_moments`."""

import numpy as np


def sum_surface(vertices, faces, part):
    volume = sum(np.linalg.det(vertices[faces[f]]) / 6.0 for f in part)
    area = sum(
        np.linalg.norm(
            np.cross(vertices[faces[f][1]] - vertices[faces[f][0]], vertices[faces[f][2]] - vertices[faces[f][0]])
        )
        / 2.0
        for f in part
    )
    return volume, area
