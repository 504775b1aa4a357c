"""Track: landmarks and body at camera rate, and what to tell the one who is scanned."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.shopper import ShopperLandmarker
from game.follower import Follower, Sight
from game.forgetting import overwrite_small_blocks
from game.live.guidance import Guide, cut_off, measure_stand
from game.live.messages import Captured, Order, Task, Tracked, TurnNews
from game.protocol.snapshot import CameraMoment, Guidance
from game.scan import Evidence
from game.turn import FULL_TURN, LEAST_CONFIDENCE, Turn
from solver.body import BodyModel
from solver.errors import ChevalError, TrackingLostError
from solver.types import Observation, read_only

STAND_S = 2.5
"""Before a camera without depth one stands so long instead of turning."""
TURNING = (Guidance.TURN, Guidance.KEEP_TURNING, Guidance.SLOWER)


@dataclass(frozen=True, slots=True)
class Look:
    """A frame to look at, and what for."""

    order: Order
    captured: Captured


class TrackStage:
    """Follows the shopper. Without an order to scan or follow it tells only whether somebody is there."""

    def __init__(
        self,
        model: BodyModel,
        open_landmarker: Callable[[], ShopperLandmarker],
        threaded: bool = False,
    ) -> None:
        """`open_landmarker` is called again whenever what it remembers is to be forgotten. `threaded`: what nobody
        waits for is done in another thread."""
        self._model, self._open = model, open_landmarker
        self._aside = ThreadPoolExecutor(1, "aside") if threaded else None
        self._landmarker: ShopperLandmarker | None = open_landmarker()
        self._follower: Follower | None = None
        self._connection = 0
        self._looked_away = False
        self._restart()

    def _settle(self) -> None:
        if self._follower is not None:
            self._follower.settle()

    def _restart(self) -> None:
        self._turn = Turn(self._model)
        self._guide = Guide()
        self._scan = -1
        self._began_at = -np.inf
        self._frames = 0
        self._evidence: Evidence | None = None
        self._person: NDArray[np.uint8] | None = None
        self._stood_s, self._stood_at = 0.0, np.inf

    def step(self, item: Look) -> Tracked:
        """Looks at the frame. Raises `InputError` for a source that nobody can be followed with."""
        captured, order = item.captured, item.order
        frame = captured.frame
        if self._landmarker is None:
            # Not when forgetting: opening takes most of the time that a wipe may take.
            self._landmarker = self._open()
        if self._follower is None or captured.connection != self._connection:
            self._settle()
            self._follower = Follower(self._model, captured.info, self._landmarker, self._aside)
            self._connection = captured.connection
        if order.task not in (Task.SCAN, Task.FOLLOW):
            self._follower.settle()
            seen = self._follower.observe(frame)
            self._looked_away = True
            return Tracked(order, seen.landmarks is not None, None, None, None, captured.info.noise)
        if self._looked_away:
            # Only then: a start is slow, and one after every slow frame would never end.
            self._follower.restart()
            self._looked_away = False
        if order.shopper is not None:
            self._follower.know_shape(order.shopper.shape)
        try:
            # A scan's keyframes want landmarks of their own.
            sight = self._follower.step(frame, sparing=True, later=order.task is Task.FOLLOW)
        except TrackingLostError as error:
            self._turn.begin()
            sight = Sight(Observation(frame, None, None), None, str(error))
        turn = self._watch_turn(order, captured, sight) if order.task is Task.SCAN else None
        observation, state = sight.observation, sight.state
        moment = CameraMoment(frame, self._follower.ground, self._outline(sight), state, captured.info.noise is None)
        present = observation.landmarks is not None or (state is not None and state.confidence > LEAST_CONFIDENCE)
        return Tracked(order, present, moment, observation, turn, captured.info.noise)

    def _outline(self, sight: Sight) -> NDArray[np.uint8] | None:
        """Where the shopper is; as in the frame before where this one's landmarks were spared."""
        assert self._follower is not None
        found, state = self._follower.take_outline(), sight.state
        mask = sight.observation.mask if found is None else found
        if mask is not None:
            self._person = read_only((mask > 0.5).view(np.uint8) * np.uint8(255))
        elif state is None or state.confidence < LEAST_CONFIDENCE:
            self._person = None
        return self._person

    def _watch_turn(self, order: Order, captured: Captured, sight: Sight) -> TurnNews:
        assert self._follower is not None
        assert self._landmarker is not None
        frame, at = captured.frame, captured.frame.captured_at
        if order.scan != self._scan:
            self._restart()
            self._scan, self._began_at = order.scan, at
        self._frames += 1
        turn, ground, flat = self._turn, self._follower.ground, captured.info.noise is None
        if self._evidence is not None:
            return TurnNews(Guidance.DONE, self._evidence.turned, 1.0, self._evidence)
        stand = None
        if sight.state is not None and ground is not None:
            turn.watch(sight.observation, ground, sight.state)
            if sight.state.confidence > LEAST_CONFIDENCE:
                stand = measure_stand(self._model, sight.state, ground, frame)
        landmarks = sight.observation.landmarks
        guidance = self._guide.judge(
            at,
            stand,
            seen_cut_off=landmarks is not None and cut_off(landmarks, frame),
            crowded=self._landmarker.company.crowded,
            turned=turn.turned,
            turn_rate=turn.rate,
            walking=turn.speed,
            complete=self._stood_s >= STAND_S if flat else turn.complete,
        )
        if flat and guidance in TURNING:
            # There is nothing to be seen from behind but the time it takes.
            guidance = Guidance.HOLD_STILL
            self._stood_s += max(0.0, at - self._stood_at)
        self._stood_at = at
        if guidance is Guidance.DONE and ground is not None:
            seconds = dict(self._follower.seconds)
            self._evidence = Evidence(
                ground,
                turn.keyframes,
                captured.info,
                self._frames,
                at - self._began_at,
                turn.turned,
                seconds,
                sight.state,
            )
        share = self._stood_s / STAND_S if flat else abs(turn.turned) / FULL_TURN
        return TurnNews(guidance, 0.0 if flat else turn.turned, min(share, 1.0), self._evidence)

    def forget(self) -> None:
        """Drops everything, the landmarker's memory of the person too."""
        self._close_landmarker()
        self._landmarker = self._follower = None
        self._restart()
        if self._aside is not None:
            # What was freed in that thread lies ready for it alone.
            self._aside.submit(overwrite_small_blocks).result()

    def close(self) -> None:
        """Closes the landmarker and ends the thread.

        Forgets as well: whatever went wrong may hold the stage itself for longer, as a module's failed import does
        that this stage happened to be the first to cause.
        """
        self.forget()
        if self._aside is not None:
            self._aside.shutdown()

    def _close_landmarker(self) -> None:
        with contextlib.suppress(ChevalError):
            self._settle()
        if self._landmarker is not None:
            self._landmarker.close()
