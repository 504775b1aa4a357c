"""The rays of flat panels seen from points: what the projectors share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

TASKS = 16
"""Shares that parallel work is cut into. Fixed, so that no sum depends on the number of threads."""


class ConeBeams(NamedTuple):
    """V views of a volume, in its index coordinates: voxel centres at integers. Accepted by kernels as it is."""

    sources: NDArray[np.float64]
    """Where the rays start, (V, 3)."""
    directions: NDArray[np.float64]
    """directions[v] @ (column, row, 1) leads from the source to the pixel's centre and beyond, (V, 3, 3)."""
    upright: NDArray[np.uint8]
    """1 where detector columns are parallel to z and no ray is steepest along z, (V,)."""
    spacing: NDArray[np.float64]
    """Between voxel centres along x, y, z [m], (3,)."""


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def scale_by_length(rays, beams, views, out):
    """Multiplies `rays` (N, W, H) by their length [m] between two planes of voxels across them; `out` may be `rays`."""
    count, width, rows = rays.shape
    spacing = beams.spacing
    for task in prange(TASKS):
        for item in range(task, count * width, TASKS):
            n = item // width
            u = item % width
            d = beams.directions[views[n]]
            x = d[0, 0] * u + d[0, 2]
            y = d[1, 0] * u + d[1, 2]
            z = d[2, 0] * u + d[2, 2]
            for row in range(rows):
                a = np.float32(x + d[0, 1] * row)
                b = np.float32(y + d[1, 1] * row)
                c = np.float32(z + d[2, 1] * row)
                steepest = max(abs(a), max(abs(b), abs(c)))
                a *= np.float32(spacing[0])
                b *= np.float32(spacing[1])
                c *= np.float32(spacing[2])
                out[n, u, row] = rays[n, u, row] * (np.sqrt(a * a + b * b + c * c) / steepest)
