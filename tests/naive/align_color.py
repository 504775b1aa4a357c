"""The obvious way to bring colour to the grid of depth: one pixel after the other, in plain NumPy."""

import numpy as np


def fill_row(row):
    filled = row.copy()
    known = np.flatnonzero(row > 0)
    for x in np.flatnonzero(row <= 0):
        neighbours = [row[known[known < x][-1]]] if (known < x).any() else []
        neighbours += [row[known[known > x][0]]] if (known > x).any() else []
        filled[x] = max(neighbours, default=0.0)
    return filled


def project(point, camera):
    p = camera.rotation @ point + camera.translation
    if p[2] <= 0:
        return None
    x, y = p[:2] / p[2]
    k1, k2, p1, p2, k3 = camera.coefficients
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    if camera.distortion == 1:
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2),
            y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y**2),
        )
    elif camera.distortion == 2:
        x, y = x * radial, y * radial
        x, y = x + 2 * p1 * x * y + p2 * (r2 + 2 * x**2), y + 2 * p2 * x * y + p1 * (r2 + 2 * y**2)
    return camera.fx * x + camera.cx, camera.fy * y + camera.cy


def sample(color, u, v):
    height, width = color.shape[:2]
    if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
        return np.zeros(3, np.uint8)
    u, v = np.clip(u, 0, width - 1), np.clip(v, 0, height - 1)
    padded = np.pad(color.astype(float), ((0, 1), (0, 1), (0, 0)), mode="edge")
    x, y = int(u), int(v)
    weights = np.outer((1 - (v - y), v - y), (1 - (u - x), u - x))
    return np.floor((weights[..., None] * padded[y : y + 2, x : x + 2]).sum((0, 1)) + 0.5).astype(np.uint8)


def align_color(depth, intrinsics, color, camera):
    aligned = np.zeros((*depth.shape, 3), np.uint8)
    for y in range(depth.shape[0]):
        filled = fill_row(depth[y])
        for x in range(depth.shape[1]):
            z = float(filled[x]) or 1e6
            ray = np.array([(x - intrinsics.cx) / intrinsics.fx, (y - intrinsics.cy) / intrinsics.fy, 1.0])
            pixel = project(ray * z, camera)
            if pixel is not None:
                aligned[y, x] = sample(color, *pixel)
    return aligned
