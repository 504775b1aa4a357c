"""The turn is done when the person was seen from all sides, and not before."""

from types import SimpleNamespace

import numpy as np
import pytest

from game.scan_files import SIDES, remarks
from game.turn import FULL_TURN, LARGEST_GAP, Turn
from solver.types import BodyState, Frame, Ground, Observation
from tests.shoppers import CAMERA, MODEL, Shopper

GROUND = Ground(np.eye(4), 0.002, 0.5)
RATE = np.deg2rad(60.0)


@pytest.fixture
def turn_to():
    """A turn, and `watch(time, yaw)`: a frame in which somebody is followed who has turned so far."""
    shopper, turn = Shopper(seed=4), Turn(MODEL)
    depth = np.ones((CAMERA.height, CAMERA.width), np.float32)

    def watch(time, yaw, confidence=0.9, aside=0.0):
        truth = shopper.state(0.0, yaw, aside)
        state = BodyState(0, time, truth.shape, truth.pose, truth.T_wb, truth.vertices(MODEL), confidence)
        turn.watch(Observation(Frame(0, time, CAMERA, None, depth), None, None), GROUND, state)

    return turn, watch


def test_one_turn_is_done(turn_to):
    turn, watch = turn_to
    for time in np.arange(0.0, FULL_TURN / RATE + 0.1, 0.1):
        watch(time, RATE * time)
    assert turn.complete


def test_a_turn_with_a_gap_goes_on_until_it_is_closed(turn_to):
    turn, watch = turn_to
    for time in np.arange(0.0, 8.0, 0.1):
        if not 2.0 < time < 4.0:
            watch(time, RATE * time)
        if time > 4.0:
            assert turn.complete == (RATE * time > 2.0 * np.pi + RATE * 3.0 + np.deg2rad(1.0)), time
    assert turn.turned > FULL_TURN


def test_nobody_turns_for_ever(turn_to):
    """Where one side is never seen well the turn ends all the same, and the report says which."""
    turn, watch = turn_to
    for time in np.arange(0.0, 13.0, 0.1):
        behind = 2.0 < time % 6.0 < 4.0
        watch(time, RATE * time, 0.4 if behind else 0.9)
    assert turn.complete


def test_a_body_that_is_lost_for_some_frames_has_not_left_its_spot(turn_to):
    turn, watch = turn_to
    for n, time in enumerate(np.arange(0.0, 3.0, 0.1)):
        lost = 14 <= n < 20
        watch(time, 2.5 if lost else RATE * time, 0.02 if lost else 0.9, 0.5 if lost else 0.0)
    assert turn.turned == pytest.approx(RATE * 2.9, abs=0.02)
    assert len(turn.keyframes) > 10
    watch(3.0, RATE * 3.0, aside=0.5)
    assert turn.turned == 0.0, "who walks off begins anew"


def test_sides_have_the_names_that_the_camera_sees(turn_to):
    """Who has turned to the left by a right angle shows the right side."""
    shopper = Shopper(seed=4)
    truth = shopper.state(0.0, np.pi / 2.0)
    hands = {side: truth.joints(MODEL)[MODEL.joint(f"hand_{side}")] for side in "lr"}
    nearer = min(hands, key=lambda side: np.linalg.norm(hands[side] - shopper.T_wc[:3, 3]))
    assert SIDES[1].endswith({"l": "left", "r": "right"}[nearer])


@pytest.mark.parametrize(
    ("middle", "side"),
    [(0.1, "from the front"), (np.pi / 2, "from the right"), (-3.0, "from behind"), (-np.pi / 2, "from the left")],
)
def test_a_side_that_was_not_seen_is_said(middle, side):
    scan = SimpleNamespace(
        reconstruction=SimpleNamespace(unseen_turn=(middle, np.deg2rad(133.0))),
        ground=SimpleNamespace(inlier_fraction=0.5),
    )
    (said,) = remarks(scan)
    assert said.startswith(f"Not seen {side}, over 133 of the turn's 360 degrees")
    scan.reconstruction.unseen_turn = middle, LARGEST_GAP
    assert remarks(scan) == []
    scan.ground.inlier_fraction = 0.0
    assert remarks(scan) == ["No floor was in view; heights are left out."]
