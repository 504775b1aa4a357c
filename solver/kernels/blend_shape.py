"""Linear blend shapes."""

from __future__ import annotations

from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def blend_shape(template, basis, coefficients, out):
    """Linear shape: out = template + sum_k c_k * basis_k; template, out (N,), basis (K, N), coefficients (C <= K,).

    The basis is read once and is what costs: blocks stay in the first cache and take eight components at a time, so
    that `out` is not what memory is busy with.
    """
    block = 2048
    count = template.shape[0]
    terms = coefficients.shape[0]
    for strip in prange((count + block - 1) // block):
        start = strip * block
        stop = min(count, start + block)
        own = out[start:stop]
        own[:] = template[start:stop]
        k = 0
        while k + 8 <= terms:
            b0, b1 = basis[k, start:stop], basis[k + 1, start:stop]
            b2, b3 = basis[k + 2, start:stop], basis[k + 3, start:stop]
            b4, b5 = basis[k + 4, start:stop], basis[k + 5, start:stop]
            b6, b7 = basis[k + 6, start:stop], basis[k + 7, start:stop]
            c = coefficients[k : k + 8]
            for i in range(stop - start):
                own[i] += (c[0] * b0[i] + c[1] * b1[i] + c[2] * b2[i] + c[3] * b3[i]) + (
                    c[4] * b4[i] + c[5] * b5[i] + c[6] * b6[i] + c[7] * b7[i]
                )
            k += 8
        while k < terms:
            single = coefficients[k]
            for i in range(stop - start):
                own[i] += single * basis[k, start + i]
            k += 1
