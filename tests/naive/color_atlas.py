"""Slow twins of the kernels of `solver.atlas`."""

from __future__ import annotations

import numpy as np

from solver.kernels.observe_vertices import (
    BEFORE_M,
    BEHIND_M,
    HIDING_M,
    LEAST_COSINE,
    RADIUS,
    SPREAD_PX,
)


def rate_view(depth, person, model_depth, intrinsics, vertices, normals, depth_error, margin_m):
    pixels, quality = np.zeros((len(vertices), 2)), np.zeros(len(vertices))
    for v, (point, normal) in enumerate(zip(vertices.astype(float), normals.astype(float), strict=True)):
        z = point[2]
        pixels[v] = (
            intrinsics.fx * point[0] / z + intrinsics.cx,
            intrinsics.fy * point[1] / z + intrinsics.cy,
        )
        cosine = -normal @ point / np.linalg.norm(point)
        column, row = np.floor(pixels[v] + 0.5).astype(int)
        radius = int(np.clip(np.ceil(intrinsics.fx * margin_m / z), 2, 8))
        square = np.s_[row - radius : row + radius + 1, column - radius : column + radius + 1]
        height, width = model_depth.shape
        inside = radius <= column < width - radius and radius <= row < height - radius
        if cosine < LEAST_COSINE or not inside:
            continue
        sensed = depth[row, column]
        if sensed > 0 and not z - BEFORE_M <= sensed <= z + max(BEHIND_M, 3 * depth_error * z * z):
            continue
        cross = [(0, 0), (radius, 0), (-radius, 0), (0, radius), (0, -radius)]
        if person.size and any(person[row + b, column + a] < 0.5 for a, b in cross):
            continue
        if not clear(model_depth[square], z):
            continue
        quality[v] = (1e-3 * intrinsics.fx / z * cosine) ** 2
        far = int(3 * intrinsics.fx * margin_m / z) + 1
        around = [(a, b) for a in (-far, 0, far) for b in (-far, 0, far)]
        ring = [model_depth[np.clip(row + b, 0, height - 1), np.clip(column + a, 0, width - 1)] for a, b in around]
        if not clear(np.array(ring), z):
            quality[v] *= 0.5
    return pixels, quality


def clear(depths, z):
    return bool(np.all((depths > 0) & (depths >= np.float32(z) - HIDING_M)))


def sample_vertices(color, pixels, quality):
    """Mean colours, and the plane fitted to the brightness by weighted least squares."""
    colors, slopes = np.zeros((len(pixels), 3)), np.zeros((len(pixels), 2))
    offsets = np.arange(-RADIUS, RADIUS + 1)
    for v in np.flatnonzero(quality > 0):
        column, row = np.floor(pixels[v] + 0.5).astype(int)
        dx, dy = np.meshgrid(column + offsets - pixels[v, 0], row + offsets - pixels[v, 1])
        weight = np.exp(-0.5 * (dx**2 + dy**2) / SPREAD_PX**2)
        patch = color[row - RADIUS : row + RADIUS + 1, column - RADIUS : column + RADIUS + 1].astype(float)
        colors[v] = np.tensordot(weight, patch, 2) / weight.sum()
        bright = patch @ (0.3, 0.6, 0.1)
        dx0, dy0 = dx - (weight * dx).sum() / weight.sum(), dy - (weight * dy).sum() / weight.sum()
        slopes[v] = (
            (weight * dx0 * bright).sum() / (weight * dx0**2).sum(),
            (weight * dy0 * bright).sum() / (weight * dy0**2).sum(),
        )
    return colors, slopes


def neighbour_triangles(faces):
    """By looking at all pairs of edges."""
    neighbours = np.full((len(faces), 3), -1)
    edges = [(frozenset((f[k], f[(k + 1) % 3])), i, k) for i, f in enumerate(faces.tolist()) for k in range(3)]
    for edge, i, k in edges:
        for other, j, _ in edges:
            if other == edge and j != i:
                neighbours[i, k] = j
    return neighbours


def labelling_cost(scores, areas, neighbours, lengths, seam_m, labels):
    cost = sum(a * (1 - scores[n, f]) for f, (n, a) in enumerate(zip(labels, areas, strict=True)) if n >= 0)
    for f, row in enumerate(neighbours):
        for k, other in enumerate(row):
            if other >= 0 and labels[f] != labels[other]:
                cost += seam_m * lengths[f, k] / 2  # counted from both sides
    return cost


def weigh_views(faces, labels, areas, vertex_count):
    """One dictionary a vertex: view to share."""
    shares = [{} for _ in range(vertex_count)]
    total = np.zeros(vertex_count)
    for face, label, area in zip(faces, labels, areas, strict=True):
        for v in face:
            total[v] += area
            if label >= 0:
                shares[v][label] = shares[v].get(label, 0.0) + area
    return [{n: share / total[v] for n, share in row.items()} for v, row in enumerate(shares)]


def paint_texel(corners, weights, pictures, picture_of, pixels, gains, shifts, blend, fill):
    """Colour and directly seen share of one texel in the triangle `corners` at the barycentric `weights`."""
    view_of, weight_of, visible, seen_views = blend
    wanted, shares = 0.0, {}
    for v, weight in zip(corners, weights, strict=True):
        for view, share in zip(view_of[v], weight_of[v], strict=True):
            if view >= 0:
                wanted += weight * share
                if visible[view, corners].all():
                    shares[view] = shares.get(view, 0.0) + weight * share
    color, taken, direct = np.zeros(3), 0.0, 0.0
    for view, share in shares.items():
        if share < 0.004:
            continue
        u, w = weights @ pixels[view, corners].astype(float)
        value = catmull_rom(pictures[picture_of[view]].astype(float), u, w)
        color += share * (weights @ gains[view, corners] * value + weights @ shifts[view, corners])
        taken += share
        direct += share * (view < seen_views)
    if taken:
        color, direct, taken = color * wanted / taken, direct * wanted / taken, wanted
    return np.clip(color + max(1 - taken, 0) * (weights @ fill[corners]), 0, 255), direct


def catmull_rom(picture, u, w):
    x, y = int(np.floor(u)), int(np.floor(w))

    def taps(t):
        # A cubic through two points whose slopes are those of their neighbours.
        basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
        return np.array([1, t, t * t, t**3]) @ basis

    return np.einsum("j,m,jmc->c", taps(w - y), taps(u - x), picture[y - 1 : y + 3, x - 1 : x + 3])
