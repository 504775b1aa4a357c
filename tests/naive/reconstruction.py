"""The obvious way, with a dense matrix: algebraic corrections, conjugate gradients, total variation."""

import numpy as np


def sart(A, b, x, subsets, relaxation, weights, mask, limits, grazing):
    """One sweep; `subsets` are rows of A in the order of their turns. Rays shorter than `grazing` say nothing."""
    low, high = limits
    lengths = A @ mask
    lengths[lengths < grazing] = 0.0
    x = x.copy()
    for rows in subsets:
        part = A[rows]
        gain = np.where(lengths[rows] > 0.0, weights[rows] / np.where(lengths[rows] > 0.0, lengths[rows], 1.0), 0.0)
        arrived = part.T @ (gain * (b[rows] - part @ x))
        sums = part.T @ weights[rows]
        moved = (sums > 0.0) & (mask > 0.0)
        x[moved] = np.clip(x[moved] + relaxation * arrived[moved] / sums[moved], low, high)
    return x


def conjugate_gradients(A, b, weights, iterations):
    """Krylov's best: least weighted squares within the span of the first powers of A^T W A on A^T W b."""
    root = np.sqrt(weights)[:, None]
    directions = [A.T @ (weights * b)]
    for _ in range(iterations - 1):
        directions.append(A.T @ (weights * (A @ directions[-1])))
        directions[-1] /= np.linalg.norm(directions[-1])
    basis = np.linalg.qr(np.array(directions).T)[0]
    return basis @ np.linalg.lstsq(root * (A @ basis), root[:, 0] * b, rcond=None)[0]


def differences(volume, scale):
    """Forward differences, (3, X, Y, Z), 0 at the end."""
    found = np.zeros((3, *volume.shape))
    found[0, :-1] = np.diff(volume, axis=0) * scale[0]
    found[1, :, :-1] = np.diff(volume, axis=1) * scale[1]
    found[2, :, :, :-1] = np.diff(volume, axis=2) * scale[2]
    return found


def total_variation(volume, scale, smallest=0.0):
    """Sum of gradient lengths, rounded below `smallest`."""
    return np.sqrt((differences(volume, scale) ** 2).sum(0) + smallest**2).sum()


def transposed_differences(field, scale):
    """The transpose of `differences`."""
    found = np.zeros(field.shape[1:])
    for axis in range(3):
        part = scale[axis] * np.moveaxis(field[axis], axis, 0)
        back = np.moveaxis(found, axis, 0)
        back[:-1] -= part[:-1]
        back[1:] += part[:-1]
    return found


def denoise(noisy, strength, scale, low, high, steps):
    """Proximal map of the total variation by plain gradient projection, many steps."""
    dual = np.zeros((3, *noisy.shape))
    for _ in range(steps):
        smooth = np.clip(noisy - strength * transposed_differences(dual, scale), low, high)
        dual += differences(smooth, scale) / (4.0 * (scale**2).sum() * strength)
        dual /= np.maximum(1.0, np.sqrt((dual**2).sum(0)))
    return np.clip(noisy - strength * transposed_differences(dual, scale), low, high)
