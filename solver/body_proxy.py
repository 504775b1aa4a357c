"""A coarser mesh of the body for pictures whose pixels are larger than its triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel

CELL_M = 0.006
"""A pixel of tracking's grid covers 15 mm at 2 m. Cells of 14 mm would set the surface back by 1 mm, these by 0.2."""


@dataclass(frozen=True, slots=True)
class BodyProxy:
    """Some of a body model's vertices (P) and triangles between them (F)."""

    vertices: NDArray[np.int32]
    """Indices into the model's vertices, ascending, (P,)."""
    faces: NDArray[np.int32]
    """Indices into `vertices`, (F, 3)."""
    model_faces: NDArray[np.int32]
    """The same triangles as indices into the model's vertices, (F, 3)."""
    skin_joints: NDArray[np.int32]
    """(P, 4)."""
    skin_weights: NDArray[np.float32]
    """(P, 4)."""


def coarser_body(model: BodyModel, cell_m: float = CELL_M) -> BodyProxy:
    """Vertex clustering (Rossignac & Borrel 1993) of the mean body at rest, in cells of `cell_m` [m].

    A cluster is what lies in one cell, belongs to one part and mostly to one joint; the vertex nearest to its middle
    stands for it, so that shape and skin weights are the model's own. Triangles with two corners in one cluster vanish.
    """
    cells = np.floor(model.template / cell_m).astype(np.int64)
    leading = model.skin_joints[np.arange(model.vertex_count), np.argmax(model.skin_weights, axis=1)]
    keys = np.column_stack([cells, model.part_labels, leading])
    _, cluster = np.unique(keys, axis=0, return_inverse=True)
    cluster = cluster.ravel()
    middles = np.zeros((cluster.max() + 1, 3))
    np.add.at(middles, cluster, model.template)
    middles /= np.bincount(cluster)[:, None]
    off = np.linalg.norm(model.template - middles[cluster], axis=1)
    order = np.lexsort((off, cluster))
    first = np.unique(cluster[order], return_index=True)[1]
    standing_for = order[first][cluster]
    faces = standing_for[model.faces]
    kept = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = np.unique(_lowest_first(faces[kept]), axis=0)
    vertices, local = np.unique(faces, return_inverse=True)
    return BodyProxy(
        vertices.astype(np.int32),
        np.ascontiguousarray(local.reshape(-1, 3), np.int32),
        np.ascontiguousarray(faces, np.int32),
        np.ascontiguousarray(model.skin_joints[vertices]),
        np.ascontiguousarray(model.skin_weights[vertices]),
    )


def _lowest_first(faces: NDArray) -> NDArray:
    """Triangles turned so that the least index comes first: two that are the same are then equal."""
    start = np.argmin(faces, axis=1)[:, None]
    return np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
