"""One scan: the floor and the person are found, the turn is followed, the body is reconstructed and measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from capture.landmarks import PoseLandmarker
from capture.source import EndOfRecording, FrameSource, FrameTimeoutError, SourceInfo
from solver.body import BodyModel
from solver.clothing import undressed
from solver.errors import DeviceLostError, InputError, NotAPersonError, TrackingLostError
from solver.ground import NoFloorError, assume_upright, estimate_ground
from solver.keyframes import KeyframeSelector, facing_angle
from solver.measures import Measurements, SurfaceError, measure_body
from solver.refinement import Reconstruction, RefinementSettings, reconstruct
from solver.tracking import BodyTracker
from solver.types import BodyState, Frame, Ground, Observation

SPOT_M = 0.35
"""Someone who turns stays this near to where the turn began; who goes further is walking."""
FULL_TURN = np.deg2rad(350.0)
"""A turn is full so much short of the circle: the last views are those of the beginning."""
ENOUGH_TURN = np.deg2rad(315.0)
"""Who has turned so far and then stands still has done with it."""
STILL_RATE = np.deg2rad(12.0)
"""Below this rate of turning [rad/s] someone stands still."""
STILL_S = 0.6
FLOOR_PATIENCE = 10
"""Frames that the floor is looked for before the person's uprightness must do."""
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


class Scanner:
    """Takes frames one by one until the turn is complete; then `finish` makes the body of what was kept.

    Who walks in is followed at once; the turn begins where they stop, and begins anew when they leave the spot.
    """

    def __init__(self, model: BodyModel, info: SourceInfo, landmarker: PoseLandmarker) -> None:
        """A scan of one person with the camera `info`. Raises `InputError` for a source without depth."""
        if info.noise is None:
            raise InputError(f"{info.name}: a scan needs a depth camera or a recording of one")
        self.model = model
        self.info = info
        self.ground: Ground | None = None
        self.tracker = BodyTracker(model, info.intrinsics, info.noise)
        self.frame_count = 0
        self.seconds: dict[str, float] = {"landmarks": 0.0, "tracking": 0.0, "reconstruction": 0.0, "measuring": 0.0}
        self._noise = info.noise
        # A sample will do for where someone stands.
        self._trunk = np.flatnonzero(model.part_labels == model.part("trunk"))[::16]
        self._landmarker = landmarker
        self._floorless_frames = 0
        self._following = False
        self._began_at = self._ended_at = 0.0
        self._reason = ""
        self._begin_turn()

    @property
    def complete(self) -> bool:
        """True when the person has turned once."""
        turned = abs(self._turned)
        return turned >= FULL_TURN or (turned >= ENOUGH_TURN and self._still_s >= STILL_S)

    def step(self, frame: Frame) -> Glimpse:
        """Looks at the next frame. Raises `TrackingLostError` when the person is gone for good in mid-turn."""
        if self.frame_count == 0:
            self._began_at = frame.captured_at
        self._ended_at = frame.captured_at
        self.frame_count += 1
        with _Stopwatch(self.seconds, "landmarks"):
            observation = self._landmarker.observe(frame)
        with _Stopwatch(self.seconds, "tracking"):
            state = self._follow(observation)
        if state is None:
            return Glimpse(Phase.WAITING, observation, None, 0.0, self._reason)
        self._watch_turn(observation, state)
        phase = Phase.COMPLETE if self.complete else Phase.TURNING if abs(self._turned) > 0.5 else Phase.FOLLOWING
        return Glimpse(phase, observation, state, self._turned, "")

    def finish(
        self,
        settings: RefinementSettings | None = None,
        progress: Callable[[str, float], None] | None = None,
        seed: int = 0,
    ) -> Scan:
        """Reconstructs and measures from the views that were kept.

        Raises `NotAPersonError` when nobody was followed, `TrackingLostError` when too little was seen.
        """
        if self.ground is None or not self._following:
            raise NotAPersonError(f"{self.info.name}: {self._reason or 'nobody came into view'}")
        on_floor = self.ground.inlier_fraction > 0.0
        settings = settings or RefinementSettings(on_floor=on_floor)
        with _Stopwatch(self.seconds, "reconstruction"):
            body = reconstruct(self.model, self._selector.keyframes, self._noise, settings, progress, time.perf_counter)
        with _Stopwatch(self.seconds, "measuring"):
            measurements = measure_scan(self.model, body, on_floor, seed)
        return Scan(
            self.ground,
            body,
            measurements,
            self.info,
            self.frame_count,
            self._ended_at - self._began_at,
            self._turned,
            dict(self.seconds),
        )

    def _follow(self, observation: Observation) -> BodyState | None:
        """The body in this frame; None, and the reason kept, while nobody can be followed."""
        try:
            if self.ground is None:
                self.ground = self._find_ground(observation)
            if not self._following:
                state = self.tracker.start(observation, self.ground)
                self._following = True
                return state
            return self.tracker.track(observation)
        except (NotAPersonError, NoFloorError) as error:
            self._reason = str(error)
        except TrackingLostError as error:
            if abs(self._turned) > FULL_TURN / 2:
                raise
            self._reason = str(error)
            self._following = False
            self._begin_turn()
        return None

    def _find_ground(self, observation: Observation) -> Ground:
        frame = observation.frame
        if frame.depth is None:
            raise InputError(f"{self.info.name}: frame {frame.sequence} has no depth")
        try:
            return estimate_ground(frame.depth, frame.intrinsics, self._noise, frame.gravity)
        except NoFloorError:
            self._floorless_frames += 1
            if self._floorless_frames < FLOOR_PATIENCE and observation.landmarks is None:
                raise
            return assume_upright(observation)

    def _begin_turn(self) -> None:
        self._selector = KeyframeSelector(self.model)
        self._turned = 0.0
        self._spot: NDArray[np.float64] | None = None
        self._facing = 0.0
        self._still_s = 0.0
        self._last_at = 0.0

    def _watch_turn(self, observation: Observation, state: BodyState) -> None:
        assert self.ground is not None
        place, facing = state.vertices[self._trunk, :2].mean(0), facing_angle(state)
        if self._spot is None or (not self.complete and np.linalg.norm(place - self._spot) > SPOT_M):
            self._begin_turn()
            self._spot, self._facing, self._last_at = place.copy(), facing, state.captured_at
        step = float(np.angle(np.exp(1j * (facing - self._facing))))
        elapsed = state.captured_at - self._last_at
        self._turned += step
        self._still_s = self._still_s + elapsed if abs(step) < STILL_RATE * elapsed else 0.0
        self._facing, self._last_at = facing, state.captured_at
        self._selector.offer(observation, self.ground.T_wc, state)


def scan_source(
    source: FrameSource,
    model: BodyModel,
    landmarker: PoseLandmarker,
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


class _Stopwatch:
    """Adds the time of a block to `seconds[name]`."""

    def __init__(self, seconds: dict[str, float], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._begin = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        self._seconds[self._name] += time.perf_counter() - self._begin
