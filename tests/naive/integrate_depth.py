"""The obvious way: one voxel after the other, in double precision."""

import numpy as np


def pose_voxel(voxels, n, transforms):
    matrix = sum(w * transforms[j].astype(float) for j, w in zip(voxels.joints[n], voxels.weights[n], strict=True))
    return matrix[:, :3] @ voxels.rest[n] + matrix[:, 3], matrix[:, :3] @ voxels.normals[n]


def read_depth(depth, u, v, jump):
    row, column = int(np.floor(v)), int(np.floor(u))
    nearest = depth[int(np.floor(v + 0.5)), int(np.floor(u + 0.5))]
    if nearest <= 0.0 or row + 1 >= depth.shape[0] or column + 1 >= depth.shape[1]:
        return nearest
    four = depth[row : row + 2, column : column + 2].astype(float)
    if four.min() <= 0.0 or np.ptp(four) >= jump:
        return nearest
    s, t = u - column, v - row
    return 1.0 / (np.array([1.0 - t, t]) @ (1.0 / four) @ np.array([1.0 - s, s]))


def observe(voxels, n, view, camera, noise, rule):
    """Signed distance and weight that one view gives voxel n; None where it says nothing."""
    point, normal = pose_voxel(voxels, n, view.transforms)
    if point[2] < 0.1:
        return None
    cosine = -(normal @ point) / (np.linalg.norm(normal) * np.linalg.norm(point))
    if cosine < rule.least_cosine:
        return None
    u = camera.fx * point[0] / point[2] + camera.cx
    v = camera.fy * point[1] / point[2] + camera.cy
    row, column = int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
    if u < 0.0 or v < 0.0 or row >= camera.height or column >= camera.width:
        return None
    slope = point[2] / camera.fx * np.sqrt(1.0 - cosine**2) / cosine
    seen = read_depth(view.depth, u, v, rule.edge_jump_m + 2.0 * slope)
    if seen <= 0.0:
        return None
    distance = (seen - point[2]) * cosine * np.linalg.norm(point) / point[2]
    if distance < -rule.truncation_m:
        return None
    vertex = view.seen_vertex[row, column]
    if vertex >= 0 and np.linalg.norm(view.canonical[vertex] - voxels.canonical[n]) > rule.reach_m:
        return None
    sigma = np.hypot(noise.disparity_sigma_px * point[2] ** 2 / (camera.fx * noise.baseline_m), noise.floor_m)
    weight = rule.sigma_m**2 / sigma**2
    if distance > rule.truncation_m:
        return rule.truncation_m, rule.carve_weight * weight
    return (distance, weight) if view.person[row, column] else None
