"""Sums in float64 over long float32 arrays, and what goes with them: the same result on any number of threads."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_CHUNK = 4096


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def dot(a, b, partial):
    """Scalar product of (N,) float32 arrays. `partial` is (ceil(N / 4096),) float64 at least."""
    count = len(a)
    chunks = (count + _CHUNK - 1) // _CHUNK
    for chunk in prange(chunks):
        total = 0.0
        for n in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            total += np.float64(a[n]) * np.float64(b[n])
        partial[chunk] = total
    total = 0.0
    for chunk in range(chunks):
        total += partial[chunk]
    return total


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def squared_distance(a, b, partial):
    """Sum of squared differences of (N,) float32 arrays. `partial` as for `dot`."""
    count = len(a)
    chunks = (count + _CHUNK - 1) // _CHUNK
    for chunk in prange(chunks):
        total = 0.0
        for n in range(chunk * _CHUNK, min(count, (chunk + 1) * _CHUNK)):
            difference = np.float64(a[n]) - np.float64(b[n])
            total += difference * difference
        partial[chunk] = total
    total = 0.0
    for chunk in range(chunks):
        total += partial[chunk]
    return total


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def combine(a, x, b, y):
    """y = a x + b y for (N,) float32 arrays."""
    first = np.float32(a)
    second = np.float32(b)
    for n in prange(len(y)):
        y[n] = first * x[n] + second * y[n]
