"""Where the simulated visit takes place: a fitting room, and things that are not people."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capture.simulated.look import linear
from solver.kernels.shade import FIELDS, OCCLUSION, REST, Layers, Lighting


class Scenery(NamedTuple):
    """A mesh that does not move, with its colours."""

    vertices: NDArray[np.float32]
    """[m], shape (N, 3), frame w."""
    faces: NDArray[np.int32]
    """Shape (F, 3)."""
    normals: NDArray[np.float32]
    """Shape (N, 3)."""
    attributes: NDArray[np.float32]
    """For `shade_surface`, shape (N, 7)."""


BARE = Layers(
    colors=np.zeros((0, 2, 3), np.float32),
    patterns=np.zeros(0, np.int32),
    periods=np.zeros(0, np.float32),
    glosses=np.array([0.004], np.float32),
    reflectances=np.array([0.15], np.float32),
)
"""No clothes: furniture shows its own colour."""


class _Builder:
    def __init__(self) -> None:
        self._parts: list[tuple[NDArray, NDArray, NDArray, NDArray, NDArray]] = []

    def sheet(self, origin, u, v, color, cells: int = 1, shade=None) -> None:
        """A parallelogram with the normal u x v, in cells x cells squares so that its colour may vary."""
        origin, u, v = (np.asarray(a, np.float64) for a in (origin, u, v))
        grid = np.linspace(0.0, 1.0, cells + 1)
        points = (origin + grid[:, None, None] * u + grid[None, :, None] * v).reshape(-1, 3)
        index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
        a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
        faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
        normal = np.cross(u, v)
        normal = normal / np.linalg.norm(normal)
        brightness = np.ones(len(points)) if shade is None else shade(points)
        self._parts.append(
            (points, faces, np.tile(normal, (len(points), 1)), np.tile(linear(color), (len(points), 1)), brightness)
        )

    def box(self, low, high, color) -> None:
        low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        x, y, z = np.diag(high - low)
        for origin, u, v in (
            (low, y, x), (high, -x, -y), (low, x, z), (high, -z, -x), (low, z, y), (high, -y, -z),
        ):  # fmt: skip
            self.sheet(origin, u, v, color)

    def rod(self, a, b, radius, color, segments: int = 10) -> None:
        """A cylinder without ends."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        axis = (b - a) / np.linalg.norm(b - a)
        side = np.cross(axis, [0.3, 0.5, 0.8])
        side /= np.linalg.norm(side)
        other = np.cross(axis, side)
        turn = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
        ring = np.cos(turn)[:, None] * side + np.sin(turn)[:, None] * other
        points = np.concatenate([a + radius * ring, b + radius * ring])
        i = np.arange(segments)
        j = (i + 1) % segments
        faces = np.concatenate([np.stack([i, j, j + segments], 1), np.stack([i, j + segments, i + segments], 1)])
        self._parts.append(
            (points, faces, np.tile(ring, (2, 1)), np.tile(linear(color), (len(points), 1)), np.ones(len(points)))
        )

    def build(self) -> Scenery:
        points, faces, normals, colors, shades = [], [], [], [], []
        count = 0
        for p, f, n, c, s in self._parts:
            points.append(p)
            faces.append(f + count)
            normals.append(n)
            colors.append(c)
            shades.append(s)
            count += len(p)
        vertices = np.concatenate(points).astype(np.float32)
        attributes = np.zeros((count, FIELDS), np.float32)
        attributes[:, :3] = np.concatenate(colors)
        attributes[:, OCCLUSION] = np.concatenate(shades)
        attributes[:, REST : REST + 3] = vertices
        return Scenery(
            vertices,
            np.concatenate(faces).astype(np.int32),
            np.concatenate(normals).astype(np.float32),
            attributes,
        )


