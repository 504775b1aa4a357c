"""Which view each triangle takes its detail from."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def neighbour_triangles(faces, edges, owners, neighbours):
    """The triangle across each edge, (F, 3) int32: entry k lies across corners k and k + 1; -1 where there is none.

    edges (3 F,) int64 are keys low * V + high of all edges in ascending order, owners (3 F,) the numbers 3 f + k of
    theirs. Edges of more than two triangles join the first two.
    """
    neighbours[:] = -1
    count = edges.shape[0]
    i = 0
    while i + 1 < count:
        if edges[i] == edges[i + 1]:
            a, b = owners[i], owners[i + 1]
            neighbours[a // 3, a % 3] = b // 3
            neighbours[b // 3, b % 3] = a // 3
            i += 2
            while i < count and edges[i] == edges[i - 1]:
                i += 1
        else:
            i += 1


@njit(nogil=True, cache=True)
def rate_triangles(faces, quality, scores):
    """Mean quality of the corners in each view, (N, F) float32; 0 where one of them is not seen. quality (N, V)."""
    third = np.float32(1.0 / 3.0)
    for n in range(quality.shape[0]):
        seen = quality[n]
        for f in range(faces.shape[0]):
            a, b, c = seen[faces[f, 0]], seen[faces[f, 1]], seen[faces[f, 2]]
            scores[n, f] = (a + b + c) * third if a > 0.0 and b > 0.0 and c > 0.0 else 0.0


@njit(nogil=True, cache=True)
def gain_of_views(scores, areas, best, gains):
    """What each view adds to the best scores so far, summed over the surface: (N,) float64."""
    for n in range(scores.shape[0]):
        gain = 0.0
        for f in range(scores.shape[1]):
            more = scores[n, f] - best[f]
            if more > 0.0:
                gain += areas[f] * more
        gains[n] = gain


@njit(nogil=True, cache=True)
def settle_labels(scores, areas, neighbours, lengths, fixed, seam_m, labels):
    """One sweep of iterated conditional modes (Besag 1986); returns how many labels changed.

    Minimises sum over triangles of area * (1 - score) plus seam_m [m] times the length of every edge between
    triangles of different labels. scores (N, F) float32, 0 where a triangle is not seen in a view, 1 in the best one;
    areas (F,) [m^2], lengths (F, 3) [m] float32; fixed (F,) bool keep their label; labels (F,) int32, -1 for triangles
    that no view sees.
    """
    changed = 0
    for f in range(labels.shape[0]):
        if fixed[f] or labels[f] < 0:
            continue
        around = np.float32(0.0)
        for k in range(3):
            if neighbours[f, k] >= 0:
                around += lengths[f, k]
        best, least = labels[f], np.inf
        # Only the neighbours' labels and the triangle's own best can win.
        for k in range(-2, 3):
            if k == -2:
                label = labels[f]
            elif k == -1:
                label = 0
                for n in range(1, scores.shape[0]):
                    if scores[n, f] > scores[label, f]:
                        label = n
            else:
                if neighbours[f, k] < 0:
                    continue
                label = labels[neighbours[f, k]]
            if label < 0 or scores[label, f] <= 0.0:
                continue
            same = np.float32(0.0)
            for j in range(3):
                if neighbours[f, j] >= 0 and labels[neighbours[f, j]] == label:
                    same += lengths[f, j]
            cost = areas[f] * (1.0 - scores[label, f]) + seam_m * (around - same)
            if cost < least:
                best, least = label, cost
        if best != labels[f]:
            labels[f] = best
            changed += 1
    return changed
