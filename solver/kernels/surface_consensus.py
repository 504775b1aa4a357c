"""What many depth images say of the same points of a surface, and the normal equations of their disagreement.

At a pixel that sees a point p with normal n (frame w) from a camera at c, along the ray m = p - c, the disparity is off
by

    r = a (x - xi . [p x n, n]) + B(u, v) . f + noise,      a = -f B / (z n . m)

where x is how far the surface lies outside p, xi the camera's small motion [rotation, shift] in the world, and B f the
camera's lasting disparity error, interpolated between knots. Every point's x is eliminated exactly (variable
projection, Golub and Pereyra 1973), so that all poses and all knots are found together and a closed turn closes.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True)
def read_residuals(points, normals, view, nearness, trust, pixel, gate_m, least_cosine, residuals, slopes, places):
    """What one image says of points (N, 3) float64 with normals (N, 3).

    pixel: nearness [1/m] of a pixel of disparity; further off along the ray than gate_m [m], or flatter than
    least_cosine, nothing is said. Out, (N,) float32: residuals [px], slopes a [px/m], 0 where nothing is said; places
    (N, 2) float32 in the picture [px].
    """
    height, width = nearness.shape
    r = view.rotation
    t = view.translation
    for n in prange(points.shape[0]):
        slopes[n] = 0.0
        residuals[n] = 0.0
        px, py, pz = points[n, 0], points[n, 1], points[n, 2]
        x = r[0] * px + r[1] * py + r[2] * pz + t[0]
        y = r[3] * px + r[4] * py + r[5] * pz + t[1]
        z = r[6] * px + r[7] * py + r[8] * pz + t[2]
        if z < 0.1:
            continue
        u = view.fx * x / z + view.cx
        v = view.fy * y / z + view.cy
        places[n, 0] = u
        places[n, 1] = v
        if not (u >= 0.0 and v >= 0.0 and u < width - 1 and v < height - 1):
            continue
        nx, ny, nz = normals[n, 0], normals[n, 1], normals[n, 2]
        cx = r[0] * nx + r[1] * ny + r[2] * nz
        cy = r[3] * nx + r[4] * ny + r[5] * nz
        cz = r[6] * nx + r[7] * ny + r[8] * nz
        along = cx * x + cy * y + cz * z
        if -along < least_cosine * np.sqrt(x * x + y * y + z * z):
            continue
        i = int(u)
        j = int(v)
        if min(min(trust[j, i], trust[j, i + 1]), min(trust[j + 1, i], trust[j + 1, i + 1])) < 1.0:
            continue
        s = u - i
        w = v - j
        q = (1.0 - w) * ((1.0 - s) * nearness[j, i] + s * nearness[j, i + 1]) + w * (
            (1.0 - s) * nearness[j + 1, i] + s * nearness[j + 1, i + 1]
        )
        if abs(z * (1.0 - z * q)) > gate_m:
            continue
        residuals[n] = (q - 1.0 / z) / pixel
        slopes[n] = -1.0 / (z * along * pixel)


@njit(nogil=True, cache=True)
def accumulate_consensus(points, normals, residuals, slopes, places, knots, cell_px, limit, poses, matrix, vector):
    """Adds every point's share to the normal equations of all cameras and knots, the points themselves eliminated.

    residuals, slopes (K, N), places (K, N, 2) of `read_residuals` for K images; knots (rows, columns) of the lasting
    error, cell_px apart; limit [px] of Huber's weight; poses: whether the cameras move. Out, added to: matrix (M, M),
    vector (M,) float64, M = 6 K (where the poses move) + rows * columns.
    Returns the weighted square sum [px^2] and the weight of what is left after each point is where it fits best.
    """
    images, count = residuals.shape
    rows, columns = knots
    first_knot = 6 * images if poses else 0
    size = matrix.shape[0]
    joint = np.zeros(size)
    touched = np.zeros(size, np.int64)
    marked = np.zeros(size, np.bool_)
    index = np.zeros(10, np.int64)
    value = np.zeros(10)
    squares = 0.0
    total = 0.0
    for n in range(count):
        # Where the point fits best, and robust weights about it.
        here = 0.0
        for _ in range(3):
            top = 0.0
            bottom = 0.0
            for k in range(images):
                a = slopes[k, n]
                if a == 0.0:
                    continue
                off = abs(residuals[k, n] - a * here)
                w = 1.0 if off <= limit else limit / off
                top += w * a * residuals[k, n]
                bottom += w * a * a
            if bottom > 0.0:
                here = top / bottom
        touched_count = 0
        seen = 0
        bottom = 0.0
        joint_rhs = 0.0
        for k in range(images):
            if slopes[k, n] != 0.0:
                seen += 1
        if seen < 3:
            continue
        for k in range(images):
            a = slopes[k, n]
            if a == 0.0:
                continue
            r = residuals[k, n]
            off = abs(r - a * here)
            w = 1.0 if off <= limit else limit / off
            squares += w * (r - a * here) ** 2
            total += w
            used = 0
            if poses:
                px, py, pz = points[n, 0], points[n, 1], points[n, 2]
                nx, ny, nz = normals[n, 0], normals[n, 1], normals[n, 2]
                value[0] = -a * (py * nz - pz * ny)
                value[1] = -a * (pz * nx - px * nz)
                value[2] = -a * (px * ny - py * nx)
                value[3] = -a * nx
                value[4] = -a * ny
                value[5] = -a * nz
                for m in range(6):
                    index[m] = 6 * k + m
                used = 6
            u = min(max(places[k, n, 0] / cell_px, 0.0), columns - 1.001)
            v = min(max(places[k, n, 1] / cell_px, 0.0), rows - 1.001)
            i = int(u)
            j = int(v)
            for c in range(4):
                index[used] = first_knot + (j + (c >> 1)) * columns + i + (c & 1)
                value[used] = (u - i if c & 1 else 1.0 - u + i) * (v - j if c >> 1 else 1.0 - v + j)
                used += 1
            for b in range(used):
                m = index[b]
                vector[m] += w * value[b] * r
                for c in range(used):
                    matrix[m, index[c]] += w * value[b] * value[c]
                if not marked[m]:
                    marked[m] = True
                    touched[touched_count] = m
                    touched_count += 1
                joint[m] += w * a * value[b]
            bottom += w * a * a
            joint_rhs += w * a * r
        for b in range(touched_count):
            m = touched[b]
            share = joint[m] / bottom
            vector[m] -= share * joint_rhs
            for c in range(touched_count):
                matrix[m, touched[c]] -= share * joint[touched[c]]
        for b in range(touched_count):
            joint[touched[b]] = 0.0
            marked[touched[b]] = False
    return squares, total
