"""Slow twin of `solver.kernels.rasterize`: every pixel's ray against every triangle (Moeller and Trumbore 1997)."""

from __future__ import annotations

import numpy as np


def rasterize(vertices, faces, intrinsics, near, cull):
    shape = (intrinsics.height, intrinsics.width)
    depth = np.zeros(shape)
    triangle = np.full(shape, -1)
    barycentric = np.zeros((*shape, 2))
    for y in range(intrinsics.height):
        for x in range(intrinsics.width):
            ray = np.array([(x - intrinsics.cx) / intrinsics.fx, (y - intrinsics.cy) / intrinsics.fy, 1.0])
            nearest = np.inf
            for f, (a, b, c) in enumerate(faces):
                p0, p1, p2 = (np.asarray(vertices[i], np.float64) for i in (a, b, c))
                edge1, edge2 = p1 - p0, p2 - p0
                det = edge1 @ np.cross(ray, edge2)
                if det == 0.0 or (cull and det <= 0.0):
                    continue
                u = -p0 @ np.cross(ray, edge2) / det
                v = ray @ np.cross(-p0, edge1) / det
                z = edge2 @ np.cross(-p0, edge1) / det
                if u >= 0 and v >= 0 and u + v <= 1 and near <= z < nearest:
                    nearest = z
                    depth[y, x], triangle[y, x], barycentric[y, x] = z, f, (u, v)
    return depth, triangle, barycentric


def project_points(points, intrinsics, near):
    pixels = np.full((len(points), 2), np.nan)
    for i, (x, y, z) in enumerate(np.asarray(points, np.float64)):
        if z >= near:
            pixels[i] = intrinsics.fx * x / z + intrinsics.cx, intrinsics.fy * y / z + intrinsics.cy
    return pixels


def interpolate_attributes(faces, triangle, barycentric, attributes):
    out = np.zeros((*triangle.shape, attributes.shape[1]))
    for y, x in np.argwhere(triangle >= 0):
        u, v = barycentric[y, x].astype(np.float64)
        out[y, x] = np.array([1 - u - v, u, v]) @ attributes[faces[triangle[y, x]]]
    return out
