"""Follows one person through a stream of frames: landmarks, the floor, the tracker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from capture.source import SourceInfo
from solver.alignment import Articulation
from solver.body import BodyModel
from solver.color_tracking import make_tracker
from solver.errors import InputError, NotAPersonError, TrackingLostError
from solver.ground import NoFloorError, assume_upright, estimate_ground
from solver.keyframes import facing_angle
from solver.landmark_place import assume_average
from solver.tracking import BodyTracker
from solver.types import BodyState, Frame, Ground, Observation

FLOOR_PATIENCE = 10
"""Frames that the floor is looked for before the person's uprightness must do."""
LANDMARKS_EVERY = 2
"""While depth alone holds the body, landmarks are looked for in one of so many frames."""
CHECKED_EVERY = 4
"""Where they only tell afterwards whether it did, in one of so many."""
HELD = 0.8
"""Confidence from which depth alone holds it."""
EVERY = 16
"""Of so many vertices one is looked at for how far the body went."""
STRIDE_M = 0.07
"""Where a limb goes further from frame to frame landmarks are waited for, in every other frame as elsewhere: depth
looks for pixels within 10 cm of where they were expected."""
AGREED = 3.5
"""Standard deviations. Where a landmark found after a frame lies further from its body a limb was lost: for some frames
landmarks come first again."""
DOUBT_FRAMES = 3
STEADY_RAD_S = np.deg2rad(15.0)
"""Who turns faster is looked for in every frame."""
RATE_S = 0.35
"""Time over which the rate of turning is averaged [s]."""
GAP_S = 0.6
GAP_FRAMES = 4.0
"""Without frames for so long, and for so many times as long as is usual, nobody knows where the body went: it is looked
for anew."""


class Landmarker(Protocol):
    """Finds the person in a frame, as `capture.landmarks.PoseLandmarker` and `capture.shopper.ShopperLandmarker` do."""

    @property
    def alone(self) -> bool:
        """True while nobody else is known to be in view, whose pixels would have to be taken out."""
        ...

    def observe(self, frame: Frame) -> Observation:
        """Landmarks and mask."""
        ...

    def glance(self, frame: Frame) -> None:
        """For a frame without landmarks: time to look for others."""


class Tracker(Protocol):
    """What follows a body once the floor is known. `start` and `track` raise as `solver.tracking.BodyTracker` does."""

    def start(self, observation: Observation, ground: Ground) -> BodyState:
        """Finds the person and begins to follow."""
        ...

    def track(self, observation: Observation) -> BodyState:
        """The body in the next frame."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What one frame brought."""

    observation: Observation
    state: BodyState | None
    """None while nobody is followed."""
    reason: str
    """Why nobody is followed; empty while someone is."""


