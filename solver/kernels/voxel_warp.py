"""What moves a voxel: the skinning weights of the model's nearest point, and where they put it at rest."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True)
def blend_skin_weights(corners, barycentric, skin_joints, skin_weights, joints, weights):
    """Skinning weights at points of triangles: the corners' weights blended, the four largest kept, in falling order.

    corners (N, 3) int32; barycentric (N, 2) float32 of corners 1 and 2; out joints (N, 4) uint8,
    weights (N, 4) float32.
    """
    for n in prange(corners.shape[0]):
        names = np.empty(12, np.int32)
        sums = np.empty(12, np.float32)
        count = 0
        for c in range(3):
            share = barycentric[n, c - 1] if c > 0 else 1 - barycentric[n, 0] - barycentric[n, 1]
            vertex = corners[n, c]
            for k in range(skin_joints.shape[1]):
                w = share * skin_weights[vertex, k]
                if w <= 0.0:
                    continue
                joint = skin_joints[vertex, k]
                found = False
                for s in range(count):
                    if names[s] == joint:
                        sums[s] += w
                        found = True
                if not found:
                    names[count] = joint
                    sums[count] = w
                    count += 1
        total = np.float32(0.0)
        for k in range(4):
            best = -1
            for s in range(count):
                if sums[s] > 0.0 and (best < 0 or sums[s] > sums[best]):
                    best = s
            if best < 0:
                joints[n, k] = 0
                weights[n, k] = 0.0
                continue
            joints[n, k] = names[best]
            weights[n, k] = sums[best]
            total += sums[best]
            sums[best] = 0.0
        for k in range(4):
            weights[n, k] /= total


@njit(nogil=True, cache=True, parallel=True)
def unskin_points(points, joints, weights, transforms, rest):
    """Undo linear blend skinning at given weights: rest = (sum_k w_k T_k)^-1 point.

    points (N, 3) float32; joints (N, 4); weights (N, 4); transforms (J, 3, 4) float64; out rest (N, 3) float32.
    """
    for n in prange(points.shape[0]):
        m = np.zeros((3, 4))
        for k in range(4):
            w = weights[n, k]
            if w > 0.0:
                t = transforms[joints[n, k]]
                for r in range(3):
                    for c in range(4):
                        m[r, c] += w * t[r, c]
        b0 = points[n, 0] - m[0, 3]
        b1 = points[n, 1] - m[1, 3]
        b2 = points[n, 2] - m[2, 3]
        # Cramer's rule.
        c0 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
        c1 = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
        c2 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
        det = m[0, 0] * c0 + m[0, 1] * c1 + m[0, 2] * c2
        rest[n, 0] = (
            b0 * c0 + b1 * (m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2]) + b2 * (m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1])
        ) / det
        rest[n, 1] = (
            b0 * c1 + b1 * (m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]) + b2 * (m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2])
        ) / det
        rest[n, 2] = (
            b0 * c2 + b1 * (m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1]) + b2 * (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0])
        ) / det
