"""Reconstruct: the surface grows while the shopper turns; then the body is made of what was kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np

from game.appearance import paint_body
from game.live.messages import Growing, Known, Order, Refining, Task, Tracked, Unusable
from game.protocol.snapshot import Shopper
from game.scan import Evidence, Scan, finish_scan
from game.scan_files import paint_scan
from solver.atlas.color_atlas import prepare_atlas
from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, shape_body, skin
from solver.errors import InputError, TrackingLostError
from solver.fusion import CanonicalVolume, outer_faces
from solver.measures import Measurements
from solver.refinement import RefinementSettings
from solver.thread_limit import thread_limit
from solver.types import Mesh, read_only

VOXEL_M = 0.010
"""Coarse: this surface is only looked at while it grows."""
BEGUN_RAD = 0.15
"""The volume is laid once the turn begins: by then the shape is known well enough."""
SURFACE_EVERY_S = 0.35
SEEN_WEIGHT = 2.0
"""Weight at which a place counts as seen."""
SHARE_OF_TIME = 0.3
"""Of one core, that the growing surface may take: frames are passed over to keep to it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What there is to do next: a tracked frame, or with None the next piece of the body."""

    order: Order
    tracked: Tracked | None
    now: float


class ReconstructStage:
    """The live volume and the final refinement."""

    def __init__(self, model: BodyModel, now: Callable[[], float], seed: int = 0, surface: bool = False) -> None:
        """`now()` [s] is what the time that frames take is told by; `surface`: the scan's own is made too."""
        self._model, self._now, self._seed = model, now, seed
        self._settings = RefinementSettings(surface=surface)
        # Found now, and not when somebody begins to turn.
        outer_faces(model)
        prepare_atlas(model)
        self.forget()

    def forget(self) -> None:
        """Drops volume, surface and unfinished work."""
        self._volume: CanonicalVolume | None = None
        self._body: RestBody | None = None
        self._work: Generator[tuple[str, float], None, Scan] | None = None
        self._done_scan = self._scan = -1
        self._surface_at = self._free_at = -np.inf
        self._frames = 0

    def busy(self, order: Order) -> bool:
        """True while there is a body to be made."""
        return order.task is Task.REFINE and order.evidence is not None and self._done_scan != order.scan

    def step(self, item: Piece) -> Growing | Refining | Known | Unusable | None:
        """Takes a frame in, or does the next piece of the body."""
        if item.order.scan != self._scan:
            done = self._done_scan
            self.forget()
            self._scan, self._done_scan = item.order.scan, done
        if self.busy(item.order):
            return self._refine(item.order)
        if item.tracked is None or item.now < self._free_at:
            return None
        begin = self._now()
        with thread_limit(1):
            grown = self._grow(item.order, item.tracked, item.now)
        # What took long is rested from: tracking has the first claim to the cores.
        self._free_at = begin + (self._now() - begin) / SHARE_OF_TIME
        return grown

    def _grow(self, order: Order, tracked: Tracked, now: float) -> Growing | None:
        moment, turn = tracked.moment, tracked.turn
        if moment is None or turn is None or moment.body is None or moment.ground is None or tracked.noise is None:
            return None
        frame, state = moment.frame, moment.body
        if frame.depth is None or state.confidence < 0.5:
            return None
        if abs(turn.turned) < BEGUN_RAD:
            # The turn has not begun, or began anew.
            self._volume = None
            return None
        if self._volume is None:
            self._body = shape_body(self._model, state.shape)
            self._volume = CanonicalVolume(self._model, self._body, VOXEL_M)
            self._frames = 0
        assert self._body is not None
        transforms = joint_transforms(self._model, self._body.joints, state.pose, state.T_wb)
        person = None if moment.person is None else (moment.person > 0).astype(np.uint8)
        self._volume.integrate(
            frame.depth, frame.intrinsics, np.linalg.inv(moment.ground.T_wc), transforms, tracked.noise, person
        )
        self._frames += 1
        if now - self._surface_at < SURFACE_EVERY_S:
            return None
        self._surface_at = now
        fused = self._volume.surface()
        mesh = fused.surface.mesh
        seen = np.clip(fused.weight / SEEN_WEIGHT, 0.0, 1.0).astype(np.float32)
        low = np.array([0.0, 0.0, mesh.vertices[:, 2].min()], np.float32)
        return Growing(order, Mesh(read_only(mesh.vertices - low), read_only(mesh.faces)), read_only(seen))

    def _refine(self, order: Order) -> Refining | Known | Unusable:
        assert order.evidence is not None
        if order.evidence.source.noise is None:
            self._done_scan = order.scan
            return self._average(order, order.evidence)
        if self._work is None:
            self._volume = self._body = None
            self._work = finish_scan(self._model, order.evidence, self._settings, self._seed)
        try:
            return Refining(order, next(self._work)[1])
        except StopIteration as end:
            self._work = None
            self._done_scan = order.scan
            return self._known(order, end.value)
        except (TrackingLostError, InputError) as error:
            self._work = None
            self._done_scan = order.scan
            return Unusable(order, str(error))

    def _average(self, order: Order, evidence: Evidence) -> Known | Unusable:
        """What a camera without depth can know: a body as tall and broad as was seen, of average depth, unmeasured."""
        if evidence.stood is None:
            return Unusable(order, "nobody was seen whole: stand before the camera, whole in its picture")
        model = self._model
        rest = shape_body(model, evidence.stood.shape)
        canonical = skin(model, rest.vertices, joint_transforms(model, rest.joints, canonical_pose(model, rest.joints)))
        canonical[:, 2] -= canonical[:, 2].min()
        shopper = Shopper(
            rest=rest,
            canonical=read_only(canonical),
            shape=read_only(np.array(evidence.stood.shape)),
            paint=paint_body(model, rest),
            measurements=Measurements({}, {}),
            coverage={},
            of_average_depth=True,
        )
        return Known(order, shopper)

    def _known(self, order: Order, scan: Scan) -> Known:
        body = scan.reconstruction
        shopper = Shopper(
            scan=scan,
            rest=body.rest,
            canonical=body.vertices,
            shape=body.shape,
            paint=paint_scan(scan, self._model),
            measurements=scan.measurements,
            coverage=dict(body.part_coverage),
        )
        return Known(order, shopper)

    def close(self) -> None:
        """Gives everything back."""
        self.forget()
