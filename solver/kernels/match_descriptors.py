"""Nearest binary descriptors by Hamming distance."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, inline="always")
def _count_bits(word):
    """Bits set in a uint64, by sums of neighbours (Warren, Hacker's Delight, fig. 5-2)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(nogil=True, cache=True, parallel=True)
def match_descriptors(first, second, nearest, distance, runner_up):
    """For each of `first` (N, W) uint64 the nearest of `second` (M, W): index (N,) int32, -1 where M is 0, its distance
    (N,) int32 [bits] and that of the second nearest (N,) int32, 64 W + 1 where there is none."""
    for n in prange(first.shape[0]):
        best, second_best, which = 64 * first.shape[1] + 1, 64 * first.shape[1] + 1, -1
        for m in range(second.shape[0]):
            bits = 0
            for w in range(first.shape[1]):
                bits += _count_bits(first[n, w] ^ second[m, w])
            if bits < best:
                best, second_best, which = bits, best, m
            elif bits < second_best:
                second_best = bits
        nearest[n] = which
        distance[n] = best
        runner_up[n] = second_best
