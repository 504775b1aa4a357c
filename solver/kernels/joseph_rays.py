"""Joseph's projector and its exact transpose, ray by ray: any view.

A ray is followed along the axis in which it moves fastest, and read once in every plane of voxels across that axis,
bilinear between four voxels; outside the volume there is nothing. Joseph, IEEE Trans. Med. Imag. 1(3), 1982.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.cone_beams import TASKS


@njit(nogil=True, cache=True)
def _narrow(start, slope, side, first, last):
    """The part of the planes first to last where start + plane * slope may lie in (-1, side)."""
    if slope == 0.0:
        return (first, last) if -1.0 < start < side else (first, first)
    low = (-1.0 - start) / slope
    high = (side - start) / slope
    if low > high:
        low, high = high, low
    if high < first or low > last:
        return first, first
    return max(first, int(np.floor(max(low, 0.0)))), min(last, int(np.ceil(min(high, float(last)))) + 1)


@njit(nogil=True, cache=True)
def _steepest_axis(direction, u, row):
    """The axis in which a ray moves fastest: x before y before z where they are equal."""
    x = abs(direction[0, 0] * u + direction[0, 1] * row + direction[0, 2])
    y = abs(direction[1, 0] * u + direction[1, 1] * row + direction[1, 2])
    z = abs(direction[2, 0] * u + direction[2, 1] * row + direction[2, 2])
    if z > x and z > y:
        return 2
    return 1 if y > x else 0


@njit(nogil=True, cache=True)
def _cross(source, direction, u, row, axis, shape):
    """Where a ray runs: start and slope in the other two axes by plane, first plane and one past the last."""
    a = (axis + 1) % 3
    b = (axis + 2) % 3
    along = direction[axis, 0] * u + direction[axis, 1] * row + direction[axis, 2]
    if along == 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0, 0
    slope_a = (direction[a, 0] * u + direction[a, 1] * row + direction[a, 2]) / along
    slope_b = (direction[b, 0] * u + direction[b, 1] * row + direction[b, 2]) / along
    start_a = source[a] - source[axis] * slope_a
    start_b = source[b] - source[axis] * slope_b
    first = 0
    last = shape[axis]
    # Only what lies before the source counts.
    if along > 0.0:
        first = max(first, int(min(max(np.floor(source[axis]) + 1.0, 0.0), float(last))))
    else:
        last = min(last, int(max(np.ceil(source[axis]), 0.0)))
    first, last = _narrow(start_a, slope_a, shape[a], first, last)
    first, last = _narrow(start_b, slope_b, shape[b], first, last)
    return start_a, slope_a, start_b, slope_b, first, last


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def project_rays(volume, beams, views, rays):
    """Sums of `volume` (X, Y, Z) along the rays of those of `views` (N,) that are not upright, into `rays` (N, W, H).

    They become line integrals by `scale_by_length`.
    """
    width, rows = rays.shape[1], rays.shape[2]
    shape = volume.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    flat = volume.reshape(-1)
    for task in prange(TASKS):
        for item in range(task, len(views) * width, TASKS):
            n = item // width
            u = item % width
            view = views[n]
            if beams.upright[view] != 0:
                continue
            for row in range(rows):
                direction = beams.directions[view]
                axis = _steepest_axis(direction, u, row)
                start_a, slope_a, start_b, slope_b, first, last = _cross(
                    beams.sources[view], direction, u, row, axis, shape
                )
                a = (axis + 1) % 3
                b = (axis + 2) % 3
                total = np.float32(0.0)
                for plane in range(first, last):
                    place_a = start_a + plane * slope_a
                    place_b = start_b + plane * slope_b
                    if place_a <= -1.0 or place_b <= -1.0 or place_a >= shape[a] or place_b >= shape[b]:
                        continue
                    i = int(place_a + 1.0) - 1
                    j = int(place_b + 1.0) - 1
                    s = np.float32(place_a - i)
                    t = np.float32(place_b - j)
                    slot = plane * strides[axis] + i * strides[a] + j * strides[b]
                    if i >= 0:
                        if j >= 0:
                            total += (np.float32(1.0) - s) * (np.float32(1.0) - t) * flat[slot]
                        if j + 1 < shape[b]:
                            total += (np.float32(1.0) - s) * t * flat[slot + strides[b]]
                    if i + 1 < shape[a]:
                        if j >= 0:
                            total += s * (np.float32(1.0) - t) * flat[slot + strides[a]]
                        if j + 1 < shape[b]:
                            total += s * t * flat[slot + strides[a] + strides[b]]
                rays[n, u, row] = total


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def back_project_rays(rays, beams, views, volume):
    """Adds the transpose of `project_rays` to `volume`.

    For each axis the planes across it are shared out, and with them the voxels: no two tasks touch the same one.
    """
    width, rows = rays.shape[1], rays.shape[2]
    shape = volume.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    flat = volume.reshape(-1)
    for axis in range(3):
        a = (axis + 1) % 3
        b = (axis + 2) % 3
        for task in prange(TASKS):
            for n in range(len(views)):
                view = views[n]
                if beams.upright[view] != 0:
                    continue
                for u in range(width):
                    for row in range(rows):
                        value = rays[n, u, row]
                        direction = beams.directions[view]
                        if value == 0.0 or _steepest_axis(direction, u, row) != axis:
                            continue
                        start_a, slope_a, start_b, slope_b, first, last = _cross(
                            beams.sources[view], direction, u, row, axis, shape
                        )
                        # The share is every TASKS-th plane, counted from the task's own number.
                        first += (task - first) % TASKS
                        for plane in range(first, last, TASKS):
                            place_a = start_a + plane * slope_a
                            place_b = start_b + plane * slope_b
                            if place_a <= -1.0 or place_b <= -1.0 or place_a >= shape[a] or place_b >= shape[b]:
                                continue
                            i = int(place_a + 1.0) - 1
                            j = int(place_b + 1.0) - 1
                            s = np.float32(place_a - i)
                            t = np.float32(place_b - j)
                            slot = plane * strides[axis] + i * strides[a] + j * strides[b]
                            if i >= 0:
                                if j >= 0:
                                    flat[slot] += (np.float32(1.0) - s) * (np.float32(1.0) - t) * value
                                if j + 1 < shape[b]:
                                    flat[slot + strides[b]] += (np.float32(1.0) - s) * t * value
                            if i + 1 < shape[a]:
                                if j >= 0:
                                    flat[slot + strides[a]] += s * (np.float32(1.0) - t) * value
                                if j + 1 < shape[b]:
                                    flat[slot + strides[a] + strides[b]] += s * t * value
