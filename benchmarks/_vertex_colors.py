"""What the atlas is measured against: one colour a vertex, blended from all frames by a power of the cosine."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from solver.atlas.surface import surface_of
from solver.body import BodyModel
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

SHARPNESS = 6
"""Views count by this power of the cosine to the normal: mostly the best one, without a seam to the next."""
LEAST_COSINE, HIDING_M = 0.2, 0.02


class VertexColors:
    """The colour of the model's vertices as it was before there was an atlas."""

    def __init__(self, model: BodyModel) -> None:
        self._model, self._surface = model, surface_of(model)
        self._sums = np.zeros((model.vertex_count, 3))
        self._weights = np.zeros(model.vertex_count)

    def add(self, color: NDArray[np.uint8], intrinsics: Intrinsics, vertices_c: NDArray[np.float32]) -> None:
        """Takes a picture that shows the vertices [m] (V, 3) where they are in frame c."""
        depth = Rasterizer(intrinsics).render(vertices_c, self._model.faces).depth
        # Two pixels to one side, three to the other: a vertex lies between four.
        nearest = cv2.erode(depth, np.ones((6, 6), np.uint8), anchor=(2, 2))
        normals = self._surface.normals(vertices_c)
        x, y, z = vertices_c.T
        cosine = -(normals * vertices_c).sum(1) / np.linalg.norm(vertices_c, axis=1)
        u, w = intrinsics.fx * x / z + intrinsics.cx, intrinsics.fy * y / z + intrinsics.cy
        inside = (z > 0.1) & (u >= 2) & (w >= 2) & (u < intrinsics.width - 3) & (w < intrinsics.height - 3)
        chosen = np.flatnonzero(inside & (cosine >= LEAST_COSINE))
        near = nearest[w[chosen].astype(int), u[chosen].astype(int)]
        chosen = chosen[(near > 0.0) & (near >= z[chosen] - HIDING_M)]
        if not len(chosen):
            return
        at = np.stack([u[chosen], w[chosen]], -1).astype(np.float32)[:, None]
        seen = cv2.remap(color, at[..., 0], at[..., 1], cv2.INTER_LINEAR)[:, 0].astype(float)
        weight = cosine[chosen] ** SHARPNESS
        self._sums[chosen] += weight[:, None] * seen
        self._weights[chosen] += weight

    def colors(self) -> NDArray[np.uint8]:
        """sRGB (V, 3); vertices that no frame saw take the colour of their neighbours over the mesh."""
        means = self._sums / np.maximum(self._weights, 1e-12)[:, None]
        filled = self._surface.diffuse(means.astype(np.float32), self._weights > 0.0)
        return np.clip(np.rint(filled), 0, 255).astype(np.uint8)
