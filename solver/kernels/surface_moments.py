"""Volume and area of a closed triangle mesh."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def sum_surface(vertices, faces, part):
    """Volume [m^3] (divergence theorem) and area [m^2] of triangles `part` (N,) int32, which must close.

    vertices (V, 3) float64; faces (F, 3) int32.
    """
    volume = 0.0
    area = 0.0
    for n in range(part.shape[0]):
        a = vertices[faces[part[n], 0]]
        b = vertices[faces[part[n], 1]]
        c = vertices[faces[part[n], 2]]
        x = (b[1] - a[1]) * (c[2] - a[2]) - (b[2] - a[2]) * (c[1] - a[1])
        y = (b[2] - a[2]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[2] - a[2])
        z = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        volume += (a[0] * x + a[1] * y + a[2] * z) / 6.0
        area += 0.5 * np.sqrt(x * x + y * y + z * z)
    return volume, area
