"""What a depth image says of a mesh that is predicted in it: residuals along the rays, carried back to the vertices.

One row of the projector is a pixel: the depth of the triangle behind it, linear in the displacements of its corners.
Its transpose spreads the pixel's residual over the corners by the same weights. Divided by the sum of the weights that
reach a vertex (columns) this is the step of SART (Andersen and Kak 1984); the corners' shares of a pixel sum to one
(rows).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class ResidualRule(NamedTuple):
    """How a pixel counts."""

    gate_m: float
    """A surface so far from the prediction counts a quarter (Geman and McClure 1985)."""
    least_cosine: float
    """Surfaces that the ray meets at a flatter angle are not believed."""
    edge_jump_m: float
    """Depth differences between neighbouring pixels above this, beyond what the slope explains, are an edge."""
    sigma_m: float
    """Depth error that counts as weight 1."""


class VertexSums(NamedTuple):
    """What one picture's pixels say of V vertices, each (V,) float32."""

    residual: NDArray[np.float32]
    """Residual [m], outwards along the normal, times weight."""
    weight: NDArray[np.float32]
    """One for an error of `ResidualRule.sigma_m`."""
    share: NDArray[np.float32]
    """How many pixels' worth fell to the vertex."""


@njit(nogil=True, cache=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def back_project(raster, faces, normals, depth, person, intrinsics, noise, rule, sums):
    """Adds a picture's residuals to the vertices.

    `raster` is what the camera sees of the mesh (depth [m], triangle, barycentric); faces (F, 3); normals (V, 3)
    float32 of the posed vertices in frame c, outwards; depth (H, W) float32 [m], 0 where missing; person (H, W) uint8.
    `sums` (`VertexSums`) is added to.

    A residual is taken in disparity, where the noise of stereo is symmetric, and told in metres at the prediction.
    """
    residual, weight, share = sums.residual, sums.weight, sums.share
    seen, triangle, barycentric = raster.depth, raster.triangle, raster.barycentric
    height, width = depth.shape
    one = np.float32(1.0)
    inverse_fx = np.float32(1.0 / intrinsics.fx)
    inverse_fy = np.float32(1.0 / intrinsics.fy)
    disparity_error = np.float32(noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m))
    floor2 = np.float32(noise.floor_m**2)
    sigma2 = np.float32(rule.sigma_m**2)
    gate2 = np.float32(rule.gate_m**2)
    least_cosine = np.float32(rule.least_cosine)
    jump = np.float32(rule.edge_jump_m)
    for y in range(1, height - 1):
        dy = (np.float32(y) - np.float32(intrinsics.cy)) * inverse_fy
        for x in range(1, width - 1):
            f = triangle[y, x]
            if f < 0 or person[y, x] == 0:
                continue
            z = depth[y, x]
            if z <= np.float32(0.0):
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w1 = barycentric[y, x, 0]
            w2 = barycentric[y, x, 1]
            w0 = one - w1 - w2
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            dx = (np.float32(x) - np.float32(intrinsics.cx)) * inverse_fx
            ray = np.sqrt(dx * dx + dy * dy + one)
            along = -(nx * dx + ny * dy + nz) / np.sqrt(nx * nx + ny * ny + nz * nz)
            if along < least_cosine * ray:
                continue
            predicted = seen[y, x]
            cosine = along / ray
            slope = predicted * inverse_fx * np.sqrt(one - cosine * cosine) / cosine
            allowed = jump + slope
            if (
                abs(depth[y, x - 1] - z) > allowed
                or abs(depth[y, x + 1] - z) > allowed
                or abs(depth[y - 1, x] - z) > allowed
                or abs(depth[y + 1, x] - z) > allowed
            ):
                continue
            # Along the axis, then across the surface; farther than predicted means farther in.
            outwards = -predicted * (z - predicted) / z * along
            robust = gate2 / (gate2 + outwards * outwards)
            error = disparity_error * predicted * predicted
            w = robust * robust * sigma2 / (error * error + floor2)
            residual[a] += w0 * w * outwards
            residual[b] += w1 * w * outwards
            residual[c] += w2 * w * outwards
            weight[a] += w0 * w
            weight[b] += w1 * w
            weight[c] += w2 * w
            share[a] += w0
            share[b] += w1
            share[c] += w2


@njit(nogil=True, cache=True)
def gather_view(view, least_share, residual, weight):
    """Adds one picture's vertices to those of all: every picture counts once, however many pixels a vertex has in it.

    `view` (`VertexSums`) is cleared; residual and weight are (V,) float32.
    A vertex with less than `least_share` pixels counts as its share.
    """
    for v in range(residual.shape[0]):
        share = view.share[v]
        if share > np.float32(0.0):
            w = view.weight[v] / max(share, least_share)
            if w > np.float32(0.0):
                residual[v] += w * view.residual[v] / view.weight[v]
                weight[v] += w
            view.residual[v] = np.float32(0.0)
            view.weight[v] = np.float32(0.0)
            view.share[v] = np.float32(0.0)
