"""The point of a triangle mesh nearest to each of many points, searched about a vertex that is known to be near."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True)
def _closest_on_triangle(px, py, pz, a, b, c):
    """Barycentric weights of b and c of the point of triangle abc nearest to p (Ericson 2005, section 5.1.5)."""
    abx, aby, abz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    acx, acy, acz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    apx, apy, apz = px - a[0], py - a[1], pz - a[2]
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    if d1 <= 0.0 and d2 <= 0.0:
        return 0.0, 0.0
    bpx, bpy, bpz = px - b[0], py - b[1], pz - b[2]
    d3 = abx * bpx + aby * bpy + abz * bpz
    d4 = acx * bpx + acy * bpy + acz * bpz
    if d3 >= 0.0 and d4 <= d3:
        return 1.0, 0.0
    vc = d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        return d1 / (d1 - d3), 0.0
    cpx, cpy, cpz = px - c[0], py - c[1], pz - c[2]
    d5 = abx * cpx + aby * cpy + abz * cpz
    d6 = acx * cpx + acy * cpy + acz * cpz
    if d6 >= 0.0 and d5 <= d6:
        return 0.0, 1.0
    vb = d5 * d2 - d1 * d6
    if vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        return 0.0, d2 / (d2 - d6)
    va = d3 * d6 - d5 * d4
    if va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        return 1.0 - w, w
    total = va + vb + vc
    if total <= 0.0:
        return 0.0, 0.0
    return vb / total, vc / total


@njit(nogil=True, cache=True, parallel=True)
def find_closest_points(points, near, vertices, faces, starts, incident, triangle, barycentric, distance):
    """The nearest point on the triangles around each point's candidate vertices.

    points (N, 3) float64; near (N, K) int64: candidate vertices; vertices (V, 3) float64; faces (F, 3) int32;
    starts (V + 1,) and incident (3 F,) int32: triangles around each vertex, as `list_incident_faces` writes them.
    Outputs: triangle (N,) int32, -1 where no candidate has triangles; barycentric (N, 3) float64; distance (N,)
    float64.
    """
    for n in prange(points.shape[0]):
        best = np.inf
        triangle[n] = -1
        for k in range(near.shape[1]):
            v = near[n, k]
            for i in range(starts[v], starts[v + 1]):
                f = incident[i]
                a = vertices[faces[f, 0]]
                b = vertices[faces[f, 1]]
                c = vertices[faces[f, 2]]
                wb, wc = _closest_on_triangle(points[n, 0], points[n, 1], points[n, 2], a, b, c)
                wa = 1.0 - wb - wc
                squared = 0.0
                for j in range(3):
                    offset = wa * a[j] + wb * b[j] + wc * c[j] - points[n, j]
                    squared += offset * offset
                if squared < best:
                    best = squared
                    triangle[n] = f
                    barycentric[n, 0] = wa
                    barycentric[n, 1] = wb
                    barycentric[n, 2] = wc
        distance[n] = np.sqrt(best)
