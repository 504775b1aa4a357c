"""The works of the mirror: the stages, their mailboxes, and who hands what to whom."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from capture.shopper import ShopperLandmarker
from capture.source import FrameSource
from game.live.clock import Clock, Metronome, Pace, SystemClock
from game.live.mailbox import Mailbox
from game.live.messages import (
    Captured,
    Growing,
    Keepsake,
    Kept,
    Known,
    NoPicture,
    Order,
    Refining,
    Refused,
    Sewing,
    SewingShare,
    Sewn,
    Shown,
    Task,
    Tracked,
    Unusable,
)
from game.live.stages.capture import CaptureStage
from game.live.stages.cloth import Beat, ClothStage
from game.live.stages.keep import KeepStage
from game.live.stages.reconstruct import Piece, ReconstructStage
from game.live.stages.tailor import Stitchwork, TailorStage
from game.live.stages.track import Look, TrackStage
from game.live.worker import Turnable, Worker
from game.protocol.keeping import Keeper
from solver.body import BodyModel
from solver.cloth.dressing import FRAME_S
from solver.pose_motion import Stance

WATCH_EVERY_S = 0.2
"""While nobody is served a look now and then is enough."""
GLANCE_EVERY_S = 0.5
"""While a body is computed, which wants the cores, it is enough to see that its owner has not left."""

LOOKS_PER_S = 15.5, 60.0
"""At the mirror, at least and at most: where the cloth would be late, frames are passed over."""
ALL_CORES = 1024
BACKGROUND = 5
"""Niceness of what nobody sees at once: under load it gets a third of what others get."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the works are made of. Everything is opened by the stage that uses it, and again after it failed."""

    model: BodyModel
    open_source: Callable[[], FrameSource]
    open_landmarker: Callable[[], ShopperLandmarker]
    keeper: Keeper | None = None
    seed: int = 0
    scan_surface: bool = False
    """Whether a scan's own surface is made, beside the body: for who writes it to a file."""


