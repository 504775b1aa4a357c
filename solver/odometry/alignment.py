"""The rigid motion between a frame and a reference: coarse to fine, and how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.kernels.rigid_alignment import (
    AGREEING,
    BAND_ROWS,
    COUNT,
    CURRENT_SUM,
    POINT_SUM,
    PRODUCT_SUM,
    REFERENCE_SQUARE,
    REFERENCE_SUM,
    SQUARE,
    SUM_COUNT,
    WEIGHT,
    IntensityRule,
    PlaneRule,
    accumulate_intensity,
    accumulate_planes,
)
from solver.odometry import se3
from solver.odometry.pyramid import Pyramid
from solver.types import DepthNoise

_LOWER = np.tril_indices(6)
LEAST_ROWS = 60
"""Fewer pixels with a counterpart at a level say nothing."""


@dataclass(frozen=True, slots=True)
class AlignmentSettings:
    """How motions are found."""

    levels: tuple[int, ...] = (3, 2, 1)
    """Of the pyramid, in the order they are used."""
    iterations: tuple[int, ...] = (8, 4, 2)
    gates_m: tuple[float, ...] = (0.15, 0.08, 0.04)
    """Depth offsets along the normal that are still believed, at each level."""
    reference_share: float = 0.3
    """Noise of the reference's depth relative to one pixel's: 0.3 for a model of many frames, 1 for one frame."""
    lateral_rad: float = 0.0026
    """Noise of the direction in which a depth was seen. Residuals of surfaces seen flatly ask for 0.0012 to 0.0026 in
    a moved Kinect (0.0014 where it stands still: Nguyen et al. 2012) and for 0.0014 in a simulated stereo camera."""
    floor_m: float = 0.004
    """What depth is off by however near it is: lasting errors, and the model's voxels."""
    independence: float = 0.02
    """Pixels that count as one independent measurement: depth noise is correlated over the matching window, and
    lasting errors of the camera over much more."""
    flatness: float = 0.0025
    """Directions in which depth rows have less than this mean square slope are not seen in depth: a flat wall, whose
    measured normals vary by noise only, has about 0.001; a corner of a room 0.1."""
    prior_rotation: float = 0.05
    """Standard deviation of the motion about the one expected [rad]."""
    prior_translation_m: float = 0.05
    loose_m: float = 0.004
    """A direction with a larger standard deviation than this (for rotations: at the scene's distance) is unseen."""
    least_gradient: float = 2.0
    intensity_sigma: float = 6.0


@dataclass(frozen=True, slots=True)
class Alignment:
    """A motion and how well the pictures agree under it."""

    T_rc: NDArray[np.float64]
    """Current to reference camera, (4, 4)."""
    overlap: float
    """Share of the current picture's depth that the reference has a counterpart for."""
    agreement: float
    """Share of those that lie within their noise (3 sigma + 5 mm + 0.3 %)."""
    misfit: float
    """RMS of the agreeing offsets, in sigmas."""
    color_agreement: float
    """Share of the grey values with a counterpart that agree; 1 without colour."""
    contradiction: float | None
    """By how much grey values pull away from what depth says, in squares: 1 is what the noise of both explains. None
    without colour, or where one of them says nothing."""
    unseen: NDArray[np.float64]
    """Twists (K, 6) in which the scene leaves the motion free: the motion expected was kept in them."""
    information: NDArray[np.float64]
    """Inverse covariance of the twist in the reference's frame, (6, 6), without what was expected."""


