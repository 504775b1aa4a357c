"""How much of its surroundings each point of a surface sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

RESOLUTION = 320
DISTANCE_M = 30.0


def ambient_visibility(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], directions: int = 48, bias_m: float = 0.006
) -> NDArray[np.float32]:
    """Cosine-weighted share of the directions that nothing of the mesh blocks, shape (V,), 0..1.

    `vertices` [m], shape (V, 3), float32, any frame; `faces` (F, 3) int32. Distant cameras on a Fibonacci sphere take
    the place of rays: a vertex is seen from a direction if it is no deeper than that camera's depth picture by more
    than `bias_m`.
    """
    normals = NormalField(faces, len(vertices))(np.ascontiguousarray(vertices, np.float32))
    low, high = vertices.min(0).astype(np.float64), vertices.max(0).astype(np.float64)
    center, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    focal = 0.49 * RESOLUTION * DISTANCE_M / radius
    middle = (RESOLUTION - 1) / 2
    rasterizer = Rasterizer(Intrinsics(RESOLUTION, RESOLUTION, focal, focal, middle, middle))
    golden = np.pi * (3.0 - np.sqrt(5.0))
    seen, total = np.zeros((2, len(vertices)))
    for i in range(directions):
        z = 1.0 - (2 * i + 1) / directions
        ring = np.sqrt(1.0 - z * z)
        toward = np.array([ring * np.cos(golden * i), ring * np.sin(golden * i), z])
        right = np.cross(-toward, (0.0, 0.0, 1.0) if abs(z) < 0.9 else (0.0, 1.0, 0.0))
        right /= np.linalg.norm(right)
        axes = np.stack((right, np.cross(-toward, right), -toward), 1)
        local = (((vertices - center) @ axes) + (0.0, 0.0, DISTANCE_M)).astype(np.float32)
        depth = rasterizer.render(local, faces, cull_back=False).depth
        columns = np.rint(focal * local[:, 0] / local[:, 2] + middle).astype(np.int32)
        rows = np.rint(focal * local[:, 1] / local[:, 2] + middle).astype(np.int32)
        cosine = np.maximum(normals @ toward.astype(np.float32), 0.0)
        front = depth[rows, columns]
        # One pixel is several millimetres: a steep surface needs the slope's share of it as slack.
        slack = bias_m + radius / RESOLUTION * np.minimum(1.0 / np.maximum(cosine, 0.1), 4.0)
        seen += cosine * ((front == 0.0) | (local[:, 2] <= front + slack))
        total += cosine
    return (seen / np.maximum(total, 1e-6)).astype(np.float32)
