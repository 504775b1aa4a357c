"""Slow twin of `solver.kernels.counter_noise`, in Python's unbounded integers."""

from __future__ import annotations

import numpy as np

BITS = (1 << 64) - 1


def scramble(counter):
    z = (int(counter) * 0x9E3779B97F4A7C15) & BITS
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & BITS
    return z ^ (z >> 31)


def standard_normal(counter):
    bits = scramble(counter)
    words = [(bits >> shift) & 0xFFFF for shift in (0, 16, 32, 48)]
    return (sum(words) / 65535.0 - 2.0) * np.sqrt(3.0)


def window_noise(key, window, shape):
    height, width = shape
    wide = width + window - 1
    white = np.array(
        [
            [standard_normal((scramble(key) + y * wide + x) & BITS) for x in range(wide)]
            for y in range(height + window - 1)
        ]
    )
    return np.array(
        [[white[y : y + window, x : x + window].sum() / window for x in range(width)] for y in range(height)]
    )
