"""Following a person: through a turn with swapped landmarks, lost and found, and not at all what is no person."""

from __future__ import annotations

from dataclasses import replace

import numba
import numpy as np
import pytest
from scipy.spatial import cKDTree

from solver.alignment import Articulation
from solver.body_proxy import coarser_body
from solver.cloth.body_surface import point_triangle_distance
from solver.errors import NotAPersonError, TrackingLostError
from solver.ground import assume_upright, estimate_ground
from solver.joint_ranges import joint_ranges
from solver.landmark_points import landmark_points, sort_sides
from solver.normals import NormalField
from solver.thread_limit import thread_limit
from solver.tracking import BodyTracker
from solver.types import Landmarks, Observation
from tests.rooms import box, look, room
from tests.shoppers import CAMERA, MODEL, NOISE, Shopper

FINGERS = ("index", "middle", "ring", "pinky", "thumb")
JOINTS = [j for j, name in enumerate(MODEL.joint_names) if not name.startswith(FINGERS)]


def joint_errors(found, truth):
    """Distances [m] of the joints that are no finger's."""
    joints = Articulation(found.shape, found.pose, found.T_wb).joints(MODEL)
    return np.linalg.norm(joints - truth.joints(MODEL), axis=1)[JOINTS]


def facing_error(found, truth):
    """Angle [deg] between where the two chests point."""
    cosine = (found.T_wb[:3, :3] @ (0, -1, 0)) @ (truth.T_wb[:3, :3] @ (0, -1, 0))
    return np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0)))


def started(shopper, yaw=0.0):
    state = shopper.state(0.0, yaw)
    observation = shopper.observe(0, 0.0, state)
    ground = estimate_ground(observation.frame.depth, CAMERA, NOISE)
    tracker = BodyTracker(MODEL, CAMERA, NOISE)
    return tracker, tracker.start(observation, ground), state


@pytest.mark.parametrize("swap_behind", [False, True])
def test_a_turn_is_followed_whatever_the_landmarks_say(swap_behind):
    shopper = Shopper(seed=1 + swap_behind, swap_behind=swap_behind)
    tracker, body, truth = started(shopper)
    errors, facing = [joint_errors(body, truth)], []
    frames = 40
    for i in range(1, frames + 1):
        truth = shopper.state(i / 12.0, 2.0 * np.pi * i / frames)
        body = tracker.track(shopper.observe(i, i / 12.0, truth))
        errors.append(joint_errors(body, truth))
        facing.append(facing_error(body, truth))
        assert body.confidence > 0.8, i
    assert max(facing) < 15.0
    assert np.mean(errors) < 0.02
    # The turn has shown the whole body: it is the right size.
    stature = float(np.ptp(Articulation(body.shape, np.zeros_like(body.pose), np.eye(4)).vertices(MODEL)[:, 2]))
    assert abs(stature - shopper.stature) < 0.03


def test_starts_on_people_who_turn_their_back():
    """The landmarker takes the back for a front: depth decides."""
    for seed in (3, 4):
        for yaw in (np.pi, 2.8):
            _, body, truth = started(Shopper(seed=seed, swap_behind=False), yaw)
            assert facing_error(body, truth) < 20.0
            assert joint_errors(body, truth).mean() < 0.03


def test_works_without_a_mask():
    shopper = Shopper(seed=5)
    tracker, _, _ = started(shopper)
    for i in range(1, 8):
        truth = shopper.state(i / 12.0, 0.12 * i)
        body = tracker.track(replace(shopper.observe(i, i / 12.0, truth), mask=None))
    assert joint_errors(body, truth).mean() < 0.02


def test_lost_and_found():
    shopper = Shopper(seed=6)
    tracker, _, _ = started(shopper)
    for i in range(1, 10):
        body = tracker.track(shopper.empty_room(i, i / 12.0))
    assert body.confidence == 0.0
    assert tracker.status.searching
    for i in range(10, 14):
        truth = shopper.state(i / 12.0, 0.3, aside=0.6)
        body = tracker.track(shopper.observe(i, i / 12.0, truth))
    assert not tracker.status.searching
    assert body.confidence > 0.8
    assert joint_errors(body, truth).mean() < 0.025


def test_gives_up_after_a_while():
    shopper = Shopper(seed=7)
    tracker, _, _ = started(shopper)
    empty = shopper.empty_room(1, 0.1)
    frames = [replace(empty.frame, sequence=i, captured_at=i / 10.0) for i in range(1, 60)]
    for frame in frames[:20]:
        assert tracker.track(replace(empty, frame=frame)).confidence == 0.0
    with pytest.raises(TrackingLostError, match="lost"):
        [tracker.track(replace(empty, frame=frame)) for frame in frames[20:]]
    with pytest.raises(TrackingLostError, match="start"):
        BodyTracker(MODEL, CAMERA, NOISE).track(empty)


