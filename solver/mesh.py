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


def thinned_faces(
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    cell_m: float,
    apart: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Triangles of a coarser mesh over the same vertices (vertex clustering, Rossignac and Borrel 1993).

    Of `vertices` (V, D) [m] that share a cell of a grid of `cell_m` [m] the first stands for all, except those `apart`
    (V,), each of which stays itself; of `faces` (F, 3) those remain whose corners are told apart, once each. Columns
    beyond x, y, z tell apart what lies at one place.
    """
    cells = np.floor(vertices / cell_m).astype(np.int64)
    cells -= cells.min(0)
    key = np.zeros(len(cells), np.int64)
    for column, span in zip(cells.T, cells.max(0) + 1, strict=True):
        key = key * span + column
    if apart is not None:
        key[apart] = -1 - np.flatnonzero(apart)
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    moved = first[inverse.ravel()][faces]
    kept = moved[(moved[:, 0] != moved[:, 1]) & (moved[:, 1] != moved[:, 2]) & (moved[:, 2] != moved[:, 0])]
    _, once = np.unique(np.sort(kept, 1), axis=0, return_index=True)
    return kept[np.sort(once)].astype(np.int32)
