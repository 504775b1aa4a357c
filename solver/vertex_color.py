"""The colour of the model's vertices from the frames that saw them best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.kernels.blend_colors import blend_colors
from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

SHARPNESS = 6
"""Views count by this power of the cosine to the normal: mostly the best one, without a seam to the next."""


class VertexColors:
    """Averages the colour of each vertex over the frames."""

    def __init__(self, model: BodyModel) -> None:
        """For the vertices of `model`."""
        self._model = model
        self._normals = NormalField(model.faces, model.vertex_count)
        self._sums = np.zeros((model.vertex_count, 3), np.float32)
        self._weights = np.zeros(model.vertex_count, np.float32)
        self._rasterizer: Rasterizer | None = None

    def add(self, color: NDArray[np.uint8], intrinsics: Intrinsics, vertices_c: NDArray[np.float32]) -> None:
        """Take a picture (H, W, 3) sRGB that shows the model's vertices [m] (V, 3) where they are in frame c."""
        if self._rasterizer is None or self._rasterizer.intrinsics != intrinsics:
            self._rasterizer = Rasterizer(intrinsics)
        depth = self._rasterizer.render(vertices_c, self._model.faces).depth
        blend_colors(
            color, depth, intrinsics, vertices_c, self._normals(vertices_c), SHARPNESS, self._sums, self._weights
        )

    def colors(self) -> NDArray[np.uint8]:
        """sRGB (V, 3); vertices that no frame saw take the colour of their neighbours over the mesh."""
        seen = self._weights > 0.0
        colors = np.zeros_like(self._sums)
        colors[seen] = self._sums[seen] / self._weights[seen, None]
        known = seen.astype(np.float32)
        faces = self._model.faces
        a = np.concatenate([faces[:, 0], faces[:, 1], faces[:, 2]])
        b = np.concatenate([faces[:, 1], faces[:, 2], faces[:, 0]])
        for _ in range(40):
            unknown = known == 0.0
            if not unknown.any() or not seen.any():
                break
            count = np.bincount(a, known[b], len(known))
            sums = np.stack([np.bincount(a, known[b] * colors[b, c], len(known)) for c in range(3)], 1)
            reached = unknown & (count > 0.0)
            if not reached.any():
                break
            colors[reached] = (sums[reached] / count[reached, None]).astype(np.float32)
            known[reached] = 1.0
        if seen.any():
            colors[known == 0.0] = colors[seen].mean(0)
        return np.clip(np.rint(colors), 0.0, 255.0).astype(np.uint8)
