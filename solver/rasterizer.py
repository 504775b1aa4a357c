"""Meshes to pictures: what a pinhole camera at the origin of frame c sees of triangles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.kernels.rasterize import (
    BAND_ROWS,
    bound_triangles,
    count_bands,
    draw_bands,
    fill_bands,
    interpolate_attributes,
    project_points,
)
from solver.types import Intrinsics


class Raster(NamedTuple):
    """What each pixel sees."""

    depth: NDArray[np.float32]
    """Depth along the optical axis [m], shape (H, W), 0.0 where nothing is."""
    triangle: NDArray[np.int32]
    """Index into the faces, shape (H, W), -1 where nothing is."""
    barycentric: NDArray[np.float32]
    """Weights of the triangle's second and third corner, shape (H, W, 2); meaningless where nothing is."""


class Rasterizer:
    """Draws meshes seen by one camera into buffers that it owns and uses again for every picture."""

    def __init__(self, intrinsics: Intrinsics, near_m: float = 0.1) -> None:
        shape = (intrinsics.height, intrinsics.width)
        # Plain floats whatever the caller used: another type would compile the kernels again.
        self._intrinsics = Intrinsics(int(shape[1]), int(shape[0]), *(float(value) for value in intrinsics[2:]))
        self._near_m = float(near_m)
        self._raster = Raster(
            np.zeros(shape, np.float32), np.full(shape, -1, np.int32), np.zeros((*shape, 2), np.float32)
        )
        band_count = -(-intrinsics.height // BAND_ROWS)
        self._band_starts = np.zeros(band_count + 1, np.int32)
        self._band_cursor = np.zeros(band_count, np.int32)
        self._band_triangles = np.zeros(0, np.int32)
        self._pixels = np.zeros((0, 2))
        self._boxes = np.zeros((0, 4), np.int32)
        self._faces = np.zeros((0, 3), np.int32)

    @property
    def intrinsics(self) -> Intrinsics:
        """The camera."""
        return self._intrinsics

    def render(self, vertices_c: NDArray[np.float32], faces: NDArray[np.int32], cull_back: bool = True) -> Raster:
        """What the camera sees of a mesh: vertices [m] (V, 3) float32 in frame c, faces (F, 3) int32.

        Triangles that cross the near plane are cut by it. The arrays returned are overwritten by the next `render`.
        """
        if len(vertices_c) > len(self._pixels):
            self._pixels = np.zeros((len(vertices_c), 2))
        if len(faces) > len(self._boxes):
            self._boxes = np.zeros((len(faces), 4), np.int32)
        boxes = self._boxes[: len(faces)]
        project_points(vertices_c, self._intrinsics, self._near_m, self._pixels)
        bound_triangles(vertices_c, faces, self._pixels, self._intrinsics, self._near_m, cull_back, boxes)
        count_bands(boxes, self._band_starts)
        if self._band_starts[-1] > len(self._band_triangles):
            self._band_triangles = np.zeros(max(int(self._band_starts[-1]) * 3 // 2, len(faces)), np.int32)
        fill_bands(boxes, self._band_starts, self._band_cursor, self._band_triangles)
        self.clear()
        bands = (self._band_starts, self._band_triangles)
        draw_bands(vertices_c, faces, boxes, bands, self._intrinsics, self._near_m, *self._raster)
        self._faces = faces
        return self._raster

    def clear(self) -> Raster:
        """The picture of nothing."""
        self._raster.depth.fill(0.0)
        self._raster.triangle.fill(-1)
        return self._raster

    def interpolate(
        self, attributes: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Vertex attributes (V, C) float32 of the mesh rendered last as a picture (H, W, C); 0 where nothing is."""
        if out is None:
            out = np.empty((*self._raster.triangle.shape, attributes.shape[1]), np.float32)
        interpolate_attributes(self._faces, self._raster.triangle, self._raster.barycentric, attributes, out)
        return out
