"""Where a garment is hemmed and where it is sewn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def line_distances(
    faces: NDArray[np.int32], drawn_faces: NDArray[np.int32], panel_uv: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance in the pattern [m] of every drawn vertex from the nearest free edge (hem, neckline, cuff) and from the
    nearest seam of its own panel, both (N,); 1 where there is none.

    `faces` (F, 3) index particles, `drawn_faces` (F, 3) the panels' own vertices, which lie at `panel_uv` (N, 2) [m].
    A free edge belongs to one triangle; a seam joins two that do not share drawn vertices.
    """
    ends = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    drawn_ends = drawn_faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    free = _lonely(ends)
    sewn = _lonely(drawn_ends) & ~free
    panel = panel_of(drawn_faces, len(panel_uv))
    return _distance(drawn_ends[free], panel, panel_uv), _distance(drawn_ends[sewn], panel, panel_uv)


def panel_of(drawn_faces: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Number of the panel that each of `count` drawn vertices belongs to, (N,): pieces hang together by triangles."""
    ends = drawn_faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    joined = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count,) * 2)
    return connected_components(joined, directed=False)[1]


def _lonely(ends: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which edges (E, 2) occur once, whichever way round."""
    _, index, count = np.unique(np.sort(ends, 1), axis=0, return_inverse=True, return_counts=True)
    return count[index.ravel()] == 1


def _distance(edges: NDArray[np.int32], panel: NDArray[np.int32], panel_uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """Panels lie on top of each other in the pattern's plane: an edge counts on its own panel only."""
    distance = np.ones(len(panel_uv), np.float32)
    for start, stop in edges:
        own = panel == panel[start]
        along = panel_uv[stop] - panel_uv[start]
        away = panel_uv[own] - panel_uv[start]
        t = np.clip(away @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
        distance[own] = np.minimum(distance[own], np.linalg.norm(away - t[:, None] * along, axis=1))
    return distance
