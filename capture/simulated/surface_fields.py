"""Smooth functions over a body's surface: what individual shape, folds, hems and shade are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


class SurfaceSmoother:
    """Averages over neighbouring vertices, for one topology."""

    def __init__(self, faces: NDArray[np.int32], vertex_count: int) -> None:
        ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        ones = np.ones(len(ends), np.float32)
        one_way = sparse.coo_matrix((ones, (ends[:, 0], ends[:, 1])), shape=(vertex_count, vertex_count))
        adjacency = ((one_way + one_way.T) > 0).astype(np.float32) + sparse.eye(vertex_count)
        degree = np.asarray(adjacency.sum(1)).ravel()
        self._average = (sparse.diags(1.0 / degree) @ adjacency).tocsr().astype(np.float32)

    def __call__(self, values: NDArray, passes: int) -> NDArray[np.float32]:
        """`values` (V,) or (V, C) after so many passes of averaging with all neighbours."""
        values = np.asarray(values, np.float32)
        for _ in range(passes):
            values = self._average @ values
        return values


def random_field(
    points: NDArray, rng: np.random.Generator, wavelengths_m: tuple[float, float], stretch: tuple = (1.0, 1.0, 1.0)
) -> NDArray[np.float64]:
    """A smooth random function at `points` [m] (N, 3), shape (N,), of mean 0 and variance 1: a sum of plane waves.

    Wavelengths are log-uniform between the two given and `stretch`ed along x, y and z.
    """
    waves = 48
    direction = rng.standard_normal((waves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = np.exp(rng.uniform(np.log(wavelengths_m[0]), np.log(wavelengths_m[1]), waves))
    vectors = 2.0 * np.pi * direction / wavelength[:, None] / np.asarray(stretch)
    phase = rng.uniform(0.0, 2.0 * np.pi, waves)
    return np.cos(np.asarray(points, np.float64) @ vectors.T + phase).sum(1) * np.sqrt(2.0 / waves)


def smoothstep(x: NDArray | float) -> NDArray[np.float64]:
    """0 below 0, 1 above 1, with two continuous derivatives between (Perlin 2002)."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * x * (x * (6.0 * x - 15.0) + 10.0)


def openness(vertices: NDArray, normals: NDArray, smoother: SurfaceSmoother) -> NDArray[np.float32]:
    """Share of the ambient light that each vertex gets, 0.4 .. 1, shape (V,): less in hollows of several sizes."""
    hollow = np.zeros(len(vertices))
    for passes, size_m in ((3, 0.006), (12, 0.012), (48, 0.024)):
        depth = np.einsum("vi,vi->v", smoother(vertices, passes) - vertices, normals)
        hollow += np.clip(depth / size_m, 0.0, 1.0)
    return np.clip(1.0 - 0.45 * smoother(hollow, 2), 0.4, 1.0).astype(np.float32)
