"""The triangles of a mesh whose texture is cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_at_seams(
    faces: NDArray[np.int32], uv_faces: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Vertices that are one (position, texture coordinate) pair each.

    `faces` and `uv_faces` (F, 3) index positions and texture coordinates. Returns the pairs' positions (N,), their
    texture coordinates (N,) and triangles (F, 3) of pairs.
    """
    keys = faces.astype(np.int64).ravel() << 32 | uv_faces.astype(np.int64).ravel()
    unique, inverse = np.unique(keys, return_inverse=True)
    return (
        (unique >> 32).astype(np.int32),
        (unique & 0xFFFFFFFF).astype(np.int32),
        inverse.reshape(-1, 3).astype(np.int32),
    )


def thinned_faces(vertices: NDArray[np.float32], faces: NDArray[np.int32], cell_m: float) -> NDArray[np.int32]:
    """Triangles of a coarser mesh over the same vertices (vertex clustering, Rossignac and Borrel 1993).

    Of `vertices` (V, 3) [m] that share a cell of a grid of `cell_m` [m] the first stands for all; of `faces` (F, 3)
    those remain whose corners are told apart, once each.
    """
    cells = np.floor(vertices / cell_m).astype(np.int64)
    cells -= cells.min(0)
    span = cells.max(0) + 1
    key = (cells[:, 0] * span[1] + cells[:, 1]) * span[2] + cells[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    moved = first[inverse.ravel()][faces]
    return _told_apart(moved)


def thinned_cut_faces(
    vertices: NDArray[np.float32],
    source: NDArray[np.int32],
    uv: NDArray[np.float32],
    faces: NDArray[np.int32],
    cell_m: float,
    across_cuts: float,
) -> NDArray[np.int32]:
    """As `thinned_faces`, of a mesh whose texture is cut: nothing is torn, and no triangle spans a cut.

    `faces` (F, 3) index copies (N,) of `vertices` (V, 3) [m]: copy i is of vertex `source[i]`, ascending, and lies at
    `uv[i]` in the texture. Of the vertices in a cell one that the texture is cut at, if there is any, stands for all;
    a copy moves to that one's nearest copy. Vertices that would move by more than `across_cuts` in the texture stay.
    """
    cells = np.floor(vertices / cell_m).astype(np.int64)
    copies = np.bincount(source, minlength=len(vertices))
    order = np.lexsort((np.arange(len(vertices)), -copies, *cells.T))
    begins = np.append(True, (np.diff(cells[order], axis=0) != 0).any(1))
    chosen = np.empty(len(vertices), np.int64)
    chosen[order] = order[begins][np.cumsum(begins) - 1]
    starts = np.searchsorted(source, np.arange(len(vertices) + 1))
    target, way = np.arange(len(source)), np.full(len(source), np.inf)
    for k in range(int(copies.max())):
        copy = np.minimum(starts[chosen[source]] + k, starts[chosen[source] + 1] - 1)
        distance = np.abs(uv[copy] - uv).max(1)
        nearer = distance < way
        target[nearer], way[nearer] = copy[nearer], distance[nearer]
    staying = np.zeros(len(vertices), bool)
    staying[source[way > across_cuts]] = True
    target = np.where(staying[source], np.arange(len(source)), target)
    return _told_apart(target[faces])


def _told_apart(moved: NDArray) -> NDArray[np.int32]:
    """Those of the triangles (F, 3) whose corners differ, once each."""
    kept = moved[(moved[:, 0] != moved[:, 1]) & (moved[:, 1] != moved[:, 2]) & (moved[:, 2] != moved[:, 0])]
    _, once = np.unique(np.sort(kept, 1), axis=0, return_index=True)
    return kept[np.sort(once)].astype(np.int32)