THINGS = {
    "chair": [
        box((-0.25, 2.0, 0.42), (0.25, 2.5, 0.47)),
        box((-0.25, 2.46, 0.47), (0.25, 2.5, 0.95)),
        box((-0.25, 2.0, 0.0), (-0.2, 2.05, 0.42)),
        box((0.2, 2.0, 0.0), (0.25, 2.05, 0.42)),
        box((-0.25, 2.45, 0.0), (-0.2, 2.5, 0.42)),
        box((0.2, 2.45, 0.0), (0.25, 2.5, 0.42)),
    ],
    "clothes rack": [box((-0.6, 2.1, 0.7), (0.6, 2.5, 1.5)), box((-0.62, 2.28, 0.0), (-0.58, 2.32, 1.6))],
}


@pytest.mark.parametrize("thing", THINGS)
def test_a_thing_is_no_person(thing):
    """Even where the landmarker dreams up a person on it."""
    shopper = Shopper(seed=8)
    depth = look([*room(4.5), *THINGS[thing]], shopper.T_wc, CAMERA, NOISE, np.random.default_rng(9))
    dreamed = shopper.landmarks(shopper.state(0.0, 0.0))
    frame = replace(shopper.empty_room(0, 0.0).frame, depth=depth)
    ground = estimate_ground(depth, CAMERA, NOISE)
    for landmarks in (None, dreamed):
        with pytest.raises(NotAPersonError):
            BodyTracker(MODEL, CAMERA, NOISE).start(Observation(frame, None, landmarks), ground)


def test_head_to_hips_is_enough():
    """A near camera, no floor in view: what is seen is tracked."""
    shopper = Shopper(seed=10, distance=0.95, floor=False, pitch=0.0, height=1.35)
    state = shopper.state(0.0, 0.0)
    observation = shopper.observe(0, 0.0, state)
    ground = assume_upright(observation)
    tracker = BodyTracker(MODEL, CAMERA, NOISE)
    body = tracker.start(observation, ground)
    for i in range(1, 12):
        state = shopper.state(i / 12.0, 0.1 * i)
        body = tracker.track(shopper.observe(i, i / 12.0, state))
    # The floor is guessed, so compare in frame c, and only what is in the picture.
    found = Articulation(body.shape, body.pose, body.T_wb).joints(MODEL) - ground.T_wc[:3, 3]
    seen = state.joints(MODEL) - shopper.T_wc[:3, 3]
    upper = [MODEL.joint(n) for n in ("spine_03", "upperarm_l", "upperarm_r", "neck_01", "head")]
    assert np.linalg.norm(found - seen, axis=1)[upper].mean() < 0.035
    assert facing_error(body, state) < 12.0


def test_sides_are_sorted_by_the_model():
    points = landmark_points(MODEL)
    shopper = Shopper(seed=11, swap_behind=False, landmark_sigma_px=2.0)
    seen = shopper.landmarks(shopper.state(0.0, 0.0))
    image = seen.image.copy()
    arms = points.group == 1
    image[points.mirrored[arms]] = seen.image[points.indices[arms]]
    predicted = seen.image[points.indices]
    pixels, _, swapped = sort_sides(
        points, Landmarks(image, seen.visibility, seen.world), predicted, np.full(len(predicted), 8.0)
    )
    assert swapped.tolist() == [False, True, False]
    np.testing.assert_allclose(pixels, predicted)


def test_joint_ranges_are_mirror_images():
    ranges = joint_ranges(MODEL)
    assert (ranges.lower < 0).all()
    assert (ranges.upper > 0).all()
    for name in ("upperarm", "thigh", "hand"):
        left, right = MODEL.joint(f"{name}_l"), MODEL.joint(f"{name}_r")
        np.testing.assert_allclose(
            ranges.lower[left] * (1, -1, -1), np.array([ranges.lower[right][0], *ranges.upper[right][1:]])
        )


def test_the_coarser_body_is_the_body():
    """Its triangles lie on the surface and look outwards; shape and pose are the model's own."""
    proxy = coarser_body(MODEL)
    assert len(proxy.faces) < 0.7 * len(MODEL.faces)
    assert (proxy.vertices[proxy.faces] == proxy.model_faces).all()
    corners = MODEL.template[proxy.model_faces].astype(np.float64)
    near = cKDTree(corners.mean(1)).query(MODEL.template, k=24)[1]
    off = point_triangle_distance(MODEL.template.astype(np.float64)[:, None], corners[near]).min(1)
    assert off.mean() < 0.0003
    assert np.percentile(off, 99) < 0.0025
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = NormalField(MODEL.faces, MODEL.vertex_count)(MODEL.template)[proxy.model_faces].mean(1)
    area = np.linalg.norm(normals, axis=1)
    assert (
        area[np.einsum("fi,fi->f", normals, outwards) < 0.0].sum() < 0.005 * area.sum()
    )  # folds of ears, lips, fingers


def test_thread_limit_is_put_back():
    before = numba.get_num_threads()
    with thread_limit(1):
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before
