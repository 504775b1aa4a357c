"""The avatar: the scanned person in a garment of their own measures, moving as they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, skin
from solver.cloth.dressing import FRAME_S, Garment
from solver.pose_motion import Stance, interpolate

APPROACH_S = 1.2
"""Time the avatar takes from the A-pose, in which it was dressed, to where the person is."""


class Avatar:
    """Moves a body and the garment on it in steps of 1/60 s."""

    def __init__(self, model: BodyModel, body: RestBody, garment: Garment, lift_m: float) -> None:
        """`body` wears `garment`, draped on it in the canonical A-pose `lift_m` above the frame b of `body`."""
        self._model = model
        self._body = body
        self.garment = garment
        self._stance = Stance(canonical_pose(model, body.joints), _raised(lift_m))
        self.vertices = self._posed(self._stance)
        """Of the body [m], shape (V, 3), frame w."""

    @property
    def garment_vertices(self) -> NDArray[np.float32]:
        """Particles of the garment [m], shape (P, 3), frame w."""
        return np.ascontiguousarray(self.garment.simulation.positions, np.float32)

    def stand_at(self, stance: Stance) -> None:
        """Stands in the A-pose where `stance` is and faces as it does: the garment is carried along."""
        across = stance.T_wb[:2, 0] / np.linalg.norm(stance.T_wb[:2, 0])
        T_wb = self._stance.T_wb.copy()
        T_wb[:2, :2] = np.column_stack([across, (-across[1], across[0])])
        T_wb[:2, 3] = stance.T_wb[:2, 3]
        self._stance = Stance(self._stance.pose, T_wb)
        self.vertices = self._posed(self._stance)
        self.garment.follow(self.vertices)

    def move_to(
        self, stance: Stance, seconds: float, show: Callable[[], None] | None = None, shows_per_s: int = 30
    ) -> None:
        """Moves to `stance` in `seconds`, evenly; `show()` is called `shows_per_s` times a second on the way."""
        every = max(1, round(1.0 / (shows_per_s * FRAME_S)))
        for step in self.moving(stance, seconds):
            if show and (step % every == 0):
                show()

    def moving(self, stance: Stance, seconds: float) -> Iterator[int]:
        """`move_to` step by step; yields the number of each step of 1/60 s that is done, from 1."""
        begin = self._stance
        steps = max(1, round(seconds / FRAME_S))
        for step in range(1, steps + 1):
            self._stance = interpolate(begin, stance, step / steps)
            self.vertices = self._posed(self._stance)
            self.garment.follow(self.vertices)
            yield step
        self._stance = stance

    def settle(self, seconds: float, show: Callable[[], None] | None = None, shows_per_s: int = 30) -> None:
        """Stands still for `seconds`."""
        self.move_to(self._stance, seconds, show, shows_per_s)

    def _posed(self, stance: Stance) -> NDArray[np.float32]:
        transforms = joint_transforms(self._model, self._body.joints, stance.pose, stance.T_wb)
        return skin(self._model, self._body.vertices, transforms)


def _raised(height_m: float) -> NDArray[np.float64]:
    T_wb = np.eye(4)
    T_wb[2, 3] = height_m
    return T_wb
