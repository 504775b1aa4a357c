"""Which place on the body each texel of an atlas shows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from solver.body import BodyModel
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics, read_only

EYE_MAGNIFICATION = 3.2
"""The model gives an iris five texels of a thousand; there is room to draw the eyes larger."""


class AtlasLayout(NamedTuple):
    """The texels of a square picture of N x N over the model's texture coordinates; row 0 is at the top."""

    triangle: NDArray[np.int32]
    """Index into the model's faces, shape (N, N); -1 in the gutters between the islands."""
    barycentric: NDArray[np.float32]
    """Weights of the triangle's second and third corner, shape (N, N, 2)."""
    gutter: NDArray[np.int32]
    """Flat indices of the texels in the gutters, shape (G,)."""
    nearest: NDArray[np.int32]
    """Flat indices of the filled texels nearest to those, shape (G,)."""

    @property
    def size(self) -> int:
        """N."""
        return self.triangle.shape[0]


_layouts: dict[int, tuple[BodyModel, dict[int, AtlasLayout]]] = {}


def texture_coordinates(model: BodyModel) -> NDArray[np.float32]:
    """Texture coordinates as glTF counts them, v from the top, shape (T, 2); the model's own run from the bottom.

    The eyes' islands are drawn larger.
    """
    uv = model.uv * (1.0, -1.0) + (0.0, 1.0)
    eyes = model.uv_faces[model.in_region("eyes", "irises", "pupils")[model.faces].all(1)]
    islands = np.unique(eyes)
    middle = (uv[islands].min(0) + uv[islands].max(0)) / 2
    uv[islands] = middle + EYE_MAGNIFICATION * (uv[islands] - middle)
    return np.ascontiguousarray(uv, np.float32)


def atlas_layout(model: BodyModel, size: int) -> AtlasLayout:
    """The layout of `size` x `size` texels, found once for a model: it takes a quarter of a second at 1024."""
    known = _layouts.get(id(model))
    if known is None or known[0] is not model:
        _layouts.clear()
        known = _layouts[id(model)] = (model, {})
    if size not in known[1]:
        known[1][size] = _lay_out(model, size)
    return known[1][size]


def _lay_out(model: BodyModel, size: int) -> AtlasLayout:
    uv = texture_coordinates(model)
    flat = np.column_stack((uv, np.ones(len(uv)))).astype(np.float32)
    # Texel centres at (i + 0.5) / size.
    rasterizer = Rasterizer(Intrinsics(size, size, float(size), float(size), -0.5, -0.5))
    raster = rasterizer.render(flat, np.ascontiguousarray(model.uv_faces, np.int32), cull_back=False)
    empty = raster.triangle < 0
    indices = distance_transform_edt(empty, return_distances=False, return_indices=True)
    assert indices is not None
    row, column = indices
    gutter = np.flatnonzero(empty)
    nearest = (row * size + column).ravel()[gutter]
    return AtlasLayout(
        read_only(raster.triangle.copy()),
        read_only(raster.barycentric.copy()),
        read_only(gutter.astype(np.int32)),
        read_only(nearest.astype(np.int32)),
    )
