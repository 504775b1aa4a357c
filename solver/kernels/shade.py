"""Lights a rasterised person or room: soft directional lights over a hemisphere of ambient light.

Wrapped diffuse after Green, "Real-time approximations to subsurface scattering" (GPU Gems, 2004); highlights after
Blinn (1977). What a pixel is made of is decided per pixel: a layer (clothes, hair) covers what lies below it where its
interpolated field is positive, so hems and hairlines are sharp although colours live at vertices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

PLAIN, STRIPES, CHECKS, SPECKLES = 0, 1, 2, 3
"""Patterns of a layer."""
BASE, OCCLUSION, REST, FIELDS = 0, 3, 4, 7
"""Columns of the vertex attributes: own colour (3), ambient light it gets (1), rest position [m] (3), fields."""


class Lighting(NamedTuple):
    """Lights in frame c."""

    directions: NDArray[np.float32]
    """Unit vectors towards the lights, shape (L, 3)."""
    colors: NDArray[np.float32]
    """Linear, shape (L, 3)."""
    wraps: NDArray[np.float32]
    """How far each reaches round the terminator, 0 .. 1, shape (L,)."""
    up: NDArray[np.float32]
    """Unit vector, shape (3,)."""
    sky: NDArray[np.float32]
    ground: NDArray[np.float32]
    """Ambient light from above and below, linear, shape (3,)."""


class Layers(NamedTuple):
    """What covers the surface, lowest first."""

    colors: NDArray[np.float32]
    """Linear first and second colour, shape (M, 2, 3)."""
    patterns: NDArray[np.int32]
    """Shape (M,)."""
    periods: NDArray[np.float32]
    """Of the pattern [m], shape (M,)."""
    glosses: NDArray[np.float32]
    """Strength of the highlight; the last entry is the uncovered surface's. Shape (M + 1,)."""
    reflectances: NDArray[np.float32]
    """In the infrared; the last entry is the uncovered surface's. Shape (M + 1,)."""


@njit(nogil=True, cache=True, inline="always")
def _second_color(pattern, period, x, y, z):
    """Whether the pattern shows its second colour at a rest position."""
    if pattern == STRIPES:
        return z - np.floor(z / period) * period < 0.5 * period
    if pattern == CHECKS:
        return (np.floor(z / period) + np.floor((x + 100.0) / period)) % 2 == 0
    if pattern == SPECKLES:
        cx, cz = np.floor(x / period), np.floor(z / period)
        u, w = x / period - cx - 0.5, z / period - cz - 0.5
        shift = np.sin(cx * 12.9898 + cz * 78.233 + (1.7 if y > 0.0 else 0.0)) * 0.25
        return (u - shift) ** 2 + (w + shift) ** 2 < 0.05
    return False


