"""The obvious way: one voxel, one pixel, one ray after the other, in double precision."""

import numpy as np


def nearness(depth, mask, farthest, jump, reach, fringe):
    """Nearness and trust of every pixel."""
    near, trust = np.zeros(depth.shape), np.zeros(depth.shape)
    height, width = depth.shape
    for y in range(height):
        for x in range(width):
            if depth[y, x] <= 0.0:
                continue
            if depth[y, x] > farthest:
                near[y, x] = -1.0 / farthest
                continue
            around = [(y, x + k) for k in range(-reach, reach + 1)] + [(y + k, x) for k in range(-reach, reach + 1)]
            seen = [depth[p] for p in around if 0 <= p[0] < height and 0 <= p[1] < width]
            inverse = [1.0 / z for z in seen if z > 0.0]
            q = 1.0 / depth[y, x]
            if max(inverse) - q > jump:
                continue
            if not mask[y, x]:
                near[y, x] = -q
                continue
            near[y, x] = q
            trust[y, x] = fringe if len(inverse) < len(seen) or q - min(inverse) > jump else 1.0
    return near, trust


def observe(point, T_cw, camera, near, trust, rule):
    """Signed distance and weight that one image gives a voxel at `point`; None where it says nothing."""
    x, y, z = T_cw[:3, :3] @ point + T_cw[:3, 3]
    if z < 0.1:
        return None
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    i, j = int(np.floor(u)), int(np.floor(v))
    if i < 0 or j < 0 or i + 1 >= camera.width or j + 1 >= camera.height:
        return None
    four = near[j : j + 2, i : i + 2]
    sight = rule.sigma_m**2 / (rule.error_floor_m**2 + (rule.error_growth * z * z) ** 2)
    s, t = u - i, v - j
    nearest = four[int(t >= 0.5), int(s >= 0.5)]
    if four.min() > 0.0 and np.ptp(four) < rule.cell_jump:
        q = np.array([1.0 - t, t]) @ four @ np.array([1.0 - s, s])
        share = sight * trust[j : j + 2, i : i + 2].min()
    elif nearest != 0.0:
        q = abs(nearest)
        share = sight * rule.edge_trust if nearest > 0.0 else 0.0
    else:
        return None
    d = z * (1.0 - z * q)
    if d > rule.truncation_m:
        return rule.truncation_m, sight * rule.carve_weight
    return (d, share) if d >= -rule.truncation_m and share > 0.0 else None


def consensus_rows(points, normals, residuals, slopes, places, knots, cell, poses):
    """Dense rows of the whole least-squares problem, its points' unknowns first: matrix and right-hand side."""
    images, count = residuals.shape
    rows, columns = knots
    first = count + (6 * images if poses else 0)
    A, b = [], []
    for n in range(count):
        if (slopes[:, n] != 0.0).sum() < 3:
            continue
        for k in range(images):
            a = slopes[k, n]
            if a == 0.0:
                continue
            row = np.zeros(first + rows * columns)
            row[n] = a
            if poses:
                row[count + 6 * k : count + 6 * k + 6] = -a * np.r_[np.cross(points[n], normals[n]), normals[n]]
            u, v = places[k, n] / cell
            i, j = int(u), int(v)
            for c, d in ((0, 0), (0, 1), (1, 0), (1, 1)):
                share = (u - i if d else 1 - u + i) * (v - j if c else 1 - v + j)
                row[first + (j + c) * columns + i + d] += share
            A.append(row)
            b.append(residuals[k, n])
    return np.array(A), np.array(b)


def march(distance_at, origin, direction, far, step=2e-4):
    """Depth at which a ray first goes from positive to negative distance; 0 where it never does.

    `distance_at` takes points (N, 3) and gives distances (N,), NaN where unknown.
    """
    depths = np.arange(0.1, far, step)
    values = distance_at(origin + depths[:, None] * direction)
    enters = np.flatnonzero((values[:-1] > 0.0) & (values[1:] <= 0.0))
    return (
        depths[enters[0]] + step * values[enters[0]] / (values[enters[0]] - values[enters[0] + 1])
        if len(enters)
        else 0.0
    )


def tile_bounds(near, trust, side):
    """Five bounds of every tile: of surfaces, of all that is known, and what holds of all pixels."""
    height, width = near.shape
    bounds = np.zeros((5, -(-height // side), -(-width // side)))
    for a in range(bounds.shape[1]):
        for b in range(bounds.shape[2]):
            q = near[a * side : (a + 1) * side, b * side : (b + 1) * side]
            sure = trust[a * side : (a + 1) * side, b * side : (b + 1) * side] == 1.0
            surfaces, known = q[q > 0.0], np.abs(q[q != 0.0])
            bounds[0, a, b] = surfaces.min() if len(surfaces) else np.inf
            bounds[1, a, b] = surfaces.max() if len(surfaces) else 0.0
            bounds[2, a, b] = known.min() if len(known) else np.inf
            bounds[3, a, b] = known.max() if len(known) else 0.0
            bounds[4, a, b] = 2.0 if sure.all() else 1.0 if (q != 0.0).all() else 0.0
    return bounds