class RigidAligner:
    """Aligns frames of one camera. Its buffers are used again for every frame."""

    def __init__(self, noise: DepthNoise, height: int, settings: AlignmentSettings | None = None) -> None:
        self.settings = settings or AlignmentSettings()
        self.gray_variance = 1.0
        """How much larger the variance of grey values is taken to be than their noise explains."""
        self._noise = noise
        self._plane_sums = np.zeros((-(-height // BAND_ROWS), SUM_COUNT))
        self._gray_sums = np.zeros((-(-height // BAND_ROWS), SUM_COUNT))

    def align(
        self,
        current: Pyramid,
        reference: Pyramid,
        T_rc: NDArray,
        *,
        gray_reference: Pyramid | None = None,
        T_gr: NDArray | None = None,
        first_level: int = 0,
        hold: bool = True,
    ) -> Alignment:
        """The motion nearest to the expected `T_rc` (4, 4).

        Grey values are compared with `gray_reference` (default: none), whose camera sees the reference's at `T_gr`.
        `first_level` skips so many coarse levels; `hold` adds the prior that the motion is about the one expected.
        """
        settings = self.settings
        expected = np.array(T_rc, np.float64)
        found = expected.copy()
        gain_bias_sigma = (1.0, 0.0, 2.0 * settings.intensity_sigma)
        equations = None
        steps = list(zip(settings.levels, settings.iterations, settings.gates_m, strict=True))[first_level:]
        for level, count, gate in steps:
            for k in range(count):
                plane_gate = max(gate * 0.8**k, 0.5 * gate)
                equations = self._equations(
                    current, reference, found, level, plane_gate, gray_reference, T_gr, gain_bias_sigma
                )
                gain_bias_sigma = equations.gain_bias_sigma
                step, _ = self._step(equations, found, expected, hold)
                found = se3.orthonormal(se3.exp(step) @ found)
                if np.abs(step[:3]).max() < 4e-5 and np.abs(step[3:]).max() < 8e-5:
                    break
        level, _, gate = steps[-1]
        # The verdict on grey values is one of what noise allows, not of how far they happen to be off.
        judged = (*gain_bias_sigma[:2], settings.intensity_sigma)
        equations = self._equations(current, reference, found, level, 0.5 * gate, gray_reference, T_gr, judged)
        return self._judge(equations, found, expected, hold, current, level)

    def _equations(self, current, reference, T_rc, level, gate, gray_reference, T_gr, gain_bias_sigma) -> _Equations:
        settings, noise = self.settings, self._noise
        picture = current.levels[level]
        intrinsics = current.intrinsics[level]
        # A pixel of a halved picture is the mean of four, whose noise is correlated: half of what independence gives.
        disparity = noise.disparity_sigma_px / (current.intrinsics[0].fx * noise.baseline_m) / 1.4**level
        floor = noise.floor_m + settings.floor_m
        rule = PlaneRule(disparity, floor, settings.lateral_rad, settings.reference_share, float(gate), 0.17, 1)
        bands = -(-intrinsics.height // BAND_ROWS)
        sums = self._plane_sums[:bands]
        accumulate_planes(picture, reference.levels[level], intrinsics, T_rc[:3], rule, sums)
        planes = sums.sum(0)
        gray = None
        if gray_reference is not None and T_gr is not None:
            gain, bias, sigma = gain_bias_sigma
            gray_rule = IntensityRule(gain, bias, sigma, disparity, noise.floor_m, settings.least_gradient, 1)
            sums = self._gray_sums[:bands]
            T_gc = np.ascontiguousarray((T_gr @ T_rc)[:3])
            accumulate_intensity(picture, gray_reference.levels[level], intrinsics, T_gc, gray_rule, sums)
            gray = sums.sum(0)
            gain_bias_sigma = self._next_gain(gray, gain_bias_sigma)
        return _Equations(planes, gray, T_gr, gain_bias_sigma, self.gray_variance)

    def _next_gain(self, gray: NDArray, before: tuple[float, float, float]) -> tuple[float, float, float]:
        """Exposure of the current picture relative to the reference's, and the noise of their difference."""
        count = gray[AGREEING]
        if count < LEAST_ROWS:
            return before
        mean_r, mean_c = gray[REFERENCE_SUM] / count, gray[CURRENT_SUM] / count
        variance = gray[REFERENCE_SQUARE] / count - mean_r**2
        if variance < 25.0:
            return before
        gain = float(np.clip((gray[PRODUCT_SUM] / count - mean_r * mean_c) / variance, 0.6, 1.6))
        sigma = max(self.settings.intensity_sigma, 1.2 * float(np.sqrt(gray[SQUARE] / count)))
        return gain, float(mean_c - gain * mean_r), min(sigma, before[2])

    def _step(
        self, equations: _Equations, found: NDArray, expected: NDArray, hold: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The next twist, and the information it rests on."""
        information, gradient = equations.combined(self.settings)
        total, pull = information.copy(), gradient.copy()
        if hold:
            prior = np.diag(np.repeat([self.settings.prior_rotation**-2.0, self.settings.prior_translation_m**-2.0], 3))
            moved = se3.log(found @ se3.inverse(expected))
            total += prior
            pull += prior @ moved
        else:
            total += 1e-9 * np.trace(total) * np.eye(6) + 1e-12 * np.eye(6)
        step = -np.linalg.solve(total, pull)
        # A step beyond the reach of projective association is a sign of too few rows, not of a motion.
        longest = max(float(np.abs(step).max()), 1e-12)
        return np.asarray(step * min(1.0, 0.2 / longest), np.float64), information

    def _judge(self, equations, found, expected, hold, current, level) -> Alignment:
        planes, gray = equations.planes, equations.gray
        information, _ = equations.combined(self.settings)
        depth_count = np.count_nonzero(current.levels[level].depth)
        agreeing = planes[AGREEING]
        color = 1.0
        if gray is not None and gray[COUNT] >= LEAST_ROWS:
            color = float(gray[AGREEING] / gray[COUNT])
        return Alignment(
            found,
            float(planes[COUNT] / max(depth_count, 1)),
            float(agreeing / max(planes[COUNT], 1.0)),
            float(np.sqrt(planes[SQUARE] / max(agreeing, 1.0))),
            color,
            equations.contradiction(self.settings),
            unseen_directions(information, equations.scale, self.settings.loose_m),
            information,
        )


@dataclass(frozen=True, slots=True)
class _Equations:
    planes: NDArray[np.float64]
    gray: NDArray[np.float64] | None
    T_gr: NDArray[np.float64] | None
    gain_bias_sigma: tuple[float, float, float]
    gray_variance: float

    @property
    def centre(self) -> NDArray[np.float64]:
        """Weighted middle of the points, frame of the reference."""
        return self.planes[POINT_SUM : POINT_SUM + 3] / max(self.planes[WEIGHT], 1e-12)

    @property
    def scale(self) -> float:
        """Distance of the scene [m]: what makes an angle a length."""
        return max(0.3, float(np.linalg.norm(self.centre)))

    def combined(self, settings: AlignmentSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Information (6, 6) and gradient (6,) of depth, where it has any, and grey values, frame of the reference."""
        (information, gradient), (gray_information, gray_gradient) = self._of_depth(settings), self._of_gray(settings)
        return information + gray_information, gradient + gray_gradient

    def contradiction(self, settings: AlignmentSettings) -> float | None:
        """Estimate of the variance factor by the two kinds of measurements (Helmert), None where one says nothing.

        At their common optimum depth pulls as much as grey values do, with the covariance D T^-1 G, T = D + G; the
        square of that pull in units of T is the trace of D T^-1 G T^-1 if both err as they claim. Written so that
        directions which one of them does not see drop out.
        """
        (depth, depth_pull), (gray, gray_pull) = self._of_depth(settings), self._of_gray(settings)
        if not depth.any() or not gray.any():
            return None
        covariance = np.linalg.inv(depth + gray + np.eye(6))
        pull = depth @ covariance @ gray_pull - gray @ covariance @ depth_pull
        return float(pull @ covariance @ pull / np.trace(depth @ covariance @ gray @ covariance))

    def _of_depth(self, settings: AlignmentSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.planes[COUNT] < LEAST_ROWS:
            return np.zeros((6, 6)), np.zeros(6)
        information, gradient = unpack(self.planes)
        information, gradient = drop_flat(
            information, gradient, self.planes[WEIGHT], self.centre, self.scale, settings.flatness
        )
        return settings.independence * information, settings.independence * gradient

    def _of_gray(self, settings: AlignmentSettings) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.gray is None or self.T_gr is None or self.gray[COUNT] < LEAST_ROWS:
            return np.zeros((6, 6)), np.zeros(6)
        information, gradient = unpack(self.gray)
        turned = se3.adjoint(self.T_gr)
        share = settings.independence / self.gray_variance
        return share * turned.T @ information @ turned, share * turned.T @ gradient


def unpack(sums: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hessian (6, 6) and gradient (6,) of a row of sums."""
    hessian = np.zeros((6, 6))
    hessian[_LOWER] = sums[:21]
    hessian = hessian + np.tril(hessian, -1).T
    return hessian, sums[21:27].copy()


def drop_flat(
    hessian: NDArray, gradient: NDArray, weight: float, centre: NDArray, scale: float, flatness: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The equations without directions that depth does not see (solution remapping, Zhang et al. 2016).

    Rotations are taken about the scene's `centre` and measured by the shift they cause at `scale`, so that all six
    eigenvalues of the hessian over `weight` are mean square slopes.
    """
    # A twist (omega, v) about the origin is one (omega, v + omega x centre) about the centre.
    about = np.eye(6)
    about[3:, :3] = -se3.hat(centre)
    units = np.diag([1.0 / scale] * 3 + [1.0] * 3)
    back = np.linalg.inv(about) @ units
    values, vectors = np.linalg.eigh(back.T @ hessian @ back / max(weight, 1e-12))
    keep = vectors[:, values > flatness]
    if keep.shape[1] == 6:
        return hessian, gradient
    forward = np.linalg.inv(back)
    projector = back @ keep @ keep.T @ forward
    return projector.T @ hessian @ projector, projector.T @ gradient


def unseen_directions(information: NDArray, scale: float, loose_m: float) -> NDArray[np.float64]:
    """Unit twists (K, 6) whose standard deviation is above `loose_m` (rotations: times `scale`)."""
    units = np.diag([1.0 / scale] * 3 + [1.0] * 3)
    values, vectors = np.linalg.eigh(units @ information @ units)
    twists = (units @ vectors[:, values < loose_m**-2.0]).T
    return twists / np.linalg.norm(twists, axis=1, keepdims=True)
