"""Small rooms to look at: boxes and bodies drawn by the rasteriser, with a stereo camera's noise."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from solver.ground import levelled_pose
from solver.rasterizer import Rasterizer
from solver.types import DepthNoise, Intrinsics

CAMERA = Intrinsics(424, 240, 212.0, 212.0, 211.5, 119.5)
NOISE = DepthNoise(0.095, 0.04, 0.001)  # half a D455 picture: half its disparity noise in pixels


def box(low, high):
    """An axis-aligned box in the world, seen from outside: vertices (8, 3), faces (12, 3)."""
    corners = np.array([[(low, high)[i >> k & 1][k] for k in range(3)] for i in range(8)], np.float32)
    quads = [(0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6)]
    return corners, np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], np.int32)


def room(depth_m=4.0, width_m=5.0, height_m=2.6, floor=True, wall=True):
    """Slabs for floor, back wall and side walls around the world's y axis."""
    half = width_m / 2
    slabs = []
    if floor:
        slabs.append(box((-half, -1.0, -0.1), (half, depth_m, 0.0)))
    if wall:
        slabs.append(box((-half, depth_m, 0.0), (half, depth_m + 0.1, height_m)))
        slabs.append(box((half, -1.0, 0.0), (half + 0.1, depth_m, height_m)))
    return slabs


def joined(meshes):
    """Several (vertices, faces) as one."""
    starts = np.cumsum([0] + [len(v) for v, _ in meshes[:-1]])
    vertices = np.concatenate([v for v, _ in meshes]).astype(np.float32)
    return vertices, np.concatenate([f + s for (_, f), s in zip(meshes, starts, strict=True)]).astype(np.int32)


def camera_pose(height_m=1.2, pitch=0.0, roll=0.0):
    """`T_wc` of a camera pitched down and rolled by so many radians."""
    up = np.array([np.sin(roll), -np.cos(pitch) * np.cos(roll), -np.sin(pitch) * np.cos(roll)])
    return levelled_pose(up, height_m)


def to_camera(vertices, T_wc):
    """World vertices in frame c, float32."""
    return np.ascontiguousarray((vertices - T_wc[:3, 3]) @ T_wc[:3, :3], np.float32)


def look(meshes, T_wc, intrinsics=CAMERA, noise=NOISE, rng=None):
    """The depth image [m] of the meshes; with `rng`, as a stereo camera would measure it."""
    vertices, faces = joined(meshes)
    depth = Rasterizer(intrinsics).render(to_camera(vertices, T_wc), faces).depth.copy()
    return depth if rng is None else measured(depth, intrinsics, noise, rng)


def measured(depth, intrinsics, noise, rng):
    """Disparity noise correlated over the matching window, quantised; edges dropped."""
    white = gaussian_filter(rng.normal(size=depth.shape), 1.2)
    disparity = noise.baseline_m * intrinsics.fx / np.where(depth > 0.0, depth, 1.0)
    seen = disparity + noise.disparity_sigma_px * white / white.std()
    seen = np.round(seen * 32.0) / 32.0
    z = noise.baseline_m * intrinsics.fx / np.maximum(seen, 0.5)
    step = np.maximum(*(np.abs(np.diff(depth, axis=a, append=depth.take([-1], a))) for a in (0, 1)))
    return np.where((depth > 0.0) & (step < 0.2), z, 0.0).astype(np.float32)
