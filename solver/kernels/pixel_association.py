"""Which pixel of the depth image pulls which point of the rasterised model, and where to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

MATCHED = 0
"""The model's surface and the measured one lie on the same ray, near each other."""
STICKS_OUT = 1
"""The model covers a pixel where the camera looks past the person."""
UNCOVERED = 2
"""A pixel of the person that the model does not cover, or covers at another depth."""


class PixelMatching(NamedTuple):
    """How pixels are matched. Lengths in metres, reaches in pixels of the working grid."""

    gate: float
    """Largest distance along the ray of a match."""
    surface_sigma: float
    """How far the model's surface may be from the person's (shape, cloth), beside the sensor's noise."""
    outline_sigma: float
    """The same for pulls at the outline."""
    reach: int
    """How far an uncovered pixel looks for the model."""
    outline_stride: int
    """Of the pixels at which outline pulls start, one in so many."""
    disparity_noise: float
    """sigma_d / (f B): standard deviation of the inverse depth [1/m]."""
    depth_floor: float
    """Depth-independent noise [m]."""


class Rendered(NamedTuple):
    """The rasterised model on the working grid."""

    depth: NDArray[np.float32]
    """[m], (H, W)."""
    triangle: NDArray[np.int32]
    """(H, W), -1 where the model is not."""
    faces: NDArray[np.int32]
    """(F, 3)."""
    vertices: NDArray[np.float32]
    """[m], (V, 3), frame c."""


class Pulls(NamedTuple):
    """Rows direction . (p - target) of the least squares; the capacity is the arrays' length."""

    kinds: NDArray[np.uint8]
    """`MATCHED`, `STICKS_OUT` or `UNCOVERED`, (N,)."""
    pixels: NDArray[np.int32]
    """Where on the grid the pulled point of the model is drawn, v * W + u, (N,)."""
    targets: NDArray[np.float64]
    """[m], (N, 3), frame c."""
    directions: NDArray[np.float64]
    """(N, 3), frame c."""
    offsets: NDArray[np.float64]
    """direction . (p - target) as the model is drawn [m], (N,)."""
    sigmas: NDArray[np.float64]
    """Standard deviation of the offset [m], (N,)."""


@njit(nogil=True, cache=True)
def grow_region(depth, seeds, allowed, relative_step, stack, region):
    """Pixels of `allowed` that hang together with `seeds`: neighbours differ by less than 3 cm + relative_step * z^2.

    depth (H, W) float32 [m]; seeds, allowed, region (H, W) uint8; stack (H W,) int32 scratch. Returns the pixel count.
    """
    height, width = depth.shape
    count = 0
    top = 0
    for v in range(height):
        for u in range(width):
            region[v, u] = 0
            if seeds[v, u] != 0 and allowed[v, u] != 0:
                region[v, u] = 1
                stack[top] = v * width + u
                top += 1
                count += 1
    while top > 0:
        top -= 1
        v = stack[top] // width
        u = stack[top] % width
        z = depth[v, u]
        step = 0.03 + relative_step * z * z
        for i in range(4):
            y = v + (1 if i == 0 else -1 if i == 1 else 0)
            x = u + (1 if i == 2 else -1 if i == 3 else 0)
            if y < 0 or x < 0 or y >= height or x >= width or region[y, x] != 0 or allowed[y, x] == 0:
                continue
            if abs(depth[y, x] - z) < step:
                region[y, x] = 1
                stack[top] = y * width + x
                top += 1
                count += 1
    return count


