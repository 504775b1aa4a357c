"""Slow and obvious twins of solver.kernels.pixel_association."""

from __future__ import annotations

import numpy as np

from solver.kernels.pixel_association import MATCHED, STICKS_OUT, UNCOVERED


def grow_region(depth, seeds, allowed, relative_step):
    region = (seeds != 0) & (allowed != 0)
    while True:
        grown = region.copy()
        for v, u in np.argwhere(region):
            for y, x in ((v + 1, u), (v - 1, u), (v, u + 1), (v, u - 1)):
                inside = 0 <= y < depth.shape[0] and 0 <= x < depth.shape[1]
                if inside and allowed[y, x]:
                    z = depth[v, u]
                    if abs(depth[y, x] - z) < 0.03 + relative_step * z * z:
                        grown[y, x] = True
        if (grown == region).all():
            return region
        region = grown


def nearest_person_distance(person):
    """Distance [px] of every pixel to the nearest one labelled 1."""
    there = np.argwhere(person == 1)
    rows, columns = np.indices(person.shape)
    return np.sqrt(np.min([(rows - v) ** 2 + (columns - u) ** 2 for v, u in there], axis=0))


def associate_pixels(rendered, depth, person, nearest, camera, matching):
    """Pulls as a list of (kind, pixel, target, direction, offset, sigma), and the five counts."""
    pulls, known, agreeing, covered = [], 0, 0, 0
    height, width = depth.shape

    def ray(u, v):
        return np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])

    for v in range(height):
        for u in range(width):
            zm, z = float(rendered.depth[v, u]), float(depth[v, u])
            chosen = (u + 2 * v) % matching.outline_stride == 0
            if zm > 0 and person[v, u] == 1 and abs(z - zm) < matching.gate:
                known, covered = known + 1, covered + 1
                a, b, c = rendered.vertices[rendered.faces[rendered.triangle[v, u]]].astype(np.float64)
                normal = np.cross(b - a, c - a)
                normal /= np.linalg.norm(normal)
                along = normal @ ray(u, v)
                noise = np.hypot(z * z * matching.disparity_noise, matching.depth_floor)
                offset = normal @ (zm * ray(u, v) - z * ray(u, v))
                agreeing += abs(offset) < 0.02 + 3 * noise
                if along <= -0.15 * np.linalg.norm(ray(u, v)):
                    sigma = np.hypot(noise * along, matching.surface_sigma)
                    pulls.append((MATCHED, v * width + u, z * ray(u, v), normal, offset, sigma))
            elif zm > 0 and person[v, u] != 1:
                if person[v, u] == 0 and not 0 < z < zm + 0.05:
                    known += 1
                    if chosen and nearest[v, u] >= 0:
                        y, x = divmod(int(nearest[v, u]), width)
                        length = np.hypot(u - x, v - y)
                        d = np.array([u - x, v - y]) / length
                        direction = np.array([d[0], d[1], -(d @ ray(u, v)[:2])])
                        offset = length * zm / camera.fx
                        pulls.append(
                            (STICKS_OUT, v * width + u, zm * ray(x, y), direction, offset, matching.outline_sigma)
                        )
            elif person[v, u] == 1 and chosen:
                point = z * ray(u, v)
                window = [
                    (np.linalg.norm(point - rendered.depth[j, i] * ray(i, j)), j * width + i)
                    for j in range(max(0, v - matching.reach), min(height, v + matching.reach + 1))
                    for i in range(max(0, u - matching.reach), min(width, u + matching.reach + 1))
                    if rendered.depth[j, i] > 0
                ]
                if window:
                    length, pixel = min(window)
                    y, x = divmod(pixel, width)
                    direction = (rendered.depth[y, x] * ray(x, y) - point) / length
                    pulls.append((UNCOVERED, pixel, point, direction, length, matching.outline_sigma))
    return pulls, (known, agreeing, int((person == 1).sum()), covered)


