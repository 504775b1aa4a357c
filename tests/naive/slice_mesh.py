"""Slow twin of `solver.kernels.slice_mesh`: every triangle's edges against every plane."""

import numpy as np


def slice_mesh(coordinates, vertices, faces, part, planes):
    """Segments of each plane: a list of lists of (2, 3) arrays."""
    contours = []
    for plane in planes:
        segments = []
        for f in part:
            ends = []
            for a, b in ((0, 1), (1, 2), (2, 0)):
                a, b = faces[f][a], faces[f][b]
                if (coordinates[a] < plane) != (coordinates[b] < plane):
                    t = (plane - coordinates[a]) / (coordinates[b] - coordinates[a])
                    ends.append(vertices[a] + t * (vertices[b] - vertices[a]))
            if ends:
                segments.append(np.array(ends))
        contours.append(segments)
    return contours
