"""The colours of an atlas from the pictures that its vertices chose."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

BEST = 4
"""A vertex lies between so many views at most."""


@njit(nogil=True, cache=True)
def weigh_views(faces, labels, areas, view_of, weight_of):
    """The views about each vertex and their shares: those of the triangles around it, by area.

    labels (F,) int32, -1 for none; areas (F,) float32. Out: view_of (V, 4) int32, -1 for none; weight_of (V, 4)
    float32, which sum to the share of the area that has a label. The smallest of more than four are lost.
    """
    total = np.zeros(view_of.shape[0], np.float32)
    view_of[:] = -1
    weight_of[:] = 0.0
    for f in range(faces.shape[0]):
        label = labels[f]
        for k in range(3):
            v = faces[f, k]
            total[v] += areas[f]
            if label < 0:
                continue
            slot = -1
            for s in range(BEST):
                if view_of[v, s] == label or view_of[v, s] < 0:
                    slot = s
                    break
            if slot >= 0:
                view_of[v, slot] = label
                weight_of[v, slot] += areas[f]
    for v in range(view_of.shape[0]):
        if total[v] > 0.0:
            for s in range(BEST):
                weight_of[v, s] /= total[v]


@njit(nogil=True, cache=True, inline="always")
def _cubic(t, taps):
    """Weights of the four pixels about a place t beyond the second (Catmull-Rom; Keys 1981)."""
    taps[0] = ((-0.5 * t + 1.0) * t - 0.5) * t
    taps[1] = (1.5 * t - 2.5) * t * t + 1.0
    taps[2] = ((-1.5 * t + 2.0) * t + 0.5) * t
    taps[3] = (0.5 * t - 0.5) * t * t


@njit(nogil=True, cache=True, parallel=True)
def paint_texels(layout, faces, pictures, picture_of, pixels, gains, shifts, blend, fill, atlas, seen):
    """Atlas (N, N, 3) uint8 sRGB and how much of each texel a view saw, seen (N, N) uint8, 255 all of it.

    layout: (triangle, barycentric) of the texels; pictures (P, H, W, 3) uint8; views are numbered 0 .. S: picture_of
    (S,) int32 is the picture of each, pixels (S, V, 2) float32 where it shows the vertices, gains and shifts (S, V, 3)
    float32 what its colours are multiplied with and then moved by; blend: (view_of, weight_of, visible) as
    `weigh_views` made them and visible (S, V) bool; fill (V, 3) float32 what is taken where no view is. A view
    counts in a triangle where all three corners are visible in it. Views from `seen_views` on, blend[3], are no
    sight of the place itself (mirrored ones).
    """
    triangle, barycentric = layout
    view_of, weight_of, visible, seen_views = blend
    size = triangle.shape[0]
    height, width = pictures.shape[1], pictures.shape[2]
    for row in prange(size):
        views = np.empty(3 * BEST, np.int32)
        shares = np.empty(3 * BEST, np.float32)
        across, down = np.empty(4, np.float32), np.empty(4, np.float32)
        color = np.empty(3, np.float32)
        for column in range(size):
            f = triangle[row, column]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            wb, wc = barycentric[row, column, 0], barycentric[row, column, 1]
            wa = np.float32(1.0) - wb - wc
            count = 0
            wanted = np.float32(0.0)
            for k in range(3):
                v, weight = (a, wa) if k == 0 else ((b, wb) if k == 1 else (c, wc))
                for s in range(BEST):
                    view = view_of[v, s]
                    if view < 0:
                        break
                    share = weight * weight_of[v, s]
                    wanted += share
                    if not (visible[view, a] and visible[view, b] and visible[view, c]):
                        continue
                    at = 0
                    while at < count and views[at] != view:
                        at += 1
                    if at == count:
                        views[at], shares[at] = view, share
                        count += 1
                    else:
                        shares[at] += share
            taken = direct = np.float32(0.0)
            color[:] = 0.0
            for i in range(count):
                share = shares[i]
                if share < 0.004:
                    continue
                n = views[i]
                u = wa * pixels[n, a, 0] + wb * pixels[n, b, 0] + wc * pixels[n, c, 0]
                w = wa * pixels[n, a, 1] + wb * pixels[n, b, 1] + wc * pixels[n, c, 1]
                x, y = math.floor(u), math.floor(w)
                if x < 1 or y < 1 or x + 2 >= width or y + 2 >= height:
                    continue
                _cubic(np.float32(u - x), across)
                _cubic(np.float32(w - y), down)
                picture = pictures[picture_of[n]]
                for k in range(3):
                    value = np.float32(0.0)
                    for j in range(4):
                        line = np.float32(0.0)
                        for m in range(4):
                            line += across[m] * np.float32(picture[y - 1 + j, x - 1 + m, k])
                        value += down[j] * line
                    gain = wa * gains[n, a, k] + wb * gains[n, b, k] + wc * gains[n, c, k]
                    shift = wa * shifts[n, a, k] + wb * shifts[n, b, k] + wc * shifts[n, c, k]
                    color[k] += share * (gain * value + shift)
                taken += share
                if n < seen_views:
                    direct += share
            if taken > 0.0:
                for k in range(3):
                    color[k] *= wanted / taken
                direct *= wanted / taken
                taken = wanted
            left = max(np.float32(1.0) - taken, np.float32(0.0))
            for k in range(3):
                rest = wa * fill[a, k] + wb * fill[b, k] + wc * fill[c, k]
                value = min(max(color[k] + left * rest, np.float32(0.0)), np.float32(255.0))
                atlas[row, column, k] = np.uint8(value + np.float32(0.5))
            seen[row, column] = np.uint8(np.float32(255.0) * min(direct, np.float32(1.0)) + np.float32(0.5))


@njit(nogil=True, cache=True)
def fill_gutters(gutter, nearest, atlas):
    """Texels (N, N, 3) at the flat indices `gutter` take the colour of those at `nearest`."""
    size = atlas.shape[1]
    for i in range(gutter.shape[0]):
        row, column = gutter[i] // size, gutter[i] % size
        source_row, source_column = nearest[i] // size, nearest[i] % size
        for k in range(3):
            atlas[row, column, k] = atlas[source_row, source_column, k]
