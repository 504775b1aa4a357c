"""Simulated camera flights through a furnished room, with exact poses and a d455's errors at half its resolution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from capture.simulated.camera import CameraModel
from capture.simulated.sensor import DepthSensor
from solver.rasterizer import Rasterizer
from solver.types import DepthNoise, Frame, Intrinsics, read_only

NOISE = DepthNoise(0.095, 0.04, 0.0005)
"""Of a d455 in pixels of half its picture."""
INTRINSICS = Intrinsics(424, 240, 212.5, 212.5, 211.5, 119.5)
CAMERA = CameraModel("d455-half", INTRINSICS, NOISE, True, 0.3, 6.0, True)
FRAME_S = 1.0 / 30.0


@dataclass(frozen=True, slots=True)
class Flight:
    """A camera's way and what it flies through."""

    poses: NDArray[np.float64]
    """True `T_wc`, (N, 4, 4)."""
    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    contrast: float = 1.0
    """Of the surfaces' pattern; 0 for plain paint."""
    dark: tuple[int, int] = (0, 0)
    """First frame that the camera sees nothing in, and the one after the last."""
    noisy: bool = True

    def frames(self) -> Iterator[Frame]:
        """The frames as the camera delivers them, numbered, without poses."""
        rasterizer = Rasterizer(INTRINSICS)
        sensor = DepthSensor(CAMERA, False, "flight", 1)
        rng = np.random.default_rng(5)
        corners = self.vertices[self.faces].astype(np.float64)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        v, u = np.mgrid[: INTRINSICS.height, : INTRINSICS.width]
        rays = np.stack([(u - INTRINSICS.cx) / INTRINSICS.fx, (v - INTRINSICS.cy) / INTRINSICS.fy, np.ones_like(u)], -1)
        for number, T_wc in enumerate(self.poses):
            in_camera = ((self.vertices - T_wc[:3, 3]) @ T_wc[:3, :3]).astype(np.float32)
            raster = rasterizer.render(np.ascontiguousarray(in_camera), self.faces)
            true = raster.depth.copy()
            directions = rays @ T_wc[:3, :3].T
            facing = np.abs((directions * normals[raster.triangle]).sum(-1)) / np.linalg.norm(rays, axis=-1)
            depth = true
            if self.noisy:
                surface = np.stack([facing, np.full(true.shape, 0.5)], -1).astype(np.float32)
                depth = sensor.measure(true, surface, number)
            points = directions * true[..., None] + T_wc[:3, 3]
            shade = 60.0 + 90.0 * np.abs(normals[raster.triangle] @ [0.3, 0.5, 0.8])
            shade = shade + self.contrast * 60.0 * pattern(points)
            gray = np.clip(shade + rng.normal(0.0, 2.0, true.shape), 0.0, 255.0)
            color = np.stack([gray, 0.9 * gray, 0.8 * gray], -1).astype(np.uint8)
            if self.dark[0] <= number < self.dark[1]:
                depth, color = np.zeros_like(depth), np.zeros_like(color)
            yield Frame(number, number * FRAME_S, INTRINSICS, read_only(color), read_only(depth))

    def without(self, first: int, last: int) -> Flight:
        """The flight with frames `first` to `last` - 1 missing, numbers and times moving up."""
        return replace(self, poses=np.delete(self.poses, np.s_[first:last], 0))


