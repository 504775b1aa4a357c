"""Normal equations of a rigid camera motion: depth to planes (Chen and Medioni 1992, associated by projection as in
KinectFusion, Newcombe et al. 2011) and grey values to grey values (Steinbruecker et al. 2011; Kerl et al. 2013).

Both are rows of one form. A point q of the reference frame moves by a twist (omega, v) to q + omega x q + v; a row
with direction a has the derivative (q x a, a). Rows are summed in bands of the picture, so that the sum does not
depend on the number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

BAND_ROWS = 8
COST, COUNT, AGREEING, SQUARE, WEIGHT, MASS = 27, 28, 29, 30, 31, 32
"""Columns of the sums behind the 21 of the lower triangle and the 6 of the gradient."""
REFERENCE_SUM, CURRENT_SUM, REFERENCE_SQUARE, PRODUCT_SUM = 32, 33, 34, 35
POINT_SUM = 33
"""Weighted sum of the points (3 columns), of planes only."""
SUM_COUNT = 36


class PlaneRule(NamedTuple):
    """How depth counts."""

    disparity_noise: float
    """sigma_z / z^2 of one pixel [1/m]."""
    depth_floor: float
    """sigma_z that does not grow with depth [m]."""
    lateral_noise: float
    """Sigma across the ray, over z: what a surface seen flatly is off by along its normal, however exact its depth."""
    reference_share: float
    """Noise of the reference relative to that of one pixel."""
    gate: float
    """Offsets beyond this are not believed at all [m]."""
    least_cosine: float
    """Surfaces that the ray meets at a flatter angle are left out."""
    stride: int
    """Every so many-th pixel of every so many-th row."""


class IntensityRule(NamedTuple):
    """How grey values count."""

    gain: float
    bias: float
    """The current picture is gain * reference + bias."""
    sigma: float
    """Noise of the difference [grey values of 255]."""
    disparity_noise: float
    """sigma_z / z^2 of one pixel [1/m]: a point farther behind the reference's surface is hidden there."""
    depth_floor: float
    """[m]."""
    least_gradient: float
    """Flatter places tell nothing [grey values a pixel]."""
    stride: int


class Picture(NamedTuple):
    """One level of one frame."""

    depth: NDArray[np.float32]
    """[m], (H, W), 0.0 where missing."""
    normals: NDArray[np.float32]
    """Facing the camera, frame c, (H, W, 3), 0 where unknown; of a reference only."""
    intensity: NDArray[np.float32]
    """0 to 255, (H, W), or (0, 0)."""


@njit(nogil=True, cache=True, inline="always")
def _add_row(sums, qx, qy, qz, ax, ay, az, residual, weight):
    """Adds weight * (j j^T, j residual) with j = (q x a, a), lower triangle by rows."""
    j0, j1, j2 = qy * az - qz * ay, qz * ax - qx * az, qx * ay - qy * ax
    w0, w1, w2, w3, w4, w5 = weight * j0, weight * j1, weight * j2, weight * ax, weight * ay, weight * az
    sums[0] += w0 * j0
    sums[1] += w1 * j0
    sums[2] += w1 * j1
    sums[3] += w2 * j0
    sums[4] += w2 * j1
    sums[5] += w2 * j2
    sums[6] += w3 * j0
    sums[7] += w3 * j1
    sums[8] += w3 * j2
    sums[9] += w3 * ax
    sums[10] += w4 * j0
    sums[11] += w4 * j1
    sums[12] += w4 * j2
    sums[13] += w4 * ax
    sums[14] += w4 * ay
    sums[15] += w5 * j0
    sums[16] += w5 * j1
    sums[17] += w5 * j2
    sums[18] += w5 * ax
    sums[19] += w5 * ay
    sums[20] += w5 * az
    sums[21] += w0 * residual
    sums[22] += w1 * residual
    sums[23] += w2 * residual
    sums[24] += w3 * residual
    sums[25] += w4 * residual
    sums[26] += w5 * residual