@njit(nogil=True, cache=True)
def mark_person(depth, mask, model_depth, intrinsics, T_wc, pelvis, limits, seeds, allowed):
    """Where a person may be and where they surely are, for `grow_region`: both (H, W) uint8.

    depth (H, W) float32 [m]; mask and model_depth (H, W) float32, or empty (0, 0) where unknown; T_wc (3, 4) and
    pelvis (3,) float64; limits: (disparity noise [1/m], height above the floor, reach from the pelvis' vertical,
    distance from the model, reach of the seeds where nothing else tells [m]). Allowed is what is measured, clear of
    the floor and within reach; with a mask also near the model or in the mask, widened by a pixel. Seeds are near the
    model; without one deep in the mask; without that near the pelvis' vertical.
    """
    height, width = depth.shape
    disparity_noise, clearance, reach, near_model, core = limits
    has_mask = mask.shape[0] > 0
    has_model = model_depth.shape[0] > 0
    for v in range(height):
        y = (v - intrinsics.cy) / intrinsics.fy
        for u in range(width):
            z = depth[v, u]
            seeds[v, u] = 0
            allowed[v, u] = 0
            if z <= 0.0:
                continue
            x = (u - intrinsics.cx) / intrinsics.fx
            across = (T_wc[0, 0] * x + T_wc[0, 1] * y + T_wc[0, 2]) * z + T_wc[0, 3] - pelvis[0]
            away = (T_wc[1, 0] * x + T_wc[1, 1] * y + T_wc[1, 2]) * z + T_wc[1, 3] - pelvis[1]
            aside = across * across + away * away
            if aside >= reach * reach:
                continue
            rise = T_wc[2, 0] * x + T_wc[2, 1] * y + T_wc[2, 2]
            if rise * z + T_wc[2, 3] <= clearance + 2.0 * disparity_noise * z * z * abs(rise):
                continue
            near = False
            if has_model:
                near = model_depth[v, u] > 0.0 and abs(model_depth[v, u] - z) < near_model
            if has_mask and not near:
                masked = False
                for j in range(max(0, v - 1), min(height, v + 2)):
                    for i in range(max(0, u - 1), min(width, u + 2)):
                        if mask[j, i] > 0.3:
                            masked = True
                if not masked:
                    continue
            allowed[v, u] = 1
            if has_model:
                seeds[v, u] = near
            elif has_mask:
                seeds[v, u] = mask[v, u] > 0.7
            else:
                seeds[v, u] = aside < core * core


@njit(nogil=True, cache=True)
def find_nearest_person(person, nearest):
    """The nearest pixel labelled 1 of every pixel, v * W + u: columns, then the lower envelope of parabolas along rows
    (Felzenszwalb & Huttenlocher 2012).

    person, (H, W) uint8; nearest (H, W) int32, -1 everywhere where there is none.
    """
    height, width = person.shape
    far = height + width
    # First the row of the nearest person pixel in the same column.
    for u in range(width):
        nearest[0, u] = 0 if person[0, u] == 1 else -far
    for v in range(1, height):
        for u in range(width):
            nearest[v, u] = v if person[v, u] == 1 else nearest[v - 1, u]
    for v in range(height - 2, -1, -1):
        for u in range(width):
            below = nearest[v + 1, u]
            if below >= 0 and abs(below - v) < abs(v - nearest[v, u]):
                nearest[v, u] = below
    sites = np.empty(width, np.int32)
    rows = np.empty(width, np.int32)
    bounds = np.empty(width + 1)
    for v in range(height):
        count = 0
        for u in range(width):
            row = nearest[v, u]
            if row < 0:
                continue
            cost = float((row - v) ** 2 + u * u)
            bound = -np.inf
            while count > 0:
                site = sites[count - 1]
                bound = (cost - float((rows[count - 1] - v) ** 2 + site * site)) / (2.0 * (u - site))
                if bound > bounds[count - 1]:
                    break
                count -= 1
                bound = -np.inf
            sites[count], rows[count], bounds[count] = u, row, bound
            count += 1
        site = 0
        for u in range(width):
            if count == 0:
                nearest[v, u] = -1
                continue
            while site + 1 < count and bounds[site + 1] < u:
                site += 1
            nearest[v, u] = rows[site] * width + sites[site]


