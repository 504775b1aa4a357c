"""Small pictures of bodies, for looking at what was built: orthographic z-buffer, one light, Lambert shading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

SUPERSAMPLING = 2
BACKGROUND = (245, 244, 241)
SKIN = (214, 188, 168)


@njit(nogil=True, cache=True)
def _draw_triangles(points, faces, colors, depth, image):
    """Draw `faces` over `image` (H, W, 3) float32; points (V, 3): column, row, distance from the eye."""
    height, width = depth.shape
    for f in range(faces.shape[0]):
        ax, ay, az = points[faces[f, 0]]
        bx, by, bz = points[faces[f, 1]]
        cx, cy, cz = points[faces[f, 2]]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        for row in range(max(0, int(np.ceil(min(ay, by, cy)))), min(height - 1, int(max(ay, by, cy))) + 1):
            for column in range(max(0, int(np.ceil(min(ax, bx, cx)))), min(width - 1, int(max(ax, bx, cx))) + 1):
                u = ((bx - column) * (cy - row) - (by - row) * (cx - column)) / area
                v = ((cx - column) * (ay - row) - (cy - row) * (ax - column)) / area
                if u < 0.0 or v < 0.0 or u + v > 1.0:
                    continue
                z = u * az + v * bz + (1.0 - u - v) * cz
                if z < depth[row, column]:
                    depth[row, column] = z
                    for i in range(3):
                        image[row, column, i] = (u * colors[faces[f, 0], i] + v * colors[faces[f, 1], i]) + (
                            1.0 - u - v
                        ) * colors[faces[f, 2], i]


def view_directions(azimuth: float, elevation: float = 0.0) -> NDArray[np.float64]:
    """Rows right, up, away of an eye that looks at the front (-y) of a body from `azimuth` [rad] to its left."""
    forward = np.array([-np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), -np.sin(elevation)])
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward), forward])


def render_mesh(
    vertices: NDArray,
    faces: NDArray,
    size: tuple[int, int],
    azimuth: float = 0.0,
    elevation: float = 0.0,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.9),
    height_m: float = 2.0,
    colors: NDArray | None = None,
    markers: NDArray | None = None,
) -> NDArray[np.uint8]:
    """Picture of a mesh, shape (rows, columns, 3), sRGB.

    vertices (V, 3) [m], z up; faces (F, 3); size (columns, rows); height_m: what the picture's height covers;
    colors (V, 3) 0 to 255; markers (M, 3) [m] are drawn as red dots where the surface does not hide them.
    """
    columns, rows = (SUPERSAMPLING * n for n in size)
    axes = view_directions(azimuth, elevation)
    scale = rows / height_m

    def project(points: NDArray) -> NDArray:
        seen = (np.asarray(points, np.float64) - centre) @ axes.T
        return np.stack([columns / 2 + scale * seen[:, 0], rows / 2 - scale * seen[:, 1], seen[:, 2]], 1)

    normals = vertex_normals(vertices, faces)
    light = axes.T @ np.array([-0.45, 0.55, -0.72])
    shade = 0.35 + 0.65 * np.clip(normals @ (light / np.linalg.norm(light)), 0.0, 1.0)
    base = np.full((len(vertices), 3), SKIN, np.float64) if colors is None else np.asarray(colors, np.float64)
    image = np.empty((rows, columns, 3), np.float32)
    image[:] = BACKGROUND
    depth = np.full((rows, columns), np.inf)
    _draw_triangles(project(vertices), np.asarray(faces, np.int64), base * shade[:, None], depth, image)
    for x, y, z in project(markers) if markers is not None else ():
        column, row = round(x), round(y)
        if 2 <= column < columns - 3 and 2 <= row < rows - 3 and z < depth[row, column] + 0.012:
            image[row - 2 : row + 3, column - 2 : column + 3] = (220, 20, 30)
    small = image.reshape(size[1], SUPERSAMPLING, size[0], SUPERSAMPLING, 3).mean((1, 3))
    return np.clip(small, 0, 255).astype(np.uint8)


def vertex_normals(vertices: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """Area-weighted unit normals, shape (V, 3)."""
    corners = np.asarray(vertices, np.float64)[faces]
    normals = np.zeros((len(vertices), 3))
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    return normals / np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]


def write_population_sheet(path: Path, rows: list[NDArray], faces: NDArray) -> None:
    """Write a small picture of bodies (N, V, 3), one row of bodies a line, all to one scale."""
    from PIL import Image

    lines = []
    for bodies in rows:
        figures = [
            render_mesh(body, faces, (118, 206), azimuth=0.45, centre=(0.0, 0.0, 0.97), height_m=2.1) for body in bodies
        ]
        lines.append(np.hstack(figures))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(lines)).quantize(64).save(path, optimize=True)
