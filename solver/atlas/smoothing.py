"""Smooth fields over the body's surface, and values carried to where there are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from solver.body import BodyModel
from solver.normals import NormalField

NODES = 6
"""A vertex hangs on so many nodes."""
RINGS = 200
"""Holes wider than twice so many vertices keep the mean colour in their middle."""


class SurfaceSmoother:
    """Averages over the surface within about `radius_m`, on nodes that lie so far apart.

    A value given with weights is smoothed as (P P^T w x) / (P P^T w), P the weights of the vertices on the nodes: two
    sparse products, a fraction of a millisecond. Distances are the template's, and what faces another way is far.
    """

    def __init__(self, model: BodyModel, radius_m: float) -> None:
        """For fields (V, ...) on the vertices of `model`."""
        template = model.template
        normals = NormalField(model.faces, model.vertex_count)(template)
        # Facing away counts as far: front and back of a hand, the insides of two thighs.
        places = np.column_stack([template, radius_m * normals]).astype(np.float64)
        cells = np.floor(places[:, :3] / radius_m).astype(np.int64)
        _, chosen = np.unique(np.column_stack([cells, np.rint(normals)]).astype(np.int64), axis=0, return_index=True)
        distance, node = cKDTree(places[chosen]).query(places, NODES)
        weight = np.exp(-0.5 * np.square(distance / radius_m))
        weight /= weight.sum(1, keepdims=True)
        rows = np.repeat(np.arange(model.vertex_count), NODES)
        shape = (model.vertex_count, len(chosen))
        self._spread = sparse.csr_array((weight.ravel().astype(np.float32), (rows, node.ravel())), shape)
        self._gather = sparse.csr_array(self._spread.T)

    def __call__(self, values: NDArray, weights: NDArray) -> NDArray[np.float32]:
        """Smoothed `values` (V, C), each counting by `weights` (V,); 0 far from where any weighs."""
        sums = self._spread @ (self._gather @ (values * weights[:, None]))
        mass = self._spread @ (self._gather @ weights)
        return (sums / np.maximum(mass, 1e-9)[:, None]).astype(np.float32)

    def total(self, values: NDArray) -> NDArray:
        """P P^T x of `values` (V, C): sums over the neighbourhood, not divided by anything."""
        return self._spread @ (self._gather @ values)


class Diffusion:
    """Carries values into holes over the edges of the mesh."""

    def __init__(self, model: BodyModel) -> None:
        """For fields (V, C) on the vertices of `model`."""
        f = model.faces
        i = np.concatenate([f[:, 0], f[:, 1], f[:, 2], f[:, 1], f[:, 2], f[:, 0]])
        j = np.concatenate([f[:, 1], f[:, 2], f[:, 0], f[:, 0], f[:, 1], f[:, 2]])
        count = model.vertex_count
        links = sparse.csr_array(sparse.coo_array((np.ones(len(i), np.float32), (i, j)), (count, count)))
        links.data[:] = 1.0
        self._links = links

    def __call__(self, values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        """`values` (V, C) where `known` (V,); elsewhere ring by ring the mean of those around, then smoothed.

        Parts of the mesh that hang on nothing known take the mean of all that is.
        """
        values = np.where(known[:, None], values, np.float32(0.0))
        if not known.any():
            return values
        have = known.astype(np.float32)
        for _ in range(RINGS):
            open_ = np.flatnonzero(have == 0.0)
            if not len(open_):
                break
            links = self._links[open_]
            count = links @ have
            reached = count > 0.0
            if not reached.any():
                break
            values[open_[reached]] = (links @ values)[reached] / count[reached, None]
            have[open_[reached]] = 1.0
        values[have == 0.0] = values[known].mean(0)
        hole = np.flatnonzero(~known)
        links = self._links[hole]
        degree = np.maximum(links.sum(1), 1.0)[:, None].astype(np.float32)
        for _ in range(20):
            values[hole] = (links @ values) / degree
        return values
