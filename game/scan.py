"""One scan: the floor and the person are found, the turn is followed, the body is reconstructed and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from capture.source import EndOfRecording, FrameSource, FrameTimeoutError, SourceInfo
from game.follower import Follower, Landmarker, Sight, Tracker
from game.turn import FULL_TURN, Turn
from solver.body import BodyModel
from solver.clothing import undressed
from solver.errors import DeviceLostError, InputError, NotAPersonError, TrackingLostError
from solver.keyframes import Keyframe
from solver.measures import Measurements, SurfaceError, measure_body
from solver.pieces import complete
from solver.refinement import Reconstruction, RefinementSettings, refine
from solver.types import BodyState, Frame, Ground, Observation

PATIENT_READS = 5
"""Timeouts in a row before a camera is given up."""
DEPTH_SCALE_STD = 0.002
"""How far the depth of a factory-calibrated camera may be off in scale, until `calibrate` knows better."""
CAMERA_OFFSET_STD_M = 0.0015
"""The same for the lasting error of its depth, averaged around the body."""


class Phase(Enum):
    """What a scan is about."""

    WAITING = "step in front of the mirror"
    FOLLOWING = "arms a little away from the body, then turn once on the spot"
    TURNING = "turn on, slowly"
    COMPLETE = "thank you: the turn is complete"


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one frame brought."""

    phase: Phase
    observation: Observation
    state: BodyState | None
    """None while nobody is followed."""
    turned: float
    """How far the person has turned since they stand on their spot [rad], signed."""
    reason: str
    """Why nobody is followed; empty while someone is."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A finished scan."""

    ground: Ground
    reconstruction: Reconstruction
    measurements: Measurements
    source: SourceInfo
    frame_count: int
    duration_s: float
    """Of the recording, first frame to last [s]."""
    turned: float
    """[rad]."""
    seconds: dict[str, float]
    """Time spent by stage [s]."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was kept of a turn: all that a scan is made from."""

    ground: Ground
    keyframes: tuple[Keyframe, ...]
    source: SourceInfo
    frame_count: int
    duration_s: float
    turned: float
    seconds: dict[str, float]
    stood: BodyState | None = None
    """How the person stood: all that a camera without depth leaves."""


class Scanner:
    """Takes frames one by one until the turn is complete; then `finish` makes the body of what was kept.

    Who walks in is followed at once; the turn begins where they stop, and begins anew when they leave the spot.
    """

    def __init__(self, model: BodyModel, info: SourceInfo, landmarker: Landmarker) -> None:
        """A scan of one person with the camera `info`. Raises `InputError` for a source without depth."""
        if info.noise is None:
            raise InputError(f"{info.name}: a scan needs a depth camera or a recording of one")
        self.model = model
        self.info = info
        self.frame_count = 0
        self._follower = Follower(model, info, landmarker)
        self._turn = Turn(model)
        self._began_at = self._ended_at = 0.0
        self._reason = ""

    @property
    def ground(self) -> Ground | None:
        """The floor, once it is found."""
        return self._follower.ground

    @property
    def tracker(self) -> Tracker:
        """What follows the person."""
        return self._follower.tracker

    @property
    def complete(self) -> bool:
        """True when the person has turned once."""
        return self._turn.complete

    def step(self, frame: Frame) -> Glimpse:
        """Looks at the next frame. Raises `TrackingLostError` when the person is gone for good in mid-turn."""
        if self.frame_count == 0:
            self._began_at = frame.captured_at
        self._ended_at = frame.captured_at
        self.frame_count += 1
        try:
            sight = self._follower.step(frame)
        except TrackingLostError as error:
            if abs(self._turn.turned) > FULL_TURN / 2:
                raise
            self._turn.begin()
            sight = Sight(Observation(frame, None, None), None, str(error))
        if sight.state is None:
            self._reason = sight.reason
            return Glimpse(Phase.WAITING, sight.observation, None, 0.0, sight.reason)
        assert self.ground is not None
        self._turn.watch(sight.observation, self.ground, sight.state)
        phase = Phase.COMPLETE if self.complete else Phase.TURNING if abs(self._turn.turned) > 0.5 else Phase.FOLLOWING
        return Glimpse(phase, sight.observation, sight.state, self._turn.turned, "")

    def evidence(self) -> Evidence:
        """What was kept. Raises `NotAPersonError` when nobody was followed."""
        if self.ground is None or not self._follower.following:
            raise NotAPersonError(f"{self.info.name}: {self._reason or 'nobody came into view'}")
        return Evidence(
            self.ground,
            self._turn.keyframes,
            self.info,
            self.frame_count,
            self._ended_at - self._began_at,
            self._turn.turned,
            dict(self._follower.seconds),
        )

    def finish(
        self,
        settings: RefinementSettings | None = None,
        progress: Callable[[str, float], None] | None = None,
        seed: int = 0,
    ) -> Scan:
        """Reconstructs and measures from the views that were kept.

        Raises `NotAPersonError` when nobody was followed, `TrackingLostError` when too little was seen.
        """
        work = finish_scan(self.model, self.evidence(), settings, seed)
        return complete(work, None if progress is None else lambda step: progress(*step))


