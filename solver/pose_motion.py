"""Bodies between and across frames: interpolation for a display faster than the camera, and a filter against jitter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.alignment import rotation_vectors
from solver.body import rotation_matrices


@dataclass(frozen=True, slots=True)
class Stance:
    """How a body stands: joints relative to their parents, and the root."""

    pose: NDArray[np.float64]
    """Rotation vectors [rad], shape (J, 3)."""
    T_wb: NDArray[np.float64]
    """Body to world, shape (4, 4)."""


def interpolate(a: Stance, b: Stance, share: float) -> Stance:
    """The stance `share` (0..1, beyond for extrapolation) of the way from `a` to `b`: joints and root along geodesics,
    the root's place along a line."""
    turns = turns_between(a, b)
    rotations = rotation_matrices(share * turns) @ rotations_of(a)
    T_wb = np.eye(4)
    T_wb[:3, :3] = rotations[-1]
    T_wb[:3, 3] = a.T_wb[:3, 3] + share * (b.T_wb[:3, 3] - a.T_wb[:3, 3])
    return Stance(rotation_vectors(rotations[:-1]), T_wb)


class StanceFilter:
    """One-euro filter (Casiez, Roussel, Vogel 2012) over joints and root: calm at rest, quick in motion.

    The cut-off of each joint is `least_hz` + `eagerness_hz_s` * its smoothed angular speed [rad/s]; likewise for the
    root's place with its speed in m/s times ten, so that 10 cm/s counts as 1 rad/s.
    """

    def __init__(self, least_hz: float = 1.5, eagerness_hz_s: float = 3.0, speed_cutoff_hz: float = 2.0) -> None:
        self._least = least_hz
        self._eagerness = eagerness_hz_s
        self._speed_cutoff = speed_cutoff_hz
        self._last: Stance | None = None
        self._seen: Stance | None = None
        self._at = 0.0

    def __call__(self, stance: Stance, at: float) -> Stance:
        """The filtered stance at time `at` [s]; times must rise."""
        if self._last is None or self._seen is None:
            self._last = self._seen = stance
            self._at = at
            self._speed = np.zeros((len(stance.pose) + 1, 3))
            self._drift = np.zeros(3)
            return stance
        elapsed = max(at - self._at, 1e-3)
        self._at = at
        fresh = smoothing(self._speed_cutoff, elapsed)
        self._speed += fresh * (turns_between(self._seen, stance) / elapsed - self._speed)
        shift = (stance.T_wb[:3, 3] - self._seen.T_wb[:3, 3]) / elapsed
        self._drift += fresh * (shift - self._drift)
        self._seen = stance
        share = smoothing(self._least + self._eagerness * np.linalg.norm(self._speed, axis=1), elapsed)
        rotations = rotation_matrices(share[:, None] * turns_between(self._last, stance)) @ rotations_of(self._last)
        T_wb = np.eye(4)
        T_wb[:3, :3] = rotations[-1]
        follow = smoothing(self._least + self._eagerness * 10.0 * np.linalg.norm(self._drift), elapsed)
        T_wb[:3, 3] = self._last.T_wb[:3, 3] + follow * (stance.T_wb[:3, 3] - self._last.T_wb[:3, 3])
        self._last = Stance(rotation_vectors(rotations[:-1]), T_wb)
        return self._last


def smoothing(cutoff_hz, elapsed: float):
    """Share of the new value that a first-order low-pass of `cutoff_hz` takes in `elapsed` [s]."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff_hz * elapsed))


def rotations_of(stance: Stance) -> NDArray[np.float64]:
    """Joints, and the root as the last, shape (J + 1, 3, 3)."""
    return np.concatenate([rotation_matrices(stance.pose), stance.T_wb[None, :3, :3]])


def turns_between(a: Stance, b: Stance) -> NDArray[np.float64]:
    """Left turns from `a` to `b` [rad], shape (J + 1, 3)."""
    return rotation_vectors(rotations_of(b) @ rotations_of(a).transpose(0, 2, 1))
