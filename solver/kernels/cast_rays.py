"""Ray-casting a sparse signed-distance volume: what a camera would see of its zero level.

Sphere tracing in the band (Hart 1996; Newcombe et al., "KinectFusion", 2011, section 3.3), started where the blocks in
use begin along the ray.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.block_grid import voxel_slot
from solver.kernels.nearness import TILE


@njit(nogil=True, cache=True)
def bound_ranges(grid, view, height, width, ranges):
    """Between which depths [m] the rays of each tile of `TILE` pixels pass blocks in use.

    ranges (Ty, Tx, 2) float32: nearest and farthest; nearest > farthest where there are none.
    """
    r = view.rotation
    t = view.translation
    half = 3.5 * grid.voxel_m
    reach = 4.0 * grid.voxel_m
    ex = reach * (abs(r[0]) + abs(r[1]) + abs(r[2]))
    ey = reach * (abs(r[3]) + abs(r[4]) + abs(r[5]))
    ez = reach * (abs(r[6]) + abs(r[7]) + abs(r[8]))
    ranges[:, :, 0] = np.float32(np.inf)
    ranges[:, :, 1] = np.float32(0.0)
    for block in range(grid.blocks.shape[0]):
        px = grid.origin[0] + 8.0 * grid.voxel_m * grid.blocks[block, 0] + half
        py = grid.origin[1] + 8.0 * grid.voxel_m * grid.blocks[block, 1] + half
        pz = grid.origin[2] + 8.0 * grid.voxel_m * grid.blocks[block, 2] + half
        z = r[6] * px + r[7] * py + r[8] * pz + t[2]
        if z + ez < 0.1:
            continue
        x = r[0] * px + r[1] * py + r[2] * pz + t[0]
        y = r[3] * px + r[4] * py + r[5] * pz + t[1]
        if z - ez < 0.1:
            # Around the camera: every ray may pass it.
            c0, c1, r0, r1 = 0, ranges.shape[1] - 1, 0, ranges.shape[0] - 1
        else:
            front = 1.0 / (z - ez)
            back = 1.0 / (z + ez)
            u0 = view.fx * (x - ex) * (front if x < ex else back) + view.cx
            u1 = view.fx * (x + ex) * (back if x < -ex else front) + view.cx
            v0 = view.fy * (y - ey) * (front if y < ey else back) + view.cy
            v1 = view.fy * (y + ey) * (back if y < -ey else front) + view.cy
            if u1 < 0.0 or v1 < 0.0 or u0 > width - 1 or v0 > height - 1:
                continue
            c0 = max(0, int(u0)) // TILE
            c1 = min(width - 1, int(u1) + 1) // TILE
            r0 = max(0, int(v0)) // TILE
            r1 = min(height - 1, int(v1) + 1) // TILE
        near = np.float32(max(z - ez, 0.1))
        far = np.float32(z + ez)
        for a in range(r0, r1 + 1):
            for b in range(c0, c1 + 1):
                ranges[a, b, 0] = min(ranges[a, b, 0], near)
                ranges[a, b, 1] = max(ranges[a, b, 1], far)


@njit(nogil=True, cache=True, inline="always")
def _interpolate(grid, distance, x, y, z):
    """Trilinear distance and its gradient [m a voxel] at a place in voxels; NaN where a corner was never seen."""
    i = int(np.floor(x))
    j = int(np.floor(y))
    k = int(np.floor(z))
    fx = np.float32(x - i)
    fy = np.float32(y - j)
    fz = np.float32(z - k)
    nan = np.float32(np.nan)
    if (i & 7) < 7 and (j & 7) < 7 and (k & 7) < 7:
        s = voxel_slot(grid.block_index, i, j, k)
        if s < 0:
            return nan, nan, nan, nan
        c000 = distance[s]
        c001 = distance[s + 1]
        c010 = distance[s + 8]
        c011 = distance[s + 9]
        c100 = distance[s + 64]
        c101 = distance[s + 65]
        c110 = distance[s + 72]
        c111 = distance[s + 73]
    else:
        s000 = voxel_slot(grid.block_index, i, j, k)
        s001 = voxel_slot(grid.block_index, i, j, k + 1)
        s010 = voxel_slot(grid.block_index, i, j + 1, k)
        s011 = voxel_slot(grid.block_index, i, j + 1, k + 1)
        s100 = voxel_slot(grid.block_index, i + 1, j, k)
        s101 = voxel_slot(grid.block_index, i + 1, j, k + 1)
        s110 = voxel_slot(grid.block_index, i + 1, j + 1, k)
        s111 = voxel_slot(grid.block_index, i + 1, j + 1, k + 1)
        if min(min(min(s000, s001), min(s010, s011)), min(min(s100, s101), min(s110, s111))) < 0:
            return nan, nan, nan, nan
        c000 = distance[s000]
        c001 = distance[s001]
        c010 = distance[s010]
        c011 = distance[s011]
        c100 = distance[s100]
        c101 = distance[s101]
        c110 = distance[s110]
        c111 = distance[s111]
    z00 = c000 + fz * (c001 - c000)
    z01 = c010 + fz * (c011 - c010)
    z10 = c100 + fz * (c101 - c100)
    z11 = c110 + fz * (c111 - c110)
    y0 = z00 + fy * (z01 - z00)
    y1 = z10 + fy * (z11 - z10)
    value = y0 + fx * (y1 - y0)
    gx = y1 - y0
    gy = (z01 - z00) + fx * ((z11 - z10) - (z01 - z00))
    a = (c001 - c000) + fy * ((c011 - c010) - (c001 - c000))
    b = (c101 - c100) + fy * ((c111 - c110) - (c101 - c100))
    return value, gx, gy, a + fx * (b - a)


@njit(nogil=True, cache=True, parallel=True, error_model="numpy", fastmath={"contract", "arcp", "nsz", "reassoc"})
def cast_rays(grid, view, distance, weight, ranges, depth, normals, hit_weight):
    """Depth [m], unit normals in frame c towards the camera and weight where each pixel's ray first enters the surface.

    distance (slots,) float32, NaN where never seen; ranges of `bound_ranges`. Out: depth (H, W), normals (H, W, 3),
    hit_weight (H, W) float32, all 0 where the ray meets none.
    """
    height, width = depth.shape
    r = view.rotation
    t = view.translation
    per_voxel = 1.0 / grid.voxel_m
    # Camera centre in voxels, and the world axes of the camera in voxels a metre.
    ox = (-(r[0] * t[0] + r[3] * t[1] + r[6] * t[2]) - grid.origin[0]) * per_voxel
    oy = (-(r[1] * t[0] + r[4] * t[1] + r[7] * t[2]) - grid.origin[1]) * per_voxel
    oz = (-(r[2] * t[0] + r[5] * t[1] + r[8] * t[2]) - grid.origin[2]) * per_voxel
    for y in prange(height):
        b = (y - view.cy) / view.fy
        for x in range(width):
            depth[y, x] = 0.0
            normals[y, x, 0] = 0.0
            normals[y, x, 1] = 0.0
            normals[y, x, 2] = 0.0
            hit_weight[y, x] = 0.0
            along = float(ranges[y // TILE, x // TILE, 0])
            last = float(ranges[y // TILE, x // TILE, 1])
            if along > last:
                continue
            a = (x - view.cx) / view.fx
            stretch = np.sqrt(a * a + b * b + 1.0)
            dx = (r[0] * a + r[3] * b + r[6]) * per_voxel
            dy = (r[1] * a + r[4] * b + r[7]) * per_voxel
            dz = (r[2] * a + r[5] * b + r[8]) * per_voxel
            voxel_step = grid.voxel_m / stretch
            before = np.float32(0.0)
            before_at = 0.0
            while along <= last:
                slot = voxel_slot(
                    grid.block_index,
                    int(np.floor(ox + along * dx + 0.5)),
                    int(np.floor(oy + along * dy + 0.5)),
                    int(np.floor(oz + along * dz + 0.5)),
                )
                if slot < 0:
                    before = np.float32(0.0)
                    along += 2.0 * voxel_step
                    continue
                here = distance[slot]
                if here > 0.0:
                    before = here
                    before_at = along
                    along += max(0.8 * here / stretch, voxel_step)
                    continue
                if not here <= 0.0:
                    before = np.float32(0.0)
                    along += voxel_step
                    continue
                if before <= 0.0:
                    # Seen from behind, or within what was never seen: no surface faces this ray here.
                    along += voxel_step
                    continue
                # Between before_at and along; the nearest voxels only said roughly where.
                low = before_at - voxel_step
                high = along + voxel_step
                at = before_at + (along - before_at) * before / (before - here)
                value = np.float32(np.nan)
                gx = value
                gy = value
                gz = value
                for _ in range(6):
                    value, gx, gy, gz = _interpolate(grid, distance, ox + at * dx, oy + at * dy, oz + at * dz)
                    if not np.isfinite(value) or abs(value) < 2e-5:
                        break
                    if value > 0.0:
                        low = at
                    else:
                        high = at
                    slope = gx * dx + gy * dy + gz * dz
                    following = at - value / slope if slope < 0.0 else low
                    if not (low < following < high):
                        following = 0.5 * (low + high)
                    at = following
                length = np.sqrt(gx * gx + gy * gy + gz * gz)
                if np.isfinite(value) and length > 0.0 and abs(value) < 0.1 * grid.voxel_m:
                    depth[y, x] = at
                    length = np.float32(1.0) / length
                    gx *= length
                    gy *= length
                    gz *= length
                    normals[y, x, 0] = r[0] * gx + r[1] * gy + r[2] * gz
                    normals[y, x, 1] = r[3] * gx + r[4] * gy + r[5] * gz
                    normals[y, x, 2] = r[6] * gx + r[7] * gy + r[8] * gz
                    hit_weight[y, x] = weight[slot]
                    break
                before = np.float32(0.0)
                along += voxel_step
