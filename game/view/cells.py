"""Which parts of a picture something moving may be drawn in, as a coarse grid."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from game.view.camera import Camera
from solver.kernels.visible_parts import mark_cells

CELL = 32
"""Side of a cell [px]: half a tile of Mesa's rasteriser."""
FINE = 8
"""Points mark squares of this side and those next to them [px]: triangles are not larger."""


class Cells:
    """The cells of a picture of `size` (width, height) [px], row 0 on top. Nothing is marked at first."""

    def __init__(self, size: tuple[int, int], mirrored: bool):
        """`mirrored`: the picture is flipped after it is drawn."""
        self._size, self._mirrored = size, mirrored
        rows, columns = grid_of(size)
        self._fine = np.zeros((rows * CELL // FINE, columns * CELL // FINE), np.uint8)

    def mark_points(self, camera: Camera, points: NDArray[np.float32]) -> None:
        """Where vertices (V, 3) [m], frame w, are drawn."""
        k, T_wc = camera.intrinsics, camera.T_wc.astype(np.float32)
        mark_cells(
            points,
            np.ascontiguousarray(T_wc[:3, :3]),
            np.ascontiguousarray(T_wc[:3, 3]),
            np.array([k.fx, k.fy], np.float32),
            np.array([k.cx, k.cy], np.float32),
            self._size[0] if self._mirrored else 0,
            FINE,
            self._fine,
        )

    def mark_hull(self, camera: Camera, points: NDArray[np.float32]) -> None:
        """Where the convex hull of a few points (N, 3) [m], frame w, is drawn."""
        outline = cv2.convexHull(np.clip(self._pixels(camera, points) / FINE, -1e4, 1e4).astype(np.int32))
        cv2.fillConvexPoly(self._fine, outline, 1)

    def marked(self) -> NDArray[np.bool_]:
        """Which cells are marked, (rows, columns)."""
        fine = cv2.dilate(self._fine, np.ones((3, 3), np.uint8))
        side = CELL // FINE
        rows, columns = fine.shape[0] // side, fine.shape[1] // side
        return fine.reshape(rows, side, columns, side).max((1, 3)) > 0

    def _pixels(self, camera: Camera, points: NDArray[np.float32]) -> NDArray[np.float32]:
        k = camera.intrinsics
        local = (points - camera.T_wc[:3, 3].astype(np.float32)) @ camera.T_wc[:3, :3].astype(np.float32)
        focal, middle = np.array([k.fx, k.fy], np.float32), np.array([k.cx, k.cy], np.float32)
        pixels = (local[:, :2] * (focal / np.maximum(local[:, 2:], 0.02)) + middle).astype(np.float32, copy=False)
        if self._mirrored:
            pixels[:, 0] = self._size[0] - 1 - pixels[:, 0]
        return pixels


def grid_of(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the cells of a picture of `size` (width, height) [px]."""
    return -(-size[1] // CELL), -(-size[0] // CELL)


def runs(cells: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Marked cells that lie side by side as one: row, first column, column after the last; (N, 3)."""
    edges = np.diff(np.pad(cells.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, first = np.nonzero(edges == 1)
    return np.stack((rows, first, np.nonzero(edges == -1)[1]), 1).astype(np.int32)