def mark_person(depth, mask, model_depth, camera, T_wc, pelvis, limits):
    """Seeds and allowed pixels, (H, W) bool, by pictures of every condition."""
    disparity_noise, clearance, reach, near_model, core = limits
    v, u = np.indices(depth.shape)
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(depth.shape)], -1)
    points = (rays * depth[..., None]) @ T_wc[:, :3].T + T_wc[:, 3]
    aside = np.linalg.norm(points[..., :2] - pelvis[:2], axis=-1)
    slack = 2.0 * disparity_noise * depth**2 * np.abs(rays @ T_wc[2, :3])
    allowed = (depth > 0.0) & (points[..., 2] > clearance + slack) & (aside < reach)
    near = (model_depth > 0.0) & (np.abs(model_depth - depth) < near_model) if model_depth is not None else None
    if mask is not None:
        wide = np.pad(mask > 0.3, 1)
        height, width = depth.shape
        wide = np.any([wide[j : j + height, i : i + width] for j in range(3) for i in range(3)], axis=0)
        allowed &= wide if near is None else near | wide
    seeds = near if near is not None else mask > 0.7 if mask is not None else aside < core
    return seeds & allowed, allowed


def weigh_pulls(pulls, triangles, barycentric, corners, R_wc, gate, independence, row_target):
    """Rows as a list of (corners, barycentric, direction, offset, weight)."""
    matches = int((pulls.kinds == MATCHED).sum())
    keep_every = max(1, int(np.ceil(matches / row_target)))
    rows = []
    for n, kind in enumerate(pulls.kinds):
        if kind == MATCHED and n % keep_every:
            continue
        sigma, offset = pulls.sigmas[n], pulls.offsets[n]
        if kind == STICKS_OUT:
            robust = min(1.0, 1.345 / (abs(offset) / sigma))
        else:
            scale = max(3.0 * sigma, 0.25 * gate) if kind == MATCHED else 3.0 * sigma
            robust = 1.0 / (1.0 + (offset / scale) ** 2) ** 2
        v, u = divmod(int(pulls.pixels[n]), triangles.shape[1])
        second, third = barycentric[v, u].astype(np.float64)
        weight = independence * robust / sigma**2 * (keep_every if kind == MATCHED else 1)
        mixture = [1.0 - second - third, second, third]
        rows.append((corners[triangles[v, u]], mixture, R_wc @ pulls.directions[n], offset, weight))
    return rows


def weigh_keyframe(pulls, triangles, barycentric, faces, R_wc, intrinsics, hair, rule):
    """Rows as a list of (corners, barycentric, direction, offset, weight), and the matches' mass and square."""
    rows, matches, mass, square = [], 0, 0.0, 0.0
    for n, kind in enumerate(pulls.kinds):
        sigma, offset = pulls.sigmas[n], pulls.offsets[n]
        scale = max(2.0 * sigma, 0.2 * rule.gate) if kind == MATCHED else 3.0 * sigma
        robust = 1.0 / (1.0 + (offset / scale) ** 2) ** 2
        taken = 1
        if kind == MATCHED:
            mass += robust
            square += robust * offset**2
            taken = rule.subsets if matches % rule.subsets == rule.phase else 0
            matches += 1
        if not taken:
            continue
        v, u = divmod(int(pulls.pixels[n]), triangles.shape[1])
        corners = faces[triangles[v, u]]
        weight = taken * rule.independence * robust / sigma**2
        inside = kind == STICKS_OUT or (kind == MATCHED and offset >= 0.0)
        if kind != STICKS_OUT and hair.scalp[corners[0]]:
            weight *= rule.scalp_share
        if len(hair.likeness) and not inside and hair.zone[corners[0]]:
            x, y, z = pulls.targets[n]
            column = np.clip(round(intrinsics.fx * x / z + intrinsics.cx), 0, intrinsics.width - 1)
            row = np.clip(round(intrinsics.fy * y / z + intrinsics.cy), 0, intrinsics.height - 1)
            weight *= 1.0 + (rule.hair_share - 1.0) * float(hair.likeness[row, column])
        second, third = barycentric[v, u].astype(np.float64)
        rows.append((corners, [1.0 - second - third, second, third], R_wc @ pulls.directions[n], offset, weight))
    return rows, mass, square
