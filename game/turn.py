"""The turn: where someone stands, how far they have turned there, and the views that are kept of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.keyframes import Keyframe, KeyframeSelector, facing_angle, widest_gap
from solver.types import BodyState, Ground, Observation

SPOT_M = 0.35
"""Someone who turns stays this near to where the turn began; who goes further is walking."""
FULL_TURN = np.deg2rad(350.0)
"""A turn is full so much short of the circle: the last views are those of the beginning."""
ENOUGH_TURN = np.deg2rad(315.0)
"""Who has turned so far and then stands still has done with it."""
LARGEST_GAP = np.deg2rad(60.0)
"""A turn is not done while there is no view from a part of the circle that is wider."""
PATIENT_TURN = 2.0 * FULL_TURN
"""Who has turned so far is asked for no more."""
STILL_RATE = np.deg2rad(12.0)
"""Below this rate of turning [rad/s] someone stands still."""
LEAST_CONFIDENCE = 0.35
"""Below that nobody knows where the body is: it has neither left the spot nor turned."""
STILL_S = 0.6
RATE_S = 0.35
"""Time over which the rate of turning is averaged [s]."""


class Turn:
    """Give it every tracked frame. It begins where someone stops, and begins anew when they leave the spot."""

    def __init__(self, model: BodyModel) -> None:
        self._model = model
        # A sample will do for where someone stands.
        self._trunk = np.flatnonzero(model.part_labels == model.part("trunk"))[::16]
        self.begin()

    def begin(self) -> None:
        """Forgets all views: nobody stands anywhere yet."""
        self._selector = KeyframeSelector(self._model)
        self.turned = 0.0
        """How far they have turned on their spot [rad], signed."""
        self.rate = 0.0
        """How fast they turn [rad/s], signed."""
        self.speed = 0.0
        """How fast they walk [m/s]."""
        self._spot: NDArray[np.float64] | None = None
        self._place = np.zeros(2)
        self._facing = 0.0
        self._still_s = 0.0
        self._last_at = 0.0

    @property
    def complete(self) -> bool:
        """True when they have turned once and were seen from all sides."""
        turned = abs(self.turned)
        done = turned >= FULL_TURN or (turned >= ENOUGH_TURN and self._still_s >= STILL_S)
        if not done or turned >= PATIENT_TURN:
            return done
        return widest_gap([keyframe.state for keyframe in self.keyframes])[1] <= LARGEST_GAP

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """The views kept, ordered around the turn."""
        return self._selector.keyframes

    def watch(self, observation: Observation, ground: Ground, state: BodyState) -> None:
        """Takes the next frame and the body tracked in it into account, where it is known at all."""
        if state.confidence < LEAST_CONFIDENCE:
            return
        place, facing = state.vertices[self._trunk, :2].mean(0).astype(np.float64), facing_angle(state)
        if self._spot is None or (not self.complete and np.linalg.norm(place - self._spot) > SPOT_M):
            speed = self.speed
            self.begin()
            self.speed = speed
            self._spot, self._place, self._facing, self._last_at = place, place, facing, state.captured_at
        step = float(np.angle(np.exp(1j * (facing - self._facing))))
        elapsed = state.captured_at - self._last_at
        self.turned += step
        self._still_s = self._still_s + elapsed if abs(step) < STILL_RATE * elapsed else 0.0
        if elapsed > 0.0:
            fresh = 1.0 - np.exp(-elapsed / RATE_S)
            self.rate += fresh * (step / elapsed - self.rate)
            self.speed += fresh * (float(np.linalg.norm(place - self._place)) / elapsed - self.speed)
        self._place, self._facing, self._last_at = place, facing, state.captured_at
        self._selector.offer(observation, ground.T_wc, state)
