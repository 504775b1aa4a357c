"""The residual of a predicted depth image, and its way back along the rays into the volume.

The simultaneous algebraic technique (Andersen and Kak 1984) for a surface: a ray's equation is r = a x, r its residual
in disparity, x how far the surface has to move outwards, a = -f B / (z n . m) the row's entry (see
`surface_consensus`). A voxel takes sum(w a r) / sum(w a^2) over the rays that pass it: each row is divided by its norm,
each column by the sum of its weights.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True)
def find_residuals(view, nearness, trust, prediction, rule, row_sums):
    """Each ray's w a r and w a^2, row_sums (H, W, 2) float32; 0 where the image says nothing of the predicted surface.

    nearness, trust of `find_nearness`; prediction: depth (H, W), normals (H, W, 3) of `cast_rays`; rule: nearness of a
    pixel of disparity, Huber's limit [px], least cosine. What lies far behind or before is held to the limit: sight
    through the surface, beside the silhouette too, pushes it back by no more than a bad pixel could.
    Returns the weighted square sum [px^2] and the weight.
    """
    depth, normals = prediction
    pixel, limit, least_cosine = rule
    height, width = nearness.shape
    squares = 0.0
    total = 0.0
    for y in prange(height):
        b = (y - view.cy) / view.fy
        for x in range(width):
            row_sums[y, x, 0] = 0.0
            row_sums[y, x, 1] = 0.0
            z = depth[y, x]
            q = nearness[y, x]
            if z <= 0.0 or q == 0.0:
                continue
            a = (x - view.cx) / view.fx
            towards = -(a * normals[y, x, 0] + b * normals[y, x, 1] + normals[y, x, 2])
            if towards < least_cosine * np.sqrt(a * a + b * b + 1.0):
                continue
            r = (abs(q) - 1.0 / z) / pixel
            if q < 0.0:
                # Empty at least as far as this: nothing is said of what lies nearer than the bound.
                if r > -limit:
                    continue
                share = 1.0
            else:
                share = float(trust[y, x])
            slope = 1.0 / (z * z * towards * pixel)
            off = abs(r)
            w = share if off <= limit else share * limit / off
            row_sums[y, x, 0] = w * slope * r
            row_sums[y, x, 1] = w * slope * slope
            squares += w * min(off, limit) ** 2
            total += w
    return squares, total


@njit(nogil=True, cache=True, parallel=True)
def back_project_depth(grid, view, row_sums, predicted, distance, reach_m, numerator, denominator):
    """Adds the rays' w a r and w a^2 to the voxels within reach_m [m] of the predicted surface on their ray.

    row_sums (H, W, 2) of `find_residuals`, predicted depth (H, W); distance, numerator, denominator (slots,) float32.
    """
    height, width = predicted.shape
    r = view.rotation
    t = view.translation
    half = 3.5 * grid.voxel_m
    radius = half * np.sqrt(3.0)
    for block in prange(grid.blocks.shape[0]):
        bx = grid.origin[0] + 8.0 * grid.voxel_m * grid.blocks[block, 0]
        by = grid.origin[1] + 8.0 * grid.voxel_m * grid.blocks[block, 1]
        bz = grid.origin[2] + 8.0 * grid.voxel_m * grid.blocks[block, 2]
        z = r[6] * (bx + half) + r[7] * (by + half) + r[8] * (bz + half) + t[2]
        if z - radius < 0.1:
            continue
        for local in range(512):
            slot = block * 512 + local
            if not abs(distance[slot]) < reach_m:
                continue
            px = bx + grid.voxel_m * (local >> 6)
            py = by + grid.voxel_m * ((local >> 3) & 7)
            pz = bz + grid.voxel_m * (local & 7)
            z = r[6] * px + r[7] * py + r[8] * pz + t[2]
            u = view.fx * (r[0] * px + r[1] * py + r[2] * pz + t[0]) / z + view.cx
            v = view.fy * (r[3] * px + r[4] * py + r[5] * pz + t[1]) / z + view.cy
            if not (u >= 0.0 and v >= 0.0 and u < width - 1 and v < height - 1):
                continue
            i = int(u)
            j = int(v)
            s = u - i
            w = v - j
            for c in range(4):
                a = j + (c >> 1)
                b = i + (c & 1)
                if row_sums[a, b, 1] > 0.0 and abs(predicted[a, b] - z) < reach_m:
                    share = (s if c & 1 else 1.0 - s) * (w if c >> 1 else 1.0 - w)
                    numerator[slot] += share * row_sums[a, b, 0]
                    denominator[slot] += share * row_sums[a, b, 1]


@njit(nogil=True, cache=True, parallel=True)
def apply_correction(numerator, denominator, damping, relaxation, truncation_m, distance):
    """Moves the surface by numerator / (denominator + damping), relaxed; both sums are 0 afterwards.

    `damping`: what the surface as it is weighs.
    """
    for slot in prange(distance.shape[0]):
        if denominator[slot] > 0.0:
            move = relaxation * numerator[slot] / (denominator[slot] + damping)
            distance[slot] = min(max(distance[slot] - move, -truncation_m), truncation_m)
        numerator[slot] = 0.0
        denominator[slot] = 0.0
