"""Random numbers as a pure function of counters, so that parallel loops draw the same ones on any number of threads.

Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): the finaliser of SplitMix64.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, inline="always")
def scramble(counter):
    """64 well-mixed bits of a 64-bit counter (uint64)."""
    z = counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True, inline="always")
def standard_normal(counter):
    """A nearly normal number of mean 0 and variance 1: four 16-bit uniforms summed (Irwin and Hall 1927)."""
    bits = scramble(counter)
    mask = np.uint64(0xFFFF)
    total = (
        np.int64(bits & mask)
        + np.int64((bits >> np.uint64(16)) & mask)
        + np.int64((bits >> np.uint64(32)) & mask)
        + np.int64(bits >> np.uint64(48))
    )
    return (np.float32(total) * np.float32(1.0 / 65535.0) - np.float32(2.0)) * np.float32(1.7320508)


@njit(nogil=True, cache=True, parallel=True)
def window_noise(key, window, scratch, out):
    """Normal noise (H, W) float32 of variance 1 that is white noise averaged over a square window [px].

    key uint64; scratch (H + window - 1, W) float32. Its correlation falls linearly to zero at `window` pixels.
    """
    height, width = out.shape
    wide = np.uint64(width + window - 1)
    scale = np.float32(1.0 / window)
    base = scramble(key)
    for y in prange(scratch.shape[0]):
        row = base + np.uint64(y) * wide
        recent = np.zeros(window, np.float32)
        total = np.float32(0.0)
        for x in range(width + window - 1):
            drawn = standard_normal(row + np.uint64(x))
            total += drawn - recent[x % window]
            recent[x % window] = drawn
            if x >= window - 1:
                scratch[y, x - window + 1] = total
    for y in prange(height):
        for x in range(width):
            total = np.float32(0.0)
            for k in range(window):
                total += scratch[y + k, x]
            out[y, x] = total * scale
