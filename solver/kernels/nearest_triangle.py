"""The nearest triangle of a mesh for every voxel of a band around it, and the sign of the distance.

Exact near the mesh, then carried outwards from neighbour to neighbour (closest-point propagation, Danielsson 1980):
a voxel's nearest triangle is nearly always that of one of its neighbours. The sign comes from angle-weighted
pseudo-normals (Baerentzen and Aanaes 2005), which are right at edges and corners too.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.block_grid import voxel_slot

FEATURE_FACE, FEATURE_EDGE, FEATURE_VERTEX = 0, 3, 6


@njit(nogil=True, cache=True)
def closest_on_triangle(px, py, pz, triangle):
    """The point of `triangle` (3, 3) nearest to p: squared distance, barycentric coordinates of corners 1 and 2,
    and where it lies: 0 face, 3 + e on edge e (from corner e to the next), 6 + c corner c."""
    ax = triangle[1, 0] - triangle[0, 0]
    ay = triangle[1, 1] - triangle[0, 1]
    az = triangle[1, 2] - triangle[0, 2]
    bx = triangle[2, 0] - triangle[0, 0]
    by = triangle[2, 1] - triangle[0, 1]
    bz = triangle[2, 2] - triangle[0, 2]
    qx = px - triangle[0, 0]
    qy = py - triangle[0, 1]
    qz = pz - triangle[0, 2]
    aa = ax * ax + ay * ay + az * az
    bb = bx * bx + by * by + bz * bz
    ab = ax * bx + ay * by + az * bz
    qa = qx * ax + qy * ay + qz * az
    qb = qx * bx + qy * by + qz * bz
    det = aa * bb - ab * ab
    s = bb * qa - ab * qb
    t = aa * qb - ab * qa
    feature = 0
    if det > 0.0 and s >= 0.0 and t >= 0.0 and s + t <= det:
        s /= det
        t /= det
    else:
        # Outside: the nearest of the three edges.
        best = np.inf
        u = v = 0.0
        for edge in range(3):
            if edge == 0:
                along = min(1.0, max(0.0, qa / aa)) if aa > 0.0 else 0.0
                es = along
                et = 0.0
            elif edge == 1:
                # From corner 1 to corner 2: direction b - a, start a.
                length = aa + bb - 2.0 * ab
                along = (qb - qa - ab + aa) / length if length > 0.0 else 0.0
                along = min(1.0, max(0.0, along))
                es = 1.0 - along
                et = along
            else:
                along = 1.0 - (min(1.0, max(0.0, qb / bb)) if bb > 0.0 else 0.0)
                es = 0.0
                et = 1.0 - along
            dx = qx - es * ax - et * bx
            dy = qy - es * ay - et * by
            dz = qz - es * az - et * bz
            d = dx * dx + dy * dy + dz * dz
            if d < best:
                best = d
                u = es
                v = et
                if along <= 0.0:
                    feature = 6 + edge
                elif along >= 1.0:
                    feature = 6 + (edge + 1) % 3
                else:
                    feature = 3 + edge
        s = u
        t = v
    dx = qx - s * ax - t * bx
    dy = qy - s * ay - t * by
    dz = qz - s * az - t * bz
    return dx * dx + dy * dy + dz * dz, s, t, feature


@njit(nogil=True, cache=True)
def mark_blocks(triangles, origin, voxel_m, reach_m, in_use):
    """Mark the blocks of which some voxel may lie within `reach_m` of a triangle.

    triangles (F, 3, 3) float64 [m]; in_use (Bx, By, Bz) uint8 is set to 1.
    """
    side = 8.0 * voxel_m
    half = 0.5 * 7.0 * voxel_m
    limit = reach_m + half * np.sqrt(3.0)
    low = np.empty(3, np.int64)
    high = np.empty(3, np.int64)
    for f in range(triangles.shape[0]):
        for c in range(3):
            a = min(triangles[f, 0, c], triangles[f, 1, c], triangles[f, 2, c]) - reach_m - origin[c]
            b = max(triangles[f, 0, c], triangles[f, 1, c], triangles[f, 2, c]) + reach_m - origin[c]
            low[c] = max(0, int(np.floor(a / side)))
            high[c] = min(in_use.shape[c] - 1, int(np.floor(b / side)))
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    if in_use[i, j, k] == 0:
                        d, _, _, _ = closest_on_triangle(
                            origin[0] + i * side + half,
                            origin[1] + j * side + half,
                            origin[2] + k * side + half,
                            triangles[f],
                        )
                        if d <= limit * limit:
                            in_use[i, j, k] = 1


@njit(nogil=True, cache=True)
def find_nearest_triangles(triangles, grid, reach_m, nearest, distance2):
    """The nearest triangle of every voxel of `grid` within `reach_m`.

    triangles (F, 3, 3) float64 [m]; nearest (slots,) int32, -1 beyond reach; distance2 (slots,) float32 [m^2].
    """
    origin = grid.origin
    h = grid.voxel_m
    nearest[:] = -1
    distance2[:] = np.inf
    low = np.empty(3, np.int64)
    high = np.empty(3, np.int64)
    for f in range(triangles.shape[0]):
        for c in range(3):
            a = min(triangles[f, 0, c], triangles[f, 1, c], triangles[f, 2, c]) - origin[c]
            b = max(triangles[f, 0, c], triangles[f, 1, c], triangles[f, 2, c]) - origin[c]
            low[c] = int(np.floor(a / h))
            high[c] = int(np.floor(b / h)) + 1
        for i in range(low[0], high[0] + 1):
            for j in range(low[1], high[1] + 1):
                for k in range(low[2], high[2] + 1):
                    slot = voxel_slot(grid.block_index, i, j, k)
                    if slot >= 0:
                        d, _, _, _ = closest_on_triangle(
                            origin[0] + i * h, origin[1] + j * h, origin[2] + k * h, triangles[f]
                        )
                        if d < distance2[slot]:
                            distance2[slot] = d
                            nearest[slot] = f
    # Fronts: voxels that learnt of a nearer triangle tell their neighbours.
    reach2 = (reach_m + h) ** 2
    slots = nearest.shape[0]
    front = np.empty(slots, np.int32)
    following = np.empty(slots, np.int32)
    queued = np.zeros(slots, np.uint8)
    count = 0
    for slot in range(slots):
        if nearest[slot] >= 0:
            front[count] = slot
            count += 1
    while count > 0:
        following_count = 0
        for n in range(count):
            slot = front[n]
            queued[slot] = 0
            candidate = nearest[slot]
            block = slot >> 9
            i = grid.blocks[block, 0] * 8 + ((slot >> 6) & 7)
            j = grid.blocks[block, 1] * 8 + ((slot >> 3) & 7)
            k = grid.blocks[block, 2] * 8 + (slot & 7)
            # A neighbour nearer to its triangle than this bound cannot gain from this one's.
            bound = max(0.0, np.sqrt(distance2[slot]) - h) ** 2
            for side in range(6):
                step = 1 if side % 2 == 0 else -1
                a = i + (step if side < 2 else 0)
                b = j + (step if 2 <= side < 4 else 0)
                c = k + (step if side >= 4 else 0)
                other = voxel_slot(grid.block_index, a, b, c)
                if other < 0 or nearest[other] == candidate or distance2[other] <= bound:
                    continue
                d, _, _, _ = closest_on_triangle(
                    origin[0] + a * h, origin[1] + b * h, origin[2] + c * h, triangles[candidate]
                )
                if np.float32(d) < distance2[other] and d <= reach2:
                    distance2[other] = d
                    nearest[other] = candidate
                    if queued[other] == 0:
                        queued[other] = 1
                        following[following_count] = other
                        following_count += 1
        front, following = following, front
        count = following_count
    for slot in range(nearest.shape[0]):
        if distance2[slot] > reach_m * reach_m:
            nearest[slot] = -1


@njit(nogil=True, cache=True, parallel=True)
def sign_distances(triangles, feature_normals, grid, nearest, barycentric, distance):
    """Signed distance to the nearest triangle, negative inside.

    feature_normals (F, 7, 3) float32: face, the three edges' and the three corners' pseudo-normals. Outputs:
    barycentric (slots, 2) float32 of corners 1 and 2; distance (slots,) float32 [m], +inf where nearest is -1.
    """
    h = grid.voxel_m
    for block in prange(grid.blocks.shape[0]):
        for local in range(512):
            slot = block * 512 + local
            f = nearest[slot]
            if f < 0:
                distance[slot] = np.inf
                continue
            x = grid.origin[0] + h * (grid.blocks[block, 0] * 8 + (local >> 6))
            y = grid.origin[1] + h * (grid.blocks[block, 1] * 8 + ((local >> 3) & 7))
            z = grid.origin[2] + h * (grid.blocks[block, 2] * 8 + (local & 7))
            d2, s, t, feature = closest_on_triangle(x, y, z, triangles[f])
            row = 0 if feature == 0 else feature - 2
            side = 0.0
            p = (x, y, z)
            for c in range(3):
                q = triangles[f, 0, c] * (1.0 - s - t) + triangles[f, 1, c] * s + triangles[f, 2, c] * t
                side += (p[c] - q) * feature_normals[f, row, c]
            barycentric[slot, 0] = s
            barycentric[slot, 1] = t
            distance[slot] = np.sqrt(d2) if side >= 0.0 else -np.sqrt(d2)
