"""Sums of plane waves: random fields by Fourier features (Rahimi and Recht 2007)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def sum_waves(points, waves, phases, weights, out):
    """out_v = sum_k weights_k cos(2 pi (waves_k . points_v + phases_k)), within 1e-5 of the weights' sum.

    points (3, V) float32; waves (W, 3) float32, cycles per unit of the points; phases (W,) float32, cycles; weights
    (W,) float32; out (V,) float32. The cosine is 1 - 2 sin^2 of half the angle, the sine a Taylor polynomial of its
    own half cycle.
    """
    out[:] = np.float32(0.0)
    half, two, pi = np.float32(0.5), np.float32(2.0), np.float32(math.pi)
    c3, c5 = np.float32(-1.0 / 6.0), np.float32(1.0 / 120.0)
    c7, c9 = np.float32(-1.0 / 5040.0), np.float32(1.0 / 362880.0)
    for k in range(waves.shape[0]):
        a, b, c = waves[k, 0], waves[k, 1], waves[k, 2]
        phase, weight = phases[k] + half, weights[k]
        for v in range(points.shape[1]):
            turn = points[0, v] * a + points[1, v] * b + points[2, v] * c + phase
            x = (turn - np.floor(turn) - half) * pi
            square = x * x
            sine = x * (np.float32(1.0) + square * (c3 + square * (c5 + square * (c7 + square * c9))))
            out[v] += weight * (np.float32(1.0) - two * sine * sine)