@njit(nogil=True, cache=True, parallel=True)
def shade_surface(faces, raster, intrinsics, normals, attributes, layers, lighting, color, surface):
    """Light the pixels that the raster holds; others are left alone.

    raster (depth, triangle, barycentric); normals (V, 3) frame c; attributes (V, 7 + M), see `FIELDS`. Out: color
    (H, W, 3) linear; surface (H, W, 2): cosine to the viewing ray, infrared reflectance.
    """
    triangle, barycentric = raster[1], raster[2]
    layer_count = layers.patterns.shape[0]
    one, half = np.float32(1.0), np.float32(0.5)
    for y in prange(triangle.shape[0]):
        base = np.empty(3, np.float32)
        light = np.empty(3, np.float32)
        for x in range(triangle.shape[1]):
            f = triangle[y, x]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w1, w2 = barycentric[y, x, 0], barycentric[y, x, 1]
            w0 = one - w1 - w2
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            scale = one / max(np.sqrt(nx * nx + ny * ny + nz * nz), np.float32(1e-6))
            nx, ny, nz = nx * scale, ny * scale, nz * scale
            vx = np.float32(-(x - intrinsics.cx) / intrinsics.fx)
            vy = np.float32(-(y - intrinsics.cy) / intrinsics.fy)
            vz = -one
            scale = one / np.sqrt(vx * vx + vy * vy + one)
            vx, vy, vz = vx * scale, vy * scale, vz * scale
            covered = layer_count
            for m in range(layer_count - 1, -1, -1):
                k = FIELDS + m
                if w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k] > 0.0:
                    covered = m
                    break
            if covered < layer_count:
                second = 0
                if layers.patterns[covered] != PLAIN:
                    px = w0 * attributes[a, REST] + w1 * attributes[b, REST] + w2 * attributes[c, REST]
                    py = w0 * attributes[a, REST + 1] + w1 * attributes[b, REST + 1] + w2 * attributes[c, REST + 1]
                    pz = w0 * attributes[a, REST + 2] + w1 * attributes[b, REST + 2] + w2 * attributes[c, REST + 2]
                    if _second_color(layers.patterns[covered], layers.periods[covered], px, py, pz):
                        second = 1
                for k in range(3):
                    base[k] = layers.colors[covered, second, k]
            else:
                for k in range(3):
                    base[k] = w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]
            open_sky = w0 * attributes[a, OCCLUSION] + w1 * attributes[b, OCCLUSION] + w2 * attributes[c, OCCLUSION]
            upward = half + half * (nx * lighting.up[0] + ny * lighting.up[1] + nz * lighting.up[2])
            highlight = np.float32(0.0)
            for k in range(3):
                light[k] = open_sky * (lighting.ground[k] + upward * (lighting.sky[k] - lighting.ground[k]))
            for s in range(lighting.directions.shape[0]):
                lx, ly, lz = lighting.directions[s, 0], lighting.directions[s, 1], lighting.directions[s, 2]
                wrap = lighting.wraps[s]
                facing = (nx * lx + ny * ly + nz * lz + wrap) / (one + wrap)
                if facing <= 0.0:
                    continue
                facing *= half + half * open_sky
                hx, hy, hz = lx + vx, ly + vy, lz + vz
                glance = max(nx * hx + ny * hy + nz * hz, np.float32(0.0)) / np.sqrt(hx * hx + hy * hy + hz * hz)
                glance *= glance
                glance *= glance
                glance *= glance
                glance *= glance
                highlight += glance * lighting.colors[s, 1]
                for k in range(3):
                    light[k] += facing * lighting.colors[s, k]
            gloss = layers.glosses[covered] * open_sky
            for k in range(3):
                color[y, x, k] = base[k] * light[k] + gloss * highlight
            surface[y, x, 0] = max(nx * vx + ny * vy + nz * vz, np.float32(0.0))
            brightness = (base[0] + base[1] + base[2]) * np.float32(1.0 / 3.0)
            surface[y, x, 1] = layers.reflectances[covered] + half * brightness


@njit(nogil=True, cache=True, parallel=True)
def compose_over_room(person_depth, room, intrinsics, T_wc, shadows, depth, color, surface):
    """Put the room behind the person, with the soft shade that the person casts on the floor.

    room (depth, color, surface) of the empty room; shadows (N, 4): x, y [m] on the floor, radius [m], strength. `color`
    and `surface` hold the person already; out: depth, color, surface of the whole scene.
    """
    room_depth, room_color, room_surface = room
    for y in prange(room_depth.shape[0]):
        for x in range(room_depth.shape[1]):
            z, behind = person_depth[y, x], room_depth[y, x]
            if z > 0.0 and (behind == 0.0 or z < behind):
                depth[y, x] = z
                continue
            depth[y, x] = behind
            shade = np.float32(1.0)
            rx = (x - intrinsics.cx) / intrinsics.fx * behind
            ry = (y - intrinsics.cy) / intrinsics.fy * behind
            floor_z = T_wc[2, 0] * rx + T_wc[2, 1] * ry + T_wc[2, 2] * behind + T_wc[2, 3]
            if behind > 0.0 and floor_z < 0.02:
                floor_x = T_wc[0, 0] * rx + T_wc[0, 1] * ry + T_wc[0, 2] * behind + T_wc[0, 3]
                floor_y = T_wc[1, 0] * rx + T_wc[1, 1] * ry + T_wc[1, 2] * behind + T_wc[1, 3]
                for s in range(shadows.shape[0]):
                    dx, dy = floor_x - shadows[s, 0], floor_y - shadows[s, 1]
                    fall = 1.0 + (dx * dx + dy * dy) / (shadows[s, 2] * shadows[s, 2])
                    shade *= np.float32(1.0 - shadows[s, 3] / (fall * fall))
            for k in range(3):
                color[y, x, k] = room_color[y, x, k] * shade
            surface[y, x, 0] = room_surface[y, x, 0]
            surface[y, x, 1] = room_surface[y, x, 1]
