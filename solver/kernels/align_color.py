"""Colour resampled onto the grid of a depth image taken by another camera beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

PINHOLE = 0
BROWN = 1
"""Tangential terms on the undistorted point (Brown 1966; Conrady 1919), as in OpenCV."""
MODIFIED_BROWN = 2
"""Tangential terms on the radially distorted point, as librealsense projects both its modified and inverse models."""


class ColorCamera(NamedTuple):
    """A colour camera with lens distortion, and where it stands: p_color = rotation @ p_depth + translation."""

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: int
    """`PINHOLE`, `BROWN` or `MODIFIED_BROWN`."""
    coefficients: np.ndarray
    """k1, k2, p1, p2, k3, shape (5,), float64."""
    rotation: np.ndarray
    """Shape (3, 3), float64."""
    translation: np.ndarray
    """[m], shape (3,), float64."""


@njit(nogil=True, cache=True)
def fill_row(depth_row, filled_row):
    """Fills gaps of a row of depth with the farther of the two neighbours, 0 where the row is empty.

    Behind the edge of a near thing a stereo camera sees nothing, and what it does not see there is the background.
    """
    width = depth_row.shape[0]
    left = np.float32(0.0)
    for x in range(width):
        if depth_row[x] > 0.0:
            left = depth_row[x]
        filled_row[x] = left
    right = np.float32(0.0)
    for x in range(width - 1, -1, -1):
        if depth_row[x] > 0.0:
            right = depth_row[x]
        elif right > filled_row[x]:
            filled_row[x] = right


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"})
def project_to_color(x, y, z, camera):
    """Pixel (u, v) of the point (x, y, z) [m] of the depth camera in the colour image; (-1, -1) behind the camera."""
    r, t = camera.rotation, camera.translation
    px = r[0, 0] * x + r[0, 1] * y + r[0, 2] * z + t[0]
    py = r[1, 0] * x + r[1, 1] * y + r[1, 2] * z + t[1]
    pz = r[2, 0] * x + r[2, 1] * y + r[2, 2] * z + t[2]
    if pz <= 0.0:
        return -1.0, -1.0
    per_pz = 1.0 / pz
    px *= per_pz
    py *= per_pz
    if camera.distortion != PINHOLE:
        k = camera.coefficients
        r2 = px * px + py * py
        radial = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))
        dx, dy = px * radial, py * radial
        if camera.distortion == MODIFIED_BROWN:
            px, py = dx, dy
        px, py = (
            dx + 2.0 * k[2] * px * py + k[3] * (r2 + 2.0 * px * px),
            dy + 2.0 * k[3] * px * py + k[2] * (r2 + 2.0 * py * py),
        )
    return camera.fx * px + camera.cx, camera.fy * py + camera.cy


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "arcp", "nsz"})
def align_color(depth, intrinsics, color, camera, filled_row, aligned):
    """Bilinear colour (H, W, 3) uint8 of every pixel of `depth` (H, W) [m], looked up in `color` (h, w, 3).

    Where depth is missing the gap is filled for the look-up alone (`fill_row`; a row without any depth is taken to be
    infinitely far away), so that the picture has no holes. Black where the colour camera does not look.
    Points that the colour camera cannot see take the colour of what hides them.
    """
    height, width = depth.shape
    per_fx = 1.0 / intrinsics.fx
    color_height, color_width = color.shape[:2]
    for y in range(height):
        fill_row(depth[y], filled_row)
        ray_y = (y - intrinsics.cy) / intrinsics.fy
        for x in range(width):
            z = np.float64(filled_row[x])
            if z <= 0.0:
                z = 1e6
            u, v = project_to_color((x - intrinsics.cx) * per_fx * z, ray_y * z, z, camera)
            if not (-0.5 <= u < color_width - 0.5 and -0.5 <= v < color_height - 0.5):
                aligned[y, x, 0] = aligned[y, x, 1] = aligned[y, x, 2] = 0
                continue
            u = min(max(u, 0.0), color_width - 1.0)
            v = min(max(v, 0.0), color_height - 1.0)
            x0, y0 = int(u), int(v)
            x1, y1 = min(x0 + 1, color_width - 1), min(y0 + 1, color_height - 1)
            # Weights in 1/2048: whole numbers are faster than floats here, and their error is below one grey level.
            fu, fv = int((u - x0) * 2048.0 + 0.5), int((v - y0) * 2048.0 + 0.5)
            w11, w10, w01 = fu * fv, fv * (2048 - fu), fu * (2048 - fv)
            w00 = 2048 * 2048 - w11 - w10 - w01
            for channel in range(3):
                blend = w00 * color[y0, x0, channel] + w01 * color[y0, x1, channel]
                blend += w10 * color[y1, x0, channel] + w11 * color[y1, x1, channel]
                aligned[y, x, channel] = np.uint8((blend + 2048 * 1024) >> 22)
