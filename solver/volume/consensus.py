"""Keyframe poses and the camera's lasting disparity error, from what all keyframes say of the same surface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from solver.errors import InputError
from solver.kernels.surface_consensus import accumulate_consensus, read_residuals
from solver.types import Intrinsics
from solver.volume.rigid import RigidVolume, camera_view

CELL_PX = 106.0
"""Between the knots of the lasting error: half the scale on which rectification errors of stereo cameras vary."""
FIELD_SIGMA_PX = 0.05
"""What is believed of the lasting error beforehand."""
LEAST_COSINE = 0.4
HUBER_SIGMAS = 2.0


@dataclass(frozen=True, slots=True)
class Keyframe:
    """A depth image and from where it was taken."""

    depth: NDArray[np.float32]
    """[m], shape (H, W), 0.0 where missing."""
    intrinsics: Intrinsics
    T_wc: NDArray[np.float64]
    """Camera to world, shape (4, 4)."""
    color: NDArray[np.uint8] | None = None
    """sRGB, shape (H, W, 3)."""
    mask: NDArray[np.uint8] | None = None
    """1 where a pixel may show the surface of interest, shape (H, W)."""


@dataclass(frozen=True, slots=True)
class PosePrior:
    """How far poses may be off."""

    rotation_rad: float
    shift_m: float


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the keyframes agree on."""

    poses: list[NDArray[np.float64]]
    """Camera to world, (4, 4) each."""
    disparity_error: NDArray[np.float32]
    """The camera's lasting error [px], shape (H, W): what it says minus what is."""
    rms_px: float
    """Spread of the disparities about the surface that suits them best, before this step."""


def find_consensus(
    volume: RigidVolume,
    keyframes: Sequence[Keyframe],
    prior: PosePrior | None,
    disparity_error: NDArray[np.float32] | None = None,
    point_count: int = 6000,
    gate_m: float = 0.03,
) -> Consensus:
    """One Gauss-Newton step for all keyframes together, about the present surface of `volume`.

    `prior` says how far the poses may be off, None that they are exact; their mean motion is held, which fixes the
    gauge. All keyframes must come from one camera. Raises `InputError` where they do not, or where the volume holds no
    surface.
    """
    intrinsics = keyframes[0].intrinsics
    if any(keyframe.intrinsics != intrinsics for keyframe in keyframes):
        raise InputError("the keyframes come from cameras with different intrinsics: refine them apart")
    noise = volume.noise
    if noise is None:
        raise InputError("the refinement weighs disparities: give the volume the camera's depth noise")
    extraction = volume.mesh(1.0).surface
    chosen = _spread(extraction.mesh.vertices, point_count)
    if len(chosen) < 100:
        raise InputError("the volume holds no surface to refine: integrate the keyframes first")
    points = np.ascontiguousarray(extraction.mesh.vertices[chosen], np.float64)
    normals = np.ascontiguousarray(extraction.normals[chosen], np.float64)
    pixel = 1.0 / (float(intrinsics.fx) * noise.baseline_m)
    count = len(keyframes)
    residuals, slopes = np.empty((2, count, len(points)), np.float32)
    places = np.zeros((count, len(points), 2), np.float32)
    for k, keyframe in enumerate(keyframes):
        nearness, trust = volume.prepare(keyframe.depth, intrinsics, keyframe.mask, disparity_error)
        view = camera_view(intrinsics, keyframe.T_wc)
        read_residuals(
            points, normals, view, nearness, trust, pixel, gate_m, LEAST_COSINE, residuals[k], slopes[k], places[k]
        )
    knots = (int(np.ceil(intrinsics.height / CELL_PX)) + 1, int(np.ceil(intrinsics.width / CELL_PX)) + 1)
    pose_size = 6 * count if prior is not None else 0
    size = pose_size + knots[0] * knots[1]
    matrix, vector = np.zeros((size, size)), np.zeros(size)
    limit = HUBER_SIGMAS * noise.disparity_sigma_px
    squares, total = accumulate_consensus(
        points, normals, residuals, slopes, places, knots, CELL_PX, limit, prior is not None, matrix, vector
    )
    # Neighbouring points share their noise (a matching window), so many count as one.
    scale = 0.25 / noise.disparity_sigma_px**2
    matrix *= scale
    vector *= scale
    # Smooth more than small: the mean over the picture is the least known.
    matrix[pose_size:, pose_size:] += np.eye(size - pose_size) / FIELD_SIGMA_PX**2
    if prior is not None:
        own = np.tile([prior.rotation_rad] * 3 + [prior.shift_m] * 3, count)
        matrix[np.arange(pose_size), np.arange(pose_size)] += 1.0 / own**2
        gauge = np.tile(np.eye(6), (1, count)) * (1e3 / own[:6, None])
        matrix[:pose_size, :pose_size] += gauge.T @ gauge
    solution = np.asarray(np.linalg.solve(matrix, vector), np.float64)
    poses = [keyframe.T_wc for keyframe in keyframes]
    if prior is not None:
        poses = [_moved(T, step) for T, step in zip(poses, solution[:pose_size].reshape(count, 6), strict=True)]
    field = interpolate_knots(solution[pose_size:].reshape(knots), intrinsics)
    if disparity_error is not None:
        field = field + disparity_error
    return Consensus(poses, field, float(np.sqrt(squares / max(total, 1.0))))


def interpolate_knots(knots: NDArray[np.float64], intrinsics: Intrinsics) -> NDArray[np.float32]:
    """The field [px] (H, W) between knots (rows, columns) that lie `CELL_PX` apart from the first pixel on."""
    u = np.minimum(np.arange(intrinsics.width) / CELL_PX, knots.shape[1] - 1.001)
    v = np.minimum(np.arange(intrinsics.height) / CELL_PX, knots.shape[0] - 1.001)
    i, j = u.astype(int), v.astype(int)
    s, t = (u - i)[None, :], (v - j)[:, None]
    top = (1.0 - s) * knots[j][:, i] + s * knots[j][:, i + 1]
    bottom = (1.0 - s) * knots[j + 1][:, i] + s * knots[j + 1][:, i + 1]
    return np.ascontiguousarray((1.0 - t) * top + t * bottom, np.float32)


def _moved(T_wc: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
    """`T_wc` after a small motion [rotation vector, shift] in the world."""
    T = T_wc.copy()
    R = Rotation.from_rotvec(step[:3]).as_matrix()
    T[:3, :3] = R @ T_wc[:3, :3]
    T[:3, 3] = R @ T_wc[:3, 3] + step[3:]
    return T


def _spread(vertices: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """About `count` of the vertices, evenly over the surface: one of each cell of a grid, by ever smaller cells."""
    if len(vertices) <= count:
        return np.arange(len(vertices))
    cell = 0.01
    while True:
        key = np.floor(vertices / cell).astype(np.int64)
        key = (key[:, 0] * 73856093) ^ (key[:, 1] * 19349663) ^ (key[:, 2] * 83492791)
        chosen = np.unique(key, return_index=True)[1]
        if len(chosen) <= count:
            return np.sort(chosen)
        cell *= 1.25
