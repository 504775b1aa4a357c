"""Cloth: the avatar and its garment on a clock of their own, at the moment when they will be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from game.live.messages import Order, Sewn, Shown, Tracked
from game.protocol.snapshot import ClothMesh, Dressed, Shopper
from solver.body import BodyModel, canonical_pose, joint_transforms, skin
from solver.cloth.dressing import Garment
from solver.pose_motion import Stance, interpolate
from solver.pose_prediction import PosePredictor
from solver.types import BodyState, read_only

LEAD_S = 1.0 / 30.0
"""From a step to when it is seen: half a picture of waiting, and the drawing."""

REACH_M = 0.055
"""Most that any place of the body below the cloth moves in a step. Of a longer way the body's travel and turn beyond
this is carried out rigidly, cloth and all, and what is left of its limbs' in the steps after: however late or however
far off, a step is one frame of cloth, so that a stage that is late does not get later by it."""
ARRIVAL_STEPS = 2
"""Frames of cloth in a step for a garment that is put on, until it has come from the pose that it was sewn in."""


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


@dataclass(frozen=True, slots=True)
class _Worn:
    """A garment and what others need to draw it."""

    garment: Garment
    number: int
    mesh: ClothMesh


class _Coming:
    """A garment on its way from the body as it stood when it was put on to where the shopper stands now.

    The body goes there joint by joint: on straight lines a limb that turns about itself would shrink to nothing on its
    way, and come out beside its sleeve.
    """

    def __init__(self, worn: _Worn, draped: Stance, stance: Stance | None) -> None:
        """`stance` is that of the body now; None: as it was `draped`."""
        self.worn = worn
        self._draped, self._stance = draped, stance or draped
        self._left: int | None = None

    def approach(self, wanted: Stance, posed: Callable[[Stance], NDArray[np.float32]]) -> bool:
        """Does the next part of the way to `wanted`, which may move meanwhile; True once it is there. `posed` is the
        body (V, 3) [m] that stands so."""
        garment = self.worn.garment
        if self._left is None:
            carried = wanted.T_wb @ np.linalg.inv(self._stance.T_wb)
            garment.carry(carried[:3, :3], carried[:3, 3])
            self._stance = Stance(self._stance.pose, wanted.T_wb)
            self._left = garment.steps_to(posed(wanted))
        for _ in range(min(ARRIVAL_STEPS, self._left)):
            self._stance = interpolate(self._stance, wanted, 1.0 / self._left)
            garment.simulation.step(posed(self._stance))
            self._left -= 1
        if garment.simulation.broken:
            garment.reset()
            self._stance, self._left = self._draped, None
        return self._left == 0


class ClothStage:
    """Moves the body by predicted poses and lets the cloth follow."""

    def __init__(self, model: BodyModel, lead_s: float = LEAD_S) -> None:
        """What is shown is predicted for `lead_s` after its step."""
        self._model, self._lead_s = model, lead_s
        self.forget()

    def forget(self) -> None:
        """Drops body and garment."""
        self._predictor = PosePredictor()
        self._number = 0
        self._worn: _Worn | None = None
        self._coming: _Coming | None = None
        self._standing: Stance | None = None
        self._captured_at = 0.0

    def stance(self) -> Stance | None:
        """How the avatar stands now; None while nobody has been followed. For any thread."""
        return self._predictor.shown

    def step(self, item: Beat) -> Shown | None:
        """One step; None while nobody has been followed."""
        if item.tracked is not None and item.tracked.moment is not None and item.tracked.moment.body is not None:
            self._observe(item.tracked.moment.body, item.shopper)
        if item.sewn is not None:
            self._put_on(item.sewn, item.shopper)
        if not self._predictor.ready:
            return None
        shown_at = item.at + self._lead_s
        body = self._moved(self._predictor.at(shown_at), item.shopper)
        if self._worn is not None:
            garment = self._worn.garment
            garment.simulation.step(body)
            if garment.simulation.broken:
                garment.reset()
                self._worn, self._coming = None, self._coming or self._bring(self._worn, item.shopper)
        if self._coming is not None:
            assert self._standing is not None
            if self._coming.approach(self._standing, partial(self._posed, shopper=item.shopper)):
                self._worn, self._coming = self._coming.worn, None
        garments = ()
        if self._worn is not None:
            self._number = self._worn.number
            garments = ((self._worn.mesh, read_only(self._worn.garment.simulation.positions.copy())),)
        dressed = Dressed(item.number, shown_at, self._captured_at, read_only(body), garments)
        return Shown(item.order, self._number, dressed)

    def _moved(self, wanted: Stance, shopper: Shopper) -> NDArray[np.float32]:
        """The body on its way to `wanted`, as far as it may go in one step."""
        body = self._posed(wanted, shopper)
        start, self._standing = self._standing, wanted
        if start is None or self._worn is None:
            return body
        garment = self._worn.garment
        way = garment.simulation.way_to(body)
        if way <= REACH_M:
            return body
        T_wb = interpolate(start, wanted, 1.0 - REACH_M / way).T_wb
        carried = T_wb @ np.linalg.inv(start.T_wb)
        garment.carry(carried[:3, :3], carried[:3, 3])
        start = Stance(start.pose, T_wb)
        share = 1.0
        # A turn's way is shorter than its arc: the first guess may go too far, the second hardly does.
        for _ in range(2):
            way = garment.simulation.way_to(body)
            if way > REACH_M:
                share *= REACH_M / way
                self._standing = interpolate(start, wanted, share)
                body = self._posed(self._standing, shopper)
        return body

    def _observe(self, state: BodyState, shopper: Shopper) -> None:
        stance = Stance(state.pose, state.T_wb)
        # The scanned legs may differ from those that are tracked by: the soles stay where they were seen.
        low = float(self._posed(stance, shopper)[:, 2].min())
        T_wb = state.T_wb.copy()
        T_wb[2, 3] += float(state.vertices[:, 2].min()) - low
        self._predictor.observe(Stance(state.pose, T_wb), state.captured_at, state.confidence)
        self._captured_at = state.captured_at

    def _put_on(self, sewn: Sewn, shopper: Shopper) -> None:
        mesh = sewn.garment.mesh
        worn = _Worn(
            sewn.garment,
            sewn.number,
            ClothMesh(
                sewn.number,
                read_only(np.ascontiguousarray(mesh.triangles, np.int32)),
                read_only(np.ascontiguousarray(mesh.uv, np.float32)),
                read_only(np.ascontiguousarray(mesh.faces, np.int32)),
            ),
        )
        if self._worn is not None and _succeeds(sewn, self._worn):
            sewn.garment.take_over(self._worn.garment)
            self._worn, self._coming = worn, None
        elif self._coming is not None and _succeeds(sewn, self._coming.worn):
            sewn.garment.take_over(self._coming.worn.garment)
            self._coming.worn = worn
        else:
            self._coming = self._bring(worn, shopper, sewn.stance)

    def _bring(self, worn: _Worn, shopper: Shopper, stance: Stance | None = None) -> _Coming:
        pose = canonical_pose(self._model, shopper.rest.joints)
        T_wb = np.eye(4)
        T_wb[:3, 3] = (worn.garment.home_body - self._posed(Stance(pose, T_wb), shopper)).mean(axis=0)
        return _Coming(worn, Stance(pose, T_wb), stance)

    def _posed(self, stance: Stance, shopper: Shopper) -> NDArray[np.float32]:
        transforms = joint_transforms(self._model, shopper.rest.joints, stance.pose, stance.T_wb)
        return skin(self._model, shopper.rest.vertices, transforms)

    def close(self) -> None:
        """Gives everything back."""
        self.forget()


def _succeeds(sewn: Sewn, before: _Worn) -> bool:
    """`sewn` is `before` altered, and may lie where that lies."""
    new, old = sewn.garment.mesh, before.garment.mesh
    return sewn.heir and np.array_equal(new.faces, old.faces) and np.array_equal(new.particles, old.particles)
