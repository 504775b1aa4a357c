"""Keyframes to a body: the poses are improved, the shape found, detail kept, and failure said."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from solver.alignment import Articulation
from solver.batch_alignment import BatchAlignment
from solver.body import canonical_pose, joint_transforms, rotation_matrices, shape_body, skin
from solver.errors import TrackingLostError
from solver.fusion import outer_faces
from solver.hair import scalp_vertices
from solver.keyframes import Keyframe, KeyframeSelector, facing_angle, widest_gap
from solver.measures import measure_body
from solver.model_fit import cotangent_laplacian
from solver.one_body import two_body_gain
from solver.refinement import TWO_BODY_GAIN, RefinementSettings, reconstruct, refine
from solver.surface import outside_vertices, unique_edges
from solver.thread_limit import thread_limit
from solver.types import BodyState, Frame, Intrinsics, Observation
from tests.shapes import sphere
from tests.shoppers import CAMERA, MODEL, NOISE, Shopper

QUICK = RefinementSettings(voxel_m=0.01, sweeps=1, shape_steps=((20, 0.1, 0.008), (20, 0.08, 0.006), (40, 0.06, 0.005)))
TRUNK = MODEL.part_labels == MODEL.part("trunk")


def body_state(sequence, state, confidence=0.9):
    vertices = state.vertices(MODEL)
    return BodyState(sequence, sequence / 10.0, state.shape, state.pose, state.T_wb, vertices, confidence)


def disturbed(state, rng):
    """What a tracker might have made of it: half the shape, joints 3 degrees, place 15 mm off."""
    joints = [
        j for j, n in enumerate(MODEL.joint_names) if n.startswith(("upperarm", "lowerarm", "thigh", "calf", "spine"))
    ]
    pose = state.pose.copy()
    pose[joints] += rng.normal(0.0, np.deg2rad(3.0), (len(joints), 3))
    T_wb = state.T_wb.copy()
    T_wb[:3, :3] = rotation_matrices(rng.normal(0.0, np.deg2rad(1.5), (1, 3)))[0] @ T_wb[:3, :3]
    T_wb[:3, 3] += rng.normal(0.0, 0.015, 3)
    return Articulation(0.5 * state.shape, pose, T_wb)


@pytest.fixture(scope="module")
def shopper():
    return Shopper(seed=4, distance=1.9)


@pytest.fixture(scope="module")
def turn(shopper):
    """Twelve keyframes with their true states."""
    rng = np.random.default_rng(0)
    keyframes, truth = [], []
    for n, yaw in enumerate(np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)):
        state = shopper.state(n, yaw)
        observation = shopper.observe(n, float(n), state)
        color = np.full((CAMERA.height, CAMERA.width, 3), (200, 120, 40), np.uint8)
        observation = replace(observation, frame=replace(observation.frame, color=color))
        keyframes.append(Keyframe(observation, shopper.T_wc, body_state(n, disturbed(state, rng))))
        truth.append(state)
    return keyframes, truth


@pytest.fixture(scope="module")
def result(turn):
    told = []
    ticks = iter(range(10_000))
    found = reconstruct(
        MODEL, turn[0], NOISE, QUICK, progress=lambda stage, share: told.append(share), clock=lambda: float(next(ticks))
    )
    return found, told


def true_canonical(shopper):
    rest = shape_body(MODEL, shopper.shape)
    vertices = skin(MODEL, rest.vertices, joint_transforms(MODEL, rest.joints, canonical_pose(MODEL, rest.joints)))
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices


def test_body_is_found(shopper, turn, result):
    found, _ = result
    true = true_canonical(shopper)
    measured, expected = (measure_body(MODEL, vertices, sample_count=1) for vertices in (found.vertices, true))
    for key in ("chest_girth", "waist_girth", "hip_girth", "thigh_girth"):
        assert measured[key].value_mm == pytest.approx(expected[key].value_mm, abs=18.0), key
    assert found.height_m == pytest.approx(shopper.stature, abs=0.012)
    offset = (found.vertices - true)[TRUNK]
    offset -= offset.mean(0)
    assert np.sqrt(np.square(offset).sum(1).mean()) < 0.012
    assert found.rmse_m < 0.03
    assert found.turn_seen == pytest.approx(12 / 36, abs=1 / 36)
    assert 0.0 < found.height_std_m < 0.01


def test_result_is_whole(result):
    found, told = result
    assert set(unique_edges(found.surface.faces)[1]) == {2}
    assert found.vertices[outer_faces(MODEL)].min((0, 1))[2] == pytest.approx(0.0, abs=1e-6)
    assert found.coverage.shape == (MODEL.vertex_count,)
    assert found.coverage.min() >= 0.0
    assert found.coverage.max() <= 1.0
    assert found.part_coverage["trunk"] > 0.9
    assert len(found.surface_coverage) == len(found.surface.vertices)
    assert found.vertex_colors is not None
    assert np.abs(found.vertex_colors.astype(int) - (200, 120, 40)).max() <= 1
    assert found.atlas is not None
    assert np.abs(found.atlas.color.astype(int) - (200, 120, 40)).max() <= 1
    assert found.atlas.seen.max() == 255
    assert not found.vertices.flags.writeable
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert set(found.seconds) == {"shape and poses", "fusion", "surface", "colour"}
    assert found.seconds["fusion"] > 0.0


def test_poses_and_shape_come_nearer_to_the_truth(shopper, turn):
    keyframes, truth = turn
    batch = BatchAlignment(MODEL, keyframes, NOISE)

    def wrong():
        pairs = zip(batch.states, truth, strict=True)
        return np.mean(
            [np.linalg.norm((s.vertices(MODEL) - t.vertices(MODEL))[TRUNK], axis=1).mean() for s, t in pairs]
        )

    before = wrong()
    reports = [batch.align(40, 0.08, 0.006) for _ in range(4)]
    assert wrong() < 0.6 * before
    assert reports[-1].residual_m < reports[0].residual_m
    assert reports[-1].agreement > 0.8
    masks = list(batch.person_masks(with_hair=True))
    assert masks[0].shape == (CAMERA.height, CAMERA.width)
    assert 0.02 < masks[0].mean() < 0.3


def test_the_body_is_the_same_for_one_hand_and_two(turn):
    few = turn[0][::3]
    plain = replace(QUICK, surface=False)
    with thread_limit(1):
        alone = reconstruct(MODEL, few, NOISE, plain)
    together = reconstruct(MODEL, few, NOISE, plain)
    assert np.array_equal(alone.vertices, together.vertices)
    assert np.array_equal(alone.coverage, together.coverage)
    assert alone.height_m == together.height_m
    assert alone.atlas is not None
    assert together.atlas is not None
    assert np.array_equal(alone.atlas.color, together.atlas.color)


def test_unfinished_work_ends_its_threads(turn):
    before = threading.active_count()
    work = refine(MODEL, turn[0], NOISE, QUICK)
    next(work)
    next(work)
    assert threading.active_count() >= before
    work.close()
    assert threading.active_count() == before


def test_too_few_views_are_said(turn):
    with pytest.raises(TrackingLostError, match="turn once"):
        reconstruct(MODEL, turn[0][:2], NOISE, QUICK)


def test_views_of_an_empty_room_are_said(shopper, turn):
    nobody = [
        Keyframe(shopper.empty_room(n, float(n)), shopper.T_wc, keyframe.state)
        for n, keyframe in enumerate(turn[0][:4])
    ]
    with pytest.raises(TrackingLostError, match="do not fit one body"):
        reconstruct(MODEL, nobody, NOISE, QUICK)


def test_views_of_two_people_are_no_body(shopper, turn):
    """Someone else stands there from the middle of the turn on; the tracker took them for the first."""
    other = Shopper(seed=5, distance=shopper.distance)
    keyframes = list(turn[0])
    for n in range(6, 12):
        seen = other.observe(n, float(n), other.state(n, 2.0 * np.pi * n / 12))
        keyframes[n] = replace(keyframes[n], observation=seen)
    for chosen, one_person in ((turn[0], True), (keyframes, False)):
        batch = BatchAlignment(MODEL, chosen, NOISE)
        for count in (20, 20, 40, 40):
            batch.align(count, 0.08, 0.006)
        gain = two_body_gain(batch.opinions, [keyframe.state.captured_at for keyframe in chosen])
        assert (gain < TWO_BODY_GAIN) == one_person, gain
    steps = (*QUICK.shape_steps, (40, 0.06, 0.005), (40, 0.05, 0.005))
    with pytest.raises(TrackingLostError, match="do not fit one body"):
        reconstruct(MODEL, keyframes, NOISE, replace(QUICK, shape_steps=steps))


def test_a_view_that_was_tracked_wrongly_is_left_out(shopper, turn):
    keyframes = list(turn[0])
    keyframes[6] = replace(keyframes[6], state=body_state(6, shopper.state(6.0, 0.3)))
    found = reconstruct(MODEL, keyframes, NOISE, replace(QUICK, surface=False))
    assert found.keyframe_count == 11
    middle, width = found.unseen_turn
    assert np.rad2deg(width) == pytest.approx(60.0, abs=6.0)
    assert abs(np.rad2deg(middle)) == pytest.approx(180.0, abs=6.0)
    offset = (found.vertices - true_canonical(shopper))[TRUNK]
    offset -= offset.mean(0)
    assert np.sqrt(np.square(offset).sum(1).mean()) < 0.012


def test_widest_gap_is_where_nobody_faced(shopper):
    states = [shopper.state(0.0, np.deg2rad(angle)) for angle in (-50.0, -20.0, 10.0, 60.0)]
    middle, width = widest_gap(states)
    assert np.rad2deg(middle) % 360.0 == pytest.approx(185.0, abs=0.5)
    assert np.rad2deg(width) == pytest.approx(250.0, abs=0.5)
    assert widest_gap([]) == (0.0, 2.0 * np.pi)


def test_selector_keeps_the_best_of_each_sector(shopper):
    selector = KeyframeSelector(MODEL, sectors=8)
    depth = np.ones((2, 2), np.float32)
    frame = Frame(0, 0.0, Intrinsics(2, 2, 1.0, 1.0, 0.5, 0.5), None, depth)
    observation = Observation(frame, None, None)
    state = body_state(0, shopper.state(0.0, 0.1))
    assert facing_angle(state) == pytest.approx(0.1, abs=0.02)
    assert selector.offer(observation, np.eye(4), state)
    better = replace(state, sequence=1, captured_at=0.1, confidence=0.95)
    assert selector.offer(observation, np.eye(4), better)
    moved = replace(better, sequence=2, captured_at=0.2, vertices=better.vertices + np.float32(0.2))
    assert not selector.offer(observation, np.eye(4), moved)
    assert not selector.offer(observation, np.eye(4), replace(better, captured_at=0.3, confidence=0.2))
    assert not selector.offer(replace(observation, frame=replace(frame, depth=None)), np.eye(4), better)
    assert [keyframe.state.sequence for keyframe in selector.keyframes] == [1]
    other = body_state(3, shopper.state(0.0, 2.0))
    assert selector.offer(observation, np.eye(4), other)
    assert selector.turn_seen == pytest.approx(2 / 8)
    bent = shopper.state(0.0, 4.0)
    bent.pose[MODEL.joint("upperarm_l")] += 1.5
    straight = shopper.state(0.0, 4.0)
    assert selector.offer(observation, np.eye(4), body_state(4, bent))
    assert selector.offer(observation, np.eye(4), body_state(5, straight))


def test_inside_of_the_mouth_is_not_outside():
    rest = shape_body(MODEL, np.zeros(1))
    faces = MODEL.faces
    seen = outside_vertices(rest.vertices, faces)
    assert seen[MODEL.landmarks["nose_tip"]]
    assert seen[MODEL.landmarks["navel"]]
    hidden = np.setdiff1d(np.unique(faces), np.flatnonzero(seen))
    assert 100 < len(hidden) < 2000
    assert (MODEL.part_labels[hidden] == MODEL.part("head")).mean() > 0.95


def test_hair_grows_on_the_head_but_not_on_the_face():
    scalp = scalp_vertices(MODEL)
    assert scalp[MODEL.landmarks["crown"]]
    assert scalp[MODEL.landmarks["occiput"]]
    assert not scalp[MODEL.landmarks["nose_tip"]]
    assert not scalp[MODEL.landmarks["chin"]]
    assert not scalp[MODEL.part_labels != MODEL.part("head")].any()


def test_laplacian_of_a_sphere_has_its_known_eigenfunctions():
    """On a sphere of radius r the coordinate z is an eigenfunction with eigenvalue 2 / r^2."""
    vertices, faces = sphere(0.1)
    laplacian, areas = cotangent_laplacian(vertices, faces, np.arange(len(vertices)))
    z = vertices[:, 2]
    assert areas.sum() == pytest.approx(4.0 * np.pi * 0.01, rel=0.01)
    assert z @ (laplacian @ z) / (z @ (areas * z)) == pytest.approx(2.0 / 0.01, rel=0.02)
    assert np.abs(laplacian @ np.ones(len(z))).max() < 1e-9
