"""The floor is found under many cameras, nothing else is taken for it, and a knock is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from game.assets import load_body_model
from solver.alignment import Articulation
from solver.ground import GroundMonitor, NoFloorError, assume_upright, estimate_ground
from solver.types import DepthNoise, Frame, Landmarks, Observation
from tests.rooms import CAMERA, NOISE, box, camera_pose, look, room, to_camera

MODEL = load_body_model()


def person(at=2.2):
    state = Articulation.at_rest(MODEL)
    state.T_wb[1, 3] = at
    return state.vertices(MODEL), MODEL.faces


FURNITURE = {
    "empty": [],
    "table": [box((-1.5, 2.4, 0.70), (-0.2, 3.2, 0.75)), box((-1.5, 2.4, 0.0), (-1.4, 3.2, 0.7))],
    "sofa": [box((0.3, 2.8, 0.0), (2.2, 3.7, 0.45)), box((0.3, 3.6, 0.0), (2.2, 3.9, 0.9))],
    "shelf": [box((-2.0, 3.0, 0.0), (-1.0, 3.6, 2.0)), box((1.2, 1.5, 0.0), (1.8, 2.2, 0.9))],
}


def errors(ground, T_wc):
    tilt = np.arccos(np.clip(ground.T_wc[2, :3] @ T_wc[2, :3], -1, 1))
    # What counts is the floor under a person before the mirror, not the camera's height.
    feet = np.linalg.inv(T_wc) @ (0.0, 2.2, 0.0, 1.0)
    return np.rad2deg(tilt), abs((ground.T_wc @ feet)[2])


@pytest.mark.parametrize("clutter", FURNITURE)
@pytest.mark.parametrize("pitch", [-10, 0, 8, 25])
def test_floor_among_people_and_furniture(clutter, pitch):
    rng = np.random.default_rng(pitch + 100)
    for height, roll in ((0.8, -3), (1.2, 0), (1.9, 4)):
        if (pitch < 0 and height > 1.0) or (pitch == 0 and height > 1.5):
            continue  # the floor in view is a strip at the far wall
        T_wc = camera_pose(height, np.deg2rad(pitch), np.deg2rad(roll))
        depth = look([*room(), person(), *FURNITURE[clutter]], T_wc, rng=rng)
        tilt, off = errors(estimate_ground(depth, CAMERA, NOISE), T_wc)
        assert tilt < 0.5, (height, roll, tilt)
        assert off < 0.01, (height, roll, off)


def test_many_random_mounts_with_the_coarser_camera():
    rng = np.random.default_rng(1)
    noise = DepthNoise(0.05, 0.04, 0.001)
    found = []
    for n in range(20):
        pitch = np.deg2rad(rng.uniform(0.0, 25.0))
        T_wc = camera_pose(rng.uniform(0.6, 2.0), pitch, np.deg2rad(rng.uniform(-5.0, 5.0)))
        things = [person(rng.uniform(1.6, 2.8)), *FURNITURE[list(FURNITURE)[n % 4]]]
        depth = look([*room(rng.uniform(3.2, 5.0)), *things], T_wc, noise=noise, rng=rng)
        found.append(errors(estimate_ground(depth, CAMERA, noise), T_wc))
    found = np.array(found)
    assert found[:, 0].max() < 0.7
    assert found[:, 1].max() < 0.015


@pytest.mark.parametrize("pitch", [0, -15, 20])
def test_walls_and_people_are_no_floor(pitch):
    """Only a wall and a person are in view: at no slope of the camera does either pass for a floor."""
    rng = np.random.default_rng(2)
    T_wc = camera_pose(1.4, np.deg2rad(pitch))
    vertices, faces = person(1.0)
    depth = look([*room(3.0, floor=False), (vertices, faces)], T_wc, rng=rng)
    with pytest.raises(NoFloorError, match="floor"):
        estimate_ground(depth, CAMERA, NOISE)
    with pytest.raises(NoFloorError):
        estimate_ground(np.zeros((240, 424), np.float32), CAMERA, NOISE)


def test_gravity_chooses_among_slopes():
    """A ramp fills the view; with gravity known it is refused, and the floor beside it is found."""
    ramp_vertices = np.array([(-2.5, 1.0, 0.0), (0.3, 1.0, 0.0), (0.3, 4.0, 1.1), (-2.5, 4.0, 1.1)], np.float32)
    ramp = ramp_vertices, np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    T_wc = camera_pose(1.3, np.deg2rad(15))
    depth = look([*room(), ramp], T_wc, rng=np.random.default_rng(3))
    ground = estimate_ground(depth, CAMERA, NOISE, gravity=-T_wc[2, :3])
    tilt, off = errors(ground, T_wc)
    assert tilt < 0.5
    assert off < 0.015
    with pytest.raises(NoFloorError):
        estimate_ground(look([ramp], T_wc), CAMERA, NOISE, gravity=-T_wc[2, :3])


def test_world_is_below_the_camera_and_levelled():
    T_wc = camera_pose(1.1, np.deg2rad(12), np.deg2rad(3))
    ground = estimate_ground(look(room(), T_wc), CAMERA, NOISE)
    np.testing.assert_allclose(ground.T_wc, T_wc, atol=5e-3)
    np.testing.assert_allclose(ground.T_wc[:2, 3], 0.0)
    assert ground.T_wc[2, 0] * ground.T_wc[0, 0] == pytest.approx(-ground.T_wc[1, 0] * ground.T_wc[2, 0], abs=0.1)
    assert ground.inlier_fraction > 0.3
    assert ground.rms_m < 0.01


def test_a_knock_is_noticed_and_a_passer_by_is_not():
    rng = np.random.default_rng(4)
    T_wc = camera_pose(1.2, np.deg2rad(12))
    start = look([*room(), person()], T_wc, rng=rng)
    ground = estimate_ground(start, CAMERA, NOISE)
    monitor = GroundMonitor(ground, start, CAMERA, NOISE)
    for at in (1.4, 1.8, 2.4, 3.0, 1.6, 2.0, 2.2, 2.6):
        assert not monitor.check(look([*room(), person(at), *FURNITURE["sofa"]], T_wc, rng=rng)).moved
    for pitch, height in ((12, 1.26), (15, 1.2)):
        monitor = GroundMonitor(ground, start, CAMERA, NOISE)
        knocked = camera_pose(height, np.deg2rad(pitch))
        checks = [monitor.check(look([*room(), person()], knocked, rng=rng)) for _ in range(6)]
        assert not checks[0].moved
        assert checks[-1].moved, (pitch, height, checks[-1])


def test_without_a_floor_the_person_tells_the_height():
    T_wc = camera_pose(1.3)
    vertices, faces = person(1.5)
    depth = look([*room(3.0, floor=False), (vertices, faces)], T_wc)
    image = np.full((33, 2), -1.0, np.float32)
    state = Articulation.at_rest(MODEL)
    state.T_wb[1, 3] = 1.5
    joints = to_camera(state.joints(MODEL), T_wc)
    for index, name in ((11, "upperarm_l"), (12, "upperarm_r"), (23, "thigh_l"), (24, "thigh_r")):
        p = joints[MODEL.joint(name)]
        image[index] = (CAMERA.fx * p[0] / p[2] + CAMERA.cx, CAMERA.fy * p[1] / p[2] + CAMERA.cy)
    seen = Landmarks(image, np.ones(33, np.float32), np.zeros((33, 3), np.float32))
    ground = assume_upright(Observation(Frame(0, 0.0, CAMERA, None, depth), None, seen))
    assert ground.inlier_fraction == 0.0
    assert abs(ground.T_wc[2, 3] - 1.3) < 0.08
    with pytest.raises(NoFloorError):
        assume_upright(Observation(Frame(0, 0.0, CAMERA, None, depth), None, None))
