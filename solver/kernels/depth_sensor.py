"""What a stereo or time-of-flight depth camera makes of the true depth.

Stereo: Keselman et al., "Intel RealSense stereoscopic depth cameras" (2017) and Chow and Lichti, "Photogrammetric
bundle adjustment of depth cameras" (2013): the error is one of disparity d = f B / z, correlated over the matching
window, with a part that stays the same from frame to frame; what only one of the two imagers sees has no depth.
Time of flight: the beam's footprint mixes depths at edges, dark and grazing surfaces return little light.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange


class StereoSensor(NamedTuple):
    """A stereo camera. Fields are float32 or int, as kernels take them."""

    focal_baseline: float
    """f B [px m]."""
    sigma: float
    """Disparity noise [px]."""
    scale: float
    """True disparity is multiplied by this: the error of the calibrated f B."""
    step: float
    """Disparity is a multiple of this [px]."""
    near: float
    far: float
    """Range in which there is depth [m]."""


class FlightSensor(NamedTuple):
    """A time-of-flight camera."""

    floor: float
    """Noise at no distance [m]."""
    growth: float
    """Noise that grows with the square of the depth [1 / m]."""
    largest: float
    """Noise is never more than this [m]."""
    scale: float
    """Depth is multiplied by this."""
    wiggle: float
    wiggle_phase: float
    """Amplitude [m] and phase [rad] of the error that is periodic in depth (Kahlmann et al. 2006)."""
    wiggle_period: float
    """[m]."""
    step: float
    """Depth is a multiple of this [m]."""
    near: float
    far: float


@njit(nogil=True, cache=True, parallel=True)
def find_half_occluded(depth, focal_baseline, occluded):
    """Marks (H, W) bool the pixels that the second imager, to the right of the first, cannot see.

    Seen from the second imager x becomes x - f B / z; a pixel is hidden where one further right lands before it. For
    a baseline that runs down the picture hand in both pictures transposed.
    """
    slack = np.float32(0.5)
    for y in prange(depth.shape[0]):
        nearest = np.float32(1e9)
        for x in range(depth.shape[1] - 1, -1, -1):
            z = depth[y, x]
            if z <= 0.0:
                occluded[y, x] = False
                continue
            landing = np.float32(x) - np.float32(focal_baseline) / z
            occluded[y, x] = landing > nearest + slack
            nearest = min(nearest, landing)


@njit(nogil=True, cache=True, inline="always")
def _depth_range(depth, y, x):
    """Least and greatest depth of the pixel and those one and two steps along both axes; 0 is left out."""
    height, width = depth.shape
    low, high = depth[y, x], depth[y, x]
    for k in (-2, -1, 1, 2):
        if 0 <= y + k < height and depth[y + k, x] > 0.0:
            low, high = min(low, depth[y + k, x]), max(high, depth[y + k, x])
        if 0 <= x + k < width and depth[y, x + k] > 0.0:
            low, high = min(low, depth[y, x + k]), max(high, depth[y, x + k])
    return low, high


@njit(nogil=True, cache=True, inline="always")
def _returns_light(cosine, reflectance, luck):
    """Whether a surface is bright and frontal enough to be matched; `luck` is standard normal."""
    # Grazing: nothing below about 5 degrees, everything above about 20. Dark hair: about half.
    grazing = (cosine - np.float32(0.08)) * np.float32(12.0)
    dark = (reflectance - np.float32(0.035)) * np.float32(60.0)
    return min(grazing, dark) + np.float32(0.5) + luck > 0.0


@njit(nogil=True, cache=True, parallel=True)
def sense_stereo(depth, surface, occluded, noise, luck, field, sensor, out):
    """Depth (H, W) float32 [m] as a stereo camera gives it, 0 where it gives none.

    depth (H, W) true [m]; surface (H, W, 2): cosine to the viewing ray, infrared reflectance; occluded (H, W) from
    `find_half_occluded`; noise, luck (H, W) normal, correlated over the matching window; field (H, W) fixed disparity
    error [px].
    """
    height, width = depth.shape
    focal_baseline = np.float32(sensor.focal_baseline)
    scale, sigma, step = np.float32(sensor.scale), np.float32(sensor.sigma), np.float32(sensor.step)
    for y in prange(height):
        for x in range(width):
            out[y, x] = 0.0
            z = depth[y, x]
            if z <= 0.0 or occluded[y, x]:
                continue
            cosine, chance = surface[y, x, 0], luck[y, x]
            if not _returns_light(cosine, surface[y, x, 1], chance):
                continue
            disparity = focal_baseline / z
            low, high = _depth_range(depth, y, x)
            near_disparity, far_disparity = focal_baseline / low, focal_baseline / high
            if near_disparity - far_disparity > 1.0:
                if disparity - far_disparity < near_disparity - disparity:
                    # Behind an edge the window still holds the foreground's texture: it spreads, flies or fails.
                    if chance < -0.4:
                        disparity = near_disparity
                    elif chance < 0.1:
                        disparity = far_disparity + (np.float32(0.1) - chance) * 2.0 * (near_disparity - far_disparity)
                    elif chance < 0.9:
                        continue
                elif chance < -1.2:
                    continue
                elif chance < -0.9:
                    disparity += (chance + np.float32(0.9)) * 2.0 * (near_disparity - far_disparity)
            slant = min(np.float32(1.0) / max(cosine, np.float32(0.1)), np.float32(3.0)) - np.float32(1.0)
            disparity = (
                disparity * scale + field[y, x] + sigma * (np.float32(1.0) + np.float32(0.3) * slant) * noise[y, x]
            )
            disparity = np.rint(disparity / step) * step
            if disparity > 0.0:
                measured = focal_baseline / disparity
                if sensor.near <= measured <= sensor.far:
                    out[y, x] = measured


@njit(nogil=True, cache=True, parallel=True)
def sense_flight(depth, surface, noise, luck, field, sensor, out):
    """Depth (H, W) float32 [m] as a time-of-flight camera gives it, 0 where it gives none. Arguments as above;
    field (H, W) fixed depth error [m].
    """
    height, width = depth.shape
    for y in prange(height):
        for x in range(width):
            out[y, x] = 0.0
            z = depth[y, x]
            if z <= 0.0:
                continue
            cosine, reflectance, chance = surface[y, x, 0], surface[y, x, 1], luck[y, x]
            if not _returns_light(cosine, reflectance, chance):
                continue
            low, high = _depth_range(depth, y, x)
            if high - low > 0.05:
                if chance < -1.0 or chance > 1.3:
                    continue
                if abs(chance) < 0.35:
                    z = low + (np.float32(0.5) + chance) * (high - low)
            faint = np.float32(1.0) / np.sqrt(
                max(cosine * min(reflectance * np.float32(2.5), np.float32(1.0)), np.float32(0.05))
            )
            sigma = min(np.float32(np.hypot(sensor.floor, sensor.growth * z * z)) * faint, np.float32(sensor.largest))
            turn = np.float32(6.2831855) * z / np.float32(sensor.wiggle_period) + np.float32(sensor.wiggle_phase)
            measured = z * np.float32(sensor.scale) + field[y, x] + np.float32(sensor.wiggle) * np.sin(turn)
            measured = np.float32(np.rint((measured + sigma * noise[y, x]) / sensor.step) * sensor.step)
            if sensor.near <= measured <= sensor.far:
                out[y, x] = measured
