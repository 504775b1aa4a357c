"""Two people in view: the nearer, centred one is the shopper, and nothing of the other reaches tracking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from capture.landmarks import LandmarkerError
from capture.people import (
    NOBODY,
    ONE_PERSON_PLEASE,
    Company,
    OthersRegion,
    PersonInView,
    choose_shopper,
    is_crowded,
    person_in_view,
)
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from solver.alignment import FINGERS, Articulation
from solver.body import rotation_matrices
from solver.errors import InputError
from solver.ground import estimate_ground
from solver.person_region import PERSON
from solver.tracking import BodyTracker
from solver.types import Frame, Intrinsics, read_only
from tests.shoppers import Shopper

CAMERA = Intrinsics(160, 120, 100.0, 100.0, 79.5, 59.5)


def person(x: float, z: float, y: float = 0.2) -> PersonInView:
    u = 100.0 * x / z + 79.5
    return PersonInView(np.array([x, y, z]), (u - 20.0, 10.0, u + 20.0, 110.0))


def test_the_nearer_and_the_more_central_is_chosen():
    near, far, aside = person(0.0, 2.0), person(0.1, 3.0), person(1.2, 1.6)
    assert choose_shopper([far, near, aside], None, False) is near
    assert choose_shopper([far, aside], None, False) is far
    assert choose_shopper([], None, False) is None


def test_the_shopper_stays_who_they_are():
    was, now, rival, better = person(0.3, 2.4), person(0.35, 2.3), person(0.0, 2.4), person(0.0, 1.6)
    assert choose_shopper([rival, now], was, False) is now
    # Someone who clearly comes nearer takes the place of who is not held; nobody that of who is.
    assert choose_shopper([better, now], was, False) is better
    assert choose_shopper([better, now], was, True) is now
    # One look that misses the shopper does not give their place away.
    assert choose_shopper([person(1.5, 3.0)], was, False) is was
    assert choose_shopper([better], was, True) is was


def test_one_person_please():
    shopper = person(0.0, 2.0)
    assert is_crowded(shopper, (person(0.6, 2.1),))
    assert is_crowded(shopper, (person(0.3, 1.2),))  # before the shopper
    assert not is_crowded(shopper, (person(1.0, 2.1), person(0.2, 3.1)))
    assert not is_crowded(shopper, ())
    assert Company(shopper, (), True).message == ONE_PERSON_PLEASE
    assert NOBODY.message == ""


def scene(*columns: tuple[float, float]) -> Frame:
    """A wall at 4 m, and before it boards 0.5 m wide, 1.4 m high around the axis, at (x, z)."""
    depth = np.full((CAMERA.height, CAMERA.width), 4.0, np.float32)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    for x, z in columns:
        board = (np.abs((u - CAMERA.cx) / CAMERA.fx * z - x) < 0.25) & (np.abs((v - CAMERA.cy) / CAMERA.fy * z) < 0.7)
        depth[board] = np.minimum(depth[board], z)
    return Frame(0, 0.0, CAMERA, None, read_only(depth))


def test_others_are_hidden_and_the_shopper_is_not():
    frame = scene((0.0, 2.0), (0.9, 2.2))
    hidden = OthersRegion(CAMERA).hidden(frame, person(0.0, 2.0), (person(0.9, 2.2),))
    np.testing.assert_array_equal(hidden, frame.depth == np.float32(2.2))


def test_others_are_followed_as_they_walk_and_forgotten_when_gone():
    region = OthersRegion(CAMERA)
    shopper, other = person(0.0, 2.0), person(1.0, 3.0)
    for k in range(1, 12):
        x = 1.0 - 0.17 * k  # behind the shopper and out on the other side
        found = region.followed(scene((0.0, 2.0), (x, 3.0)), other, shopper)
        other = found or replace_place(other, x)
        if found:
            assert abs(found.place[0] - x) < 0.3
    assert region.followed(scene((0.0, 2.0)), other, shopper) is None


def replace_place(other: PersonInView, x: float) -> PersonInView:
    return replace(other, place=np.array([x, *other.place[1:]]))


def test_a_person_is_placed_by_depth_or_by_size():
    shopper = Shopper(seed=1, landmark_sigma_px=0.0)
    state = shopper.state(0.0, 0.0)
    seen = shopper.observe(0, 0.0, state)
    hips = (state.joints(SHOPPER_MODEL)[HIPS].mean(0) - shopper.T_wc[:3, 3]) @ shopper.T_wc[:3, :3]
    measured = person_in_view(seen.landmarks, seen.frame)
    assert np.linalg.norm(measured.place - hips) < 0.10
    guessed = person_in_view(seen.landmarks, replace(seen.frame, depth=None))
    assert abs(guessed.place[2] / hips[2] - 1.0) < 0.25


SHOPPER_MODEL = load_body_model()
HIPS = [SHOPPER_MODEL.joint("thigh_l"), SHOPPER_MODEL.joint("thigh_r")]
JOINTS = [j for j, name in enumerate(SHOPPER_MODEL.joint_names) if not name.startswith(FINGERS)]


@pytest.mark.parametrize("other", ["behind", "beside"])
def test_a_turn_in_company_is_followed_as_if_alone(other):
    """The real landmarker and tracker; the truth says whose pixels are whose."""
    options = f"sim:seed=5,visit=scan,seconds=4,fps=8,turn=-360,other={other}"
    source = SimulatedSource.from_spec(options, SHOPPER_MODEL)
    tracker, ground, errors, taken, facing = None, None, [], [], []
    with source, ShopperLandmarker(POSE_LANDMARKER) as landmarker:
        for k in range(source.info.frame_count):
            frame = source.read()
            seen = landmarker.observe(frame)
            if ground is None:
                ground = estimate_ground(frame.depth, source.info.intrinsics, source.info.noise, frame.gravity)
                tracker = BodyTracker(SHOPPER_MODEL, source.info.intrinsics, source.info.noise)
                body = tracker.start(seen, ground)
            else:
                body = tracker.track(seen)
            others = source.clean_picture(k).other
            if other == "beside":
                assert len(landmarker.company.others) == 1
                assert (seen.frame.depth[others] == 0.0).mean() > 0.9
                assert frame.depth[others].any()
            region = tracker._fit.region
            step = region._stride
            grid = others[region._first :: step, region._first :: step]
            taken.append((region.labels[grid] == PERSON).sum() / max((region.labels == PERSON).sum(), 1))
            truth = source.truth(k)
            T = source.T_wc @ np.linalg.inv(ground.T_wc)
            joints = Articulation(body.shape, body.pose, body.T_wb).joints(SHOPPER_MODEL) @ T[:3, :3].T + T[:3, 3]
            errors.append(np.linalg.norm(joints - truth.joints, axis=1)[JOINTS])
            forward, true = (T @ body.T_wb)[:2, 1], (truth.T_wb[:3, :3] @ rotation_matrices(truth.pose[:1])[0])[:2, 1]
            facing.append(forward @ true / np.linalg.norm(forward) / np.linalg.norm(true))
    assert landmarker.company.shopper is not None
    assert np.mean(errors) < 0.035
    assert min(facing) > 0.8
    assert np.mean(taken) < 0.01


def test_without_depth_the_one_beside_is_left_out_too():
    source = SimulatedSource.from_spec("sim:seed=5,visit=scan,seconds=4,fps=4,other=beside", SHOPPER_MODEL)
    with source, ShopperLandmarker(POSE_LANDMARKER) as landmarker:
        for k in range(6):
            seen = landmarker.observe(replace(source.read(), depth=None))
            picture = source.clean_picture(k)
            assert seen.frame.depth is None
            assert seen.landmarks is not None
            assert seen.mask[picture.other].mean() < 0.1
            shopper = (picture.person.triangle >= 0) & ~picture.other
            assert seen.mask[shopper].mean() > 0.7


def test_nobody_and_misuse():
    source = SimulatedSource.from_spec("sim:seed=5,fault=nobody,fps=2", SHOPPER_MODEL)
    with source, ShopperLandmarker(POSE_LANDMARKER) as landmarker:
        seen = landmarker.observe(source.read())
        assert (seen.landmarks, seen.mask) == (None, None)
        assert landmarker.company == NOBODY
        with pytest.raises(InputError, match="no colour"):
            landmarker.observe(replace(seen.frame, color=None))
    landmarker.close()
    with pytest.raises(LandmarkerError):
        landmarker.observe(source_frame())


def source_frame() -> Frame:
    return Frame(1, 9.0, CAMERA, read_only(np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)), None)
