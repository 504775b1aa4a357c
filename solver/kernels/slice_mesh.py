"""Where a stack of parallel planes cuts a triangle mesh."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def place_along(vertices, origin, normal, coordinates):
    """Places of vertices (V, 3) float64 along `normal` (3,) from `origin` (3,), into coordinates (V,) float64."""
    for v in range(vertices.shape[0]):
        total = 0.0
        for i in range(3):
            total += (vertices[v, i] - origin[i]) * normal[i]
        coordinates[v] = total


@njit(nogil=True, cache=True)
def count_cuts(coordinates, faces, part, first, step, counts):
    """How many triangles each plane of a stack cuts.

    coordinates (V,) float64: place of each vertex along the planes' normal; faces (F, 3) int32; part (N,) int32: the
    triangles that take part; planes at first + i * step; counts (L,) int32. A triangle is cut where it has vertices on
    both sides, a vertex on the plane counting as above it, so that closed surfaces give closed contours.
    """
    counts[:] = 0
    for n in range(part.shape[0]):
        lowest, highest = _planes_across(coordinates, faces, part[n], first, step, counts.shape[0])
        for level in range(lowest, highest):
            counts[level] += 1


@njit(nogil=True, cache=True)
def cut_triangles(coordinates, vertices, faces, part, first, step, starts, segments):
    """The pieces of the contours in which a stack of planes cuts a mesh.

    As `count_cuts`, and vertices (V, 3) float64; starts (L + 1,) int64: running sum of the counts; segments
    (starts[L], 2, 3) float64: both ends of each piece, those of plane i from starts[i] to starts[i + 1].
    """
    plane_count = starts.shape[0] - 1
    filled = starts[:-1].copy()
    for n in range(part.shape[0]):
        f = part[n]
        lowest, highest = _planes_across(coordinates, faces, f, first, step, plane_count)
        for level in range(lowest, highest):
            plane = first + level * step
            end = 0
            for corner in range(3):
                a = faces[f, corner]
                b = faces[f, (corner + 1) % 3]
                above_a = coordinates[a] >= plane
                if above_a == (coordinates[b] >= plane):
                    continue
                t = (plane - coordinates[a]) / (coordinates[b] - coordinates[a])
                for i in range(3):
                    segments[filled[level], end, i] = (1.0 - t) * vertices[a, i] + t * vertices[b, i]
                end += 1
            filled[level] += 1


@njit(nogil=True, cache=True)
def _planes_across(coordinates, faces, f, first, step, plane_count):
    """The range of planes that have corners of triangle `f` on both sides."""
    a = coordinates[faces[f, 0]]
    b = coordinates[faces[f, 1]]
    c = coordinates[faces[f, 2]]
    low = min(a, b, c)
    high = max(a, b, c)
    lowest = max(0, int(np.floor((low - first) / step)) - 1)
    while lowest < plane_count and first + lowest * step <= low:
        lowest += 1
    highest = lowest
    while highest < plane_count and first + highest * step <= high:
        highest += 1
    return lowest, highest
