import numpy as np
import pytest

from solver.body import rotation_matrices
from solver.pose_motion import Stance, StanceFilter, interpolate


def stance(rng, joints=4):
    T_wb = np.eye(4)
    T_wb[:3, :3] = rotation_matrices(rng.normal(size=(1, 3)))[0]
    T_wb[:3, 3] = rng.normal(size=3)
    return Stance(rng.normal(size=(joints, 3)) * 0.7, T_wb)


def angle(a, b):
    return np.arccos(np.clip((np.trace(a.T @ b) - 1.0) / 2.0, -1.0, 1.0))


def test_interpolation_meets_its_ends():
    rng = np.random.default_rng(0)
    a, b = stance(rng), stance(rng)
    for share, end in ((0.0, a), (1.0, b)):
        between = interpolate(a, b, share)
        np.testing.assert_allclose(rotation_matrices(between.pose), rotation_matrices(end.pose), atol=1e-9)
        np.testing.assert_allclose(between.T_wb, end.T_wb, atol=1e-9)


def test_interpolation_turns_evenly():
    rng = np.random.default_rng(1)
    a, b = stance(rng), stance(rng)
    whole = angle(a.T_wb[:3, :3], b.T_wb[:3, :3])
    for share in (0.25, 0.5, 0.75):
        between = interpolate(a, b, share)
        assert angle(a.T_wb[:3, :3], between.T_wb[:3, :3]) == pytest.approx(share * whole, abs=1e-9)


def one_joint(turn, place=0.0):
    T_wb = np.eye(4)
    T_wb[0, 3] = place
    return Stance(np.array([[turn, 0.0, 0.0]]), T_wb)


def test_filter_calms_a_still_body():
    rng = np.random.default_rng(2)
    calm = StanceFilter()
    noise = 0.004 * rng.normal(size=(300, 2))
    out = [calm(one_joint(a, p), i / 30) for i, (a, p) in enumerate(noise)]
    turns = np.array([s.pose[0, 0] for s in out[30:]])
    places = np.array([s.T_wb[0, 3] for s in out[30:]])
    assert turns.std() < 0.5 * noise[30:, 0].std()
    assert places.std() < 0.6 * noise[30:, 1].std()


def test_filter_follows_a_step_without_overshoot():
    follow = StanceFilter()
    for i in range(10):
        follow(one_joint(0.0), i / 30)
    out = np.array([follow(one_joint(1.0, 0.5), (10 + i) / 30).pose[0, 0] for i in range(30)])
    assert (np.diff(out) >= -1e-12).all()
    assert out.max() <= 1.0 + 1e-9
    assert out[9] > 0.85


def test_filter_lags_little_in_motion():
    follow = StanceFilter()
    speed = 1.2
    for i in range(60):
        out = follow(one_joint(speed * i / 30), i / 30)
    lag_s = (speed * 59 / 30 - out.pose[0, 0]) / speed
    assert 0.0 <= lag_s < 0.04
