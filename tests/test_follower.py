"""Landmarks are spared only while depth holds the body, alone in view."""

from __future__ import annotations

import contextlib
import gc
import weakref
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from capture.source import SourceInfo
from game.follower import DOUBT_FRAMES, Follower
from solver.types import Observation
from tests.shoppers import CAMERA, MODEL, NOISE, Shopper
from tests.test_tracking import joint_errors

INFO = SourceInfo("test", "test camera", "1", CAMERA, NOISE, 12.0, False, None)


@dataclass
class TrueLandmarker:
    """Knows who stands there, and how often it was asked."""

    alone: bool = True
    asked: list[int] = field(default_factory=list)
    glanced: list[int] = field(default_factory=list)
    seen: dict[int, Observation] = field(default_factory=dict)
    lie_about: int = -1
    lies: list[int] = field(default_factory=list)

    def observe(self, frame):
        self.asked.append(frame.sequence)
        seen = self.seen[frame.sequence]
        if frame.sequence != self.lie_about:
            return seen
        self.lies.append(frame.sequence)
        moved = seen.landmarks.image.copy()
        moved[15] += 120.0, -80.0
        return replace(seen, landmarks=replace(seen.landmarks, image=moved))

    def glance(self, frame):
        self.glanced.append(frame.sequence)


@pytest.fixture
def visit():
    """A follower, its landmarker, and `look(i)`: the next frame of someone who turns slowly."""
    shopper, landmarker = Shopper(seed=21), TrueLandmarker()
    follower = Follower(MODEL, INFO, landmarker)

    def look(i, sparing=True, empty=False, turn=0.01, later=False):
        truth = shopper.state(i / 12.0, turn * i)
        seen = shopper.empty_room(i, i / 12.0) if empty else shopper.observe(i, i / 12.0, truth)
        landmarker.seen[i] = seen
        return follower.step(seen.frame, sparing, later), truth

    return follower, landmarker, look


def test_every_other_frame_does_without_landmarks_and_is_followed_as_well(visit):
    _, landmarker, look = visit
    errors = []
    for i in range(17):
        sight, truth = look(i)
        assert (sight.observation.landmarks is None) == (i not in landmarker.asked)
        errors.append(joint_errors(sight.state, truth).mean())
    # Until the first fit has settled nobody knows how fast somebody turns.
    assert set(landmarker.asked) | set(landmarker.glanced) == set(range(17))
    assert len([i for i in landmarker.glanced if i >= 6]) >= 5
    assert not set(landmarker.glanced) & {i + 1 for i in landmarker.glanced}
    assert np.mean(errors) < 0.02


class ByHand(Executor):
    """Does what is asked of it when it is told to."""

    def __init__(self):
        self.waiting = []

    def submit(self, fn, /, *args):
        future = Future()
        self.waiting.append((future, fn, args))
        return future

    def work(self):
        for future, fn, args in self.waiting:
            future.set_result(fn(*args))
        self.waiting.clear()


def test_landmarks_that_nobody_waits_for_are_looked_for_aside(visit):
    follower, landmarker, look = visit
    aside = follower._aside = ByHand()
    errors = []
    for i in range(24):
        before = len(landmarker.asked) + len(landmarker.glanced)
        sight, truth = look(i, later=True)
        errors.append(joint_errors(sight.state, truth).mean())
        if i >= 9:
            assert sight.observation.landmarks is None, "once it is held nobody waits"
            assert len(landmarker.asked) + len(landmarker.glanced) == before
        assert len(aside.waiting) <= 1
        if i % 3:
            aside.work()
    assert len([i for i in landmarker.asked if i >= 9]) >= 2
    assert len([i for i in landmarker.glanced if i >= 9]) >= 4
    assert np.mean(errors) < 0.02


def test_a_look_aside_that_fails_leaves_nothing_behind(visit):
    """Not even until the garbage collector comes: its traceback holds frames of the shopper."""
    follower, _, look = visit
    aside = follower._aside = ByHand()
    i = 0
    while not aside.waiting:
        look(i := i + 1, later=True)
    aside.waiting[0][0].set_exception(RuntimeError("told to fail"))
    future = weakref.ref(aside.waiting[0][0])
    aside.waiting.clear()
    gc.disable()
    try:
        with contextlib.suppress(RuntimeError):
            follower.settle()
            pytest.fail("it is told")
        assert future() is None
    finally:
        gc.enable()


def test_landmarks_that_contradict_the_body_come_first_again(visit):
    _, landmarker, look = visit
    lies = landmarker.lies
    for i in range(9):
        look(i, later=True)
    while not lies:
        i += 1
        landmarker.lie_about = i
        look(i, later=True)
    for j in range(i + 1, i + 1 + DOUBT_FRAMES):
        sight, _ = look(j, later=True)
        assert sight.observation.landmarks is not None
    assert look(i + 1 + DOUBT_FRAMES, later=True)[0].observation.landmarks is None


def test_who_turns_is_looked_at_in_every_frame(visit):
    """A real man's back was taken for his front where, from the side, landmarks were missing for one frame."""
    _, landmarker, look = visit
    for i in range(8):
        look(i, turn=0.06)
    assert landmarker.asked == list(range(8))


def test_nothing_is_spared_unasked_or_in_company(visit):
    _, landmarker, look = visit
    for i in range(4):
        look(i, sparing=False)
    landmarker.alone = False
    for i in range(4, 8):
        look(i)
    assert landmarker.asked == list(range(8))


def test_who_is_hardly_seen_is_looked_for_in_every_frame(visit):
    _, landmarker, look = visit
    for i in range(16):
        look(i)
    spared = len(landmarker.glanced)
    assert spared >= 2
    for i in range(16, 20):
        look(i, empty=True)
    assert len(landmarker.glanced) <= spared + 1
    assert landmarker.asked[-3:] == [17, 18, 19]


def test_a_shape_that_is_known_is_not_guessed(visit):
    follower, _, look = visit
    guessed = [look(i)[0].state.shape for i in range(8)]
    assert not np.array_equal(guessed[0], guessed[-1])
    known = np.linspace(-0.5, 0.5, MODEL.shape_count)
    follower.know_shape(known)
    for i in range(8, 14):
        assert np.array_equal(look(i)[0].state.shape, known)
    follower.restart()
    assert np.array_equal(look(14)[0].state.shape, known)


def test_after_a_gap_the_body_is_found_anew(visit):
    """Two seconds without a frame, in which they turned by 140 degrees: prediction would hold on to the old side."""
    follower, landmarker, look = visit
    for i in range(9):
        look(i)
    shopper = Shopper(seed=21)
    for i in range(33, 37):
        truth = shopper.state(i / 12.0, 0.09 + np.deg2rad(140.0) + 0.01 * i)
        seen = shopper.observe(i, i / 12.0, truth)
        landmarker.seen[i] = seen
        sight = follower.step(seen.frame)
        assert sight.state is not None
        assert joint_errors(sight.state, truth).mean() < 0.05


def test_slow_frames_are_no_gaps(visit):
    follower, _, look = visit
    starts = []
    start = follower.tracker.start
    follower.tracker.start = lambda *arguments: starts.append(1) or start(*arguments)
    for i in range(0, 100, 12):
        look(i, turn=0.001)
    assert len(starts) == 1
