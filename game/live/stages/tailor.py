"""The tailor: drafts, cuts and drapes in the background, and hands over what can be put on at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from game.avatar import APPROACH_S, Avatar
from game.designs import design_named, measures_to_cut
from game.fabrics import load_fabric
from game.live.messages import Order, Refused, Sewing, SewingShare, Sewn
from solver.body import BodyModel, canonical_pose, joint_transforms, skin
from solver.cloth.dressing import EDGE_LENGTH_M, Garment, altered, dressing
from solver.errors import InputError, UsageError
from solver.pose_motion import Stance

CATCH_UP_S = 0.4
"""The way from where the shopper stood when the garment set out, to where they are when it arrives."""
DRAPED_SHARE = 0.75
"""Of the whole work, when the garment rests in the A-pose."""


@dataclass(frozen=True, slots=True)
class Stitchwork:
    """A garment that is wanted now, or with None the next piece of the one in work."""

    order: Order
    sewing: Sewing | None


class TailorStage:
    """Makes one garment at a time; a newer wish ends the work on an older one."""

    def __init__(
        self, model: BodyModel, stance: Callable[[], Stance | None], edge_length_m: float = EDGE_LENGTH_M
    ) -> None:
        """`stance()` is how the shopper stands now, None where nobody knows; cloth is cut into triangles with sides of
        about `edge_length_m`."""
        self._model, self._stance, self._edge_length_m = model, stance, edge_length_m
        self.forget()

    def forget(self) -> None:
        """Drops measures, garments and unfinished work."""
        self._sewing: Sewing | None = None
        self._work: Generator[float, None, Sewn] | None = None
        self._draped: tuple[str, Garment] | None = None

    @property
    def busy(self) -> bool:
        """True while a garment is in work."""
        return self._work is not None

    def step(self, item: Stitchwork) -> SewingShare | Sewn | Refused | None:
        """Begins a garment or does the next piece of it."""
        if item.sewing is not None:
            self._sewing, self._work = item.sewing, self._make(item.sewing)
        if self._work is None or self._sewing is None:
            return None
        sewing = self._sewing
        try:
            return SewingShare(sewing.order, sewing.number, next(self._work))
        except StopIteration as end:
            self._work = None
            return end.value
        except (InputError, UsageError) as error:
            self._work = None
            return Refused(sewing.order, sewing.number, str(error))

    def _make(self, sewing: Sewing) -> Generator[float, None, Sewn]:
        worn, shopper = sewing.worn, sewing.shopper
        design, fabric = design_named(worn.design), load_fabric(worn.fabric)
        pattern = design.draft(measures_to_cut(self._model, shopper), worn.options)
        yield 0.0
        if self._draped is not None and self._draped[0] == worn.design:
            # Always of the garment that was draped: alterations of alterations would wear the triangles out.
            heir = altered(self._draped[1], pattern, fabric, self._model)
            if heir is not None:
                return Sewn(sewing.order, sewing.number, worn, heir, heir=True)
        garment = None
        work = dressing(pattern, self._model, shopper.canonical, fabric, edge_length_m=self._edge_length_m)
        while garment is None:
            try:
                yield DRAPED_SHARE * next(work)
            except StopIteration as end:
                garment = end.value
        stance = yield from self._bring(sewing, garment)
        self._draped = worn.design, garment
        return Sewn(sewing.order, sewing.number, worn, garment, False, stance)

    def _bring(self, sewing: Sewing, garment: Garment) -> Generator[float, None, Stance | None]:
        """Takes the garment from the A-pose to where the shopper is, and returns how they stood there."""
        shopper = sewing.shopper
        posed = skin(
            self._model,
            shopper.rest.vertices,
            joint_transforms(self._model, shopper.rest.joints, canonical_pose(self._model, shopper.rest.joints)),
        )
        lift = float(np.median(shopper.canonical[:, 2] - posed[:, 2]))
        avatar = Avatar(self._model, shopper.rest, garment, lift)
        stance = None
        for seconds, share in ((APPROACH_S, 0.2), (CATCH_UP_S, 0.05)):
            if (goal := self._stance()) is None:
                return stance
            if stance is None:
                avatar.stand_at(goal)
            stance = goal
            for _ in avatar.moving(stance, seconds):
                yield min(DRAPED_SHARE + share, 1.0)
        return stance

    def close(self) -> None:
        """Gives everything back."""
        self.forget()
