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
