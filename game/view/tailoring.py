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
    joined = coo_matrix((np.ones(len(drawn_ends)), (drawn_ends[:, 0], drawn_ends[:, 1])), shape=(len(panel_uv),) * 2)
    _, panel = connected_components(joined, directed=False)
    return _distance(drawn_ends[free], panel, panel_uv), _distance(drawn_ends[sewn], panel, panel_uv)


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
