"""A depth image into a signed-distance volume that moves with the body.

Curless and Levoy's running average (1996), every voxel carried to the camera by its own skinning weights as in
BodyFusion (Yu et al. 2017). The distance along the ray is turned into a distance to the surface by the *model's*
normal, which has no noise; what another limb hides is left alone: there the rasterised model shows a surface that
lies elsewhere in the canonical pose.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray


class WarpedVoxels(NamedTuple):
    """The N voxels of the band and what moves them."""

    rest: NDArray[np.float32]
    """Position at rest [m], frame b, (N, 3)."""
    joints: NDArray[np.uint8]
    """The joints that move each voxel, (N, 4)."""
    weights: NDArray[np.float32]
    """Their weights, in falling order, (N, 4)."""
    normals: NDArray[np.int8]
    """Outward normal at rest of the nearest point of the model, times 127, (N, 3)."""
    canonical: NDArray[np.float32]
    """Position in the canonical pose [m], (N, 3)."""


class View(NamedTuple):
    """One depth image and the model as seen in it."""

    depth: NDArray[np.float32]
    """[m], (H, W), 0.0 where missing."""
    person: NDArray[np.uint8]
    """1 where a pixel may be the person, (H, W)."""
    seen_vertex: NDArray[np.int32]
    """A model vertex of the triangle seen at each pixel, (H, W), -1 where none is."""
    canonical: NDArray[np.float32]
    """Model vertices in the canonical pose [m], (V, 3)."""
    transforms: NDArray[np.float32]
    """Rest to frame c of each joint, (J, 3, 4)."""


class IntegrationRule(NamedTuple):
    """How one observation counts."""

    truncation_m: float
    """Distances are cut at plus and minus this."""
    least_cosine: float
    """Surfaces that the ray meets at a flatter angle are not believed."""
    edge_jump_m: float
    """Depth differences between neighbouring pixels above this, beyond what the slope explains, are an edge."""
    reach_m: float
    """How far in the canonical pose the model's surface at a pixel may lie from a voxel seen there."""
    carve_weight: float
    """Weight of seeing past a voxel, relative to seeing a surface."""
    weight_limit: float
    """The sum of weights is held to this, so that old observations fade."""
    sigma_m: float
    """Depth error that counts as weight 1."""


