"""Residuals of one picture carried to the vertices, pixel by pixel, as the documentation words it."""

import numpy as np


def carried_residuals(raster, faces, normals, depth, person, camera, noise, rule):
    """Sums of residual times weight, of weight and of pixel shares at the vertices, each (V,)."""
    sums, weights, shares = (np.zeros(len(normals)) for _ in range(3))
    for corners, corner_shares, outwards, weight in pixel_residuals(
        raster, faces, normals, depth, person, camera, noise, rule
    ):
        for corner, share in zip(corners, corner_shares, strict=True):
            sums[corner] += share * weight * outwards
            weights[corner] += share * weight
            shares[corner] += share
    return sums, weights, shares


def pixel_residuals(raster, faces, normals, depth, person, camera, noise, rule):
    """Of every pixel that counts: the corners behind it, their shares, the residual [m] outwards, its weight."""
    height, width = depth.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            triangle, measured, predicted = raster.triangle[y, x], float(depth[y, x]), float(raster.depth[y, x])
            if triangle < 0 or not person[y, x] or measured <= 0.0:
                continue
            second, third = raster.barycentric[y, x].astype(float)
            corner_shares = np.array([1.0 - second - third, second, third])
            corners = faces[triangle]
            normal = corner_shares @ normals[corners]
            normal /= np.linalg.norm(normal)
            ray = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0])
            cosine = -(normal @ ray) / np.linalg.norm(ray)
            if cosine < rule.least_cosine:
                continue
            slope = predicted / camera.fx * np.tan(np.arccos(cosine))
            around = depth[[y, y, y - 1, y + 1], [x - 1, x + 1, x, x]]
            if np.any(np.abs(around - measured) > rule.edge_jump_m + slope):
                continue
            disparity_residual = 1.0 / measured - 1.0 / predicted
            outwards = disparity_residual * predicted**2 * -(normal @ ray)
            robust = (1.0 / (1.0 + (outwards / rule.gate_m) ** 2)) ** 2
            sigma = noise.disparity_sigma_px * predicted**2 / (camera.fx * noise.baseline_m)
            weight = robust * rule.sigma_m**2 / (sigma**2 + noise.floor_m**2)
            yield corners, corner_shares, outwards, weight
