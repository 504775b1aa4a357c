"""The live cloth stage: however late it is or however far the shopper is from where they were, a step is one frame."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from game.fabrics import load_fabric
from game.live.messages import Order, Sewn
from game.live.stages.cloth import ARRIVAL_STEPS, Beat, ClothStage
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.cloth.dressing import Garment, dress
from solver.cloth.simulation import ClothSimulation
from solver.measures import measure_body
from solver.pattern.tshirt import draft_tshirt
from solver.pose_motion import Stance
from solver.types import BodyState
from tests.live_stages import MODEL
from tests.test_cloth_dressing import inside

REST = shape_body(MODEL, np.zeros(1))
POSE = canonical_pose(MODEL, REST.joints)
BODY = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, POSE))


@pytest.fixture(scope="module")
def shirt():
    measures = {key: measure.value_mm for key, measure in measure_body(MODEL, BODY, sample_count=1).items()}
    return dress(draft_tshirt(measures), MODEL, BODY, load_fabric("jersey"), edge_length_m=0.024)


class Mirror:
    """A shopper, a stage, and a count of the frames of cloth in each step."""

    def __init__(self, garment: Garment, monkeypatch):
        garment.reset()
        self.garment, self.stage, self.now, self.number, self.frames = garment, ClothStage(MODEL), 0.0, 0, []
        self.shopper, self.bodies = SimpleNamespace(rest=REST), []
        step = ClothSimulation.step

        def counted(simulation, body, *arguments, **named):
            self.frames[-1] += 1
            self.bodies.append(body)
            return step(simulation, body, *arguments, **named)

        monkeypatch.setattr(ClothSimulation, "step", counted)

    def step(self, pose, T_wb, elapsed=1 / 60, sewn=None):
        """The shopper stands so after `elapsed` seconds in which the stage did nothing."""
        self.now += elapsed
        self.number += 1
        self.frames.append(0)
        vertices = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, pose, T_wb))
        state = BodyState(self.number, self.now, np.zeros(1), pose, T_wb, vertices, 0.9)
        tracked = SimpleNamespace(moment=SimpleNamespace(body=state))
        shown = self.stage.step(Beat(Order(), self.number, self.now, self.shopper, tracked, sewn))  # pyright: ignore[reportArgumentType]
        assert shown is not None
        return shown.dressed

    def put_on(self, pose, T_wb, stance=None):
        dressed = self.step(pose, T_wb, sewn=Sewn(Order(), 1, None, self.garment, False, stance))  # pyright: ignore[reportArgumentType]
        for _ in range(120):
            if dressed.garments:
                return dressed
            dressed = self.step(pose, T_wb)
        raise AssertionError("the garment never comes")


@pytest.fixture
def mirror(shirt, monkeypatch):
    return Mirror(shirt, monkeypatch)


def arms(lowered: float = 0.0, raised: float = 0.0):
    """The A-pose with the arms lowered, and the left one raised after that [rad]."""
    pose = POSE.copy()
    left, right = MODEL.joint("upperarm_l"), MODEL.joint("upperarm_r")
    pose[left] += [0.0, lowered - raised, 0.0]
    pose[right] -= [0.0, lowered, 0.0]
    return pose


def placed(angle: float, x: float = 0.0, y: float = 2.0):
    T_wb = np.eye(4)
    T_wb[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T_wb[:2, 3] = x, y
    return T_wb


def stretch(garment: Garment) -> float:
    return float(np.maximum(garment.simulation.strains(), 0.0).mean())


def test_a_garment_is_put_on_in_many_small_steps(mirror):
    """Sewn in the A-pose, worn with hanging arms somewhere else: nothing is shown before it is there."""
    dressed = mirror.put_on(arms(lowered=0.5), placed(0.5))
    assert max(mirror.frames) <= ARRIVAL_STEPS
    assert sum(mirror.frames) > 10
    for _ in range(30):
        dressed = mirror.step(arms(lowered=0.5), placed(0.5))
    assert inside(mirror.garment, dressed.body) <= 0.004


def test_on_its_way_the_body_keeps_its_shape(mirror):
    """An arm that goes up by half a turn: on straight lines it would be drawn in to nothing half-way."""
    stance = Stance(arms(lowered=0.5), placed(0.2))
    mirror.frames.append(0)
    mirror.garment.follow(skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, stance.pose, stance.T_wb)))
    mirror.bodies.clear()
    dressed = mirror.put_on(arms(lowered=0.5, raised=2.3), placed(0.5, x=0.4), stance)
    sides = MODEL.faces[np.isin(MODEL.part_labels[MODEL.faces], MODEL.part_names.index("lower_arm_l")).all(1)][:, :2]
    lengths = [np.linalg.norm(body[sides[:, 0]] - body[sides[:, 1]], axis=1).sum() for body in mirror.bodies]
    np.testing.assert_allclose(lengths, lengths[0], rtol=0.03)
    assert inside(mirror.garment, dressed.body) <= 0.01
    # From one frame of cloth to the next the body goes a little further, from where the garment was brought.
    ways = [np.linalg.norm(b - a, axis=1).max() for a, b in pairwise(mirror.bodies)]
    assert max(ways) < 0.02


@pytest.mark.parametrize("elapsed", [1 / 60, 1 / 23, 1 / 8])
def test_a_late_step_costs_no_more_than_a_punctual_one(mirror, elapsed):
    """A brisk turn with an arm that goes up and down, seen rarely: one frame of cloth a step, the cloth stays on, and
    the body is not left behind."""
    mirror.put_on(arms(), placed(0.0))
    began, count = mirror.now, len(mirror.frames)
    dressed = None
    while mirror.now - began < 2.5:
        t = mirror.now + elapsed - began
        turn = 3.0 * min(t, 2.0)
        pose = arms(0.3, 1.2 * np.sin(min(t, 2.0) * 3.0) ** 2)
        dressed = mirror.step(pose, placed(turn, x=0.3 * np.sin(2.0 * min(t, 2.0))), elapsed)
        assert stretch(mirror.garment) < 0.06
    assert set(mirror.frames[count:]) == {1}
    assert dressed is not None
    wanted = placed(6.0, x=0.3 * np.sin(4.0))
    stance = mirror.stage.stance()
    assert np.linalg.norm(stance.T_wb[:3, 3] - wanted[:3, 3]) < 0.03
    assert np.arccos(np.clip(np.trace(stance.T_wb[:3, :3].T @ wanted[:3, :3]) / 2.0 - 0.5, -1, 1)) < 0.1
    for _ in range(30):
        dressed = mirror.step(pose, wanted)
    assert inside(mirror.garment, dressed.body) <= 0.006
    assert stretch(mirror.garment) < 0.03


@pytest.mark.parametrize("goal", [placed(0.0, 1.5, 3.0), placed(np.pi - 0.1), placed(2.0, 0.5)])
def test_whoever_is_suddenly_elsewhere_takes_the_shirt_along(mirror, goal):
    """Lost and found metres away or the other way round: still one frame of cloth a step."""
    mirror.put_on(arms(), placed(0.0))
    count = len(mirror.frames)
    mirror.stage._predictor.forget()
    for _ in range(90):
        dressed = mirror.step(arms(0.4, 0.8), goal)
        assert stretch(mirror.garment) < 0.08
    assert set(mirror.frames[count:]) == {1}
    expected = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, arms(0.4, 0.8), goal))
    expected[:, 2] += dressed.body[:, 2].min() - expected[:, 2].min()
    np.testing.assert_allclose(dressed.body, expected, atol=0.01)
    assert inside(mirror.garment, dressed.body) <= 0.006


@pytest.mark.parametrize("place", [np.nan, np.inf, 9.0])
def test_broken_cloth_is_mended_out_of_sight(mirror, place):
    mirror.put_on(arms(0.3), placed(0.0))
    mirror.garment.simulation.state.positions[7, 1] = place
    assert not mirror.step(arms(0.3), placed(0.0)).garments
    for _ in range(60):
        dressed = mirror.step(arms(0.3), placed(0.0))
    assert dressed.garments
    assert np.isfinite(dressed.garments[0][1]).all()
    assert max(mirror.frames) <= 1 + ARRIVAL_STEPS
