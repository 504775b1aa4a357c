"""Ellipsoids whose line integrals have a closed form, and the 3D Shepp-Logan head made of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.tomography import ConeBeamGeometry, VolumeGrid


class Ellipsoid(NamedTuple):
    """Adds `value` within."""

    centre: tuple[float, float, float]
    """[m]"""
    semi_axes: tuple[float, float, float]
    """[m]"""
    turn_rad: float
    """About z, counter-clockwise."""
    value: float
    """[1/m]"""


# Centre and semi-axes in half widths of the head, turn about z in degrees, value: Kak and Slaney, Principles of
# Computerized Tomographic Imaging (1988), table 3.1 and its extension to space.
_KAK_SLANEY = (
    (0.0, 0.0, 0.0, 0.69, 0.92, 0.9, 0.0, 2.0),
    (0.0, 0.0, 0.0, 0.6624, 0.874, 0.88, 0.0, -0.98),
    (-0.22, 0.0, -0.25, 0.41, 0.16, 0.21, 108.0, -0.02),
    (0.22, 0.0, -0.25, 0.31, 0.11, 0.22, 72.0, -0.02),
    (0.0, 0.35, -0.25, 0.21, 0.25, 0.5, 0.0, 0.02),
    (0.0, 0.1, -0.25, 0.046, 0.046, 0.046, 0.0, 0.02),
    (-0.08, -0.65, -0.25, 0.046, 0.023, 0.02, 0.0, 0.01),
    (0.06, -0.65, -0.25, 0.046, 0.023, 0.02, 90.0, 0.01),
    (0.06, -0.105, 0.625, 0.056, 0.04, 0.1, 90.0, 0.02),
    (0.0, 0.1, 0.625, 0.056, 0.056, 0.1, 0.0, -0.02),
)
# The contrast that Toft (The Radon Transform, 1996) gave the same ellipsoids, so that the eye sees them.
_TOFT_VALUES = (1.0, -0.8, -0.2, -0.2, 0.1, 0.1, 0.1, 0.1, 0.1, -0.1)


def shepp_logan(half_width_m: float, value: float = 1.0, *, visible: bool = False) -> list[Ellipsoid]:
    """The head within +-`half_width_m`; values times `value` [1/m]; `visible`: Toft's contrasts."""
    head = []
    for row, visible_value in zip(_KAK_SLANEY, _TOFT_VALUES, strict=True):
        lengths = half_width_m * np.array(row[:6])
        head.append(
            Ellipsoid(
                tuple(lengths[:3].tolist()),
                tuple(lengths[3:].tolist()),
                float(np.radians(row[6])),
                value * (visible_value if visible else row[7]),
            )
        )
    return head


def line_integrals(ellipsoids: list[Ellipsoid], geometry: ConeBeamGeometry) -> NDArray[np.float64]:
    """Exact integrals along all rays, (V, rows, columns)."""
    v, u = np.meshgrid(np.arange(geometry.rows), np.arange(geometry.columns), indexing="ij")
    pixels = np.stack([u, v, np.ones_like(u)], axis=-1).astype(np.float64)
    found = np.zeros(geometry.projections_shape)
    for n, (matrix, source) in enumerate(zip(geometry.matrices, geometry.sources, strict=True)):
        rays = pixels @ np.linalg.inv(matrix[:, :3]).T
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        for shape in ellipsoids:
            # In the frame where the ellipsoid is the unit ball a chord is found from a quadratic equation.
            frame = _rotation(shape.turn_rad).T / np.array(shape.semi_axes)[:, None]
            start = frame @ (source - shape.centre)
            way = rays @ frame.T
            a = (way**2).sum(-1)
            b = way @ start
            inside = b * b - a * (start @ start - 1.0)
            found[n] += shape.value * 2.0 * np.sqrt(np.maximum(inside, 0.0)) / a
    return found


def pixel_means(ellipsoids: list[Ellipsoid], geometry: ConeBeamGeometry, samples: int = 3) -> NDArray[np.float64]:
    """What a panel measures: -log of the mean intensity over `samples`^2 rays within each pixel, (V, rows, columns)."""
    finer = np.array([[samples, 0.0, 0.5 * (samples - 1)], [0.0, samples, 0.5 * (samples - 1)], [0.0, 0.0, 1.0]])
    fine = ConeBeamGeometry(finer @ geometry.matrices, samples * geometry.rows, samples * geometry.columns)
    intensity = np.empty(geometry.projections_shape)
    for n in range(geometry.view_count):
        rays = np.exp(-line_integrals(ellipsoids, fine.views([n]))[0])
        intensity[n] = rays.reshape(geometry.rows, samples, geometry.columns, samples).mean(axis=(1, 3))
    return -np.log(intensity)


def count_photons(
    integrals: NDArray[np.floating], photons: float, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Line integrals as counted with Poisson noise, `photons` sent along each ray, and the counts, one at least."""
    counts = np.maximum(generator.poisson(photons * np.exp(-integrals)), 1).astype(np.float64)
    return np.log(photons / counts), counts


def voxel_means(ellipsoids: list[Ellipsoid], grid: VolumeGrid, samples: int = 3) -> NDArray[np.float32]:
    """Mean value in every voxel, from `samples`^3 points each, (X, Y, Z)."""
    nx, ny, nz = grid.shape
    dx, dy, dz = grid.spacing_m
    first = np.array(grid.origin_m) - 0.5 * np.array(grid.spacing_m) * (1.0 - 1.0 / samples)
    fine = VolumeGrid(
        (samples * nx, samples * ny, samples * nz),
        (dx / samples, dy / samples, dz / samples),
        (float(first[0]), float(first[1]), float(first[2])),
    )
    x, y, z = fine.centres()
    total = np.zeros(fine.shape, np.float32)
    for shape in ellipsoids:
        c, s = np.cos(shape.turn_rad), np.sin(shape.turn_rad)
        dx, dy, dz = x - shape.centre[0], y - shape.centre[1], z - shape.centre[2]
        along, across = c * dx + s * dy, c * dy - s * dx
        a, b, h = shape.semi_axes
        total += np.float32(shape.value) * ((along / a) ** 2 + (across / b) ** 2 + (dz / h) ** 2 <= 1.0)
    return total.reshape(nx, samples, ny, samples, nz, samples).mean(axis=(1, 3, 5))


def psnr_db(volume: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Peak signal to noise ratio: the truth's greatest value against the root mean square error."""
    error = np.sqrt(np.mean((volume.astype(np.float64) - truth) ** 2))
    return float(20.0 * np.log10(truth.max() / error))


def _rotation(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
