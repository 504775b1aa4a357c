"""Light on an image sensor to sRGB: exposure, photon and read noise, gamma."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from solver.kernels.counter_noise import scramble, standard_normal


@njit(nogil=True, cache=True, parallel=True)
def develop_color(light, gains, shot_noise, read_noise, key, tone, out):
    """sRGB picture (H, W, 3) uint8 of linear `light` (H, W, 3) float32, 1 = white before exposure.

    gains (3,) float32: exposure times white balance; variance of the noise is shot_noise * signal + read_noise^2;
    key uint64 of this frame's noise; tone (N,) uint8: gamma curve over signal 0 .. 1.
    """
    height, width = light.shape[0], light.shape[1]
    base = scramble(key)
    last = tone.shape[0] - 1
    shot, read = np.float32(shot_noise), np.float32(read_noise * read_noise)
    for y in prange(height):
        for x in range(width):
            counter = base + np.uint64(3 * (y * width + x))
            for k in range(3):
                signal = light[y, x, k] * gains[k]
                signal += np.sqrt(shot * max(signal, np.float32(0.0)) + read) * standard_normal(counter + np.uint64(k))
                level = np.int32(signal * np.float32(last) + np.float32(0.5))
                out[y, x, k] = tone[min(max(level, 0), last)]
