"""Slow twin of `solver.kernels.shade`, in vectors."""

from __future__ import annotations

import numpy as np

from solver.kernels.shade import CHECKS, FIELDS, OCCLUSION, REST, SPECKLES, STRIPES


def shade_surface(faces, raster, intrinsics, normals, attributes, layers, lighting):
    _, triangle, barycentric = raster
    color, surface = np.zeros((*triangle.shape, 3)), np.zeros((*triangle.shape, 2))
    layer_count = len(layers.patterns)
    for y, x in np.argwhere(triangle >= 0):
        u, v = barycentric[y, x].astype(np.float64)
        corners = faces[triangle[y, x]]
        weights = np.array([1 - u - v, u, v])
        own = weights @ attributes[corners]
        normal = weights @ normals[corners]
        normal /= np.linalg.norm(normal)
        view = -np.array([(x - intrinsics.cx) / intrinsics.fx, (y - intrinsics.cy) / intrinsics.fy, 1.0])
        view /= np.linalg.norm(view)
        positive = np.flatnonzero(own[FIELDS : FIELDS + layer_count] > 0)
        if len(positive):
            covered = positive[-1]
            base = layers.colors[
                covered, second(layers.patterns[covered], layers.periods[covered], own[REST : REST + 3])
            ]
        else:
            covered, base = layer_count, own[:3]
        upward = 0.5 + 0.5 * normal @ lighting.up
        light = own[OCCLUSION] * (lighting.ground + upward * (lighting.sky - lighting.ground))
        highlight = 0.0
        for direction, tint, wrap in zip(lighting.directions, lighting.colors, lighting.wraps, strict=True):
            facing = (normal @ direction + wrap) / (1 + wrap)
            if facing > 0:
                half = (direction + view) / np.linalg.norm(direction + view)
                light = light + facing * (0.5 + 0.5 * own[OCCLUSION]) * tint
                highlight += max(normal @ half, 0.0) ** 16 * tint[1]
        color[y, x] = base * light + layers.glosses[covered] * own[OCCLUSION] * highlight
        surface[y, x] = max(normal @ view, 0.0), layers.reflectances[covered] + 0.5 * np.mean(base)
    return color, surface


def second(pattern, period, point):
    x, y, z = point
    if pattern == STRIPES:
        return int(z % period < 0.5 * period)
    if pattern == CHECKS:
        return int((np.floor(z / period) + np.floor((x + 100.0) / period)) % 2 == 0)
    if pattern == SPECKLES:
        column, row = np.floor(x / period), np.floor(z / period)
        shift = 0.25 * np.sin(column * 12.9898 + row * 78.233 + (1.7 if y > 0 else 0.0))
        u, w = x / period - column - 0.5 - shift, z / period - row - 0.5 + shift
        return int(u**2 + w**2 < 0.05)
    return 0


def compose_over_room(person_depth, room, intrinsics, T_wc, shadows, color, surface):
    room_depth, room_color, room_surface = room
    depth, color, surface = np.zeros(room_depth.shape), color.copy(), surface.copy()
    for y in range(room_depth.shape[0]):
        for x in range(room_depth.shape[1]):
            z, behind = person_depth[y, x], room_depth[y, x]
            if z > 0 and (behind == 0 or z < behind):
                depth[y, x] = z
                continue
            point = behind * np.array([(x - intrinsics.cx) / intrinsics.fx, (y - intrinsics.cy) / intrinsics.fy, 1.0])
            point = T_wc[:3, :3] @ point + T_wc[:3, 3]
            shade = 1.0
            if behind > 0 and point[2] < 0.02:
                for sx, sy, radius, strength in shadows:
                    shade *= 1.0 - strength / (1.0 + ((point[0] - sx) ** 2 + (point[1] - sy) ** 2) / radius**2) ** 2
            depth[y, x], color[y, x], surface[y, x] = behind, room_color[y, x] * shade, room_surface[y, x]
    return depth, color, surface
