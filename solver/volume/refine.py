"""Iterative refinement of a fused volume, as in cone-beam CT: predict every keyframe, project its residual back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.kernels.back_project_depth import apply_correction, back_project_depth, find_residuals
from solver.kernels.smooth_distance import find_bends, smooth_distance
from solver.volume.consensus import HUBER_SIGMAS, Keyframe, PosePrior, find_consensus
from solver.volume.rigid import RigidVolume, camera_view

REACH_VOXELS = 3.0
"""How far from the surface a correction reaches: enough for interpolation and normals, not to the skin behind."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far the refinement is."""

    number: int
    """0: the keyframes are fused with the poses and the lasting error found; then one for each sweep."""
    sweep_count: int
    rms_px: float
    """Spread of the disparities about the prediction, robust."""
    poses: list[NDArray[np.float64]]
    """Camera to world of each keyframe, (4, 4)."""


@dataclass(frozen=True, slots=True)
class RefinementRule:
    """What the refinement may do."""

    pose_prior: PosePrior | None = None
    """How far the poses may be off; None: they are exact."""
    calibrate: bool = True
    """Whether the camera's lasting disparity error is found too."""
    consensus_steps: int = 3
    subsets: tuple[int, ...] = (2, 1, 1)
    """Into how many ordered subsets each sweep divides the keyframes."""
    relaxation: tuple[float, ...] = (0.5, 0.7, 0.7)
    """Of each sweep."""
    damping: float = 500.0
    """What the surface as it is weighs against the rays' w a^2 [px^2/m^2]: about five views from the front at 2 m."""
    least_cosine: float = 0.25
    smoothing_steps: int = 1
    smoothing_m: float = 0.01
    """How far apart the neighbours are that a sweep's smoothing compares."""
    smoothing_weight: float = 2.0
    """Weight of the smoothing against the sum of the observations' weights."""
    bend_bound_m: float = 0.001
    """Bends above this are creases and kept."""


def refine(volume: RigidVolume, keyframes: Sequence[Keyframe], rule: RefinementRule | None = None) -> Iterator[Sweep]:
    """Refines what `volume` holds from all keyframes together; yields after every sweep, and may be abandoned then.

    The volume must hold the keyframes' surface already. First the poses, where `rule` lets them, and the camera's
    lasting disparity error are found (`find_consensus`) and the keyframes fused anew; then every sweep goes through the
    keyframes in ordered subsets: predicts their depth by ray-casting, projects the robust residual back, divides by the
    rows' and columns' weights (`back_project_depth`), and moves the surface. Raises `InputError` for no keyframes and
    as `find_consensus` does.
    """
    rule = rule or RefinementRule()
    if not keyframes:
        raise InputError("there are no keyframes to refine from: give at least one")
    keyframes = list(keyframes)
    rms = 0.0
    for _ in range(rule.consensus_steps if rule.calibrate or rule.pose_prior else 0):
        found = find_consensus(volume, keyframes, rule.pose_prior, volume.disparity_error)
        rms = found.rms_px
        if rule.calibrate:
            volume.disparity_error = found.disparity_error
        keyframes = [
            Keyframe(k.depth, k.intrinsics, T, k.color, k.mask) for k, T in zip(keyframes, found.poses, strict=True)
        ]
        _fuse(volume, keyframes)
    poses = [keyframe.T_wc for keyframe in keyframes]
    yield Sweep(0, len(rule.subsets), rms, poses)
    sparse = volume.sparse
    numerator = np.zeros(len(sparse.distance), np.float32)
    denominator = np.zeros_like(numerator)
    bends = np.empty_like(numerator)
    reach_m = REACH_VOXELS * volume.voxel_m
    for number, (subset_count, relaxation) in enumerate(zip(rule.subsets, rule.relaxation, strict=True), 1):
        squares = total = 0.0
        for first in range(subset_count):
            for keyframe in keyframes[first::subset_count]:
                one = _project_back(volume, keyframe, rule, reach_m, numerator, denominator)
                squares, total = squares + one[0], total + one[1]
            apply_correction(
                numerator, denominator, rule.damping / subset_count, relaxation, volume.truncation_m, sparse.distance
            )
        for _ in range(rule.smoothing_steps):
            step = max(1, round(rule.smoothing_m / volume.voxel_m))
            find_bends(sparse.grid, sparse.distance, volume.truncation_m, step, rule.bend_bound_m, bends)
            smooth_distance(sparse.grid, bends, sparse.weight, step, 0.5, rule.smoothing_weight, sparse.distance)
        yield Sweep(number, len(rule.subsets), float(np.sqrt(squares / max(total, 1.0))), poses)


def _fuse(volume: RigidVolume, keyframes: Sequence[Keyframe]) -> None:
    volume.clear()
    for keyframe in keyframes:
        volume.integrate(keyframe.depth, keyframe.intrinsics, keyframe.T_wc, keyframe.color, keyframe.mask)


def _project_back(
    volume: RigidVolume,
    keyframe: Keyframe,
    rule: RefinementRule,
    reach_m: float,
    numerator: NDArray[np.float32],
    denominator: NDArray[np.float32],
) -> tuple[float, float]:
    """One keyframe's residual into the sums; its weighted square sum [px^2] and weight."""
    intrinsics = keyframe.intrinsics
    assert volume.noise is not None
    prediction = volume.raycast(intrinsics, keyframe.T_wc)
    nearness, trust = volume.prepare(keyframe.depth, intrinsics, keyframe.mask, volume.disparity_error)
    view = camera_view(intrinsics, keyframe.T_wc)
    limit = HUBER_SIGMAS * volume.noise.disparity_sigma_px
    row_sums = np.empty((*keyframe.depth.shape, 2), np.float32)
    sums = find_residuals(
        view,
        nearness,
        trust,
        (prediction.depth, prediction.normals),
        (volume.disparity_pixel(intrinsics), limit, rule.least_cosine),
        row_sums,
    )
    back_project_depth(
        volume.sparse.grid,
        view,
        row_sums,
        prediction.depth,
        volume.sparse.distance,
        reach_m,
        numerator,
        denominator,
    )
    return sums
