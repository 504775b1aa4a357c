"""What an atlas needs to know of a body model's surface, whoever it is of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.atlas.smoothing import Diffusion, SurfaceSmoother
from solver.body import BodyModel
from solver.hair import HairZones
from solver.kernels.label_triangles import neighbour_triangles
from solver.normals import NormalField

BROAD_M = 0.03
"""Differences between views over more than this are evened out; what is finer is taken from one view."""
FINE_M = 0.012
"""Over so much surface a view is laid onto the others."""


class Surface:
    """Neighbours, sizes and smooth fields of one model's surface, found once: they take half a second."""

    def __init__(self, model: BodyModel) -> None:
        corners = model.template[model.faces].astype(np.float64)
        sides = np.roll(corners, -1, 1) - corners
        self.areas = (0.5 * np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)).astype(np.float32)
        """Of the triangles [m^2], (F,)."""
        self.lengths = np.linalg.norm(sides, axis=2).astype(np.float32)
        """Of their edges [m], (F, 3): corner k to k + 1."""
        self.neighbours = neighbours_of(model.faces, model.vertex_count)
        """The triangles across those, (F, 3), -1 for none."""
        self.vertex_areas = np.bincount(model.faces.ravel(), np.repeat(self.areas / 3.0, 3), model.vertex_count).astype(
            np.float32
        )
        self.face = face_triangles(model)
        """Those that are taken from one view, (F,): eyes, nose and mouth belong together."""
        self.scalp = model.in_region("scalp")
        """Where hair may grow, (V,)."""
        ears = 0.5 * (model.template[model.landmarks["ear_l"], 1] + model.template[model.landmarks["ear_r"], 1])
        self.hair = replace(HairZones.of(model), scalp=self.scalp & (model.template[:, 1] > ears))
        """With a scalp where hair grows if it does anywhere: behind the ears."""
        iris = model.in_region("irises", "pupils")
        self.irises = tuple(
            np.flatnonzero(iris & side) for side in (model.template[:, 0] > 0, model.template[:, 0] < 0)
        )
        """Vertices of iris and pupil, left and right."""
        self.broad, self.fine = SurfaceSmoother(model, BROAD_M), SurfaceSmoother(model, FINE_M)
        self.diffuse = Diffusion(model)
        self.normals = NormalField(model.faces, model.vertex_count)

    def broad_normals(self, normals: NDArray[np.float32]) -> NDArray[np.float32]:
        """Unit normals (V, 3) averaged over the surface around."""
        smooth = self.broad(normals, self.vertex_areas)
        return smooth / np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-6)


_surfaces: dict[int, tuple[BodyModel, Surface]] = {}


def surface_of(model: BodyModel) -> Surface:
    """The surface of `model`."""
    known = _surfaces.get(id(model))
    if known is None or known[0] is not model:
        _surfaces.clear()
        known = _surfaces[id(model)] = (model, Surface(model))
    return known[1]


def neighbours_of(faces: NDArray[np.int32], vertex_count: int) -> NDArray[np.int32]:
    """The triangle across each edge of `faces` (F, 3), corner k to k + 1; -1 where there is none."""
    low = np.minimum(faces, np.roll(faces, -1, 1)).astype(np.int64)
    high = np.maximum(faces, np.roll(faces, -1, 1)).astype(np.int64)
    keys = (low * vertex_count + high).ravel()
    order = np.argsort(keys, kind="stable")
    neighbours = np.empty((len(faces), 3), np.int32)
    neighbour_triangles(faces, keys[order], order, neighbours)
    return neighbours


def face_triangles(model: BodyModel) -> NDArray[np.bool_]:
    """Which triangles, (F,), are of the face, eyes and mouth included, from the hairline to the chin."""
    inner = model.in_region("eyes", "irises", "pupils", "mouth_inside", "lips", "brows")
    head = model.part_labels == model.part("head")
    face = HairZones.of(model).face | (head & inner)
    return face[model.faces].all(1)
