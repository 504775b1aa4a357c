"""Visits at the real mirror in lock-step, one simulated shopper after another: session, screens, attendant, store."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Self

import cv2
import numpy as np

from benchmarks._canaries import Canaries
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from capture.source import EndOfRecording, SourceInfo
from game.app import App
from game.assets import POSE_LANDMARKER, load_body_model
from game.attendant import Attendant, Tastes
from game.keeper import StoreKeeper
from game.live.session import MirrorSession, open_session
from game.live.works import Parts
from game.profiles.store import ProfileStore
from game.protocol.commands import Leave
from game.protocol.snapshot import Screen
from game.view.display import Display
from scenes import SCREENS
from solver.body import BodyModel
from solver.errors import ChevalError, DeviceLostError
from solver.types import Frame

PICTURES_PER_S = 10
LONGEST_VISIT_S = 150.0
WIPED_S = 2.0
"""So long after leaving nothing of the shopper is left."""


class Procession:
    """A camera before which one simulated shopper after another steps in: who leaves is followed by the next seed."""

    def __init__(self, model: BodyModel, specs: Iterator[str]) -> None:
        self._model, self._specs = model, specs
        self._closed = False
        self.call_next()

    def call_next(self) -> None:
        """The next shopper walks in."""
        self._now = SimulatedSource.from_spec(next(self._specs), self._model)

    @property
    def info(self) -> SourceInfo:
        """As of the shopper who is there; of the camera nothing differs."""
        return self._now.info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame; whoever has walked off is followed by the next."""
        if self._closed:
            raise DeviceLostError("the simulated camera is closed: open it again")
        try:
            return self._now.read(timeout_s)
        except EndOfRecording:
            self.call_next()
            return self._now.read(timeout_s)

    def close(self) -> None:
        """Ends the procession."""
        self._closed = True
        self._now.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class LockstepMirror:
    """The whole mirror, offscreen, on a clock that waits for the work. Time in it is `session.latest().now`."""

    def __init__(
        self, store: ProfileStore, first_seed: int, tastes: Tastes, size: tuple[int, int] = (540, 960), fps: int = 8
    ) -> None:
        """Shoppers have seeds from `first_seed` on; their profiles go into `store`."""
        model = load_body_model()
        seeds = itertools.count(first_seed)
        self.procession = Procession(model, (f"sim:seed={seed},fps={fps},seconds=6" for seed in seeds))
        self.kept: dict[str, str] = {}
        """Secret by profile."""
        self.session: MirrorSession = open_session(
            Parts(
                model, lambda: self.procession, lambda: ShopperLandmarker(POSE_LANDMARKER), StoreKeeper(store, model)
            ),
            lockstep=True,
        )
        self.app = App(Display(size, headless=True), self.session, SCREENS)
        self._attendant = Attendant(tastes)

    def _source(self) -> Procession:
        return self.procession

    def serve(self, before_leaving: Callable[[LockstepMirror], None] = lambda mirror: None) -> list[Screen]:
        """One visit up to two seconds after leaving; `before_leaving` is called just before. Returns the screens that
        were shown. Raises `ChevalError` where the visit does not come to its end."""
        begin, shown = self.session.latest().now, list[Screen]()
        left_at = math.inf
        while (now := self.session.latest().now) - left_at < WIPED_S:
            if now - begin > LONGEST_VISIT_S:
                raise ChevalError(
                    f"a visit did not end within {LONGEST_VISIT_S:g} s: {' '.join(s.value for s in shown)}"
                )
            self.session.advance(1.0 / PICTURES_PER_S)
            if not shown or shown[-1] is not self.session.latest().screen:
                shown.append(self.session.latest().screen)
            for wish in self._attendant.watch(self.session.latest()):
                if isinstance(wish, Leave):
                    keeping = self.session.latest().keeping
                    if keeping is not None:
                        self.kept[keeping.profile_id] = keeping.secret
                    before_leaving(self)
                    left_at = self.session.latest().now
                    self.procession.call_next()
                self.session.ask(wish)
            self.app.step(1.0 / PICTURES_PER_S)
        return shown

    def say_goodbye(self) -> None:
        """Until the mirror waits for the next shopper."""
        while self.session.latest().screen is not Screen.ATTRACT:
            self.session.advance(1.0 / PICTURES_PER_S)
            self._attendant.watch(self.session.latest())
            self.app.step(1.0 / PICTURES_PER_S)

    def close(self) -> None:
        """Gives everything back."""
        self.app.close()
        self.session.close()


def remember(canaries: Canaries, mirror: LockstepMirror) -> None:
    """Canaries from all that is known of the shopper now."""
    session = mirror.session
    snapshot = session.latest()
    moment, shopper, dressed = snapshot.camera, snapshot.shopper, snapshot.dressed
    assert moment is not None
    assert shopper is not None
    assert dressed is not None
    canaries.add("canonical body", shopper.canonical)
    canaries.add("body at rest", shopper.rest.vertices)
    canaries.add("shape", shopper.shape)
    canaries.add("body colours", shopper.paint.color)
    canaries.add("surface of the body's paint", shopper.paint.surface)
    canaries.add("posed body", dressed.body)
    for _, particles in dressed.garments:
        canaries.add("garment", particles)
    if shopper.scan is not None:
        canaries.add("scanned colours", np.ascontiguousarray(shopper.scan.reconstruction.vertex_colors))
    if moment.person is None or moment.body is None or moment.frame.color is None or moment.frame.depth is None:
        raise ChevalError("nobody is followed any more: no canaries can be taken")
    canaries.add("pose", moment.body.pose)
    rows, columns = np.nonzero(moment.person)
    for row in np.linspace(rows.min() + 5, rows.max() - 5, 12).astype(int):
        over = columns[rows == row]
        if len(over) >= 24:
            span = slice(over.min(), over.max() + 1)
            canaries.add("camera colour", moment.frame.color[row, span], 1)
            canaries.add("camera depth", moment.frame.depth[row, span], 1)
    shown = mirror.app.display.glass.frame
    if shown is not None and shown.color is not None:
        # As the engine and the driver hold the picture that was seen last as in a mirror.
        middle = shown.color.shape[0] // 2
        drawn = cv2.cvtColor(shown.color[middle - 120 : middle + 120 : 20], cv2.COLOR_RGB2BGRA)
        for row in drawn:
            canaries.add("camera colour in the driver", row, 2)
        drawn[...] = 0
    tracked = session.works.last_tracked
    if tracked is not None and tracked.observation is not None and tracked.observation.landmarks is not None:
        canaries.add("landmarks", tracked.observation.landmarks.image, 2)
        canaries.add("landmarks in space", tracked.observation.landmarks.world, 2)
