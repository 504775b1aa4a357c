"""Slow twin of `solver.kernels.color_sensor`."""

from __future__ import annotations

import numpy as np

from tests.naive.counter_noise import BITS, scramble, standard_normal


def develop_color(light, gains, shot_noise, read_noise, key, tone):
    height, width, _ = light.shape
    out = np.zeros(light.shape, np.uint8)
    for y in range(height):
        for x in range(width):
            for k in range(3):
                signal = float(light[y, x, k]) * float(gains[k])
                sigma = np.sqrt(shot_noise * max(signal, 0.0) + read_noise**2)
                signal += sigma * standard_normal((scramble(key) + 3 * (y * width + x) + k) & BITS)
                level = int(np.clip(np.trunc(signal * (len(tone) - 1) + 0.5), 0, len(tone) - 1))
                out[y, x, k] = tone[level]
    return out
