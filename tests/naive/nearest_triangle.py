"""The obvious way: every triangle, by projection onto its plane or its three edges."""

import numpy as np


def distance_to_segment(p, a, b):
    t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
    return np.linalg.norm(p - a - t * (b - a))


def distance_to_triangle(p, triangle):
    a, b, c = triangle
    normal = np.cross(b - a, c - a)
    normal = normal / np.linalg.norm(normal)
    foot = p - (p - a) @ normal * normal
    if all(np.cross(q - o, foot - o) @ normal >= 0.0 for o, q in ((a, b), (b, c), (c, a))):
        return abs((p - a) @ normal)
    return min(distance_to_segment(p, o, q) for o, q in ((a, b), (b, c), (c, a)))


def nearest_distance(p, triangles):
    return min(distance_to_triangle(p, triangle) for triangle in triangles)
