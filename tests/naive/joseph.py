"""The obvious way: one ray after the other, plane by plane, into a dense matrix."""

import itertools

import numpy as np


def ray_weights(source, direction, shape, spacing):
    """Weight of every voxel in a line integral; source and direction in index coordinates."""
    weights = np.zeros(shape)
    steepness = [abs(d) for d in direction]
    if steepness[2] > max(steepness[:2]):
        axis = 2
    elif steepness[1] > steepness[0]:
        axis = 1
    else:
        axis = 0
    length = np.linalg.norm(np.multiply(direction, spacing)) / steepness[axis]
    for plane in range(shape[axis]):
        t = (plane - source[axis]) / direction[axis]
        if t <= 0.0:
            continue
        place = [s + t * d for s, d in zip(source, direction, strict=True)]
        place[axis] = float(plane)
        low = [int(np.floor(p)) for p in place]
        for corner in itertools.product((0, 1), repeat=3):
            voxel = tuple(a + c for a, c in zip(low, corner, strict=True))
            weight = np.prod([1.0 - abs(p - k) for p, k in zip(place, voxel, strict=True)])
            if all(0 <= k < n for k, n in zip(voxel, shape, strict=True)):
                weights[voxel] += length * weight
    return weights


def system_matrix(geometry, grid):
    """A, shape (views * rows * columns, voxels)."""
    rows = []
    for matrix in geometry.matrices:
        inverse = np.linalg.inv(matrix[:, :3])
        source = (-inverse @ matrix[:, 3] - grid.origin_m) / grid.spacing_m
        for v in range(geometry.rows):
            for u in range(geometry.columns):
                direction = inverse @ (u, v, 1.0) / grid.spacing_m
                rows.append(ray_weights(source, direction, grid.shape, grid.spacing_m).ravel())
    return np.array(rows)