@njit(nogil=True, cache=True)
def associate_pixels(rendered, depth, person, nearest, intrinsics, matching, pulls):
    """Every pull of the depth image on the rendered model, written to `pulls`.

    depth (H, W) float32 [m]; person (H, W) uint8: 1 person, 0 surely not, 2 unknown; nearest (H, W) int32 of
    `find_nearest_person`; intrinsics of the grid. Returns how many pulls there are, the model's pixels of which
    something is known, how many of them agree with the depth, the person's pixels, and how many of them the model
    covers.
    """
    model_depth, model_triangle, faces, vertices = rendered
    kinds, pixels, targets, directions, offsets, sigmas = pulls
    height, width = depth.shape
    count = 0
    capacity = kinds.shape[0]
    known = 0
    agreeing = 0
    person_count = 0
    covered = 0
    for v in range(height):
        y = (v - intrinsics.cy) / intrinsics.fy
        for u in range(width):
            x = (u - intrinsics.cx) / intrinsics.fx
            zm = model_depth[v, u]
            z = depth[v, u]
            is_person = person[v, u] == 1
            if is_person:
                person_count += 1
            if zm > 0.0 and is_person and abs(z - zm) < matching.gate:
                covered += 1
                known += 1
                t = model_triangle[v, u]
                a = vertices[faces[t, 0]]
                b = vertices[faces[t, 1]]
                c = vertices[faces[t, 2]]
                e0 = b[0] - a[0]
                e1 = b[1] - a[1]
                e2 = b[2] - a[2]
                f0 = c[0] - a[0]
                f1 = c[1] - a[1]
                f2 = c[2] - a[2]
                n0 = e1 * f2 - e2 * f1
                n1 = e2 * f0 - e0 * f2
                n2 = e0 * f1 - e1 * f0
                length = np.sqrt(n0 * n0 + n1 * n1 + n2 * n2)
                if length < 1e-12:
                    continue
                n0 /= length
                n1 /= length
                n2 /= length
                along = n0 * x + n1 * y + n2
                noise = np.sqrt((z * z * matching.disparity_noise) ** 2 + matching.depth_floor**2)
                sigma = np.sqrt((noise * along) ** 2 + matching.surface_sigma**2)
                offset = (zm - z) * along
                if abs(offset) < 0.02 + 3.0 * noise:
                    agreeing += 1
                # Where the model turns away from the camera a pixel's shift is a large depth: leave it to the outline.
                if along > -0.15 * np.sqrt(x * x + y * y + 1.0) or count >= capacity:
                    continue
                kinds[count] = MATCHED
                pixels[count] = v * width + u
                targets[count, 0] = x * z
                targets[count, 1] = y * z
                targets[count, 2] = z
                directions[count, 0] = n0
                directions[count, 1] = n1
                directions[count, 2] = n2
                offsets[count] = offset
                sigmas[count] = sigma
                count += 1
                continue
            chosen = (u + 2 * v) % matching.outline_stride == 0
            if zm > 0.0 and not is_person:
                if person[v, u] == 2 or (z > 0.0 and z < zm + 0.05):
                    continue
                known += 1
                if not chosen or count >= capacity:
                    continue
                # Pull this point of the model sideways into the person's outline.
                if nearest[v, u] < 0:
                    continue
                best_u = nearest[v, u] % width
                best_v = nearest[v, u] // width
                pull = np.sqrt(float((best_u - u) ** 2 + (best_v - v) ** 2))
                kinds[count] = STICKS_OUT
                pixels[count] = v * width + u
                d0 = (u - best_u) / pull
                d1 = (v - best_v) / pull
                targets[count, 0] = (best_u - intrinsics.cx) / intrinsics.fx * zm
                targets[count, 1] = (best_v - intrinsics.cy) / intrinsics.fy * zm
                targets[count, 2] = zm
                directions[count, 0] = d0
                directions[count, 1] = d1
                directions[count, 2] = -(d0 * x + d1 * y)
                offsets[count] = pull * zm / intrinsics.fx
                sigmas[count] = matching.outline_sigma
                count += 1
            elif is_person and chosen and count < capacity:
                # Pull the nearest point of the model's picture to this point of the person.
                best_distance = 1e9
                best_u = -1
                best_v = -1
                for j in range(max(0, v - matching.reach), min(height, v + matching.reach + 1)):
                    for i in range(max(0, u - matching.reach), min(width, u + matching.reach + 1)):
                        zn = model_depth[j, i]
                        if zn <= 0.0:
                            continue
                        dx = x * z - (i - intrinsics.cx) / intrinsics.fx * zn
                        dy = y * z - (j - intrinsics.cy) / intrinsics.fy * zn
                        dz = z - zn
                        distance_sq = dx * dx + dy * dy + dz * dz
                        if distance_sq < best_distance:
                            best_distance = distance_sq
                            best_u = i
                            best_v = j
                if best_u < 0 or best_distance < 1e-10:
                    continue
                zn = model_depth[best_v, best_u]
                length = np.sqrt(best_distance)
                kinds[count] = UNCOVERED
                pixels[count] = best_v * width + best_u
                targets[count, 0] = x * z
                targets[count, 1] = y * z
                targets[count, 2] = z
                directions[count, 0] = ((best_u - intrinsics.cx) / intrinsics.fx * zn - x * z) / length
                directions[count, 1] = ((best_v - intrinsics.cy) / intrinsics.fy * zn - y * z) / length
                directions[count, 2] = (zn - z) / length
                offsets[count] = length
                sigmas[count] = matching.outline_sigma
                count += 1
    return count, known, agreeing, person_count, covered


