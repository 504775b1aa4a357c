"""Convex hulls of plane points: what a tape pulled tight around them touches."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def wrap_points(points, hull):
    """The convex hull, counter-clockwise from the leftmost point (Andrew's monotone chain, 1979).

    points (N, 2) float64; hull (N + 1,) int64 receives indices into points. Returns how many there are; points on an
    edge of the hull are left out.
    """
    count = points.shape[0]
    if count == 0:
        return 0
    # Two stable sorts: by y, then by x.
    by_y = np.argsort(points[:, 1], kind="mergesort")
    order = by_y[np.argsort(points[by_y, 0], kind="mergesort")]
    size = 0
    for n in range(count):
        size = _push(points, order[n], hull, size, 0)
    lower = size - 1
    for n in range(count - 2, -1, -1):
        size = _push(points, order[n], hull, size, lower)
    if size > 1:
        size -= 1
    return size


@njit(nogil=True, cache=True)
def _push(points, new, hull, size, base):
    """Adds a point to a chain that may only turn left; `base` is the chain's first place in `hull`."""
    while size - base >= 2:
        a = hull[size - 2]
        b = hull[size - 1]
        turn = (points[b, 0] - points[a, 0]) * (points[new, 1] - points[a, 1]) - (points[b, 1] - points[a, 1]) * (
            points[new, 0] - points[a, 0]
        )
        if turn > 0.0:
            break
        size -= 1
    hull[size] = new
    return size + 1


@njit(nogil=True, cache=True)
def measure_tapes(points, starts, lengths):
    """Perimeters of the convex hulls of groups of points: the tape around each contour of a stack.

    points (N, 2) float64; group i is points[starts[i]:starts[i + 1]]; lengths (L,) float64, 0 where a group is empty.
    """
    hull = np.empty(points.shape[0] + 1, np.int64)
    for level in range(starts.shape[0] - 1):
        group = points[starts[level] : starts[level + 1]]
        size = wrap_points(group, hull)
        total = 0.0
        for n in range(size):
            a = hull[n]
            b = hull[(n + 1) % size]
            total += np.hypot(group[a, 0] - group[b, 0], group[a, 1] - group[b, 1])
        lengths[level] = total
