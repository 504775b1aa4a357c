"""Closed meshes of known girth, volume and area."""

import numpy as np


def tube(radii, heights, segments=96, depth=1.0):
    """A closed surface of elliptic rings: breadth 2 r, depth 2 r * `depth`, at `heights`; ends closed by fans."""
    around = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    rings = [
        np.stack([r * np.cos(around), r * depth * np.sin(around), np.full(segments, z)], 1)
        for r, z in zip(radii, heights, strict=True)
    ]
    vertices = np.concatenate([*rings, [[0.0, 0.0, heights[0]], [0.0, 0.0, heights[-1]]]])
    bottom, top = len(vertices) - 2, len(vertices) - 1
    faces = []
    for k in range(len(rings) - 1):
        for s in range(segments):
            a, b = k * segments + s, k * segments + (s + 1) % segments
            faces += [(a, b, b + segments), (a, b + segments, a + segments)]
    last = (len(rings) - 1) * segments
    for s in range(segments):
        following = (s + 1) % segments
        faces += [(bottom, following, s), (top, last + s, last + following)]
    return vertices, np.array(faces, np.int32)


def sphere(radius, center=(0.0, 0.0, 0.0), rings=40, segments=60):
    """A sphere."""
    polar = np.linspace(np.pi, 0.0, rings + 1)[1:-1]
    vertices, faces = tube(radius * np.sin(polar), radius * np.cos(polar), segments)
    vertices[-2:, 2] = (-radius, radius)
    return vertices + np.asarray(center), faces
