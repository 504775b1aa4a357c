"""Slow twins of the kernels of rigid tracking: by the book, one pixel at a time, derivatives by differences."""

import numpy as np


def halve_depth(depth, spread):
    out = np.zeros((depth.shape[0] // 2, depth.shape[1] // 2))
    for v in range(out.shape[0]):
        for u in range(out.shape[1]):
            four = depth[2 * v : 2 * v + 2, 2 * u : 2 * u + 2].astype(float)
            seen = four[four > 0]
            if len(seen):
                near = seen.min()
                diagonals = [np.diag(four), np.diag(four[:, ::-1])]
                whole = [d for d in diagonals if (d > 0).all() and (d - near <= spread * near**2).all()]
                if whole:
                    out[v, u] = 1.0 / np.mean(1.0 / np.concatenate(whole))
    return out


def point(u, v, z, k):
    return np.array([(u - k.cx) / k.fx * z, (v - k.cy) / k.fy * z, z])


def moved(points, twist):
    """First-order motion: what derivatives at zero see."""
    return points + np.cross(twist[:3], points) + twist[3:]


def derivative(residual, at, step=1e-6):
    return np.array([(residual(at + step * e) - residual(at - step * e)) / (2 * step) for e in np.eye(6)])


def planes(current, reference, k, T, rule):
    """Hessian, gradient, pixels with a counterpart, pixels that agree."""
    H, g, count, agreeing = np.zeros((6, 6)), np.zeros(6), 0, 0
    for v in range(k.height):
        for u in range(k.width):
            z = float(current.depth[v, u])
            if z <= 0:
                continue
            q = T[:, :3] @ point(u, v, z, k) + T[:, 3]
            if q[2] <= 0.05:
                continue
            i = int(np.floor(q[0] / q[2] * k.fx + k.cx + 0.5))
            j = int(np.floor(q[1] / q[2] * k.fy + k.cy + 0.5))
            if not (0 <= i < k.width and 0 <= j < k.height) or reference.depth[j, i] <= 0:
                continue
            n = reference.normals[j, i].astype(float)
            if not n.any():
                continue
            m = point(i, j, float(reference.depth[j, i]), k)
            slope = n @ m / m[2]
            if -n @ m / np.linalg.norm(m) < rule.least_cosine:
                continue
            count += 1
            offset = n @ (q - m)
            if abs(offset) > rule.gate:
                continue
            ray = T[:, :3] @ point(u, v, 1.0, k)
            noise = np.hypot(z**2 * rule.disparity_noise, rule.depth_floor) * (n @ ray)
            other = np.hypot(m[2] ** 2 * rule.disparity_noise, rule.depth_floor) * slope * rule.reference_share
            sine = np.linalg.norm(np.cross(n, m)) / np.linalg.norm(m)
            sigma = np.hypot(np.hypot(noise, other), rule.lateral_noise * z * sine)
            weight = (1 + (offset / max(3 * sigma, rule.gate / 4)) ** 2) ** -2.0 / sigma**2
            J = derivative(lambda x, q=q, n=n, m=m: n @ (moved(q, x) - m), np.zeros(6))
            H += weight * np.outer(J, J)
            g += weight * J * offset
            agreeing += abs(offset) < 3 * sigma + 0.005 + 0.003 * z
    return H, g, count, agreeing


def bilinear(image, u, v):
    i, j = int(u), int(v)
    s, t = u - i, v - j
    four = image[j : j + 2, i : i + 2].astype(float)
    return (1 - t) * ((1 - s) * four[0, 0] + s * four[0, 1]) + t * ((1 - s) * four[1, 0] + s * four[1, 1])


def grays(current, reference, k, T, rule):
    """Hessian, gradient and rows of grey values."""
    H, g, count = np.zeros((6, 6)), np.zeros(6), 0
    for v in range(k.height):
        for u in range(k.width):
            z = float(current.depth[v, u])
            if z <= 0:
                continue
            q = T[:, :3] @ point(u, v, z, k) + T[:, 3]
            if q[2] <= 0.05:
                continue
            a, b = q[0] / q[2] * k.fx + k.cx, q[1] / q[2] * k.fy + k.cy
            if not (0 <= a < k.width - 1 and 0 <= b < k.height - 1):
                continue
            zr = float(reference.depth[int(b + 0.5), int(a + 0.5)])
            if zr <= 0 or abs(q[2] - zr) > 0.02 + 4 * (q[2] ** 2 * rule.disparity_noise + rule.depth_floor):
                continue
            i, j = int(a), int(b)
            four = reference.intensity[j : j + 2, i : i + 2].astype(float)
            s, t = a - i, b - j
            slope = np.hypot(
                (1 - t) * (four[0, 1] - four[0, 0]) + t * (four[1, 1] - four[1, 0]),
                (1 - s) * (four[1, 0] - four[0, 0]) + s * (four[1, 1] - four[0, 1]),
            )
            if slope < rule.least_gradient:
                continue

            def there(x, q=q, four=four, i=i, j=j):
                p = moved(q, x)
                s, t = p[0] / p[2] * k.fx + k.cx - i, p[1] / p[2] * k.fy + k.cy - j
                top = (1 - s) * four[0, 0] + s * four[0, 1]
                return rule.gain * ((1 - t) * top + t * ((1 - s) * four[1, 0] + s * four[1, 1])) + rule.bias

            difference = there(np.zeros(6)) - float(current.intensity[v, u])
            J = derivative(there, np.zeros(6))
            weight = (1 + (difference / (3 * rule.sigma)) ** 2) ** -2.0 / rule.sigma**2
            H += weight * np.outer(J, J)
            g += weight * J * difference
            count += 1
    return H, g, count


def match(first, second):
    """Nearest, its distance and the second nearest's, of rows of bits."""
    distances = (first[:, None, :] != second[None, :, :]).sum(2)
    order = np.sort(distances, 1)
    return distances.argmin(1), order[:, 0], order[:, 1]