def finish_scan(
    model: BodyModel, evidence: Evidence, settings: RefinementSettings | None = None, seed: int = 0
) -> Generator[tuple[str, float], None, Scan]:
    """The body and its measures from `evidence`, in pieces of a fraction of a second.

    Yields the stage and the share that is done. Raises `TrackingLostError` when too little was seen.
    """
    noise = evidence.source.noise
    if noise is None:
        raise InputError(f"{evidence.source.name}: a scan needs a depth camera or a recording of one")
    on_floor = evidence.ground.inlier_fraction > 0.0
    settings = replace(settings or RefinementSettings(), on_floor=on_floor)
    begin = time.perf_counter()
    body = yield from refine(model, evidence.keyframes, noise, settings, time.perf_counter)
    reconstructed = time.perf_counter()
    measurements = measure_scan(model, body, on_floor, seed)
    seconds = evidence.seconds | {
        "reconstruction": reconstructed - begin,
        "measuring": time.perf_counter() - reconstructed,
    }
    return Scan(
        evidence.ground,
        body,
        measurements,
        evidence.source,
        evidence.frame_count,
        evidence.duration_s,
        evidence.turned,
        seconds,
    )


def scan_source(
    source: FrameSource,
    model: BodyModel,
    landmarker: Landmarker,
    settings: RefinementSettings | None = None,
    progress: Callable[[str, float], None] | None = None,
    on_glimpse: Callable[[Glimpse], None] | None = None,
    seed: int = 0,
) -> Scan:
    """Scans the person in `source` until they have turned once or the source ends.

    `progress(what, share)` is told how far the work is. Raises `NotAPersonError` where nobody can be followed,
    `TrackingLostError` where they were lost or too little was seen, `DeviceLostError` where the camera went away.
    """
    scanner = Scanner(model, source.info, landmarker)
    expected = source.info.frame_count
    timeouts = 0
    while not scanner.complete:
        try:
            frame = source.read()
        except EndOfRecording:
            break
        except FrameTimeoutError as error:
            timeouts += 1
            if timeouts >= PATIENT_READS:
                raise DeviceLostError(f"{source.info.name}: no more frames; plug the camera in again") from error
            continue
        timeouts = 0
        glimpse = scanner.step(frame)
        if on_glimpse:
            on_glimpse(glimpse)
        if progress:
            share = abs(glimpse.turned) / FULL_TURN
            if expected:
                share = max(share, scanner.frame_count / expected)
            progress(glimpse.phase.value, 0.6 * min(share, 1.0))

    def refine(stage: str, share: float) -> None:
        if progress:
            progress(stage, 0.6 + 0.4 * share)

    return scanner.finish(settings, refine, seed)


def measure_scan(model: BodyModel, body: Reconstruction, on_floor: bool, seed: int = 0) -> Measurements:
    """The measures of a reconstructed body, with standard errors from how the scan may be wrong.

    Close-fitting clothes are taken off where the colours show them (`solver.clothing`).
    """
    naked, cloth_m = undressed(model, body.vertices, body.vertex_colors)
    error = SurfaceError(
        noise_m=0.0015,
        offset_m=CAMERA_OFFSET_STD_M,
        cloth_m=cloth_m,
        scale=DEPTH_SCALE_STD,
        landmark_m=0.004,
        pose_rad=np.deg2rad(1.0),
    )
    return measure_body(
        model,
        naked,
        coverage=body.coverage,
        standing=body.standing,
        floor_m=0.0 if on_floor else None,
        error=error,
        seed=seed,
    )
