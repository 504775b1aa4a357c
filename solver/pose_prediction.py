"""Where a tracked body will be when its picture is shown: prediction between and beyond camera frames, at any rate.

The last stance is carried on with damped velocity (after LaViola 2003, who finds double exponential smoothing as good
as a Kalman filter for this). Velocity counts less the nearer it is to noise, the less two frames agree on it, and the
less the pose is trusted, so that who stands still is still and who stops or turns back is not thrown beyond. What a
new frame corrects is blended in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.alignment import rotation_vectors
from solver.body import rotation_matrices
from solver.pose_motion import Stance, StanceFilter, rotations_of, smoothing, turns_between


@dataclass(frozen=True, slots=True)
class PredictionSettings:
    """What may be tuned. Defaults hold for 10 to 30 frames a second."""

    lasting_s: float = 0.15
    """How long a velocity goes on: the most that it carries is as far as it goes in this time."""
    velocity_cutoff_hz: float = 4.0
    turn_noise: float = 0.35
    """Angular velocity [rad/s] that counts half: below it is mostly jitter."""
    drift_noise: float = 0.06
    """The same for the root's place [m/s]."""
    least_confidence: float = 0.35
    """A pose of this confidence is not carried on at all."""
    full_confidence: float = 0.75
    blend_s: float = 0.05
    """Time in which a correction fades to a third."""
    longest_s: float = 0.25
    """Nobody is predicted further than this."""


class PosePredictor:
    """Give it stances as they come with `observe`; ask for any moment with `at`. Times must rise."""

    def __init__(self, settings: PredictionSettings | None = None) -> None:
        self.settings = settings or PredictionSettings()
        self.forget()

    def forget(self) -> None:
        """As if nobody had been seen."""
        self._filter = StanceFilter(least_hz=1.5, eagerness_hz_s=5.0)
        self._last: Stance | None = None
        self._seen: Stance | None = None
        self._shown: Stance | None = None
        self._seen_at = self._shown_at = 0.0

    @property
    def ready(self) -> bool:
        """True once a stance was observed."""
        return self._last is not None

    @property
    def shown(self) -> Stance | None:
        """What `at` returned last."""
        return self._shown

    def observe(self, stance: Stance, at: float, confidence: float = 1.0) -> None:
        """The body stood like `stance` at time `at` [s]; `confidence` 0..1."""
        smooth = self._filter(stance, at)
        count = len(stance.pose) + 1
        if self._last is None or self._seen is None:
            self._velocity, self._drift = np.zeros((count, 3)), np.zeros(3)
            self._carry, self._carry_drift = np.zeros((count, 3)), np.zeros(3)
            self._error, self._error_place = np.zeros((count, 3)), np.zeros(3)
        else:
            elapsed = max(at - self._seen_at, 1e-3)
            turn = turns_between(self._seen, stance) / elapsed
            drift = (stance.T_wb[:3, 3] - self._seen.T_wb[:3, 3]) / elapsed
            settings = self.settings
            trust = np.clip(
                (confidence - settings.least_confidence) / (settings.full_confidence - settings.least_confidence), 0, 1
            )
            fresh = smoothing(settings.velocity_cutoff_hz, elapsed)
            self._carry = trust * _believed(self._velocity, turn, settings.turn_noise)
            self._carry_drift = trust * _believed(self._drift[None], drift[None], settings.drift_noise)[0]
            self._velocity += fresh * (turn - self._velocity)
            self._drift += fresh * (drift - self._drift)
        self._last, self._seen, self._seen_at = smooth, stance, at
        if self._shown is not None:
            predicted = self._predicted(self._shown_at)
            self._error = turns_between(predicted, self._shown)
            self._error_place = self._shown.T_wb[:3, 3] - predicted.T_wb[:3, 3]
            self._error_at = self._shown_at

    def at(self, moment: float) -> Stance:
        """How the body stands at `moment` [s]. Call `observe` first."""
        predicted = self._predicted(moment)
        if self._shown is None:
            self._error_at = moment
        left = float(np.exp(-max(moment - self._error_at, 0.0) / self.settings.blend_s))
        self._shown = _turned(predicted, left * self._error, left * self._error_place)
        self._shown_at = moment
        return self._shown

    def _predicted(self, moment: float) -> Stance:
        assert self._last is not None
        settings = self.settings
        ahead = float(np.clip(moment - self._seen_at, 0.0, settings.longest_s))
        reach = settings.lasting_s * (1.0 - np.exp(-ahead / settings.lasting_s))
        return _turned(self._last, reach * self._carry, reach * self._carry_drift)


def _believed(before: NDArray, now: NDArray, noise: float) -> NDArray[np.float64]:
    """The velocity to go on with: the last one, as far as the one before agrees and it rises above `noise`, (N, 3)."""
    size_before, size = np.linalg.norm(before, axis=1), np.linalg.norm(now, axis=1)
    agreement = (before * now).sum(1) / np.maximum(size_before * size, 1e-12)
    # What speeds up is believed half as fast again as it was: one frame alone may be wrong.
    speed = np.minimum(1.5 * size_before, size)
    share = np.clip(agreement, 0.0, 1.0) * size**2 / (size**2 + noise**2)
    return now * (share * speed / np.maximum(size, 1e-12))[:, None]


def _turned(stance: Stance, turns: NDArray, shift: NDArray) -> Stance:
    """`stance` with its joints and, as the last, its root turned by `turns` (J + 1, 3), and moved by `shift` (3,)."""
    rotations = rotation_matrices(turns) @ rotations_of(stance)
    T_wb = np.eye(4)
    T_wb[:3, :3] = rotations[-1]
    T_wb[:3, 3] = stance.T_wb[:3, 3] + shift
    return Stance(rotation_vectors(rotations[:-1]), T_wb)
