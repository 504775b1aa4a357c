"""What one picture shows of a mesh's vertices: where, how well, and in what colour."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

LEAST_COSINE = 0.2
HIDING_M = 0.02
"""Something this much nearer hides what is behind it."""
BEHIND_M = 0.025
"""Where the sensor sees farther than the model by this, and by three standard deviations, it looks past the person."""
BEFORE_M = 0.12
"""Where it sees this much nearer, something is in between that is neither hair nor clothes."""
RADIUS = 2
"""Colours are means over 5 x 5 pixels about the place, ..."""
SPREAD_PX = 1.0
"""... a Gaussian of this standard deviation, so that no detail finer than vertices comes in by chance."""


@njit(nogil=True, cache=True)
def _edge_free(model_depth, column, row, radius, z):
    """No outline and nothing nearer in the square about a pixel."""
    for b in range(-radius, radius + 1):
        for a in range(-radius, radius + 1):
            seen = model_depth[row + b, column + a]
            if seen == 0.0 or seen < z - HIDING_M:
                return False
    return True


@njit(nogil=True, cache=True)
def _is_person(person, column, row, radius):
    """The pixel and those `radius` to all four sides."""
    half = np.float32(0.5)
    return (
        person[row, column] >= half
        and person[row - radius, column] >= half
        and person[row + radius, column] >= half
        and person[row, column - radius] >= half
        and person[row, column + radius] >= half
    )


@njit(nogil=True, cache=True)
def _ring_free(model_depth, column, row, radius, z):
    """The same at eight places of the square's edge."""
    height, width = model_depth.shape
    for b in range(-radius, radius + 1, radius):
        for a in range(-radius, radius + 1, radius):
            x = min(max(column + a, 0), width - 1)
            y = min(max(row + b, 0), height - 1)
            seen = model_depth[y, x]
            if seen == 0.0 or seen < z - HIDING_M:
                return False
    return True


@njit(nogil=True, cache=True, parallel=True)
def rate_view(depth, person, model_depth, intrinsics, vertices, normals, depth_error, margin_m, pixels, quality):
    """Where a picture shows each vertex and how well.

    depth (H, W) float32 [m] as the sensor has it, 0.0 missing; person (H, W) float32 probability that a pixel is the
    person, or (0, 0) where that is not known; model_depth (H, W) that of the mesh itself; vertices
    [m], normals (V, 3) float32, frame c; depth_error: standard deviation of depth over depth squared [1/m]. Out: pixels
    (V, 2) float32 (column, row); quality (V,) float32: 0 where the vertex is hidden, beside the picture, seen edge-on,
    nearer than margin_m [m] to an outline, or where the sensor or `person` see something else; otherwise pixels per
    square millimetre of surface times the cosine of the viewing angle once more, half of that within three margins of
    an outline.
    """
    height, width = model_depth.shape
    for v in prange(vertices.shape[0]):
        quality[v] = 0.0
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        if z < 0.1:
            pixels[v, 0], pixels[v, 1] = 0.0, 0.0
            continue
        u = intrinsics.fx * x / z + intrinsics.cx
        w = intrinsics.fy * y / z + intrinsics.cy
        pixels[v, 0], pixels[v, 1] = u, w
        along = -(normals[v, 0] * x + normals[v, 1] * y + normals[v, 2] * z)
        cosine = along / math.sqrt(x * x + y * y + z * z)
        if cosine < LEAST_COSINE:
            continue
        column, row = math.floor(u + 0.5), math.floor(w + 0.5)
        margin_px = intrinsics.fx * margin_m / z
        radius = min(max(math.ceil(margin_px), 2), 8)
        if column < radius or row < radius or column + radius >= width or row + radius >= height:
            continue
        sensed = depth[row, column]
        if sensed > 0.0:
            past = max(BEHIND_M, 3.0 * depth_error * z * z)
            if sensed > z + past or sensed < z - BEFORE_M:
                continue
        if person.shape[0] > 0 and not _is_person(person, column, row, radius):
            continue
        if not _edge_free(model_depth, column, row, radius, z):
            continue
        scale = 1e-3 * intrinsics.fx / z
        rate = scale * scale * cosine * cosine
        if not _ring_free(model_depth, column, row, int(3.0 * margin_px) + 1, z):
            rate *= 0.5
        quality[v] = rate


@njit(nogil=True, cache=True, parallel=True)
def sample_vertices(color, pixels, quality, colors, slopes):
    """The picture's colour (V, 3) float32, 0..255, and the slope of its brightness [1/px], (V, 2), about each pixel.

    Where quality (V,) is 0 both are 0. Gaussian weights over 5 x 5 pixels, and their derivatives.
    """
    height, width = color.shape[0], color.shape[1]
    falloff = np.float32(-0.5 / (SPREAD_PX * SPREAD_PX))
    for v in prange(pixels.shape[0]):
        for c in range(3):
            colors[v, c] = 0.0
        slopes[v, 0], slopes[v, 1] = 0.0, 0.0
        if quality[v] <= 0.0:
            continue
        u, w = pixels[v, 0], pixels[v, 1]
        column, row = math.floor(u + 0.5), math.floor(w + 0.5)
        if column < RADIUS or row < RADIUS or column + RADIUS >= width or row + RADIUS >= height:
            continue
        red = green = blue = total = np.float32(0.0)
        moment_x = moment_y = lever_x = lever_y = spread_x = spread_y = np.float32(0.0)
        for b in range(-RADIUS, RADIUS + 1):
            dy = np.float32(row + b) - w
            for a in range(-RADIUS, RADIUS + 1):
                dx = np.float32(column + a) - u
                weight = math.exp(falloff * (dx * dx + dy * dy))
                r = np.float32(color[row + b, column + a, 0])
                g = np.float32(color[row + b, column + a, 1])
                l = np.float32(color[row + b, column + a, 2])
                red += weight * r
                green += weight * g
                blue += weight * l
                total += weight
                bright = weight * (np.float32(0.3) * r + np.float32(0.6) * g + np.float32(0.1) * l)
                moment_x += dx * bright
                moment_y += dy * bright
                lever_x += dx * weight
                lever_y += dy * weight
                spread_x += dx * dx * weight
                spread_y += dy * dy * weight
        colors[v, 0], colors[v, 1], colors[v, 2] = red / total, green / total, blue / total
        # Weighted least squares for a plane: the slope is the covariance over the variance.
        mean = (np.float32(0.3) * red + np.float32(0.6) * green + np.float32(0.1) * blue) / total
        slopes[v, 0] = (moment_x - lever_x * mean) / (spread_x - lever_x * lever_x / total)
        slopes[v, 1] = (moment_y - lever_y * mean) / (spread_y - lever_y * lever_y / total)
