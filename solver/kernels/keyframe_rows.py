"""The pulls of a keyframe's depth on the model as weighted rows of the body's least squares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.kernels.pixel_association import MATCHED, STICKS_OUT


class KeyframeWeights(NamedTuple):
    """How pulls count."""

    gate: float
    """Largest distance along the ray of a match [m]."""
    independence: float
    """Neighbouring pixels err alike: each counts for so much of an independent measurement."""
    subsets: int
    """One in so many matches is taken and counts for all."""
    phase: int
    """Which, 0 .. `subsets` - 1."""
    scalp_share: float
    """What is seen where hair may be counts so much."""
    hair_share: float
    """What is seen outside the body and looks like hair counts so much."""


class HairPlaces(NamedTuple):
    """Where hair may be."""

    scalp: NDArray[np.uint8]
    """Vertices that hair grows on, (V,)."""
    zone: NDArray[np.uint8]
    """Vertices that hair may cover, (V,)."""
    likeness: NDArray[np.float32]
    """0 skin .. 1 hair, (H, W); (0, 0) where nothing is known."""


@njit(nogil=True, cache=True)
def weigh_keyframe(pulls, count, triangles, barycentric, faces, R_wc, intrinsics, hair, rule, rows):
    """Robust rows of the first `count` pulls, written to `rows` (`PixelRows`).

    triangles (H, W) and barycentric (H, W, 2) of the raster; faces (F, 3); R_wc (3, 3); intrinsics of the grid.
    Residuals are weighted by Geman and McClure's function of max(2 sigma, gate / 5) for matches, of 3 sigma for
    others. Hair makes the outline larger, never smaller: where the camera looks past the head, the head ends. Along a
    matched pixel's ray the measured point lies outside the body where it lies nearer.

    Returns the number of rows, and the sums of robust weights and of weight times squared offset [m^2] of all matches.
    """
    kinds, pixels, targets, directions, offsets, sigmas = pulls
    height, width = triangles.shape
    knows_hair = hair.likeness.shape[0] > 0
    matches = 0
    row = 0
    mass = 0.0
    square = 0.0
    for n in range(count):
        matched = kinds[n] == MATCHED
        scale = max(2.0 * sigmas[n], 0.2 * rule.gate) if matched else 3.0 * sigmas[n]
        ratio = offsets[n] / scale
        robust = 1.0 / (1.0 + ratio * ratio) ** 2
        weight = rule.independence * robust / (sigmas[n] * sigmas[n])
        if matched:
            mass += robust
            square += robust * offsets[n] * offsets[n]
            chosen = matches % rule.subsets == rule.phase
            matches += 1
            if not chosen:
                continue
            weight *= rule.subsets
        v, u = pixels[n] // width, pixels[n] % width
        triangle = triangles[v, u]
        vertex = faces[triangle, 0]
        if kinds[n] != STICKS_OUT:
            if hair.scalp[vertex] != 0:
                weight *= rule.scalp_share
            if knows_hair and hair.zone[vertex] != 0 and (not matched or offsets[n] < 0.0):
                x, y, z = targets[n, 0], targets[n, 1], targets[n, 2]
                column = int(np.rint(intrinsics.fx * x / z + intrinsics.cx))
                line = int(np.rint(intrinsics.fy * y / z + intrinsics.cy))
                likeness = hair.likeness[min(max(line, 0), height - 1), min(max(column, 0), width - 1)]
                weight *= 1.0 - (1.0 - rule.hair_share) * likeness
        second, third = float(barycentric[v, u, 0]), float(barycentric[v, u, 1])
        rows.barycentric[row, 0] = 1.0 - second - third
        rows.barycentric[row, 1] = second
        rows.barycentric[row, 2] = third
        for i in range(3):
            rows.corners[row, i] = faces[triangle, i]
            total = 0.0
            for k in range(3):
                total += R_wc[i, k] * directions[n, k]
            rows.directions[row, i] = total
        rows.offsets[row] = offsets[n]
        rows.weights[row] = weight
        row += 1
    return row, mass, square
