"""Joseph's projector and its exact transpose, for views whose detector columns stand parallel to the volume's z axis.

All rays of such a column lie in one upright plane. Where they cross a plane of voxels they share their place across it
and lie evenly spaced along z: the two neighbouring columns of voxels are blended once (contiguous in memory), then read
along z. Same weights as `joseph_rays`, several times faster. Joseph, IEEE Trans. Med. Imag. 1(3), 1982.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.cone_beams import TASKS

_TILE = 16


@njit(nogil=True, cache=True, inline="always")
def _crossing(beams, view, u, axis, plane):
    """Where column `u` crosses `plane` of `axis`: place across, then z of row 0 plus 1 and its step from row to row.

    The step is 0 where the column looks the other way, or belongs to the other axis.
    """
    direction = beams.directions[view]
    x = direction[0, 0] * u + direction[0, 2]
    y = direction[1, 0] * u + direction[1, 2]
    along = x if axis == 0 else y
    across = y if axis == 0 else x
    mine = abs(x) >= abs(y) if axis == 0 else abs(y) > abs(x)
    if not mine or along == 0.0:
        return 0.0, np.float32(0.0), np.float32(0.0)
    source = beams.sources[view]
    t = (plane - source[axis]) / along
    if t <= 0.0:
        return 0.0, np.float32(0.0), np.float32(0.0)
    base = source[2] + t * (direction[2, 0] * u + direction[2, 2])
    return source[1 - axis] + t * across, np.float32(base + 1.0), np.float32(t * direction[2, 1])


@njit(nogil=True, cache=True)
def _rows_inside(base, step, rows, depth):
    """First and one past the last row whose place base + row * step lies in [0, depth + 1)."""
    end = np.float32(depth + 1)
    low = -base / step
    high = (end - base) / step
    if low > high:
        low, high = high, low
    first = int(min(max(np.ceil(low), 0.0), float(rows)))
    last = int(min(max(np.floor(high) + 1.0, 0.0), float(rows)))
    # Rounding: what is read must be inside to the last bit.
    while first < last and not (0.0 <= base + np.float32(first) * step < end):
        first += 1
    while last > first and not (0.0 <= base + np.float32(last - 1) * step < end):
        last -= 1
    return first, last


@njit(nogil=True, cache=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def _read_along(column, base, step, first, last, rays):
    """Adds the column's values, linear between voxels, to the rays."""
    start = base + np.float32(first) * step
    part = rays[first:last]
    for row in range(len(part)):
        place = start + np.float32(row) * step
        whole = np.int32(place)
        k = np.uint32(whole)
        low = column[k]
        part[row] += low + (place - np.float32(whole)) * (column[k + np.uint32(1)] - low)


@njit(nogil=True, cache=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def _spread_along(rays, base, step, first, last, column):
    """The transpose of `_read_along`."""
    start = base + np.float32(first) * step
    part = rays[first:last]
    for row in range(len(part)):
        place = start + np.float32(row) * step
        whole = np.int32(place)
        k = np.uint32(whole)
        upper = (place - np.float32(whole)) * part[row]
        column[k] += part[row] - upper
        column[k + np.uint32(1)] += upper


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def project_columns(volume, beams, views, scratch, rays):
    """Sums of `volume` (X, Y, Z) along the rays of the upright ones of `views` (N,), into `rays` (N, W, H).

    They become line integrals by `scale_by_length`. `scratch` is (TASKS, Z + 2).
    """
    width, rows = rays.shape[1], rays.shape[2]
    depth = volume.shape[2]
    tiles = (width + _TILE - 1) // _TILE
    for task in prange(TASKS):
        column = scratch[task]
        column[0] = 0.0
        column[depth + 1] = 0.0
        for item in range(task, len(views) * tiles, TASKS):
            n = item // tiles
            view = views[n]
            if beams.upright[view] == 0:
                continue
            start = (item % tiles) * _TILE
            stop = min(start + _TILE, width)
            rays[n, start:stop] = 0.0
            for axis in range(2):
                side = volume.shape[1 - axis]
                for plane in range(volume.shape[axis]):
                    for u in range(start, stop):
                        across, base, step = _crossing(beams, view, u, axis, plane)
                        if step == 0.0 or across <= -1.0 or across >= side:
                            continue
                        first, last = _rows_inside(base, step, rows, depth)
                        if first >= last:
                            continue
                        j = int(across + 1.0) - 1
                        far = np.float32(across - j)
                        near = np.float32(1.0) - far
                        if axis == 0:
                            a = volume[plane, max(j, 0)]
                            b = volume[plane, min(j + 1, side - 1)]
                        else:
                            a = volume[max(j, 0), plane]
                            b = volume[min(j + 1, side - 1), plane]
                        if j < 0:
                            near = np.float32(0.0)
                        if j + 1 >= side:
                            far = np.float32(0.0)
                        p = base + np.float32(first) * step
                        q = base + np.float32(last - 1) * step
                        lowest = max(int(min(p, q)) - 1, 0)
                        highest = min(int(max(p, q)) + 1, depth)
                        for k in range(lowest, highest):
                            column[k + 1] = near * a[k] + far * b[k]
                        _read_along(column, base, step, first, last, rays[n, u])


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def back_project_columns(rays, beams, views, scratch, volume):
    """Adds the transpose of `project_columns` to `volume`.

    Rays that cross along x are shared out by planes of x, the others by planes of y: no two tasks touch one voxel.
    """
    width, rows = rays.shape[1], rays.shape[2]
    depth = volume.shape[2]
    for axis in range(2):
        side = volume.shape[1 - axis]
        for task in prange(TASKS):
            column = scratch[task]
            column[:] = 0.0
            for plane in range(task, volume.shape[axis], TASKS):
                for n in range(len(views)):
                    if beams.upright[views[n]] == 0:
                        continue
                    for u in range(width):
                        across, base, step = _crossing(beams, views[n], u, axis, plane)
                        if step == 0.0 or across <= -1.0 or across >= side:
                            continue
                        first, last = _rows_inside(base, step, rows, depth)
                        if first >= last:
                            continue
                        _spread_along(rays[n, u], base, step, first, last, column)
                        j = int(across + 1.0) - 1
                        far = np.float32(across - j)
                        near = np.float32(1.0) - far
                        p = base + np.float32(first) * step
                        q = base + np.float32(last - 1) * step
                        lowest = max(int(min(p, q)) - 1, 0)
                        highest = min(int(max(p, q)) + 1, depth)
                        if j >= 0:
                            a = volume[plane, j] if axis == 0 else volume[j, plane]
                            for k in range(lowest, highest):
                                a[k] += near * column[k + 1]
                        if j + 1 < side:
                            b = volume[plane, j + 1] if axis == 0 else volume[j + 1, plane]
                            for k in range(lowest, highest):
                                b[k] += far * column[k + 1]
                        for k in range(lowest, highest + 2):
                            column[k] = 0.0