class PixelRows(NamedTuple):
    """Rows of the body's least squares, as `accumulate_rows` takes them; the capacity is the arrays' length."""

    corners: NDArray[np.int32]
    """(N, 3)."""
    barycentric: NDArray[np.float64]
    """(N, 3)."""
    directions: NDArray[np.float64]
    """(N, 3), frame w."""
    offsets: NDArray[np.float64]
    """[m], (N,)."""
    weights: NDArray[np.float64]
    """[1/m^2], (N,)."""


@njit(nogil=True, cache=True)
def weigh_pulls(pulls, count, triangles, barycentric, corners, R_wc, gate, independence, row_target, rows):
    """Robust rows of the first `count` pulls, written to `rows`.

    triangles (H, W) and barycentric (H, W, 2) of the raster; corners (F, 3) of its triangles as points of the body;
    R_wc (3, 3). Each pull counts `independence` of an independent measurement. Matches are weighted by Geman and
    McClure's function of max(3 sigma, gate / 4); of more than `row_target` of them one in so many is kept and counts
    for all. Where the camera looks through the model there is no doubt, however far it sticks out: Huber's.

    Returns the number of rows, of matches, and the sums of squares of the matches' offsets and of offset / sigma.
    """
    kinds, pixels, _, directions, offsets, sigmas = pulls
    width = triangles.shape[1]
    matches = 0
    square = 0.0
    misfit = 0.0
    for n in range(count):
        if kinds[n] == MATCHED:
            matches += 1
            square += offsets[n] * offsets[n]
            misfit += (offsets[n] / sigmas[n]) ** 2
    keep_every = max(1, int(np.ceil(matches / row_target)))
    row = 0
    for n in range(count):
        matched = kinds[n] == MATCHED
        if matched and n % keep_every != 0:
            continue
        weight = independence / (sigmas[n] * sigmas[n])
        if kinds[n] == STICKS_OUT:
            weight *= 1.345 / max(abs(offsets[n]) / sigmas[n], 1.345)
        else:
            scale = max(3.0 * sigmas[n], 0.25 * gate) if matched else 3.0 * sigmas[n]
            ratio = offsets[n] / scale
            weight /= (1.0 + ratio * ratio) ** 2
        if matched:
            weight *= keep_every
        v, u = pixels[n] // width, pixels[n] % width
        triangle = triangles[v, u]
        second, third = float(barycentric[v, u, 0]), float(barycentric[v, u, 1])
        rows.barycentric[row, 0] = 1.0 - second - third
        rows.barycentric[row, 1] = second
        rows.barycentric[row, 2] = third
        for i in range(3):
            rows.corners[row, i] = corners[triangle, i]
            total = 0.0
            for k in range(3):
                total += R_wc[i, k] * directions[n, k]
            rows.directions[row, i] = total
        rows.offsets[row] = offsets[n]
        rows.weights[row] = weight
        row += 1
    return row, matches, square, misfit
