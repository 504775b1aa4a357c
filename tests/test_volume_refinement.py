"""Refining a fused volume: the consensus of all keyframes, and sweeps that lower the error."""

import numpy as np
import pytest

from solver.errors import InputError
from solver.kernels.back_project_depth import apply_correction, back_project_depth, find_residuals
from solver.kernels.surface_consensus import accumulate_consensus
from solver.types import DepthNoise
from solver.volume.consensus import Keyframe, PosePrior, find_consensus
from solver.volume.refine import RefinementRule, refine
from solver.volume.rigid import RigidVolume, camera_view
from tests.naive.rigid_volume import consensus_rows
from tests.test_rigid_volume import CAMERA, FRONT, NOISE, pose, rays

CONSTANT = CAMERA.fx * NOISE.baseline_m
RADII = np.array([0.11, 0.16, 0.13])
"""Half axes of a body without symmetry, so that every motion of it is seen."""
MIDDLE = np.array([0.01, -0.02, 0.0])


def ellipsoid(T_wc):
    """Exact depth, 0 beside it."""
    o, d = rays(T_wc)
    o, d = (o - MIDDLE) / RADII, d / RADII
    a, b, c = (d * d).sum(2), (d * o).sum(2), o @ o - 1.0
    disc = b * b - a * c
    return np.where(disc > 0.0, (-b - np.sqrt(np.maximum(disc, 0.0))) / a, 0.0)


def surface_error(volume):
    """Distances of the mesh from the ellipsoid [m], to first order."""
    p = volume.mesh(0.5).surface.mesh.vertices.astype(float) - MIDDLE
    level = (p / RADII) ** 2
    return (np.sqrt(level.sum(1)) - 1.0) / np.linalg.norm(p / RADII**2, axis=1)


def views(count=24, field=0.0, noise=0.05, seed=0, tilts=(-0.4, 0.3)):
    """Keyframes around the ellipsoid, their disparity off by `field` [px] and noise."""
    rng = np.random.default_rng(seed)
    frames = []
    for n in range(count):
        T = pose(2.0 * np.pi * n / count, 0.75)
        tilt = tilts[n % len(tilts)]
        c, s = np.cos(tilt), np.sin(tilt)
        about = np.eye(4)
        about[1:3, 1:3] = [[c, -s], [s, c]]
        turn = np.eye(4)
        turn[:3, :3] = pose(2.0 * np.pi * n / count)[:3, :3] @ FRONT[:3, :3].T
        T = turn @ about @ np.linalg.inv(turn) @ T
        depth = ellipsoid(T)
        seen = depth > 0.0
        disparity = CONSTANT / np.where(seen, depth, 1.0) + field + noise * rng.normal(size=depth.shape)
        frames.append(Keyframe(np.where(seen, CONSTANT / disparity, 0.0).astype(np.float32), CAMERA, T))
    return frames


def fused(frames, voxel=0.008, noise=NOISE):
    volume = RigidVolume(voxel, 4.0 * voxel, noise)
    for frame in frames:
        volume.integrate(frame.depth, frame.intrinsics, frame.T_wc)
    return volume


@pytest.mark.parametrize("poses", [False, True])
def test_the_eliminated_equations_are_those_of_the_whole_problem(poses):
    """Schur complement of the dense problem against the kernel's sums."""
    rng = np.random.default_rng(1)
    images, count, knots, cell = 4, 12, (3, 3), 50.0
    points, normals = rng.normal(size=(2, count, 3))
    slopes = rng.uniform(1.0, 9.0, (images, count)).astype(np.float32)
    slopes[rng.random(slopes.shape) < 0.2] = 0.0
    residuals = (0.1 * rng.normal(size=slopes.shape)).astype(np.float32)
    places = rng.uniform(0.0, 99.0, (images, count, 2)).astype(np.float32)
    size = (6 * images if poses else 0) + 9
    matrix, vector = np.zeros((size, size)), np.zeros(size)
    accumulate_consensus(points, normals, residuals, slopes, places, knots, cell, 1e9, poses, matrix, vector)
    A, b = consensus_rows(points, normals, residuals, slopes, places, knots, cell, poses)
    used = np.flatnonzero((A[:, :count] != 0.0).any(0))
    H, g = A.T @ A, A.T @ b
    own = np.ix_(used, used)
    cross = H[np.ix_(used, np.arange(count, A.shape[1]))]
    schur = H[count:, count:] - cross.T @ np.linalg.solve(H[own], cross)
    rhs = g[count:] - cross.T @ np.linalg.solve(H[own], g[used])
    assert np.allclose(matrix, schur, atol=1e-8)
    assert np.allclose(vector, rhs, atol=1e-8)


def test_a_lasting_error_is_found_and_taken_off():
    frames = views(field=0.12)
    volume = fused(frames)
    before = abs(surface_error(volume).mean())
    *_, last = refine(volume, frames, RefinementRule(subsets=(), relaxation=()))
    assert last.number == 0
    seen = np.any([frame.depth > 0.0 for frame in frames], 0)
    assert volume.disparity_error[seen].mean() == pytest.approx(0.12, abs=0.03)
    assert before > 2e-3
    assert abs(surface_error(volume).mean()) < 0.35 * before


