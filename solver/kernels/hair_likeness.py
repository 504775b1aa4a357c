"""How much pixels look like hair beside skin."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def hair_likeness(colors, depth, skin, hair, chroma_gain, softness, out):
    """0 skin .. 1 hair for pixels with depth, 0 elsewhere: a logistic function of how much farther the colour lies from
    `skin` than from `hair`.

    colors (H, W, 3) uint8 sRGB; depth (H, W) float32; skin, hair (3,) float64: shares of red and green times
    `chroma_gain`, and the logarithm of the sum, of the colours plus 4; out (H, W) float32.
    """
    for y in range(depth.shape[0]):
        for x in range(depth.shape[1]):
            out[y, x] = np.float32(0.0)
            if depth[y, x] <= np.float32(0.0):
                continue
            red = colors[y, x, 0] + 4.0
            green = colors[y, x, 1] + 4.0
            total = red + green + colors[y, x, 2] + 4.0
            a = chroma_gain * red / total
            b = chroma_gain * green / total
            c = math.log(total)
            to_skin = math.sqrt((a - skin[0]) ** 2 + (b - skin[1]) ** 2 + (c - skin[2]) ** 2)
            to_hair = math.sqrt((a - hair[0]) ** 2 + (b - hair[1]) ** 2 + (c - hair[2]) ** 2)
            out[y, x] = 1.0 / (1.0 + math.exp((to_hair - to_skin) / softness))
