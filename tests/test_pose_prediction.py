"""Prediction on a simulated shopper's motion before the mirror: later than nothing, never far beyond, still at rest."""

import numpy as np
import pytest

from capture.simulated.motion import Motion, visit_script
from capture.simulated.person import draw_person
from capture.simulated.surface_fields import SurfaceSmoother
from game.assets import load_body_model
from solver.body import joint_transforms
from solver.pose_motion import Stance, StanceFilter
from solver.pose_prediction import PosePredictor

FPS, LATENCY_S, SHOW = 15.0, 0.09, 1.0 / 60.0
PARTS = ("hand_l", "hand_r", "head", "pelvis", "lowerarm_l", "lowerarm_r")


class Recorded:
    """What someone does before the mirror, as a tracker sees it: with noise, late."""

    def __init__(self):
        model = load_body_model()
        person = draw_person(model, 7, SurfaceSmoother(model.faces, model.vertex_count))
        motion = Motion(person, visit_script(person, (0.0, 1.8), 2.0 * np.pi, 10.0))
        span = next(span for span in motion.phases if span.name == "mirror")
        self.model, self.rest = model, person.rest.joints
        self.ids = [model.joint(name) for name in PARTS]
        self.times = np.arange(span.begin, span.end - 0.5, SHOW)
        self.truth = np.array([self.points(self.stance(motion, t)) for t in self.times])
        rng = np.random.default_rng(0)
        self.seen = []
        for t in np.arange(span.begin - 1.0, span.end, 1.0 / FPS):
            true = self.stance(motion, t)
            moved = np.linalg.norm(true.pose, axis=1)[:, None] > 0.0
            T_wb = true.T_wb.copy()
            T_wb[:3, 3] += rng.normal(0.0, 0.0015, 3)
            self.seen.append((t, Stance(true.pose + moved * rng.normal(0.0, np.deg2rad(0.2), true.pose.shape), T_wb)))

    @staticmethod
    def stance(motion, t):
        moment = motion.at(t)
        return Stance(moment.pose, moment.T_wb)

    def points(self, stance):
        transforms = joint_transforms(self.model, self.rest, stance.pose, stance.T_wb)
        return (np.einsum("jab,jb->ja", transforms[:, :3, :3], self.rest) + transforms[:, :3, 3])[self.ids]

    def play(self, observe, show):
        waiting, shown = list(self.seen), []
        for t in self.times:
            while waiting and waiting[0][0] + LATENCY_S <= t:
                observe(*waiting.pop(0)[::-1])
            shown.append(self.points(show(t)))
        return np.array(shown)


@pytest.fixture(scope="module")
def recorded():
    return Recorded()


@pytest.fixture(scope="module")
def held(recorded):
    """Without prediction: the newest filtered pose."""
    smooth, last = StanceFilter(), []

    def observe(stance, at):
        last[:] = [smooth(stance, at)]

    return recorded.play(observe, lambda t: last[0])


@pytest.fixture(scope="module")
def predicted(recorded):
    predictor = PosePredictor()
    return recorded.play(lambda stance, at: predictor.observe(stance, at, 0.9), predictor.at)


def speed(points):
    return np.linalg.norm(np.gradient(points, SHOW, axis=0), axis=2)


def test_a_predicted_body_lags_less(recorded, held, predicted):
    moving = speed(recorded.truth) > 0.3
    error = [np.sqrt(np.square(np.linalg.norm(p - recorded.truth, axis=2)[moving]).mean()) for p in (held, predicted)]
    assert error[1] < 0.85 * error[0]


def test_who_stops_is_not_thrown_beyond(recorded, predicted):
    velocity = np.gradient(recorded.truth, SHOW, axis=0)
    before = np.roll(velocity, 15, axis=0)
    stopped = (np.linalg.norm(velocity, axis=2) < 0.15) & (np.linalg.norm(before, axis=2) > 0.4)
    stopped[:15] = False
    way = before / np.maximum(np.linalg.norm(before, axis=2), 1e-9)[..., None]
    beyond = ((predicted - recorded.truth) * way).sum(2)[stopped]
    assert len(beyond) > 50
    assert np.percentile(beyond, 95) < 0.025
    assert beyond.max() < 0.06


def test_standing_still_is_still(recorded, held, predicted):
    calm = (speed(recorded.truth) < 0.03)[1:]
    step = [np.linalg.norm(np.diff(p, axis=0), axis=2)[calm] for p in (held, predicted)]
    assert np.sqrt(np.square(step[1]).mean()) < 0.0015
    assert np.sqrt(np.square(step[1]).mean()) < 0.7 * np.sqrt(np.square(step[0]).mean())


def test_a_body_at_rest_without_noise_does_not_move_at_all(recorded):
    predictor, stance = PosePredictor(), recorded.seen[0][1]
    for k in range(10):
        predictor.observe(stance, k / FPS)
    for t in np.linspace(9.0 / FPS, 3.0, 20):
        np.testing.assert_allclose(predictor.at(t).T_wb, stance.T_wb, atol=1e-9)
        np.testing.assert_allclose(predictor.at(t).pose, stance.pose, atol=1e-9)


def test_a_steady_turn_is_carried_on_but_not_for_ever(recorded):
    predictor, stance = PosePredictor(), recorded.seen[0][1]

    def turned(angle):
        T_wb = np.eye(4)
        T_wb[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        return Stance(stance.pose, T_wb)

    def yaw(at):
        T_wb = predictor.at(at).T_wb
        return np.arctan2(T_wb[1, 0], T_wb[0, 0])

    for k in range(30):
        predictor.observe(turned(1.0 * k / FPS), k / FPS)
        predictor.at(k / FPS + 0.01)
    last = 29.0 / FPS
    assert 0.03 < yaw(last + 0.09) - (last - 0.06) < 0.15
    assert yaw(last + 5.0) - yaw(last + 1.0) == pytest.approx(0.0, abs=1e-3)


def test_an_unsure_pose_is_not_carried_on(recorded):
    predictor, stance = PosePredictor(), recorded.seen[0][1]
    for k in range(20):
        T_wb = stance.T_wb.copy()
        T_wb[0, 3] += 0.5 * k / FPS
        predictor.observe(Stance(stance.pose, T_wb), k / FPS, 0.3 if k > 15 else 0.9)
    first = predictor.at(19.0 / FPS).T_wb[0, 3]
    assert predictor.at(19.0 / FPS + 0.2).T_wb[0, 3] == pytest.approx(first, abs=1e-9)
