"""What of a mesh can be seen in a picture: the parts of the picture that it covers, and which of its triangles."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def mark_cells(points, R_wc, t_wc, focal, middle, mirrored_width, side, marked):
    """Marks the squares of a picture that points are drawn in.

    points (V, 3) float32 [m], frame w; R_wc (3, 3), t_wc (3,) float32, camera to world; focal, middle (2,) float32
    [px]; mirrored_width: the picture's width where it is flipped, else 0; side of a square [px]; marked (rows, columns)
    uint8.
    """
    rows, columns = marked.shape
    per_side = np.float32(1.0 / side)
    for n in range(points.shape[0]):
        x = points[n, 0] - t_wc[0]
        y = points[n, 1] - t_wc[1]
        z = points[n, 2] - t_wc[2]
        depth = max(x * R_wc[0, 2] + y * R_wc[1, 2] + z * R_wc[2, 2], np.float32(0.02))
        u = (x * R_wc[0, 0] + y * R_wc[1, 0] + z * R_wc[2, 0]) * focal[0] / depth + middle[0]
        v = (x * R_wc[0, 1] + y * R_wc[1, 1] + z * R_wc[2, 1]) * focal[1] / depth + middle[1]
        if mirrored_width > 0:
            u = np.float32(mirrored_width - 1) - u
        u *= per_side
        v *= per_side
        if np.float32(0.0) <= u < columns and np.float32(0.0) <= v < rows:
            marked[int(v), int(u)] = 1


@njit(nogil=True, cache=True)
def find_far_side(vertices, normals, eye, away, far):
    """Which vertices look away from the eye by more than the cosine `away`.

    vertices, normals (V, 3) float32 [m]; eye (3,) float32 [m]; far (V,) bool.
    """
    for v in range(vertices.shape[0]):
        x = eye[0] - vertices[v, 0]
        y = eye[1] - vertices[v, 1]
        z = eye[2] - vertices[v, 2]
        facing = x * normals[v, 0] + y * normals[v, 1] + z * normals[v, 2]
        far[v] = facing < -away * np.sqrt(x * x + y * y + z * z)


@njit(nogil=True, cache=True)
def keep_seen_faces(faces, source, unseen, kept):
    """The triangles that have a corner which is seen, in their order; returns how many there are.

    faces (F, 3) index rows of `source` (N,), which index `unseen` (V,) bool; kept (F, 3) of the type of indices wanted.
    """
    count = 0
    for f in range(faces.shape[0]):
        a = faces[f, 0]
        b = faces[f, 1]
        c = faces[f, 2]
        if not (unseen[source[a]] and unseen[source[b]] and unseen[source[c]]):
            kept[count, 0] = a
            kept[count, 1] = b
            kept[count, 2] = c
            count += 1
    return count
