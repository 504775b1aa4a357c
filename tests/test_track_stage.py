"""The track stage, apart from what it tracks."""

import gc
import weakref

import numpy as np
import pytest
from live_stages import INFO, INTRINSICS, MODEL

from game.live.messages import Captured, Order, Task
from game.live.stages.track import Look, TrackStage
from solver.types import Frame, Observation


class Seeing:
    """Keeps the last frame, and sees nobody in it."""

    alone = True

    def __init__(self):
        self.last = None

    def observe(self, frame):
        self.last = frame
        return Observation(frame, None, None)

    def close(self):
        self.last = None


@pytest.mark.parametrize("threaded", [False, True])
def test_a_closed_stage_knows_nothing_even_if_something_holds_it(threaded):
    stage = TrackStage(MODEL, Seeing, threaded)
    shape = (INTRINSICS.height, INTRINSICS.width)
    color = np.zeros((*shape, 3), np.uint8)
    frame = Frame(0, 1.0, INTRINSICS, color, np.zeros(shape, np.float32))
    stage.step(Look(Order(task=Task.WATCH), Captured(frame, INFO, 1)))
    follower, picture = weakref.ref(stage._follower), weakref.ref(color)
    del color, frame
    assert follower() is not None
    stage.close()
    gc.collect()
    assert follower() is None
    assert picture() is None
