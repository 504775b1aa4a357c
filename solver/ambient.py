"""How much of its surroundings each point of a surface sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

RESOLUTION = 320
DISTANCE_M = 30.0


class AmbientVisibility:
    """Cosine-weighted share of the directions that nothing of a mesh blocks, found one direction after the other.

    Distant cameras on a Fibonacci sphere take the place of rays: a vertex is seen from a direction if it is no deeper
    than that camera's depth picture by more than `bias_m`.
    """

    def __init__(
        self, vertices: NDArray[np.float32], faces: NDArray[np.int32], directions: int = 48, bias_m: float = 0.006
    ) -> None:
        """`vertices` [m], shape (V, 3), float32, any frame; `faces` (F, 3) int32."""
        self._faces, self._directions, self._bias_m = faces, directions, bias_m
        self._normals = NormalField(faces, len(vertices))(np.ascontiguousarray(vertices, np.float32))
        low, high = vertices.min(0).astype(np.float64), vertices.max(0).astype(np.float64)
        self._centred, self._radius = vertices - (low + high) / 2, float(np.linalg.norm(high - low)) / 2
        focal = 0.49 * RESOLUTION * DISTANCE_M / self._radius
        middle = (RESOLUTION - 1) / 2
        self._camera = Intrinsics(RESOLUTION, RESOLUTION, focal, focal, middle, middle)
        self._rasterizer = Rasterizer(self._camera)
        self._done = 0
        self._seen, self._total = np.zeros((2, len(vertices)))

    @property
    def share(self) -> NDArray[np.float32]:
        """By the directions looked from so far, 0..1, shape (V,)."""
        return (self._seen / np.maximum(self._total, 1e-6)).astype(np.float32)

    def go_on(self) -> bool:
        """Looks from the next direction; True after the last."""
        z = 1.0 - (2 * self._done + 1) / self._directions
        ring, golden = np.sqrt(1.0 - z * z), self._done * np.pi * (3.0 - np.sqrt(5.0))
        toward = np.array([ring * np.cos(golden), ring * np.sin(golden), z])
        right = np.cross(-toward, (0.0, 0.0, 1.0) if abs(z) < 0.9 else (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        axes = np.stack((right, np.cross(-toward, right), -toward), 1)
        local = (self._centred @ axes + (0.0, 0.0, DISTANCE_M)).astype(np.float32)
        depth = self._rasterizer.render(local, self._faces, cull_back=False).depth
        k = self._camera
        columns = np.rint(k.fx * local[:, 0] / local[:, 2] + k.cx).astype(np.int32)
        rows = np.rint(k.fy * local[:, 1] / local[:, 2] + k.cy).astype(np.int32)
        cosine = np.maximum(self._normals @ toward.astype(np.float32), 0.0)
        front = depth[rows, columns]
        # One pixel is several millimetres: a steep surface needs the slope's share of it as slack.
        slack = self._bias_m + self._radius / RESOLUTION * np.minimum(1.0 / np.maximum(cosine, 0.1), 4.0)
        self._seen += cosine * ((front == 0.0) | (local[:, 2] <= front + slack))
        self._total += cosine
        self._done += 1
        return self._done >= self._directions


def ambient_visibility(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], directions: int = 48, bias_m: float = 0.006
) -> NDArray[np.float32]:
    """All of `AmbientVisibility`, shape (V,), 0..1."""
    visibility = AmbientVisibility(vertices, faces, directions, bias_m)
    while not visibility.go_on():
        pass
    return visibility.share