@njit(nogil=True, cache=True, parallel=True)
def accumulate_planes(current, reference, intrinsics, T_rc, rule, sums):
    """Sums of the rows n . (T p - m) of depth against the reference's planes, one row of `sums` (bands, 36) a band.

    current, reference: `Picture`s on one grid of `intrinsics`; T_rc (3, 4): current to reference camera. Weights are
    1 / sigma^2 (sigma along the normal, all noises) times Geman and McClure's of max(3 sigma, gate / 4).

    Behind the equations: the robust cost; pixels with a counterpart; those within 3 sigma + 5 mm + 0.3 %; the sum of
    squares of their offset / sigma; the weights; their share that is not robust loss; the weighted sum of the points.
    """
    height, width = current.depth.shape
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    for band in prange(sums.shape[0]):
        total = sums[band]
        total[:] = 0.0
        for v in range(band * BAND_ROWS, min(height, (band + 1) * BAND_ROWS), rule.stride):
            for u in range(0, width, rule.stride):
                z = float(current.depth[v, u])
                if z <= 0.0:
                    continue
                x, y = (u - cx) / fx, (v - cy) / fy
                rx = T_rc[0, 0] * x + T_rc[0, 1] * y + T_rc[0, 2]
                ry = T_rc[1, 0] * x + T_rc[1, 1] * y + T_rc[1, 2]
                rz = T_rc[2, 0] * x + T_rc[2, 1] * y + T_rc[2, 2]
                qx, qy, qz = rx * z + T_rc[0, 3], ry * z + T_rc[1, 3], rz * z + T_rc[2, 3]
                if qz <= 0.05:
                    continue
                i, j = int(np.floor(qx / qz * fx + cx + 0.5)), int(np.floor(qy / qz * fy + cy + 0.5))
                if i < 0 or j < 0 or i >= width or j >= height:
                    continue
                zr = float(reference.depth[j, i])
                nx, ny, nz = (
                    float(reference.normals[j, i, 0]),
                    float(reference.normals[j, i, 1]),
                    float(reference.normals[j, i, 2]),
                )
                if zr <= 0.0 or (nx == 0.0 and ny == 0.0 and nz == 0.0):
                    continue
                xr, yr = (i - cx) / fx, (j - cy) / fy
                along_reference = nx * xr + ny * yr + nz
                if along_reference > -rule.least_cosine * np.sqrt(xr * xr + yr * yr + 1.0):
                    continue
                total[COUNT] += 1.0
                offset = nx * (qx - xr * zr) + ny * (qy - yr * zr) + nz * (qz - zr)
                if abs(offset) > rule.gate:
                    continue
                along = nx * rx + ny * ry + nz * rz
                noise = (z * z * rule.disparity_noise) ** 2 + rule.depth_floor**2
                noise_r = (zr * zr * rule.disparity_noise) ** 2 + rule.depth_floor**2
                share = rule.reference_share * along_reference
                cosine = along_reference * along_reference / (xr * xr + yr * yr + 1.0)
                lateral = z * z * rule.lateral_noise * rule.lateral_noise * (1.0 - cosine)
                variance = noise * along * along + noise_r * share * share + lateral
                sigma = np.sqrt(variance)
                scale = max(3.0 * sigma, 0.25 * rule.gate)
                ratio = offset / scale
                robust = 1.0 / (1.0 + ratio * ratio)
                weight = robust * robust / variance
                _add_row(total, qx, qy, qz, nx, ny, nz, offset, weight)
                total[COST] += ratio * ratio * robust * scale * scale / variance
                total[WEIGHT] += weight
                total[MASS] += robust * robust
                total[POINT_SUM] += weight * qx
                total[POINT_SUM + 1] += weight * qy
                total[POINT_SUM + 2] += weight * qz
                if abs(offset) < 3.0 * sigma + 0.005 + 0.003 * z:
                    total[AGREEING] += 1.0
                    total[SQUARE] += offset * offset / variance


@njit(nogil=True, cache=True, parallel=True)
def accumulate_intensity(current, reference, intrinsics, T_rc, rule, sums):
    """Sums of the rows gain * I_r(T p) + bias - I of grey values, one row of `sums` (bands, 36) a band; as above.

    A current point counts where the reference sees the same surface and its picture has a slope. Behind the equations:
    the robust cost; rows; those within 3 sigma; the sum of squares of their differences; the weights; over those
    within 3 sigma the sums of reference, current, reference squared and product, from which gain and bias follow.
    """
    height, width = current.depth.shape
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    for band in prange(sums.shape[0]):
        total = sums[band]
        total[:] = 0.0
        for v in range(band * BAND_ROWS, min(height, (band + 1) * BAND_ROWS), rule.stride):
            for u in range(0, width, rule.stride):
                z = float(current.depth[v, u])
                if z <= 0.0:
                    continue
                x, y = (u - cx) / fx, (v - cy) / fy
                qx = (T_rc[0, 0] * x + T_rc[0, 1] * y + T_rc[0, 2]) * z + T_rc[0, 3]
                qy = (T_rc[1, 0] * x + T_rc[1, 1] * y + T_rc[1, 2]) * z + T_rc[1, 3]
                qz = (T_rc[2, 0] * x + T_rc[2, 1] * y + T_rc[2, 2]) * z + T_rc[2, 3]
                if qz <= 0.05:
                    continue
                ur, vr = qx / qz * fx + cx, qy / qz * fy + cy
                if not (0.0 <= ur < width - 1 and 0.0 <= vr < height - 1):
                    continue
                i, j = int(ur), int(vr)
                zr = float(reference.depth[int(vr + 0.5), int(ur + 0.5)])
                if zr <= 0.0 or abs(qz - zr) > 0.02 + 4.0 * (qz * qz * rule.disparity_noise + rule.depth_floor):
                    continue
                s, t = ur - i, vr - j
                i00, i10 = float(reference.intensity[j, i]), float(reference.intensity[j, i + 1])
                i01, i11 = float(reference.intensity[j + 1, i]), float(reference.intensity[j + 1, i + 1])
                gu = (1.0 - t) * (i10 - i00) + t * (i11 - i01)
                gv = (1.0 - s) * (i01 - i00) + s * (i11 - i10)
                if gu * gu + gv * gv < rule.least_gradient * rule.least_gradient:
                    continue
                there = (1.0 - t) * ((1.0 - s) * i00 + s * i10) + t * ((1.0 - s) * i01 + s * i11)
                here = float(current.intensity[v, u])
                difference = rule.gain * there + rule.bias - here
                total[COUNT] += 1.0
                ratio = difference / (3.0 * rule.sigma)
                robust = 1.0 / (1.0 + ratio * ratio)
                weight = robust * robust / (rule.sigma * rule.sigma)
                ax, ay = rule.gain * gu * fx / qz, rule.gain * gv * fy / qz
                az = -(ax * qx + ay * qy) / qz
                _add_row(total, qx, qy, qz, ax, ay, az, difference, weight)
                total[COST] += 9.0 * ratio * ratio * robust
                total[WEIGHT] += weight
                if abs(ratio) < 1.0:
                    total[AGREEING] += 1.0
                    total[SQUARE] += difference * difference
                    total[REFERENCE_SUM] += there
                    total[CURRENT_SUM] += here
                    total[REFERENCE_SQUARE] += there * there
                    total[PRODUCT_SUM] += there * here