def pattern(points: NDArray) -> NDArray[np.float64]:
    """A solid texture, -1 to 1, of points (..., 3) [m]: noise at three sizes, the same wherever it is seen from."""
    total = np.zeros(points.shape[:-1])
    for size, share in ((0.30, 0.4), (0.11, 0.35), (0.045, 0.25)):
        place = points / size
        cell = np.floor(place).astype(np.int64)
        f = place - cell
        f = f * f * (3.0 - 2.0 * f)
        value = np.zeros(points.shape[:-1])
        for corner in range(8):
            offset = np.array([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
            a, b, c = np.moveaxis(cell + offset, -1, 0)
            mixed = (a * 73856093) ^ (b * 19349663) ^ (c * 83492791)
            mixed = (mixed ^ (mixed >> 13)) * 1274126177
            weight = np.where(offset, f, 1.0 - f).prod(-1)
            value += weight * (((mixed >> 8) & 0xFFFF) / 32767.5 - 1.0)
        total += share * value
    return total


def box(low: tuple[float, ...], high: tuple[float, ...], inward: bool = False) -> tuple[NDArray, NDArray]:
    """A box's vertices (8, 3) and faces (12, 3), seen from outside, or from inside."""
    corners = np.array([[(low, high)[i >> k & 1][k] for k in range(3)] for i in range(8)], np.float32)
    quads = [(0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)
    return corners, faces[:, ::-1].copy() if inward else faces


def joined(parts: list[tuple[NDArray, NDArray]]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Several meshes as one."""
    starts = np.cumsum([0] + [len(v) for v, _ in parts[:-1]])
    faces = np.concatenate([f + s for (_, f), s in zip(parts, starts, strict=True)])
    return np.concatenate([v for v, _ in parts]).astype(np.float32), faces.astype(np.int32)


def furnished_room(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """A room of 4.4 x 3.8 x 2.6 m with boxes of all sizes along its walls, one differing from the other."""
    rng = np.random.default_rng(seed)
    parts = [box((-2.2, -1.9, 0.0), (2.2, 1.9, 2.6), inward=True)]
    for k in range(26):
        bearing = 2.0 * np.pi * (k + rng.uniform(-0.3, 0.3)) / 26
        x, y = 1.95 * np.cos(bearing), 1.65 * np.sin(bearing)
        half = rng.uniform(0.06, 0.28, 2)
        low = rng.uniform(0.0, 1.5) if k % 3 else 0.0
        parts.append(box((x - half[0], y - half[1], low), (x + half[0], y + half[1], low + rng.uniform(0.15, 0.9))))
    return joined(parts)


def looking(position: NDArray, bearing: float, pitch: float = -0.1) -> NDArray[np.float64]:
    """`T_wc` of a level camera at `position` that looks along `bearing` [rad, from x to y], up by `pitch`."""
    forward = np.array([np.cos(bearing) * np.cos(pitch), np.sin(bearing) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(bearing), -np.cos(bearing), 0.0])
    T_wc = np.eye(4)
    T_wc[:3, :3] = np.stack([right, np.cross(forward, right), forward], 1)
    T_wc[:3, 3] = position
    return T_wc


def turn(count: int = 240, angle: float = 2.0 * np.pi + 0.4, **options) -> Flight:
    """Once around in the room on a small circle, looking out, until the beginning is seen again."""
    poses = []
    for k in range(count):
        bearing = angle * k / (count - 1)
        sway = 0.06 * np.sin(3.0 * bearing)
        place = np.array([0.5 * np.cos(bearing + 0.6), 0.4 * np.sin(bearing + 0.6), 1.2 + sway])
        poses.append(looking(place, bearing, -0.15 + 0.05 * np.sin(2.0 * bearing)))
    return Flight(np.array(poses), *furnished_room(), **options)


def along_wall(count: int = 80, **options) -> Flight:
    """Along one flat wall that fills the view."""
    wall = box((-4.0, 1.0, -1.0), (4.0, 1.2, 3.0))
    poses = [
        looking(np.array([-0.4 + 0.8 * k / count, 0.05 * np.sin(k / 9), 1.2]), np.pi / 2, 0.0) for k in range(count)
    ]
    return Flight(np.array(poses), *joined([wall]), **options)


FLIGHTS = {
    "turn": lambda: turn(),
    "gap": lambda: turn(120, 2.2).without(60, 68),
    "fast": lambda: turn(100, 1.6).without(50, 90),
    "blackout": lambda: turn(120, 1.8, dark=(60, 80)),
    "poster": lambda: along_wall(),
    "plain wall": lambda: along_wall(contrast=0.0),
}
"""fast: 37 degrees between one frame and the next."""
