"""A camera followed through simulated flights: exact truth, and nothing silently wrong."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import _flights as flights
from capture.features import OrbDetector
from solver.odometry import se3
from solver.odometry.mapping import RigidMapper, Status
from solver.odometry.trajectory import trajectory_error
from solver.thread_limit import thread_limit
from solver.volume.rigid import RigidVolume


def fly(flight, color=True):
    """The mapper after the flight, and each frame's step."""
    model = RigidVolume(0.012, 0.06, flights.NOISE, farthest_m=5.0)
    mapper = RigidMapper(
        flights.INTRINSICS, flights.NOISE, model, OrbDetector() if color else None, T_wc=flight.poses[0]
    )
    with thread_limit(1):
        return mapper, [mapper.step(frame) for frame in flight.frames()]


def part(flight, *ranges):
    return replace(flight, poses=np.concatenate([flight.poses[a:b] for a, b in ranges]))


def worst_m(mapper, flight):
    """Largest distance of a placed frame from where it truly was [m]."""
    return max(se3.distance(se3.inverse(flight.poses[k]) @ pose) for k, pose in mapper.poses().items())


def statuses(steps):
    return [step.status for step in steps]


@pytest.mark.parametrize("color", [True, False])
def test_a_camera_is_followed(color):
    flight = part(flights.turn(), (0, 25))
    mapper, steps = fly(flight, color)
    assert statuses(steps) == [Status.TRACKED] * 25
    error = trajectory_error(np.array([mapper.poses()[k] for k in range(25)]), flight.poses)
    assert error.ate_m < 0.005
    assert error.rpe_m < 0.002
    # The camera's lasting errors, not the algorithm, are what is left.
    exact = replace(flight, noisy=False)
    assert worst_m(fly(exact, color)[0], exact) < 0.002


def test_a_correction_is_spread_over_the_frames_between_keyframes():
    flight = part(flights.turn(), (0, 20))
    mapper, _ = fly(flight)
    before = mapper.poses()
    first, second = mapper.keyframes[:2]
    change = se3.exp(np.array([0.01, 0.0, -0.02, 0.03, 0.0, 0.02]))
    second.T_wc = change @ second.T_wc
    after = mapper.poses()
    moved = np.array([after[k][:3, 3] - before[k][:3, 3] for k in range(second.sequence + 1)])
    np.testing.assert_allclose(after[second.sequence], second.T_wc, atol=1e-9)
    np.testing.assert_allclose(after[first.sequence], first.T_wc, atol=1e-9)
    steps = np.linalg.norm(np.diff(moved, axis=0), axis=1)
    assert steps.max() < 1.2 * np.linalg.norm(moved[-1]) / len(steps)


def test_a_plain_wall_is_said_and_not_followed():
    flight = part(flights.along_wall(contrast=0.0), (0, 24))
    mapper, steps = fly(flight)
    assert Status.WEAK in statuses(steps)
    assert statuses(steps)[-1] is Status.LOST
    assert mapper.lost
    weak = next(step for step in steps if step.status is Status.WEAK)
    assert "flat" in weak.reason
    # Few frames pass before it is noticed, and those are not far off.
    assert len(mapper.poses()) < 8
    assert worst_m(mapper, flight) < 0.04


def test_a_picture_on_the_wall_holds_the_camera():
    flight = part(flights.along_wall(), (0, 20))
    mapper, steps = fly(flight)
    assert statuses(steps) == [Status.TRACKED] * 20
    assert worst_m(mapper, flight) < 0.006


def test_frames_that_are_missing_are_bridged():
    flight = part(flights.turn(120, 2.2), (44, 56), (64, 70))
    mapper, steps = fly(flight)
    assert statuses(steps) == [Status.TRACKED] * 18
    assert worst_m(mapper, flight) < 0.015


def test_darkness_is_said_and_the_place_known_again():
    flight = replace(part(flights.turn(), (0, 34)), dark=(12, 26))
    mapper, steps = fly(flight)
    found = statuses(steps)
    assert found[:12] == [Status.TRACKED] * 12
    assert found[12:26] == [Status.LOST] * 14
    assert all(step.reason for step in steps[12:26])
    assert Status.FOUND in found[26:28]
    assert set(found[28:]) == {Status.TRACKED}
    assert worst_m(mapper, flight) < 0.012
    assert set(mapper.poses()) == set(range(12)) | {k for k in range(26, 34) if found[k] is not Status.LOST}


def test_a_jump_to_a_place_never_seen_ends_it_with_words():
    flight = part(flights.turn(), (0, 8), (110, 116))
    mapper, steps = fly(flight)
    assert statuses(steps)[8:] == [Status.LOST] * 6
    assert all(step.T_wc is None and step.reason for step in steps[8:])
    assert mapper.lost
    assert set(mapper.poses()) == set(range(8))


@pytest.mark.slow
def test_a_turn_closes_on_itself():
    flight = flights.turn(140, 2.0 * np.pi + 0.5)
    mapper, steps = fly(flight)
    assert set(statuses(steps)) == {Status.TRACKED}
    assert mapper.closures
    assert {closure.second for closure in mapper.closures} <= set(range(120, 140))
    assert worst_m(mapper, flight) < 0.06
