"""Following without depth: the whole turn, standing still, lost and found, and what is never claimed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solver.alignment import Articulation
from solver.average_body import average_prior, visible_directions
from solver.body import shape_body
from solver.color_tracking import AVERAGE_DEPTH, ColorTracker, make_tracker
from solver.errors import NotAPersonError, TrackingLostError
from solver.ground import estimate_ground
from solver.landmark_place import assume_average, figure_scale, place_figure, turned_to_view
from solver.tracking import BodyTracker
from tests.shoppers import CAMERA, MODEL, NOISE, Shopper
from tests.test_tracking import facing_error, joint_errors


def without_depth(observation):
    return replace(observation, frame=replace(observation.frame, depth=None))


def started(shopper, yaw=0.0, assumed=False):
    state = shopper.state(0.0, yaw)
    seen = shopper.observe(0, 0.0, state)
    colored = without_depth(seen)
    ground = assume_average(MODEL, colored) if assumed else estimate_ground(seen.frame.depth, CAMERA, NOISE)
    tracker = ColorTracker(MODEL, CAMERA)
    return tracker, tracker.start(colored, ground), state


def pose_errors(body, truth):
    """Distances [m] of joints from the truth about the pelvis."""
    found = Articulation(body.shape, body.pose, body.T_wb).joints(MODEL)
    true = truth.joints(MODEL)
    return np.linalg.norm((found - found[0]) - (true - true[0]), axis=1)


@pytest.mark.parametrize(("seed", "sense"), [(1, 1.0), (2, -1.0)])
@pytest.mark.parametrize("swap_behind", [False, True])
def test_a_whole_turn_without_a_flip(seed, sense, swap_behind):
    shopper = Shopper(seed=seed, swap_behind=swap_behind)
    tracker, body, truth = started(shopper)
    errors, facing = [], []
    frames = 40
    for i in range(1, frames + 1):
        truth = shopper.state(i / 12.0, sense * 2.0 * np.pi * i / frames)
        body = tracker.track(without_depth(shopper.observe(i, i / 12.0, truth)))
        errors.append(joint_errors(body, truth))
        facing.append(facing_error(body, truth))
        assert body.confidence > 0.6, i
    assert max(facing) < 35.0
    assert np.mean(errors) < 0.12
    stature = float(np.ptp(shape_body(MODEL, body.shape).vertices[:, 2]))
    assert abs(stature - shopper.stature) < 0.06


def test_standing_still_is_still():
    """In the picture, that is: along the view one camera sees little, and says nothing of a centimetre or two."""
    shopper = Shopper(seed=3, landmark_sigma_px=1.0)
    tracker, _, truth = started(shopper)
    joints = []
    for i in range(1, 25):
        body = tracker.track(without_depth(shopper.observe(i, i / 12.0, truth)))
        joints.append(Articulation(body.shape, body.pose, body.T_wb).joints(MODEL))
    steps = np.diff(joints[6:], axis=0) @ shopper.T_wc[:3, :3]
    assert np.abs(steps[..., :2]).mean() < 0.008
    assert np.abs(steps[..., 2]).mean() < 0.025


def test_lost_and_found_facing_as_before():
    """Found again with the back turned, which the landmarker takes for a front."""
    shopper = Shopper(seed=4, swap_behind=True)
    tracker, _, _ = started(shopper)
    frames = 24
    for i in range(1, frames + 1):
        truth = shopper.state(i / 12.0, np.pi * i / frames)
        body = tracker.track(without_depth(shopper.observe(i, i / 12.0, truth)))
    assert facing_error(body, truth) < 35.0
    for i in range(frames + 1, frames + 10):
        body = tracker.track(without_depth(shopper.empty_room(i, i / 12.0)))
    assert body.confidence == 0.0
    assert tracker.status.searching
    for i in range(frames + 10, frames + 14):
        truth = shopper.state(i / 12.0, np.pi, aside=0.3)
        body = tracker.track(without_depth(shopper.observe(i, i / 12.0, truth)))
    assert not tracker.status.searching
    assert facing_error(body, truth) < 35.0
    assert pose_errors(body, truth).mean() < 0.1


def test_gives_up_after_a_while_and_refuses_an_empty_room():
    shopper = Shopper(seed=5)
    tracker, _, _ = started(shopper)
    empty = without_depth(shopper.empty_room(1, 0.1))
    frames = [replace(empty.frame, sequence=i, captured_at=i / 10.0) for i in range(1, 60)]
    with pytest.raises(TrackingLostError, match="lost"):
        [tracker.track(replace(empty, frame=frame)) for frame in frames]
    fresh = ColorTracker(MODEL, CAMERA)
    with pytest.raises(NotAPersonError, match="nobody"):
        fresh.start(empty, estimate_ground(shopper.empty_room(0, 0.0).frame.depth, CAMERA, NOISE))
    with pytest.raises(NotAPersonError, match="nobody"):
        assume_average(MODEL, empty)


def test_on_an_assumed_floor_stature_stays_the_average():
    shopper = Shopper(seed=6)
    tracker, body, truth = started(shopper, assumed=True)
    for i in range(1, 10):
        body = tracker.track(without_depth(shopper.observe(i, i / 12.0, truth)))
    stature = float(np.ptp(shape_body(MODEL, body.shape).vertices[:, 2]))
    average = float(np.ptp(MODEL.template[:, 2]))
    assert abs(stature - average) < 0.02
    assert body.confidence > 0.6


def test_only_stature_and_breadth_can_be_learnt():
    """Depth of the body is not moved by anything seen: what leaves the visible plane is next to nothing."""
    shopper = Shopper(seed=6)
    tracker, body, _ = started(shopper)
    for i in range(1, 30):
        truth = shopper.state(i / 12.0, 0.1 * i)
        body = tracker.track(without_depth(shopper.observe(i, i / 12.0, truth)))
    count = tracker.settings.shape_count
    plane = visible_directions(MODEL, count, with_stature=True)
    np.testing.assert_allclose(plane @ plane.T, np.eye(2), atol=1e-9)
    shape = body.shape[:count]
    assert np.linalg.norm(shape - plane.T @ (plane @ shape)) < 0.05
    true = plane @ shopper.shape[:count]
    assert np.linalg.norm(true) > 1.0
    assert np.linalg.norm(plane @ shape - true) < 0.7 * np.linalg.norm(true)
    assert not body.shape[count:].any()
    prior = average_prior(plane)
    np.testing.assert_allclose(prior @ plane.T, 0.0, atol=1e-6)


def test_the_flag_for_screens():
    assert "average depth" in AVERAGE_DEPTH
    assert make_tracker(MODEL, CAMERA, None).notice == AVERAGE_DEPTH
    assert type(make_tracker(MODEL, CAMERA, NOISE)) is BodyTracker


def test_a_figure_is_placed_where_it_is_seen():
    shopper = Shopper(seed=8, landmark_sigma_px=0.0)
    state = shopper.state(0.0, 0.3)
    landmarks = shopper.landmarks(state)
    hips = state.joints(MODEL)[[MODEL.joint("thigh_l"), MODEL.joint("thigh_r")]].mean(0)
    expected = (hips - shopper.T_wc[:3, 3]) @ shopper.T_wc[:3, :3]
    assert np.linalg.norm(place_figure(landmarks, CAMERA) - expected) < 0.08
    # Twice as large and seen alike is twice as far.
    np.testing.assert_allclose(place_figure(landmarks, CAMERA, 2.0), 2.0 * place_figure(landmarks, CAMERA), rtol=1e-5)
    smaller = replace(landmarks, world=landmarks.world * np.float32(0.9))
    assert figure_scale(MODEL, smaller) == pytest.approx(figure_scale(MODEL, landmarks) / 0.9, rel=1e-5)
    hidden = replace(landmarks, visibility=np.zeros(33, np.float32))
    with pytest.raises(NotAPersonError, match="too little"):
        place_figure(hidden, CAMERA)


def test_the_landmarkers_axes_are_turned_to_the_cameras():
    """A landmark straight behind the hips, as the landmarker sees it, lies on the ray through them."""
    shopper = Shopper(seed=9)
    landmarks = shopper.landmarks(shopper.state(0.0, 0.0, aside=0.8))
    image = np.tile(np.float32([450.0, 60.0]), (33, 1))
    world = np.zeros((33, 3), np.float32)
    world[0, 2] = 0.4
    turned = turned_to_view(replace(landmarks, image=image, world=world), CAMERA).world[0]
    ray = np.array([(450.0 - CAMERA.cx) / CAMERA.fx, (60.0 - CAMERA.cy) / CAMERA.fy, 1.0])
    np.testing.assert_allclose(turned, 0.4 * ray / np.linalg.norm(ray), atol=1e-6)
