"""Follows one person before a camera without depth: a body of average depth, moved until it looks as in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation
from solver.body import BodyModel
from solver.body_fit import TrackerSettings, TrackerStatus
from solver.errors import NotAPersonError
from solver.landmark_place import place_figure, turned_to_view
from solver.outline_fit import NO_DEPTH, OutlineFit
from solver.tracking import BodyTracker
from solver.types import BodyState, DepthNoise, Ground, Intrinsics, Observation

AVERAGE_DEPTH = "A body of average depth: this camera sees colour only, so nothing is measured"
"""What screens say wherever such a body is shown."""
MIN_OVERLAP = 0.5
"""Share of the model in the mask, times share of the mask that it covers, below which it is no person."""
MEMORY_S = 2.0
"""Who is found again so soon still faces about where they did."""


class ColorTracker(BodyTracker):
    """The surface of `BodyTracker` for frames without depth.

    Pose, place, stature and breadth are followed; the body's depth is that of average people so tall and so broad, and
    no girth may be read from it (`notice` says so). On a guessed ground (`solver.landmark_place.assume_average`) the
    stature too is the average, and distances scale with it.
    """

    notice = AVERAGE_DEPTH

    def __init__(self, model: BodyModel, intrinsics: Intrinsics, settings: TrackerSettings | None = None):
        """A tracker of `model` in pictures with `intrinsics`."""
        super().__init__(model, intrinsics, NO_DEPTH, settings)
        self._fit = self._outline = OutlineFit(model, intrinsics, self.settings)
        self._intrinsics = intrinsics

    def start(self, observation: Observation, ground: Ground) -> BodyState:
        """As `BodyTracker.start`."""
        return super().start(self._in_camera_axes(observation), ground)

    def track(self, observation: Observation) -> BodyState:
        """As `BodyTracker.track`."""
        return super().track(self._in_camera_axes(observation))

    def _in_camera_axes(self, observation: Observation) -> Observation:
        if observation.landmarks is None:
            return observation
        return replace(observation, landmarks=turned_to_view(observation.landmarks, self._intrinsics))

    def _found(self, observation: Observation) -> Articulation:
        landmarks = observation.landmarks
        if landmarks is None or observation.mask is None:
            raise NotAPersonError("nobody is in view: stand before the camera, whole in its picture")
        fit, frame = self._outline, observation.frame
        fit.region.sample(observation)
        anchor = fit.T_wc[:3, :3] @ place_figure(landmarks, frame.intrinsics) + fit.T_wc[:3, 3]
        known = self._state if frame.captured_at - self._last_seen_at < MEMORY_S else None
        best: tuple[float, Articulation, TrackerStatus] | None = None
        for flipped in (False,) if known is None else (False, True):
            fit.set_figure(None, flipped)
            state = self._from_landmarks(landmarks, anchor, flipped)
            fit.set_figure(landmarks, flipped)
            state = self._settled(state, landmarks, flipped)
            # A picture alone does not tell a front from a back; the last one before the person was lost does.
            merit = 0.0 if known is None else float(_facing(state) @ _facing(known))
            if best is None or merit > best[0]:
                best = merit, state, replace(fit.status)
        assert best is not None
        _, state, fit.status = best
        if not self._is_plausible(state):
            raise NotAPersonError("what is in view is not a person standing upright: clear the space before the camera")
        self._begin(state, frame.captured_at)
        return state

    def _begin(self, state: Articulation, captured_at: float) -> None:
        self._state, self._doubts = state, 0
        self._motion.turn[:] = 0.0
        self._motion.shift[:] = 0.0
        self._motion.joints[:] = 0.0
        self._habit = state.pose.copy()
        self._captured_at = self._last_seen_at = captured_at

    def _is_plausible(self, state: Articulation) -> bool:
        status = self._fit.status
        return status.agreement * status.coverage > MIN_OVERLAP


def make_tracker(
    model: BodyModel, intrinsics: Intrinsics, noise: DepthNoise | None, settings: TrackerSettings | None = None
) -> BodyTracker | ColorTracker:
    """The tracker for a source with that `noise`: None means that it has no depth."""
    if noise is None:
        return ColorTracker(model, intrinsics, settings)
    return BodyTracker(model, intrinsics, noise, settings)


def _facing(state: Articulation) -> NDArray[np.float64]:
    """Horizontal direction in which the body faces, (2,), frame w."""
    forward = -state.T_wb[:2, 1]
    return forward / max(float(np.linalg.norm(forward)), 1e-9)
