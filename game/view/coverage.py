"""Which skin lies under cloth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

REACH = 0.035
"""Cloth further off than this touches no skin soon [m]."""
MARGIN = 0.030
"""Skin this near a free edge may be seen from aside and stays [m]."""
GIVE = 0.010
"""How far hidden skin gives way [m]."""


RINGS = 3
"""Of triangles about what is hidden that are drawn all the same: until the next look cloth may slide."""


def hidden_depth(
    skin: NDArray[np.float32],
    skin_normals: NDArray[np.float32],
    layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> NDArray[np.float32]:
    """How far to draw each skin vertex below its surface [m], shape (V,): 0 where bare, up to GIVE under cloth.

    `skin` (V, 3) [m] and its unit normals (V, 3); each layer is a garment's particles (P, 3) [m] and their distance
    to its nearest free edge (P,) [m].
    """
    depth = np.zeros(len(skin), np.float32)
    for particles, edge in layers:
        distance, nearest = cKDTree(particles).query(skin, distance_upper_bound=REACH)
        found = np.isfinite(distance)
        cloth = nearest[found]
        over = ((particles[cloth] - skin[found]) * skin_normals[found]).sum(1) > -GIVE
        inner = np.clip((edge[cloth] - 0.5 * MARGIN) / (0.5 * MARGIN), 0.0, 1.0)
        close = np.clip((REACH - distance[found]) / (0.4 * REACH), 0.0, 1.0)
        depth[found] = np.maximum(depth[found], GIVE * over * inner * close)
    return depth


def out_of_sight(depth: NDArray[np.float32], faces: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which skin vertices lie so deep under cloth that nothing of them can be seen soon, (V,).

    `depth` (V,) is that of `hidden_depth`, `faces` (F, 3) the skin's triangles.
    """
    covered = depth >= 0.999 * GIVE
    for _ in range(RINGS):
        edge = ~covered[faces].all(1)
        covered[faces[edge]] = False
    return covered
