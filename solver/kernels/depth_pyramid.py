"""Depth and grey pictures halved, and the normals of a depth picture."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True)
def halve_depth(depth, spread, out):
    """Every 2 x 2 pixels of depth (H, W) float32 [m] as one, out (H // 2, W // 2); 0.0 where no diagonal is whole.

    Averaged is inverse depth, in which a plane is linear in the picture and stereo noise is even, over the diagonals
    whose two ends lie within `spread` z^2 [1/m, so spread z^2 in m] of the nearest of the four: edges stay edges, and a
    plane stays where it is however steep it is seen and whichever pixels lack depth. The mean of one side would not.
    """
    height, width = out.shape
    gate = np.float32(spread)
    for v in prange(height):
        for u in range(width):
            near = np.float32(np.inf)
            for j in range(2):
                for i in range(2):
                    z = depth[2 * v + j, 2 * u + i]
                    if z > 0.0:
                        near = min(near, z)
            limit = near + gate * near * near
            total, count = np.float32(0.0), 0
            for i in range(2):
                upper, lower = depth[2 * v, 2 * u + i], depth[2 * v + 1, 2 * u + 1 - i]
                if upper > 0.0 and lower > 0.0 and max(upper, lower) <= limit:
                    total += np.float32(1.0) / upper + np.float32(1.0) / lower
                    count += 2
            out[v, u] = count / total if count else np.float32(0.0)


@njit(nogil=True, cache=True, parallel=True)
def halve_image(image, out):
    """Every 2 x 2 pixels of an image (H, W) float32 averaged, out (H // 2, W // 2)."""
    for v in prange(out.shape[0]):
        for u in range(out.shape[1]):
            out[v, u] = np.float32(0.25) * (
                image[2 * v, 2 * u] + image[2 * v, 2 * u + 1] + image[2 * v + 1, 2 * u] + image[2 * v + 1, 2 * u + 1]
            )


@njit(nogil=True, cache=True, parallel=True)
def write_luma(color, out):
    """Grey value 0 to 255 of sRGB colour (H, W, 3) uint8, out (H, W) float32 (ITU-R BT.601)."""
    for v in prange(out.shape[0]):
        for u in range(out.shape[1]):
            out[v, u] = (
                np.float32(0.299) * color[v, u, 0]
                + np.float32(0.587) * color[v, u, 1]
                + np.float32(0.114) * color[v, u, 2]
            )


@njit(nogil=True, cache=True, parallel=True)
def write_normals(depth, intrinsics, reach, spread, out):
    """Unit normals (H, W, 3) float32, frame c, facing the camera, of a depth picture (H, W) float32 [m]; 0 where none.

    Gradient of inverse depth between the pixels `reach` away on both sides: with 1 / z = m . (x, y, 1) the normal is
    m, turned to the camera. A side whose depth is off by more than `spread` z^2 [m] per pixel gives none.
    """
    height, width = depth.shape
    fx, fy = np.float32(intrinsics.fx), np.float32(intrinsics.fy)
    cx, cy = np.float32(intrinsics.cx), np.float32(intrinsics.cy)
    gate = np.float32(reach * spread)
    for v in prange(height):
        for u in range(width):
            out[v, u, 0] = out[v, u, 1] = out[v, u, 2] = 0.0
            z = depth[v, u]
            if z <= 0.0 or u < reach or v < reach or u + reach >= width or v + reach >= height:
                continue
            left, right = depth[v, u - reach], depth[v, u + reach]
            above, below = depth[v - reach, u], depth[v + reach, u]
            low = min(min(left, right), min(above, below))
            high = max(max(left, right), max(above, below))
            if low <= 0.0 or max(high - z, z - low) > gate * z * z:
                continue
            step = np.float32(1.0) / np.float32(2 * reach)
            mx = (np.float32(1.0) / right - np.float32(1.0) / left) * step * fx
            my = (np.float32(1.0) / below - np.float32(1.0) / above) * step * fy
            mz = np.float32(1.0) / z - mx * (u - cx) / fx - my * (v - cy) / fy
            length = np.sqrt(mx * mx + my * my + mz * mz)
            # m . p = 1 for a point p of the plane, so m points away from the camera.
            out[v, u, 0] = -mx / length
            out[v, u, 1] = -my / length
            out[v, u, 2] = -mz / length
