"""Linear blend skinning."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(nogil=True, cache=True, parallel=True, fastmath={"contract", "arcp", "nsz", "reassoc"})
def skin_vertices(rest, skin_joints, skin_weights, transforms, out):
    """Blend joint transforms per vertex: out_v = sum_k w_vk * T_(j_vk) * rest_v.

    rest (V, 3) float32; skin_joints (V, 4) int32; skin_weights (V, 4) float32; transforms (J, 3, 4) float32 from rest
    to posed; out (V, 3) float32.
    """
    for v in prange(rest.shape[0]):
        x = rest[v, 0]
        y = rest[v, 1]
        z = rest[v, 2]
        for i in range(3):
            total = np.float32(0.0)
            for k in range(skin_joints.shape[1]):
                w = skin_weights[v, k]
                if w > 0.0:
                    t = transforms[skin_joints[v, k]]
                    total += w * (t[i, 0] * x + t[i, 1] * y + t[i, 2] * z + t[i, 3])
            out[v, i] = total