class Works:
    """Stages and mailboxes. The session gives orders with `command` and reads the mailboxes that are its own."""

    def __init__(self, parts: Parts, clock: Clock, ring: Callable[[], None]) -> None:
        """`ring()` wakes the session."""
        self._parts, self._clock = parts, clock
        self._order = Order()
        self._bells: list[threading.Event] = []
        self._metronome = Metronome(FRAME_S)
        self._pace = Pace(*LOOKS_PER_S)
        self._passed_over = 0
        self._watched_at = -math.inf
        self._last_tracked: Tracked | None = None
        self._capture: CaptureStage | None = None
        self._reconstruct: ReconstructStage | None = None
        self._tailor: TailorStage | None = None
        self._cloth: ClothStage | None = None

        self.no_picture: Mailbox[NoPicture] = Mailbox(ring)
        self.tracked: Mailbox[Tracked] = Mailbox(ring)
        self.growing: Mailbox[Growing] = Mailbox(ring)
        self.refining: Mailbox[Refining] = Mailbox(ring)
        self.scanned: Mailbox[Known | Unusable] = Mailbox(ring)
        self.sewing_share: Mailbox[SewingShare] = Mailbox(ring)
        self.refused: Mailbox[Refused] = Mailbox(ring)
        self.shown: Mailbox[Shown] = Mailbox(ring)
        self.kept: Mailbox[Kept] = Mailbox(ring)
        self._make_workers()

    def _make_workers(self) -> None:
        clock, order = self._clock, lambda: self._order
        self.capture = Worker(
            "capture", self._open_capture, self._take_capture, self._captured, order, clock, pause=self._pause_capture
        )
        self.track = Worker(
            "track",
            lambda: TrackStage(self._parts.model, self._parts.open_landmarker, isinstance(clock, SystemClock)),
            self._take_track,
            self._on_tracked,
            order,
            clock,
            clear=lambda: _clear(self._frames),
        )
        self.reconstruct = Worker(
            "reconstruct",
            self._open_reconstruct,
            self._take_reconstruct,
            self._reconstructed,
            order,
            clock,
            clear=lambda: _clear(self._to_reconstruct),
            # The final body is made while little else is done.
            threads=ALL_CORES,
            niceness=BACKGROUND,
        )
        self.tailor = Worker(
            "tailor",
            self._open_tailor,
            self._take_tailor,
            self._tailored,
            order,
            clock,
            clear=lambda: _clear(self._to_sew),
            niceness=BACKGROUND,
        )
        self.cloth = Worker(
            "cloth",
            self._open_cloth,
            self._take_cloth,
            self.shown.put,
            order,
            clock,
            pause=self._pause_cloth,
            clear=lambda: _clear(self._to_cloth, self._sewn),
        )
        self._frames: Mailbox[Captured] = Mailbox(self.track.bell.set)
        self._to_reconstruct: Mailbox[Tracked] = Mailbox(self.reconstruct.bell.set)
        self._to_sew: Mailbox[Sewing] = Mailbox(self.tailor.bell.set)
        self._to_cloth: Mailbox[Tracked] = Mailbox()
        self._sewn: Mailbox[Sewn] = Mailbox()
        self.workers: tuple[Worker, ...] = (self.capture, self.track, self.reconstruct, self.tailor, self.cloth)
        self._to_keep: Mailbox[Keepsake] = Mailbox()
        if self._parts.keeper is not None:
            keeper = self._parts.keeper
            keep = Worker(
                "keep",
                lambda: KeepStage(keeper),
                lambda order, now: self._to_keep.take(),
                self.kept.put,
                order,
                clock,
                clear=lambda: _clear(self._to_keep),
            )
            self._to_keep = Mailbox(keep.bell.set)
            self.workers = (*self.workers, keep)
        self._bells = [worker.bell for worker in self.workers]

    @property
    def turnables(self) -> tuple[Turnable, ...]:
        """In the order of the data."""
        return self.workers

    @property
    def dropped_frames(self) -> int:
        """Frames that came while tracking was busy with an older one, or gave way to the cloth."""
        return self._frames.dropped_count + self._passed_over

    @property
    def last_tracked(self) -> Tracked | None:
        """The last frame in which the shopper was followed."""
        return self._last_tracked

    @property
    def missed_beats(self) -> int:
        """Cloth steps that were left out because time had run away."""
        return self._metronome.missed_count

    def command(self, order: Order) -> None:
        """From now on the stages work to `order`."""
        if order != self._order:
            self._order = order
            for bell in self._bells:
                bell.set()

    def sew(self, sewing: Sewing) -> None:
        """A garment is wanted."""
        self._to_sew.put(sewing)

    def keep(self, keepsake: Keepsake) -> None:
        """Something is to be kept."""
        self._to_keep.put(keepsake)

    def forgotten(self, visit: int) -> bool:
        """True when every stage works for `visit` and has dropped what belonged to earlier ones."""
        return all(worker.visit == visit for worker in self.workers)

    def clear(self) -> None:
        """Empties all mailboxes."""
        self._last_tracked = None
        _clear(
            self.no_picture,
            self.tracked,
            self.growing,
            self.refining,
            self.scanned,
            self.sewing_share,
            self.refused,
            self.shown,
            self.kept,
            self._frames,
            self._to_reconstruct,
            self._to_sew,
            self._to_cloth,
            self._sewn,
            self._to_keep,
        )

    # ---------------------------------------------------------------- capture

    def _open_capture(self) -> CaptureStage:
        self._capture = CaptureStage(self._parts.open_source, self._clock)
        return self._capture

    def _take_capture(self, order: Order, now: float) -> float | None:
        return now if self._pause_capture(order, now) <= 0.0 else None

    def _pause_capture(self, order: Order, now: float) -> float:
        return 0.0 if self._capture is None else self._capture.pause_s(now)

    def _captured(self, item: Captured | NoPicture) -> None:
        if isinstance(item, NoPicture):
            self.no_picture.put(item)
        else:
            self._frames.put(item)

    # ---------------------------------------------------------------- track

    def _take_track(self, order: Order, now: float) -> Look | None:
        if (captured := self._frames.take()) is None:
            return None
        if order.task in (Task.WATCH, Task.REFINE):
            if now - self._watched_at < (WATCH_EVERY_S if order.task is Task.WATCH else GLANCE_EVERY_S):
                return None
            self._watched_at = now
        elif order.task is Task.FOLLOW and not self._pace.is_due(now, self.missed_beats):
            self._passed_over += 1
            return None
        return Look(order, captured)

    def _on_tracked(self, item: Tracked) -> None:
        self.tracked.put(item)
        if item.order.task is Task.SCAN:
            self._to_reconstruct.put(item)
        if item.order.shopper is not None:
            self._to_cloth.put(item)
        if item.moment is not None and item.moment.body is not None:
            self._last_tracked = item

    # ---------------------------------------------------------------- reconstruct

    def _open_reconstruct(self) -> ReconstructStage:
        parts = self._parts
        self._reconstruct = ReconstructStage(parts.model, self._clock.now, parts.seed, parts.scan_surface)
        return self._reconstruct

    def _take_reconstruct(self, order: Order, now: float) -> Piece | None:
        if self._reconstruct is not None and self._reconstruct.busy(order):
            return Piece(order, None, now)
        tracked = self._to_reconstruct.take()
        return None if tracked is None or tracked.order != order else Piece(order, tracked, now)

    def _reconstructed(self, item: Growing | Refining | Known | Unusable) -> None:
        if isinstance(item, Growing):
            self.growing.put(item)
        elif isinstance(item, Refining):
            self.refining.put(item)
        else:
            self.scanned.put(item)

    # ---------------------------------------------------------------- tailor

    def _open_tailor(self) -> TailorStage:
        self._tailor = TailorStage(self._parts.model, self._stance)
        return self._tailor

    def _stance(self) -> Stance | None:
        """How the shopper stands now: as the avatar does, or as they were seen last."""
        stance = self._cloth.stance() if self._cloth is not None else None
        tracked = self._last_tracked
        if stance is None and tracked is not None and tracked.moment is not None and tracked.moment.body is not None:
            stance = Stance(tracked.moment.body.pose, tracked.moment.body.T_wb)
        return stance

    def _take_tailor(self, order: Order, now: float) -> Stitchwork | None:
        sewing = self._to_sew.take()
        if sewing is not None and sewing.order.visit != order.visit:
            sewing = None
        busy = self._tailor is not None and self._tailor.busy
        return Stitchwork(order, sewing) if sewing is not None or busy else None

    def _tailored(self, item: SewingShare | Sewn | Refused) -> None:
        if isinstance(item, SewingShare):
            self.sewing_share.put(item)
        elif isinstance(item, Refused):
            self.refused.put(item)
        else:
            self._sewn.put(item)

    # ---------------------------------------------------------------- cloth

    def _open_cloth(self) -> ClothStage:
        self._cloth = ClothStage(self._parts.model)
        return self._cloth

    def _take_cloth(self, order: Order, now: float) -> Beat | None:
        if order.shopper is None or self._metronome.wait_s(now) > 0.0:
            return None
        at = self._metronome.beat(now)
        return Beat(order, self._metronome.beat_count, at, order.shopper, self._to_cloth.take(), self._sewn.take())

    def _pause_cloth(self, order: Order, now: float) -> float:
        return math.inf if order.shopper is None else max(self._metronome.wait_s(now), 1e-4)


def _clear(*mailboxes: Mailbox) -> None:
    for mailbox in mailboxes:
        mailbox.clear()
