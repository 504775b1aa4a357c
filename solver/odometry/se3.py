"""Rigid motions as 4 x 4 matrices and their twists (omega [rad], v [m]), rotation first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hat(vectors: NDArray) -> NDArray[np.float64]:
    """Cross-product matrices (..., 3, 3) of `vectors` (..., 3)."""
    vectors = np.asarray(vectors, np.float64)
    out = np.zeros((*vectors.shape, 3))
    out[..., 0, 1], out[..., 0, 2], out[..., 1, 2] = -vectors[..., 2], vectors[..., 1], -vectors[..., 0]
    out[..., 1, 0], out[..., 2, 0], out[..., 2, 1] = vectors[..., 2], -vectors[..., 1], vectors[..., 0]
    return out


def _series(angle: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """sin a / a, (1 - cos a) / a^2, (a - sin a) / a^3, exact to rounding for small angles as well."""
    small = angle < 1e-3
    safe = np.where(small, 1.0, angle)
    square = angle * angle
    return (
        np.where(small, 1.0 - square / 6.0, np.sin(safe) / safe),
        np.where(small, 0.5 - square / 24.0, (1.0 - np.cos(safe)) / safe**2),
        np.where(small, 1.0 / 6.0 - square / 120.0, (safe - np.sin(safe)) / safe**3),
    )


def exp(twists: NDArray) -> NDArray[np.float64]:
    """Motions (..., 4, 4) of `twists` (..., 6)."""
    twists = np.asarray(twists, np.float64)
    cross = hat(twists[..., :3])
    square = cross @ cross
    a, b, c = (s[..., None, None] for s in _series(np.linalg.norm(twists[..., :3], axis=-1)))
    out = np.zeros((*twists.shape[:-1], 4, 4))
    out[..., :3, :3] = np.eye(3) + a * cross + b * square
    left = np.eye(3) + b * cross + c * square
    out[..., :3, 3] = (left @ twists[..., 3:, None])[..., 0]
    out[..., 3, 3] = 1.0
    return out


def log(motions: NDArray) -> NDArray[np.float64]:
    """Twists (..., 6) of `motions` (..., 4, 4); angles from 0 to less than pi."""
    motions = np.asarray(motions, np.float64)
    R, t = motions[..., :3, :3], motions[..., :3, 3]
    axis = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1)
    sine = 0.5 * np.linalg.norm(axis, axis=-1)
    cosine = 0.5 * (np.trace(R, axis1=-2, axis2=-1) - 1.0)
    angle = np.arctan2(sine, cosine)
    small = sine < 1e-9
    omega = 0.5 * axis * np.where(small, 1.0, angle / np.where(small, 1.0, sine))[..., None]
    cross = hat(omega)
    a, b, _ = _series(angle)
    tiny = angle < 1e-3
    factor = np.where(tiny, 1.0 / 12.0, (1.0 - 0.5 * a / b) / np.where(tiny, 1.0, angle) ** 2)
    inverse = np.eye(3) - 0.5 * cross + factor[..., None, None] * (cross @ cross)
    return np.concatenate([omega, (inverse @ t[..., None])[..., 0]], -1)


def inverse(motions: NDArray) -> NDArray[np.float64]:
    """The motions (..., 4, 4) back."""
    motions = np.asarray(motions, np.float64)
    out = np.zeros_like(motions)
    turned = np.swapaxes(motions[..., :3, :3], -1, -2)
    out[..., :3, :3] = turned
    out[..., :3, 3] = -(turned @ motions[..., :3, 3, None])[..., 0]
    out[..., 3, 3] = 1.0
    return out


def adjoint(motions: NDArray) -> NDArray[np.float64]:
    """What takes a twist through a motion: log(T exp(x) T^-1) = adjoint(T) x, (..., 6, 6)."""
    motions = np.asarray(motions, np.float64)
    R = motions[..., :3, :3]
    out = np.zeros((*motions.shape[:-2], 6, 6))
    out[..., :3, :3] = out[..., 3:, 3:] = R
    out[..., 3:, :3] = hat(motions[..., :3, 3]) @ R
    return out


def angle(motion: NDArray) -> float:
    """How far a motion turns [rad]."""
    return float(np.linalg.norm(log(motion)[:3]))


def distance(motion: NDArray) -> float:
    """How far a motion shifts [m]."""
    return float(np.linalg.norm(motion[:3, 3]))


def orthonormal(motion: NDArray) -> NDArray[np.float64]:
    """The nearest rigid motion to a product of many."""
    u, _, vt = np.linalg.svd(motion[:3, :3])
    out = np.array(motion, np.float64)
    out[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    return out
