"""Every word of guidance from constructed geometry, and that words do not flicker."""

from itertools import pairwise

import numpy as np
import pytest

from game.live.guidance import Guide, Limits, Stand, arm_angle, cut_off, measure_stand
from game.protocol.snapshot import Guidance
from solver.body import ARM_ANGLE, canonical_pose, joint_transforms, shape_body, skin
from solver.types import BodyState, Frame, Ground, Intrinsics, Landmarks
from tests.rooms import camera_pose
from tests.shoppers import MODEL

CAMERA = Intrinsics(480, 848, 425.0, 425.0, 239.5, 423.5)
GROUND = Ground(camera_pose(1.25, np.deg2rad(4.0)), 0.003, 0.5)
FRAME = Frame(0, 0.0, CAMERA, None, None)
REST = shape_body(MODEL, np.zeros(8))
GOOD = Stand(2.0, 0.7, 0.0, np.deg2rad(45.0))


def body_at(distance, aside=0.0, arms=ARM_ANGLE):
    pose = canonical_pose(MODEL, REST.joints, arm_angle=arms)
    T_wb = np.eye(4)
    T_wb[:3, 3] = aside, distance, 0.0
    vertices = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, pose, T_wb))
    T_wb[2, 3] = -vertices[:, 2].min()
    vertices = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, pose, T_wb))
    return BodyState(0, 0.0, np.zeros(8), pose, T_wb, vertices, 0.9)


def word(stand, **more):
    return Guide().judge(0.0, stand, **more)


@pytest.mark.parametrize(
    ("distance", "aside", "arms", "expected"),
    [
        (2.0, 0.0, 45.0, Guidance.TURN),
        (4.2, 0.0, 45.0, Guidance.NEARER),
        (0.9, 0.0, 45.0, Guidance.FURTHER),
        (2.0, 0.85, 45.0, Guidance.WHOLE_BODY),
        (2.0, 0.0, 8.0, Guidance.ARMS_OUT),
    ],
)
def test_where_someone_stands_decides(distance, aside, arms, expected):
    stand = measure_stand(MODEL, body_at(distance, aside, np.deg2rad(arms)), GROUND, FRAME)
    assert word(stand) is expected
    assert stand.distance_m == pytest.approx(np.hypot(distance, aside), abs=0.1)


@pytest.mark.parametrize("degrees", [10.0, 30.0, 60.0])
def test_the_arms_angle_is_that_of_the_pose(degrees):
    # The trunk's axis leans a few degrees against the vertical.
    assert np.rad2deg(arm_angle(MODEL, body_at(2.0, arms=np.deg2rad(degrees)))) == pytest.approx(degrees, abs=6.0)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"crowded": True}, Guidance.ONE_PERSON),
        ({"walking": 0.6}, Guidance.HOLD_STILL),
        ({"turn_rate": -1.8, "turned": -1.0}, Guidance.SLOWER),
        ({"turn_rate": 0.6, "turned": 0.1}, Guidance.TURN),
        ({"turn_rate": 0.6, "turned": 1.0}, Guidance.KEEP_TURNING),
        ({"complete": True, "crowded": True}, Guidance.DONE),
    ],
)
def test_how_someone_moves_decides(more, expected):
    assert word(GOOD, **more) is expected


def test_who_is_not_followed_steps_in_or_back():
    assert word(None) is Guidance.STEP_IN
    assert word(None, seen_cut_off=True) is Guidance.WHOLE_BODY


def test_feet_below_the_picture_are_cut_off():
    points = np.full((33, 2), 200.0, np.float32)
    landmarks = Landmarks(points, np.ones(33, np.float32), np.zeros((33, 3), np.float32))
    assert not cut_off(landmarks, FRAME)
    points[27, 1] = CAMERA.height + 40
    assert cut_off(landmarks, FRAME)


def test_a_measure_that_trembles_about_its_limit_says_one_thing():
    guide, limits = Guide(), Limits()
    rng = np.random.default_rng(0)
    words = []
    for k in range(300):
        arms = limits.arm_rad[0] + np.deg2rad(rng.normal(0.0, 2.0))
        words.append(guide.judge(k / 15.0, Stand(2.0, 0.7, 0.0, arms)))
    assert sum(a is not b for a, b in pairwise(words)) <= 1


def test_a_new_word_waits_and_the_last_one_comes_at_once():
    guide = Guide()
    assert guide.judge(0.0, GOOD) is Guidance.TURN
    bad = Stand(2.0, 0.7, 0.0, 0.1)
    assert guide.judge(2.0, bad) is Guidance.TURN
    assert guide.judge(2.1, GOOD) is Guidance.TURN
    assert guide.judge(2.2, bad) is Guidance.TURN
    assert guide.judge(2.6, bad) is Guidance.ARMS_OUT
    assert guide.judge(2.7, GOOD, complete=True) is Guidance.DONE