def build_room(mark: tuple[float, float], rng: np.random.Generator, obstacle: str | None = None) -> Scenery:
    """Floor, walls, a bench, a shelf; with an `obstacle` (chair or rack) on the mark where a person should stand."""
    room = _Builder()
    depth = mark[1] + rng.uniform(1.3, 1.8)
    half = rng.uniform(2.3, 2.8)
    walls = [(0.83, 0.81, 0.77), (0.74, 0.76, 0.78), (0.80, 0.76, 0.72), (0.66, 0.69, 0.68)]
    floors = [(0.55, 0.44, 0.34), (0.50, 0.49, 0.47), (0.62, 0.53, 0.43), (0.36, 0.33, 0.31)]
    wall, floor = walls[rng.integers(len(walls))], floors[rng.integers(len(floors))]
    near = -1.0

    def corners(points: NDArray) -> NDArray:
        """Less light where walls and floor meet."""
        gap = np.minimum(depth - points[:, 1], half - np.abs(points[:, 0]))
        low = points[:, 2] + 0.05
        gap = np.where(low > 0.06, np.minimum(gap + 0.15, low), gap)
        return 1.0 - 0.35 * np.exp(-np.maximum(gap, 0.0) / 0.25)

    room.sheet((-half, near, 0.0), (2 * half, 0, 0), (0, depth - near, 0), floor, 40, corners)
    room.sheet((-half, depth, 0.0), (2 * half, 0, 0), (0, 0, 2.8), wall, 40, corners)
    room.sheet((-half, near, 0.0), (0, depth - near, 0), (0, 0, 2.8), wall, 20, corners)
    room.sheet((half, depth, 0.0), (0, near - depth, 0), (0, 0, 2.8), wall, 20, corners)
    room.sheet((-half, depth, 2.8), (2 * half, 0, 0), (0, near - depth, 0), (0.9, 0.9, 0.88), 4)
    room.box((-half, depth - 0.012, 0.0), (half, depth, 0.09), (0.88, 0.87, 0.85))
    wood = (0.50, 0.34, 0.22)
    side = rng.choice([-1.0, 1.0])
    x = side * rng.uniform(0.7, 1.1)
    room.box((x - 0.45, depth - 0.40, 0.40), (x + 0.45, depth - 0.02, 0.45), wood)
    for leg in (-0.40, 0.36):
        room.box((x + leg, depth - 0.36, 0.0), (x + leg + 0.04, depth - 0.06, 0.40), (0.2, 0.2, 0.2))
    x = -side * rng.uniform(0.7, 1.0)
    for z in (0.95, 1.35, 1.75):
        room.box((x - 0.35, depth - 0.28, z), (x + 0.35, depth - 0.01, z + 0.03), wood)
        for k in range(3):
            width, height = rng.uniform(0.10, 0.18), rng.uniform(0.06, 0.2)
            left = x - 0.32 + 0.22 * k
            color = rng.uniform(0.15, 0.75, 3)
            room.box((left, depth - 0.24, z + 0.03), (left + width, depth - 0.06, z + 0.03 + height), color)
    if obstacle == "chair":
        _chair(room, mark)
    elif obstacle == "rack":
        _rack(room, mark, rng)
    return room.build()


def _chair(room: _Builder, mark: tuple[float, float]) -> None:
    x, y = mark
    room.box((x - 0.22, y - 0.22, 0.44), (x + 0.22, y + 0.22, 0.48), (0.25, 0.42, 0.55))
    room.box((x - 0.22, y + 0.19, 0.48), (x + 0.22, y + 0.22, 0.95), (0.25, 0.42, 0.55))
    for dx in (-0.20, 0.20):
        for dy in (-0.20, 0.20):
            room.rod((x + dx, y + dy, 0.0), (x + dx, y + dy, 0.44), 0.016, (0.15, 0.15, 0.15))


def _rack(room: _Builder, mark: tuple[float, float], rng: np.random.Generator) -> None:
    x, y = mark
    for dx in (-0.55, 0.55):
        room.rod((x + dx, y, 0.0), (x + dx, y, 1.65), 0.016, (0.6, 0.6, 0.62))
        room.box((x + dx - 0.03, y - 0.25, 0.0), (x + dx + 0.03, y + 0.25, 0.05), (0.3, 0.3, 0.3))
    room.rod((x - 0.55, y, 1.65), (x + 0.55, y, 1.65), 0.016, (0.6, 0.6, 0.62))
    for k in range(7):
        left = x - 0.48 + 0.14 * k
        length = rng.uniform(0.7, 1.15)
        room.box((left, y - 0.22, 1.58 - length), (left + 0.05, y + 0.22, 1.58), rng.uniform(0.12, 0.8, 3))


def lighting(T_wc: NDArray[np.float64], rng: np.random.Generator) -> Lighting:
    """Two soft lamps beside the mirror, a ceiling light behind, and what the white room gives back, in frame c."""
    warm = rng.uniform(-0.04, 0.04)
    directions = np.array([[-0.55, -0.65, 0.60], [0.70, -0.60, 0.35], [0.10, 0.55, 0.90]])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    tint = np.array([1.0 + warm, 1.0, 1.0 - warm])
    strengths = np.array([0.58, 0.28, 0.16]) * rng.uniform(0.92, 1.08, 3)
    turn = T_wc[:3, :3].T
    return Lighting(
        directions=np.ascontiguousarray((directions @ turn.T), np.float32),
        colors=np.ascontiguousarray(strengths[:, None] * tint, np.float32),
        wraps=np.array([0.25, 0.35, 0.1], np.float32),
        up=np.ascontiguousarray(turn @ [0.0, 0.0, 1.0], np.float32),
        sky=np.ascontiguousarray(0.50 * tint, np.float32),
        ground=np.ascontiguousarray(0.32 * tint * [1.02, 1.0, 0.96], np.float32),
    )
