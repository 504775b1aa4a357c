"""Total variation of a volume: value, gradient, and one dual step of its proximal map.

Forward differences with nothing beyond the last voxel; isotropic: the length of the three. `scale` (3,) float32 divides
the differences along each axis by the relative spacing of the voxels.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True)
def _forward(volume, x, y, z, scale):
    """Differences to the next voxels, 0 at the end."""
    here = volume[x, y, z]
    zero = np.float32(0.0)
    a = (volume[x + 1, y, z] - here) * scale[0] if x + 1 < volume.shape[0] else zero
    b = (volume[x, y + 1, z] - here) * scale[1] if y + 1 < volume.shape[1] else zero
    c = (volume[x, y, z + 1] - here) * scale[2] if z + 1 < volume.shape[2] else zero
    return a, b, c


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def total_variation(volume, scale, partial):
    """Sum of the lengths of all gradients, summed in float64. `partial` is (X,) float64."""
    for x in prange(volume.shape[0]):
        total = 0.0
        for y in range(volume.shape[1]):
            for z in range(volume.shape[2]):
                a, b, c = _forward(volume, x, y, z, scale)
                total += np.sqrt(a * a + b * b + c * c)
        partial[x] = total
    total = 0.0
    for x in range(volume.shape[0]):
        total += partial[x]
    return total


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def variation_gradient(volume, scale, smallest, inverse, gradient, partial):
    """Gradient of the total variation, rounded where differences are below `smallest`. Returns its squared length.

    `inverse` is scratch, `gradient` the result, both (X, Y, Z); `partial` is (X,) float64.
    """
    floor = np.float32(smallest * smallest)
    one = np.float32(1.0)
    for x in prange(volume.shape[0]):
        for y in range(volume.shape[1]):
            for z in range(volume.shape[2]):
                a, b, c = _forward(volume, x, y, z, scale)
                inverse[x, y, z] = one / np.sqrt(a * a + b * b + c * c + floor)
    for x in prange(volume.shape[0]):
        total = 0.0
        for y in range(volume.shape[1]):
            for z in range(volume.shape[2]):
                a, b, c = _forward(volume, x, y, z, scale)
                here = volume[x, y, z]
                value = -(a * scale[0] + b * scale[1] + c * scale[2]) * inverse[x, y, z]
                if x > 0:
                    value += (here - volume[x - 1, y, z]) * scale[0] * scale[0] * inverse[x - 1, y, z]
                if y > 0:
                    value += (here - volume[x, y - 1, z]) * scale[1] * scale[1] * inverse[x, y - 1, z]
                if z > 0:
                    value += (here - volume[x, y, z - 1]) * scale[2] * scale[2] * inverse[x, y, z - 1]
                gradient[x, y, z] = value
                total += value * value
        partial[x] = total
    total = 0.0
    for x in range(volume.shape[0]):
        total += partial[x]
    return total


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def primal_from_dual(noisy, dual, strength, scale, mask, limits, smooth):
    """smooth = noisy + strength * divergence of `dual` (3, X, Y, Z), held to `limits`; `noisy` where the mask is 0."""
    weight = np.float32(strength)
    low = limits[0]
    high = limits[1]
    for x in prange(noisy.shape[0]):
        for y in range(noisy.shape[1]):
            for z in range(noisy.shape[2]):
                value = noisy[x, y, z]
                if mask[x, y, z] != 0:
                    flow = scale[0] * dual[0, x, y, z] + scale[1] * dual[1, x, y, z] + scale[2] * dual[2, x, y, z]
                    if x > 0:
                        flow -= scale[0] * dual[0, x - 1, y, z]
                    if y > 0:
                        flow -= scale[1] * dual[1, x, y - 1, z]
                    if z > 0:
                        flow -= scale[2] * dual[2, x, y, z - 1]
                    value = min(max(value + weight * flow, low), high)
                smooth[x, y, z] = value


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def dual_step(smooth, step, scale, momentum, dual, ahead):
    """One gradient projection of the dual field, and its extrapolation; (3, X, Y, Z), in place.

    dual becomes the projection of ahead + step * gradient of `smooth` onto vectors no longer than 1, and `ahead` goes
    `momentum` times as far again as the dual moved.
    """
    weight = np.float32(step)
    further = np.float32(momentum)
    one = np.float32(1.0)
    for x in prange(smooth.shape[0]):
        for y in range(smooth.shape[1]):
            for z in range(smooth.shape[2]):
                a, b, c = _forward(smooth, x, y, z, scale)
                a = ahead[0, x, y, z] + weight * a
                b = ahead[1, x, y, z] + weight * b
                c = ahead[2, x, y, z] + weight * c
                shrink = one / max(one, np.sqrt(a * a + b * b + c * c))
                a *= shrink
                b *= shrink
                c *= shrink
                ahead[0, x, y, z] = a + further * (a - dual[0, x, y, z])
                ahead[1, x, y, z] = b + further * (b - dual[1, x, y, z])
                ahead[2, x, y, z] = c + further * (c - dual[2, x, y, z])
                dual[0, x, y, z] = a
                dual[1, x, y, z] = b
                dual[2, x, y, z] = c
