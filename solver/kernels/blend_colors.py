"""Colours of a picture gathered at the vertices that it shows."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True)
def blend_colors(color, model_depth, intrinsics, vertices, normals, sharpness, sums, weights):
    """Add the picture's colour at every visible vertex, weighted by cosine^sharpness of the viewing angle.

    color (H, W, 3) uint8; model_depth (H, W) float32 [m] of the same vertices rasterised, 0.0 where nothing is;
    vertices, normals (V, 3) float32, frame c; sums (V, 3), weights (V,) float32 are added to. Vertices next to the
    outline are left out: the background shines in there.
    """
    height, width = model_depth.shape
    for v in prange(vertices.shape[0]):
        x = vertices[v, 0]
        y = vertices[v, 1]
        z = vertices[v, 2]
        if z < 0.1:
            continue
        along = -(normals[v, 0] * x + normals[v, 1] * y + normals[v, 2] * z)
        cosine = along / np.sqrt(x * x + y * y + z * z)
        if cosine < 0.2:
            continue
        u = intrinsics.fx * x / z + intrinsics.cx
        w = intrinsics.fy * y / z + intrinsics.cy
        i = int(np.floor(u))
        j = int(np.floor(w))
        if i < 2 or j < 2 or i + 3 >= width or j + 3 >= height:
            continue
        hidden = False
        for b in range(-2, 4):
            for a in range(-2, 4):
                seen = model_depth[j + b, i + a]
                if seen == 0.0 or seen < z - 0.02:
                    hidden = True
        if hidden:
            continue
        s = u - i
        t = w - j
        weight = cosine**sharpness
        for c in range(3):
            top = (1.0 - s) * color[j, i, c] + s * color[j, i + 1, c]
            bottom = (1.0 - s) * color[j + 1, i, c] + s * color[j + 1, i + 1, c]
            sums[v, c] += weight * ((1.0 - t) * top + t * bottom)
        weights[v] += weight