def test_drifted_poses_come_back_together():
    frames = views()
    rng = np.random.default_rng(7)
    drifted = []
    for frame in frames:
        off = np.eye(4)
        off[:3, 3] = rng.normal(0.0, 0.004, 3)
        drifted.append(Keyframe(frame.depth, CAMERA, off @ frame.T_wc))
    volume = fused(drifted)
    rule = RefinementRule(PosePrior(0.02, 0.02), False, consensus_steps=3, subsets=(), relaxation=())
    found = list(refine(volume, drifted, rule))[-1].poses

    def spread(poses):
        """Of where the poses' errors take the body's middle: turns about it are hardly seen on a thing so round."""
        offs = np.array([(P @ np.linalg.inv(f.T_wc))[:3, 3] for P, f in zip(poses, frames, strict=True)])
        return np.sqrt(np.square(offs - offs.mean(0)).sum(1).mean())

    assert spread([frame.T_wc for frame in drifted]) > 5e-3
    assert spread(found) < 0.15 * spread([frame.T_wc for frame in drifted])


def test_every_sweep_brings_a_wrong_surface_closer():
    frames = views(noise=0.02)
    volume = fused(frames)
    # 4 mm too thick: a start that only the sweeps can mend.
    volume._settle()
    volume.sparse.distance[:] -= 0.004
    errors = [np.sqrt(np.mean(surface_error(volume) ** 2))]
    spreads = []
    for sweep in refine(volume, frames, RefinementRule(None, False)):
        errors.append(np.sqrt(np.mean(surface_error(volume) ** 2)))
        spreads.append(sweep.rms_px)
    assert errors[1] == errors[0] > 2e-3
    assert errors[2] < 0.8 * errors[1]
    assert errors[3] < errors[2]
    assert errors[4] < errors[3]
    assert errors[4] < 1.2e-3
    assert spreads[1] > spreads[2] > spreads[3]


def test_sweeps_alone_cost_little_where_noise_is_white():
    """Noise without correlation is what the running average is best at: sweeps, which keep finer detail, let a little
    of it in. Held-out views bound how much."""
    frames = views(48, noise=0.08, seed=3)
    kept, held = frames[::2], frames[1::2]
    volume = fused(kept)

    def held_out():
        off = []
        for frame in held:
            predicted = volume.raycast(CAMERA, frame.T_wc).depth
            truth = ellipsoid(frame.T_wc)
            both = (predicted > 0.0) & (truth > 0.0)
            off.append(np.abs(CONSTANT / predicted[both] - CONSTANT / truth[both]))
        return np.median(np.concatenate(off))

    for _ in refine(volume, kept, RefinementRule(None, False)):
        pass
    assert held_out() < 0.25 * 0.08


def test_a_residual_goes_back_to_the_voxels_of_its_ray():
    """One wall, 3 mm behind the prediction: after one full step without damping it stands where it was seen."""
    volume = RigidVolume(0.01, 0.04, DepthNoise(0.095, 0.08, 0.0))
    volume.integrate(np.full((120, 160), 0.8, np.float32), CAMERA, FRONT)
    volume._settle()
    prediction = volume.raycast(CAMERA, FRONT)
    near, trust = volume.prepare(np.full((120, 160), 0.803, np.float32), CAMERA)
    view = camera_view(CAMERA, FRONT)
    sums = np.empty((120, 160, 2), np.float32)
    pixel = 1.0 / CONSTANT
    squares, total = find_residuals(view, near, trust, (prediction.depth, prediction.normals), (pixel, 1.0, 0.25), sums)
    assert np.sqrt(squares / total) == pytest.approx(CONSTANT * (1 / 0.8 - 1 / 0.803), rel=0.01)
    numerator = np.zeros_like(volume.sparse.distance)
    denominator = np.zeros_like(numerator)
    back_project_depth(
        volume.sparse.grid, view, sums, prediction.depth, volume.sparse.distance, 0.03, numerator, denominator
    )
    touched = denominator > 0.0
    assert touched.sum() > 1000
    assert (np.abs(volume.sparse.distance[touched]) < 0.03).all()
    apply_correction(numerator, denominator, 0.0, 1.0, 0.04, volume.sparse.distance)
    assert not numerator.any()
    vertices = volume.mesh(0.1).surface.mesh.vertices
    middle = np.abs(vertices[:, [0, 2]]).max(1) < 0.25
    assert np.abs(vertices[middle, 1] - 0.803).max() < 2e-4


def test_what_cannot_be_refined_is_said():
    frames = views(4)
    with pytest.raises(InputError, match="no keyframes"):
        next(refine(fused(frames), []))
    with pytest.raises(InputError, match="depth noise"):
        next(refine(fused(frames, noise=None), frames))
    with pytest.raises(InputError, match="no surface"):
        next(refine(RigidVolume(0.01, 0.04, NOISE), frames))
    other = Keyframe(frames[0].depth, CAMERA._replace(fx=151.0), frames[0].T_wc)
    with pytest.raises(InputError, match="different intrinsics"):
        find_consensus(fused(frames), [*frames, other], None)
