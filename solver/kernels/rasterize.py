"""Triangles to depth, triangle index and barycentrics by edge functions in homogeneous coordinates.

Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates" (1997): with the viewing ray
d = ((x - cx) / fx, (y - cy) / fy, 1) and corners p0, p1, p2 in frame c, the edge functions w_i = d . (p_j x p_k) are
linear in the pixel, w_i / (w_0 + w_1 + w_2) are the perspective-correct barycentrics, and the depth is
det(p0, p1, p2) / (w_0 + w_1 + w_2). Nothing is divided by a vertex's depth, so corners behind the camera need no
clipping: pixels nearer than the near plane are left out one by one. A pixel on a shared edge belongs to both
triangles, which leaves no cracks; the nearer, then the one of lower index, wins, so the picture does not depend on
the number of threads.

No fastmath here: fused multiply-adds would round an edge differently for its two triangles and open cracks.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

BAND_ROWS = 8
"""Image rows that one thread rasterises at a time."""
MARGIN_PX = 1e-6
"""Bounding boxes are widened by this much, far above the rounding of a projection in double precision."""


@njit(nogil=True, cache=True, parallel=True)
def project_points(points_c, intrinsics, near, pixels):
    """Pixels (N, 2) float64 of points (N, 3) in frame c; NaN where a point is nearer than `near` [m]."""
    for i in prange(points_c.shape[0]):
        z = np.float64(points_c[i, 2])
        if z >= near:
            pixels[i, 0] = intrinsics.fx * points_c[i, 0] / z + intrinsics.cx
            pixels[i, 1] = intrinsics.fy * points_c[i, 1] / z + intrinsics.cy
        else:
            pixels[i, 0] = np.nan
            pixels[i, 1] = np.nan


@njit(nogil=True, cache=True, inline="always")
def _determinant(vertices, a, b, c):
    """p_a . (p_b x p_c): negative where the triangle shows the camera its outside."""
    ax, ay, az = np.float64(vertices[a, 0]), np.float64(vertices[a, 1]), np.float64(vertices[a, 2])
    bx, by, bz = np.float64(vertices[b, 0]), np.float64(vertices[b, 1]), np.float64(vertices[b, 2])
    cx, cy, cz = np.float64(vertices[c, 0]), np.float64(vertices[c, 1]), np.float64(vertices[c, 2])
    return ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)


@njit(nogil=True, cache=True)
def _clipped_box(vertices, face, intrinsics, near, box):
    """Pixel box (x low, x high, y low, y high) of the part of a triangle beyond `near`; empty is low > high."""
    box[0], box[1], box[2], box[3] = np.inf, -np.inf, np.inf, -np.inf
    for i in range(3):
        a, b = face[i], face[(i + 1) % 3]
        za, zb = np.float64(vertices[a, 2]), np.float64(vertices[b, 2])
        for end in range(2):
            if end == 0:
                if za < near:
                    continue
                x, y, z = np.float64(vertices[a, 0]), np.float64(vertices[a, 1]), za
            else:
                if (za < near) == (zb < near):
                    continue
                t = (near - za) / (zb - za)
                x = vertices[a, 0] + t * (vertices[b, 0] - vertices[a, 0])
                y = vertices[a, 1] + t * (vertices[b, 1] - vertices[a, 1])
                z = near
            u = intrinsics.fx * x / z + intrinsics.cx
            v = intrinsics.fy * y / z + intrinsics.cy
            box[0], box[1] = min(box[0], u), max(box[1], u)
            box[2], box[3] = min(box[2], v), max(box[3], v)


@njit(nogil=True, cache=True, parallel=True)
def bound_triangles(vertices, faces, pixels, intrinsics, near, cull, boxes):
    """Pixel boxes (F, 4) int32 (x low, x high, y low, y high, inclusive) of the triangles that may cover a pixel.

    `pixels` from `project_points`. What is off the picture, falls between pixel centres or (with `cull`) shows its
    back gets x high = -1.
    """
    right, bottom = intrinsics.width - 1, intrinsics.height - 1
    for f in prange(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        boxes[f, 1] = -1
        ua, ub, uc = pixels[a, 0], pixels[b, 0], pixels[c, 0]
        if np.isnan(ua) or np.isnan(ub) or np.isnan(uc):
            box = np.empty(4)
            _clipped_box(vertices, faces[f], intrinsics, near, box)
            low_u, high_u, low_v, high_v = box[0], box[1], box[2], box[3]
        else:
            va, vb, vc = pixels[a, 1], pixels[b, 1], pixels[c, 1]
            low_u, high_u = min(ua, ub, uc), max(ua, ub, uc)
            low_v, high_v = min(va, vb, vc), max(va, vb, vc)
        if not (high_u >= 0.0 and low_u <= right and high_v >= 0.0 and low_v <= bottom):
            continue
        x0 = math.ceil(max(low_u - MARGIN_PX, 0.0))
        x1 = math.floor(min(high_u + MARGIN_PX, float(right)))
        y0 = math.ceil(max(low_v - MARGIN_PX, 0.0))
        y1 = math.floor(min(high_v + MARGIN_PX, float(bottom)))
        if x0 > x1 or y0 > y1:
            continue
        if cull and _determinant(vertices, a, b, c) >= 0.0:
            continue
        boxes[f, 0], boxes[f, 1], boxes[f, 2], boxes[f, 3] = x0, x1, y0, y1


@njit(nogil=True, cache=True)
def count_bands(boxes, band_starts):
    """Where each band's list of triangles begins, (bands + 1,) int32; the last entry is the length of all lists."""
    band_starts[:] = 0
    for f in range(boxes.shape[0]):
        if boxes[f, 1] >= 0:
            for band in range(boxes[f, 2] // BAND_ROWS, boxes[f, 3] // BAND_ROWS + 1):
                band_starts[band + 1] += 1
    for band in range(band_starts.shape[0] - 1):
        band_starts[band + 1] += band_starts[band]


@njit(nogil=True, cache=True)
def fill_bands(boxes, band_starts, cursor, band_triangles):
    """The bands' lists of triangles, one after the other, each in ascending order. `cursor` (bands,) is scratch."""
    cursor[:] = band_starts[:-1]
    for f in range(boxes.shape[0]):
        if boxes[f, 1] >= 0:
            for band in range(boxes[f, 2] // BAND_ROWS, boxes[f, 3] // BAND_ROWS + 1):
                band_triangles[cursor[band]] = f
                cursor[band] += 1


@njit(nogil=True, cache=True, parallel=True)
def draw_bands(vertices, faces, boxes, bands, intrinsics, near, depth, triangle, barycentric):
    """Draw the triangles of every band over what `depth` already holds (0 = nothing).

    `bands` is (band_starts, band_triangles). Out: depth (H, W) float32 [m], triangle (H, W) int32, barycentric
    (H, W, 2) float32: weights of the triangle's second and third corner, written only where a triangle was drawn.
    """
    band_starts, band_triangles = bands
    band_count = band_starts.shape[0] - 1
    half = (band_count + 1) // 2
    inverse_fx, inverse_fy = 1.0 / intrinsics.fx, 1.0 / intrinsics.fy
    for i in prange(band_count):
        # Even bands, then odd ones: threads take neighbouring i, and a person fills the middle of the picture.
        band = 2 * i if i < half else 2 * (i - half) + 1
        first_row, last_row = band * BAND_ROWS, min((band + 1) * BAND_ROWS, intrinsics.height) - 1
        for entry in range(band_starts[band], band_starts[band + 1]):
            f = band_triangles[entry]
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay, az = np.float64(vertices[a, 0]), np.float64(vertices[a, 1]), np.float64(vertices[a, 2])
            bx, by, bz = np.float64(vertices[b, 0]), np.float64(vertices[b, 1]), np.float64(vertices[b, 2])
            cx, cy, cz = np.float64(vertices[c, 0]), np.float64(vertices[c, 1]), np.float64(vertices[c, 2])
            ex, ey, ez = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
            gx, gy, gz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
            hx, hy, hz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
            det = ax * ex + ay * ey + az * ez
            if det == 0.0:
                continue
            sign = 1.0 if det > 0.0 else -1.0
            det *= sign
            ex, ey, ez = sign * ex, sign * ey, sign * ez
            gx, gy, gz = sign * gx, sign * gy, sign * gz
            hx, hy, hz = sign * hx, sign * hy, sign * hz
            for y in range(max(boxes[f, 2], first_row), min(boxes[f, 3], last_row) + 1):
                dy = (y - intrinsics.cy) * inverse_fy
                row_e, row_g, row_h = ey * dy + ez, gy * dy + gz, hy * dy + hz
                for x in range(boxes[f, 0], boxes[f, 1] + 1):
                    dx = (x - intrinsics.cx) * inverse_fx
                    w0 = ex * dx + row_e
                    w1 = gx * dx + row_g
                    w2 = hx * dx + row_h
                    if w0 < 0.0 or w1 < 0.0 or w2 < 0.0:
                        continue
                    total = w0 + w1 + w2
                    if total <= 0.0:
                        continue
                    z = np.float32(det / total)
                    if z < near:
                        continue
                    nearest = depth[y, x]
                    if nearest == 0.0 or z < nearest:
                        depth[y, x] = z
                        triangle[y, x] = f
                        barycentric[y, x, 0] = w1 / total
                        barycentric[y, x, 1] = w2 / total


@njit(nogil=True, cache=True, parallel=True)
def interpolate_attributes(faces, triangle, barycentric, attributes, out):
    """Blend vertex attributes (V, C) into a picture (H, W, C); 0 where `triangle` is -1."""
    for y in prange(triangle.shape[0]):
        for x in range(triangle.shape[1]):
            f = triangle[y, x]
            if f < 0:
                for k in range(attributes.shape[1]):
                    out[y, x, k] = 0.0
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w1, w2 = barycentric[y, x, 0], barycentric[y, x, 1]
            w0 = np.float32(1.0) - w1 - w2
            for k in range(attributes.shape[1]):
                out[y, x, k] = w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]