@njit(nogil=True, cache=True)
def read_depth(depth, person, u, v, jump):
    """Depth at a pixel position: bilinear where the four neighbours are one surface, else the nearest pixel's.

    Returns depth (0.0: none) and whether it is the person's.
    """
    height, width = depth.shape
    nearest_u = int(u + 0.5)
    nearest_v = int(v + 0.5)
    if u < 0.0 or v < 0.0 or nearest_u >= width or nearest_v >= height:
        return np.float32(0.0), False
    z = depth[nearest_v, nearest_u]
    mine = person[nearest_v, nearest_u] != 0
    i = int(u)
    j = int(v)
    if z > 0.0 and i + 1 < width and j + 1 < height:
        a = depth[j, i]
        b = depth[j, i + 1]
        c = depth[j + 1, i]
        d = depth[j + 1, i + 1]
        low = min(min(a, b), min(c, d))
        if low > 0.0 and max(max(a, b), max(c, d)) - low < jump:
            s = np.float32(u - i)
            t = np.float32(v - j)
            # In disparity a plane is linear in the picture.
            top = (1 - s) / a + s / b
            bottom = (1 - s) / c + s / d
            z = np.float32(1.0) / ((1 - t) * top + t * bottom)
    return z, mine


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def integrate_depth(voxels, view, intrinsics, noise, rule, distance, weight):
    """Average one view into `distance` [m] and `weight`, both (N,) float32."""
    truncation = np.float32(rule.truncation_m)
    fx = np.float32(intrinsics.fx)
    fy = np.float32(intrinsics.fy)
    cx = np.float32(intrinsics.cx)
    cy = np.float32(intrinsics.cy)
    disparity_error = np.float32(noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m))
    floor2 = np.float32(noise.floor_m**2)
    sigma2 = np.float32(rule.sigma_m**2)
    reach2 = np.float32(rule.reach_m**2)
    # 127 is a whole normal's length; a third of it leaves room for what the other joints turn.
    turned_away = np.float32(127.0 * 0.3)
    one = np.float32(1.0)
    edge_jump = np.float32(rule.edge_jump_m)
    least_cosine = np.float32(rule.least_cosine)
    # Chunks, so that a thread reads memory in order.
    chunk = 4096
    count = voxels.rest.shape[0]
    for start in prange((count + chunk - 1) // chunk):
        m = np.empty((3, 4), np.float32)
        for n in range(start * chunk, min(count, (start + 1) * chunk)):
            px = voxels.rest[n, 0]
            py = voxels.rest[n, 1]
            pz = voxels.rest[n, 2]
            first = view.transforms[voxels.joints[n, 0]]
            nx = np.float32(voxels.normals[n, 0])
            ny = np.float32(voxels.normals[n, 1])
            nz = np.float32(voxels.normals[n, 2])
            # Turned away by its main joint alone: not worth the blend.
            fx0 = first[0, 0] * px + first[0, 1] * py + first[0, 2] * pz + first[0, 3]
            fy0 = first[1, 0] * px + first[1, 1] * py + first[1, 2] * pz + first[1, 3]
            fz0 = first[2, 0] * px + first[2, 1] * py + first[2, 2] * pz + first[2, 3]
            ax = first[0, 0] * nx + first[0, 1] * ny + first[0, 2] * nz
            ay = first[1, 0] * nx + first[1, 1] * ny + first[1, 2] * nz
            az = first[2, 0] * nx + first[2, 1] * ny + first[2, 2] * nz
            if ax * fx0 + ay * fy0 + az * fz0 > turned_away * np.sqrt(fx0 * fx0 + fy0 * fy0 + fz0 * fz0):
                continue
            w0 = voxels.weights[n, 0]
            if w0 > np.float32(0.999):
                t = first
            else:
                for r in range(3):
                    for c in range(4):
                        m[r, c] = w0 * first[r, c]
                for k in range(1, 4):
                    w = voxels.weights[n, k]
                    if w <= 0.0:
                        break
                    t = view.transforms[voxels.joints[n, k]]
                    for r in range(3):
                        for c in range(4):
                            m[r, c] += w * t[r, c]
                t = m
            x = t[0, 0] * px + t[0, 1] * py + t[0, 2] * pz + t[0, 3]
            y = t[1, 0] * px + t[1, 1] * py + t[1, 2] * pz + t[1, 3]
            z = t[2, 0] * px + t[2, 1] * py + t[2, 2] * pz + t[2, 3]
            if z < np.float32(0.1):
                continue
            # Cosine between the model's normal and the ray back to the camera.
            ax = t[0, 0] * nx + t[0, 1] * ny + t[0, 2] * nz
            ay = t[1, 0] * nx + t[1, 1] * ny + t[1, 2] * nz
            az = t[2, 0] * nx + t[2, 1] * ny + t[2, 2] * nz
            along = -(ax * x + ay * y + az * z)
            if along <= 0.0:
                continue
            ray = np.sqrt(x * x + y * y + z * z)
            cosine = along / (np.sqrt(ax * ax + ay * ay + az * az) * ray)
            if cosine < least_cosine:
                continue
            nearness = one / z
            u = fx * x * nearness + cx
            v = fy * y * nearness + cy
            slope = z * np.sqrt(one - cosine * cosine) / (fx * cosine)
            seen, mine = read_depth(view.depth, view.person, u, v, edge_jump + slope + slope)
            if seen <= 0.0:
                continue
            # Metres along the axis to metres across the surface.
            scale = cosine * ray * nearness
            d = (seen - z) * scale
            if d < -truncation:
                continue
            i = int(v + np.float32(0.5))
            j = int(u + np.float32(0.5))
            vertex = view.seen_vertex[i, j]
            if vertex >= 0:
                place = view.canonical[vertex]
                qx = place[0] - voxels.canonical[n, 0]
                qy = place[1] - voxels.canonical[n, 1]
                qz = place[2] - voxels.canonical[n, 2]
                if qx * qx + qy * qy + qz * qz > reach2:
                    continue
            if d > truncation:
                d = truncation
                w = np.float32(rule.carve_weight)
            elif mine:
                w = np.float32(1.0)
            else:
                continue
            error = disparity_error * z * z
            w *= sigma2 / (error * error + floor2)
            total = weight[n] + w
            distance[n] += (d - distance[n]) * (w / total)
            weight[n] = min(total, np.float32(rule.weight_limit))