class Follower:
    """Takes frames in order and finds the person again where they were lost."""

    def __init__(
        self, model: BodyModel, info: SourceInfo, landmarker: Landmarker, aside: Executor | None = None
    ) -> None:
        """For the camera `info`. Where it has no depth the body that is followed is of average depth.

        `aside` does what nobody waits for, in a thread of its own; without it that is done at once.
        """
        self.model = model
        self.info = info
        self.ground: Ground | None = None
        self.tracker: Tracker = make_tracker(model, info.intrinsics, info.noise)
        self.following = False
        self.seconds: dict[str, float] = {"landmarks": 0.0, "tracking": 0.0}
        """Time spent by stage [s]."""
        self._landmarker = landmarker
        self._floorless_frames = 0
        self._confidence = 0.0
        self._turn_rate = 0.0
        self._last: BodyState | None = None
        self._without_landmarks = 0
        self._aside = aside
        self._check: tuple[Future[Observation | None], Articulation] | None = None
        self._outline: NDArray[np.float32] | None = None
        self._doubt_frames = 0
        self._stride_m = np.inf
        self._looked_at, self._interval_s = -np.inf, 0.0

    def step(self, frame: Frame, sparing: bool = False, later: bool = False) -> Sight:
        """Looks at the next frame. Raises `TrackingLostError` when the person is gone; the next frame begins anew.

        Landmarks cost more than all the rest of a frame. With `sparing` they are passed over in every other one, which
        then has neither outline nor landmarks, as long as the body is held by its depth, hardly turns and is alone.
        With `later` none are waited for in that case: they only tell afterwards whether the body was held.
        """
        self._hear_check(wait=False)
        if self._is_gap(frame):
            self.restart()
        held = self._is_held()
        checked = later and held and self._stride_m < STRIDE_M
        if not checked:
            self.settle()
        if checked:
            observation = Observation(frame, None, None)
        elif sparing and held and self._without_landmarks + 1 < LANDMARKS_EVERY:
            self._without_landmarks += 1
            self._glance(frame)
            observation = Observation(frame, None, None)
        else:
            self._without_landmarks = 0
            self._doubt_frames = max(self._doubt_frames - 1, 0)
            observation = self.observe(frame)
        with self._timed("tracking"):
            try:
                state = self._follow(observation)
                self._learn(state)
            except (NotAPersonError, NoFloorError) as error:
                return Sight(observation, None, str(error))
            except TrackingLostError:
                self.following = False
                raise
        if checked:
            self._begin_check(frame)
        return Sight(observation, state, "")

    def settle(self) -> None:
        """Waits for what is done aside."""
        self._hear_check(wait=True)

    def take_outline(self) -> NDArray[np.float32] | None:
        """The newest outline that was found aside since the last call, as `Observation.mask`."""
        outline, self._outline = self._outline, None
        return outline

    def _begin_check(self, frame: Frame) -> None:
        """Lets the landmarker look at a frame whose body is known by depth alone."""
        tracker = self.tracker
        if self._check is not None or not isinstance(tracker, BodyTracker) or tracker.articulation is None:
            return
        self._without_landmarks += 1
        look = self._glance
        if self._without_landmarks >= CHECKED_EVERY:
            self._without_landmarks = 0
            look = self.observe
        if self._aside is not None:
            self._check = self._aside.submit(look, frame), tracker.articulation
        else:
            done: Future[Observation | None] = Future()
            done.set_result(look(frame))
            self._check = done, tracker.articulation

    def _glance(self, frame: Frame) -> None:
        with self._timed("landmarks"):
            self._landmarker.glance(frame)

    def _hear_check(self, wait: bool) -> None:
        """What was found aside. Raises what the landmarker raised there."""
        if self._check is None or not (wait or self._check[0].done()):
            return
        (found, state), self._check = self._check, None
        try:
            seen, tracker = found.result(), self.tracker
        finally:
            # The traceback of a failure holds this call, which held it: neither would go, nor the picture it was in.
            del found
        if seen is None or not isinstance(tracker, BodyTracker):
            return
        self._outline = seen.mask
        if seen.landmarks is not None and tracker.disagreement(state, seen.landmarks) > AGREED:
            self._doubt_frames = DOUBT_FRAMES

    def observe(self, frame: Frame) -> Observation:
        """Only finds the person's outline and landmarks; nobody is followed."""
        with self._timed("landmarks"):
            return self._landmarker.observe(frame)

    def know_shape(self, shape: NDArray[np.float64]) -> None:
        """Who is followed has been scanned and has `shape` (K,): it need not be guessed from every frame."""
        if self.info.noise is not None and isinstance(self.tracker, BodyTracker):
            self.tracker.know_shape(shape)

    def restart(self) -> None:
        """Finds the person anew in the next frame: there was a gap."""
        self.following = False

    def _is_gap(self, frame: Frame) -> bool:
        """Whether so much time has passed since the last frame that the body may be anywhere."""
        elapsed, self._looked_at = frame.captured_at - self._looked_at, frame.captured_at
        gap = GAP_S < elapsed > GAP_FRAMES * self._interval_s > 0.0
        if 0.0 < elapsed < np.inf and not gap:
            self._interval_s += 0.2 * (elapsed - self._interval_s) if self._interval_s else elapsed
        return gap

    def _is_held(self) -> bool:
        steady = self._confidence >= HELD and abs(self._turn_rate) < STEADY_RAD_S
        clear = self._doubt_frames == 0 and self._landmarker.alone
        return self.following and self.info.noise is not None and steady and clear

    def _learn(self, state: BodyState) -> None:
        """How sure it is, and how fast the body turns: from the side depth alone may take a front for a back."""
        last, self._last, self._confidence = self._last, state, state.confidence
        if last is None:
            self._stride_m = np.inf
        else:
            moved = state.vertices[::EVERY] - last.vertices[::EVERY]
            self._stride_m = float(np.sqrt(np.einsum("vi,vi->v", moved, moved).max()))
        elapsed = 0.0 if last is None else state.captured_at - last.captured_at
        if last is None or elapsed <= 0.0:
            self._turn_rate = 2.0 * STEADY_RAD_S
        else:
            step = float(np.angle(np.exp(1j * (facing_angle(state) - facing_angle(last)))))
            self._turn_rate += (1.0 - np.exp(-elapsed / RATE_S)) * (step / elapsed - self._turn_rate)

    def _follow(self, observation: Observation) -> BodyState:
        if self.ground is None:
            self.ground = self._find_ground(observation)
        if not self.following:
            self._last = None
            state = self.tracker.start(observation, self.ground)
            self.following = True
            return state
        return self.tracker.track(observation)

    def _find_ground(self, observation: Observation) -> Ground:
        frame, noise = observation.frame, self.info.noise
        if noise is None:
            return assume_average(self.model, observation, frame.gravity)
        if frame.depth is None:
            raise InputError(f"{self.info.name}: frame {frame.sequence} has no depth")
        try:
            return estimate_ground(frame.depth, frame.intrinsics, noise, frame.gravity)
        except NoFloorError:
            self._floorless_frames += 1
            if self._floorless_frames < FLOOR_PATIENCE and observation.landmarks is None:
                raise
            return assume_upright(observation)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begin
