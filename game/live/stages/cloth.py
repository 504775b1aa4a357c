"""Cloth: the avatar and its garment on a clock of their own, at the moment when they will be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from game.live.messages import Order, Sewn, Shown, Tracked
from game.protocol.snapshot import ClothMesh, Dressed, Shopper
from solver.body import BodyModel, joint_transforms, skin
from solver.cloth.dressing import Garment
from solver.pose_motion import Stance, interpolate
from solver.pose_prediction import PosePredictor
from solver.types import BodyState, read_only

LEAD_S = 1.0 / 30.0
"""From a step to when it is seen: half a picture of waiting, and the drawing."""

REACH_M = 0.055
"""Most that any place of the body moves in a step. Cloth follows longer ways in dozens of small steps, by which a stage
that is late would fall behind for good: the body takes the way in several steps instead."""
ELSEWHERE_M = 1.0
"""Whoever is so far from where they were did not move there."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One step of 1/60 s, and what came in since the last."""

    order: Order
    number: int
    at: float
    """[s]."""
    shopper: Shopper
    tracked: Tracked | None
    sewn: Sewn | None


class ClothStage:
    """Moves the body by predicted poses and lets the cloth follow."""

    def __init__(self, model: BodyModel, lead_s: float = LEAD_S) -> None:
        """What is shown is predicted for `lead_s` after its step."""
        self._model, self._lead_s = model, lead_s
        self.forget()

    def forget(self) -> None:
        """Drops body and garment."""
        self._predictor = PosePredictor()
        self._garment: Garment | None = None
        self._mesh: ClothMesh | None = None
        self._number = 0
        self._last: tuple[Stance, NDArray[np.float32]] | None = None
        self._captured_at = 0.0

    def stance(self) -> Stance | None:
        """How the avatar stands now; None while nobody has been followed. For any thread."""
        return self._predictor.shown

    def step(self, item: Beat) -> Shown | None:
        """One step; None while nobody has been followed."""
        if item.tracked is not None and item.tracked.moment is not None and item.tracked.moment.body is not None:
            self._observe(item.tracked.moment.body, item.shopper)
        if item.sewn is not None:
            self._put_on(item.sewn)
        if not self._predictor.ready:
            return None
        shown_at = item.at + self._lead_s
        body = self._moved(self._predictor.at(shown_at), item.shopper)
        garments: tuple[tuple[ClothMesh, NDArray[np.float32]], ...] = ()
        if self._garment is not None and self._mesh is not None:
            self._garment.follow(body)
            garments = ((self._mesh, read_only(self._garment.simulation.positions.copy())),)
        dressed = Dressed(item.number, shown_at, self._captured_at, read_only(body), garments)
        return Shown(item.order, self._number, dressed)

    def _moved(self, wanted: Stance, shopper: Shopper) -> NDArray[np.float32]:
        """The body on its way to `wanted`, as far as it may go in one step."""
        body = self._posed(wanted, shopper)
        last = self._last
        if last is not None and self._garment is not None:
            way = float(np.sqrt(np.square(body - last[1]).sum(1).max()))
            if REACH_M < way < ELSEWHERE_M:
                wanted = interpolate(last[0], wanted, REACH_M / way)
                body = self._posed(wanted, shopper)
        self._last = wanted, body
        return body

    def _observe(self, state: BodyState, shopper: Shopper) -> None:
        stance = Stance(state.pose, state.T_wb)
        # The scanned legs may differ from those that are tracked by: the soles stay where they were seen.
        low = float(self._posed(stance, shopper)[:, 2].min())
        T_wb = state.T_wb.copy()
        T_wb[2, 3] += float(state.vertices[:, 2].min()) - low
        self._predictor.observe(Stance(state.pose, T_wb), state.captured_at, state.confidence)
        self._captured_at = state.captured_at

    def _put_on(self, sewn: Sewn) -> None:
        if sewn.heir and self._garment is not None and _same_particles(sewn.garment, self._garment):
            sewn.garment.take_over(self._garment)
        self._garment, self._number = sewn.garment, sewn.number
        mesh = sewn.garment.mesh
        self._mesh = ClothMesh(
            sewn.number,
            read_only(np.ascontiguousarray(mesh.triangles, np.int32)),
            read_only(np.ascontiguousarray(mesh.uv, np.float32)),
            read_only(np.ascontiguousarray(mesh.faces, np.int32)),
        )

    def _posed(self, stance: Stance, shopper: Shopper) -> NDArray[np.float32]:
        transforms = joint_transforms(self._model, shopper.rest.joints, stance.pose, stance.T_wb)
        return skin(self._model, shopper.rest.vertices, transforms)

    def close(self) -> None:
        """Gives everything back."""
        self.forget()


def _same_particles(a: Garment, b: Garment) -> bool:
    return np.array_equal(a.mesh.faces, b.mesh.faces) and np.array_equal(a.mesh.particles, b.mesh.particles)
