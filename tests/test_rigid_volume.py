"""The sparse volume: planes, spheres and pillars that are known exactly, and what must not change the result."""

import numpy as np
import pytest

from solver.errors import InputError
from solver.fusion import sample
from solver.kernels.integrate_volume import integrate_volume
from solver.kernels.nearness import TILE, NearnessRule, bound_tiles, find_nearness
from solver.kernels.smooth_distance import find_bends, smooth_distance
from solver.kernels.volume_blocks import CHANGED, sort_blocks
from solver.surface import euler_number
from solver.types import DepthNoise, Intrinsics
from solver.volume.rigid import FRINGE_TRUST, REACH_PX, RigidVolume, camera_view
from tests.naive import rigid_volume as naive

CAMERA = Intrinsics(160, 120, 150.0, 150.0, 79.5, 59.5)
NOISE = DepthNoise(0.095, 0.08, 0.0005)
FRONT = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0], [0, -1.0, 0, 0], [0, 0, 0, 1.0]])
"""At the origin, looking along y, z up."""


def pose(angle=0.0, distance=1.0, height=0.0):
    """A camera that looks at the z axis from `angle` and `distance`."""
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    shift = np.eye(4)
    shift[:3, 3] = 0.0, -distance, height
    return T @ shift @ FRONT


def rays(T_wc):
    """Origin (3,) and directions (H, W, 3) of one metre of depth, frame w."""
    u, v = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    d = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], 2)
    return T_wc[:3, 3], d @ T_wc[:3, :3].T


def quadric(T_wc, radius, axes, center=(0.0, 0.0, 0.0), wall=0.0):
    """Depth of a sphere (axes 3) or of an upright pillar (axes 2), before a wall or before nothing."""
    o, d = rays(T_wc)
    o = (o - center)[:axes]
    d = d[..., :axes]
    a, b, c = (d * d).sum(2), (d * o).sum(2), o @ o - radius**2
    disc = b * b - a * c
    z = np.where(disc > 0.0, (-b - np.sqrt(np.maximum(disc, 0.0))) / a, wall)
    return z.astype(np.float32)


def ball(count=12, radius=0.15, shift=(0.0, 0.0, 0.0), order=None, voxel=0.01, truncation=0.04):
    volume = RigidVolume(voxel, truncation, NOISE)
    angles = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    for n in order if order is not None else range(count):
        for height in (0.0, 0.6, -0.6):
            T = pose(angles[n], 0.8, 0.0)
            tilt = np.arctan2(height, 1.0)
            c, s = np.cos(tilt), np.sin(tilt)
            about = np.eye(4)
            about[1:3, 1:3] = [[c, -s], [s, c]]
            turn = np.eye(4)
            turn[:3, :3] = pose(angles[n])[:3, :3] @ FRONT[:3, :3].T
            T = turn @ about @ np.linalg.inv(turn) @ T
            T[:3, 3] += shift
            volume.integrate(quadric(T, radius, 3, shift), CAMERA, T)
    return volume


@pytest.fixture(scope="module")
def fused_ball():
    return ball()


def test_a_wall_is_where_it_is():
    volume = RigidVolume(0.01, 0.04, NOISE)
    volume.integrate(np.full((120, 160), 0.8, np.float32), CAMERA, FRONT)
    mesh = volume.mesh(0.1).surface.mesh
    assert np.abs(mesh.vertices[:, 1] - 0.8).max() < 1e-5
    prediction = volume.raycast(CAMERA, FRONT)
    inside = prediction.depth[5:-5, 5:-5]
    assert np.abs(inside - 0.8).max() < 1e-4
    assert np.allclose(prediction.normals[5:-5, 5:-5], (0.0, 0.0, -1.0), atol=1e-3)
    assert (prediction.weight[5:-5, 5:-5] > 0.0).all()


def test_a_slanted_wall_is_exact_because_nearness_is_linear():
    o, d = rays(FRONT)
    normal = np.array([0.5, -0.8, 0.2])
    depth = (normal @ (np.array([0.0, 0.9, 0.0]) - o) / (d @ normal)).astype(np.float32)
    volume = RigidVolume(0.01, 0.04, NOISE)
    volume.integrate(depth, CAMERA, FRONT)
    off = (volume.mesh(0.1).surface.mesh.vertices - (0.0, 0.9, 0.0)) @ normal / np.linalg.norm(normal)
    # Between voxels the distance bends a little, as z^2 does.
    assert np.abs(off).max() < 1.2e-4


def test_a_ball_is_closed_round_and_true(fused_ball):
    mesh = fused_ball.mesh(0.1).surface.mesh
    radius = np.linalg.norm(mesh.vertices, axis=1)
    assert euler_number(mesh) == 2
    assert abs(radius.mean() - 0.15) < 4e-4
    assert np.abs(radius - 0.15).max() < 2.5e-3


def test_prediction_agrees_with_the_ball_from_a_new_place(fused_ball):
    T = pose(0.37, 0.7)
    prediction = fused_ball.raycast(CAMERA, T)
    truth = quadric(T, 0.15, 3)
    o, d = rays(T)
    normals = (o + truth[..., None] * d) / 0.15
    both = (prediction.depth > 0.0) & (truth > 0.0) & ((normals * -d).sum(2) > 0.4)
    assert both.sum() > 0.7 * (truth > 0.0).sum()
    assert np.abs(prediction.depth - truth)[both].mean() < 6e-4
    turned = prediction.normals @ T[:3, :3].T
    assert (turned * normals).sum(2)[both].mean() > 0.999


def test_the_order_of_frames_does_not_matter(fused_ball):
    other = ball(order=np.random.default_rng(1).permutation(12))
    a, b = (np.sort(v.mesh(0.1).surface.mesh.vertices @ (1.0, 2.0, 3.0)) for v in (fused_ball, other))
    assert len(a) == pytest.approx(len(b), rel=0.01)
    q = np.linspace(0.0, 1.0, 50)
    assert np.allclose(np.quantile(a, q), np.quantile(b, q), atol=2e-4)


def test_moving_everything_by_whole_voxels_moves_the_result(fused_ball):
    shift = np.array([0.03, -0.05, 0.11])
    moved = ball(shift=shift).mesh(0.1).surface.mesh.vertices - shift
    here = fused_ball.mesh(0.1).surface.mesh.vertices
    # Where the ball passes exactly through a voxel, rounding decides on which side it is.
    assert len(moved) == pytest.approx(len(here), rel=0.01)
    assert np.allclose(np.sort(moved[:, 0])[::50][:40], np.sort(here[:, 0])[::50][:40], atol=5e-4)


def test_finer_voxels_come_closer():
    error = []
    for voxel in (0.016, 0.008):
        vertices = ball(voxel=voxel, truncation=0.04).mesh(0.1).surface.mesh.vertices
        error.append(np.abs(np.linalg.norm(vertices, axis=1) - 0.15).mean())
    assert error[1] < 0.6 * error[0]


@pytest.mark.parametrize("radius", [0.045, 0.08])
def test_pillars_keep_their_girth_through_noise(radius):
    volume = RigidVolume(0.005, 0.025, NOISE)
    rng = np.random.default_rng(5)
    constant = CAMERA.fx * NOISE.baseline_m
    for angle in np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False):
        T = pose(angle, 0.7)
        depth = quadric(T, radius, 2)
        seen = depth > 0.0
        disparity = constant / np.where(seen, depth, 1.0) + rng.normal(0.0, 0.08, depth.shape)
        disparity = np.rint(disparity * 32.0) / 32.0
        volume.integrate(np.where(seen, constant / disparity, 0.0).astype(np.float32), CAMERA, T)
    vertices = volume.mesh(1.0).surface.mesh.vertices
    middle = np.abs(vertices[:, 2]) < 0.15
    assert middle.sum() > 500
    assert abs(np.hypot(vertices[middle, 0], vertices[middle, 1]).mean() - radius) < 0.5e-3


def test_near_views_weigh_as_their_error_says():
    """Two walls that disagree: the result is their mean, weighed by one over the square of the depth error."""
    volume = RigidVolume(0.01, 0.05, NOISE)
    far = FRONT.copy()
    far[1, 3] = -1.0
    volume.integrate(np.full((120, 160), 0.80, np.float32), CAMERA, FRONT)
    volume.integrate(np.full((120, 160), 1.81, np.float32), CAMERA, far)
    rule = volume.rule(CAMERA)
    w = [1.0 / (rule.error_floor_m**2 + (rule.error_growth * z * z) ** 2) for z in (0.8, 1.8)]
    vertices = volume.mesh(0.1).surface.mesh.vertices
    middle = np.abs(vertices[:, [0, 2]]).max(1) < 0.2
    assert vertices[middle, 1].mean() == pytest.approx(0.8 + 0.01 * w[1] / sum(w), abs=2e-4)


def test_what_is_seen_through_is_carved_away():
    volume = RigidVolume(0.01, 0.04, NOISE)
    for _ in range(2):
        volume.integrate(np.full((120, 160), 0.6, np.float32), CAMERA, FRONT)
    assert (np.abs(volume.mesh(0.1).surface.mesh.vertices[:, 1] - 0.6) < 0.01).any()
    for _ in range(60):
        volume.integrate(np.full((120, 160), 1.0, np.float32), CAMERA, FRONT)
    vertices = volume.mesh(0.1).surface.mesh.vertices
    inside = np.abs(vertices[:, 0]) < 0.2
    assert not (np.abs(vertices[inside, 1] - 0.6) < 0.01).any()


def test_masked_and_far_pixels_make_no_surface():
    volume = RigidVolume(0.01, 0.04, NOISE, farthest_m=0.9)
    depth = np.full((120, 160), 0.8, np.float32)
    depth[:, 80:] = 1.5
    volume.integrate(depth, CAMERA, FRONT, mask=np.zeros(depth.shape, np.uint8))
    assert volume.block_count == 0
    volume.integrate(depth, CAMERA, FRONT)
    assert volume.block_count > 0
    assert volume.mesh(0.1).surface.mesh.vertices[:, 1].max() < 0.9


def test_colours_come_with_the_surface():
    volume = RigidVolume(0.01, 0.04, NOISE)
    color = np.zeros((120, 160, 3), np.uint8)
    color[:, :80] = 200, 10, 30
    color[:, 80:] = 20, 90, 250
    volume.integrate(np.full((120, 160), 0.8, np.float32), CAMERA, FRONT, color)
    found = volume.mesh(0.1)
    x = found.surface.mesh.vertices[:, 0]
    assert np.abs(found.colors[x < -0.03] - np.array([200, 10, 30])).max() <= 1
    assert np.abs(found.colors[x > 0.03] - np.array([20, 90, 250])).max() <= 1
    assert RigidVolume(0.01, 0.04, NOISE).mesh().colors is None


def test_clear_forgets_and_keeps_the_memory(fused_ball):
    volume = ball(count=3)
    held = volume.memory_bytes
    volume.clear()
    assert volume.block_count == 0
    assert volume.frame_count == 0
    assert not len(volume.mesh(0.0).surface.mesh.faces)
    assert not volume.raycast(CAMERA, pose(0.0, 0.8)).depth.any()
    again = ball(count=3)
    for n in range(3):
        T = pose(2.0 * np.pi * n / 3, 0.8)
        volume.integrate(quadric(T, 0.15, 3), CAMERA, T)
    assert volume.memory_bytes <= max(held, again.memory_bytes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((10, 10), np.float32), CAMERA, FRONT), "float32 in metres"),
        ((np.zeros((120, 160)), CAMERA, FRONT), "float32 in metres"),
        ((np.zeros((120, 160), np.float32), CAMERA, np.diag([1.0, 1.0, -1.0, 1.0])), "mirrors"),
        ((np.zeros((120, 160), np.float32), CAMERA, np.full((4, 4), np.nan)), "4 x 4"),
        ((np.zeros((120, 160), np.float32), CAMERA, FRONT, np.zeros((2, 2, 3), np.uint8)), "align"),
        ((np.zeros((120, 160), np.float32), CAMERA, FRONT, None, np.zeros((2, 2), np.uint8)), "one size"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(arguments, words):
    with pytest.raises(InputError, match=words) as error:
        RigidVolume(0.01, 0.04, NOISE).integrate(*arguments)
    assert "\n" not in str(error.value)


def test_volumes_that_are_none_are_refused():
    with pytest.raises(InputError, match="two voxels"):
        RigidVolume(0.01, 0.01)
    volume = RigidVolume(1e-4, 1e-3, None, farthest_m=1e5)
    with pytest.raises(InputError, match="larger voxels"):
        volume.integrate(np.full((120, 160), 900.0, np.float32), CAMERA, FRONT)


def uneven(seed=0):
    """A wavy surface with steps, holes and a far wall."""
    rng = np.random.default_rng(seed)
    u, v = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    depth = 0.8 + 0.03 * np.sin(u / 9.0) * np.cos(v / 7.0) + rng.normal(0.0, 0.001, u.shape)
    depth[40:70, 50:90] -= 0.25
    depth[:, 130:] = 3.0
    depth[rng.random(depth.shape) < 0.01] = 0.0
    return depth.astype(np.float32)


@pytest.mark.parametrize("width", [160, 157, 5])
def test_nearness_agrees_with_the_obvious_twin(width):
    depth = np.ascontiguousarray(uneven()[:, 40 : 40 + width] if width < 100 else uneven()[:, :width])
    mask = (np.random.default_rng(3).random(depth.shape) < 0.9).astype(np.uint8)
    jump = 1.0 / (CAMERA.fx * NOISE.baseline_m) * 4.0
    near, trust = np.empty(depth.shape, np.float32), np.empty(depth.shape, np.float32)
    error = np.zeros((0, 0), np.float32)
    find_nearness(depth, mask, error, NearnessRule(2.0, jump, REACH_PX, FRINGE_TRUST, 1.0), near, trust)
    expected, believed = naive.nearness(depth.astype(float), mask, 2.0, jump, REACH_PX, FRINGE_TRUST)
    assert (np.abs(near - expected) < 1e-5).mean() > 0.9995
    assert (np.abs(trust - believed) < 1e-6).mean() > 0.9995
    assert {0.0, 1.0} < set(np.round(np.unique(trust), 3).tolist())
    tiles = np.zeros((5, -(-120 // TILE), -(-width // TILE) + 8), np.float32)
    bound_tiles(near, trust, tiles)
    assert np.array_equal(tiles[:, :, :-8], naive.tile_bounds(near, trust, TILE).astype(np.float32))


def test_a_lasting_error_is_taken_off_what_is_believed():
    volume = RigidVolume(0.01, 0.04, NOISE, farthest_m=2.0)
    field = np.random.default_rng(8).normal(0.0, 0.3, (120, 160)).astype(np.float32)
    plain, trust = (array.copy() for array in volume.prepare(uneven(), CAMERA))
    freed, trust_freed = volume.prepare(uneven(), CAMERA, None, field)
    assert np.array_equal(trust, trust_freed)
    off = field / (CAMERA.fx * NOISE.baseline_m)
    assert np.allclose(freed, plain - off * (plain > 0.0), atol=1e-6)


def test_room_is_made_for_every_surface_point():
    for voxel, distance in ((0.01, 0.8), (0.004, 1.6), (0.03, 0.5)):
        volume = RigidVolume(voxel, 3.0 * voxel, NOISE)
        depth = quadric(pose(0.0, distance), 0.15, 3, wall=distance + 0.3)
        T = pose(0.0, distance)
        volume.integrate(depth, CAMERA, T)
        near, _ = volume.prepare(depth, CAMERA)
        o, d = rays(T)
        points = (o + depth[..., None] * d)[near > 0.0]
        grid = volume.sparse.grid
        block = np.floor((points - grid.origin) / voxel + 0.5).astype(int) // 8
        assert (grid.block_index[tuple(block.T)] >= 0).mean() > 0.995


def test_empty_space_told_by_turns_weighs_the_same():
    depth = uneven()
    T = pose(0.2, 0.05)
    told = []
    for every in (1, 2):
        volume = RigidVolume(0.01, 0.04, NOISE, farthest_m=2.0)
        volume.carve_every = every
        for _ in range(2):
            volume.integrate(depth, CAMERA, T)
        volume._settle()
        told.append((volume.sparse.distance.copy(), volume.sparse.weight.copy()))
    (a, wa), (b, wb) = told
    assert np.array_equal(np.isnan(a), np.isnan(b))
    assert np.allclose(a, b, atol=1e-6, equal_nan=True)
    assert np.allclose(wa, wb, rtol=1e-4)


def test_integration_agrees_with_the_obvious_twin():
    volume = RigidVolume(0.01, 0.04, NOISE, farthest_m=2.0)
    volume.carve_every = 1
    rng = np.random.default_rng(2)
    depth = uneven()
    T = pose(0.2, 0.05)
    volume.integrate(depth, CAMERA, T)
    near, trust = volume.prepare(depth, CAMERA)
    rule = volume.rule(CAMERA)
    volume._settle()
    grid = volume.sparse.grid
    distance, weight = volume.sparse.distance, volume.sparse.weight
    differing = 0
    surface = 0
    for slot in rng.choice(len(distance), 3000, replace=False):
        block, local = divmod(int(slot), 512)
        place = grid.blocks[block] * 8 + (local >> 6, local >> 3 & 7, local & 7)
        point = grid.origin + grid.voxel_m * place
        expected = naive.observe(point, np.linalg.inv(T), CAMERA, near, trust, rule)
        if (expected is None) != (weight[slot] == 0.0):
            differing += 1
        elif expected is not None:
            surface += expected[0] < rule.truncation_m
            differing += abs(distance[slot] - expected[0]) > 2e-5
            # One weight for a block of 8 cm: at half a metre its ends differ by as much.
            assert weight[slot] == pytest.approx(expected[1], rel=0.5) or abs(distance[slot] - expected[0]) > 2e-5
        else:
            assert np.isnan(distance[slot])
    # Single precision decides otherwise at the rim of a pixel, seldom.
    assert surface > 300
    assert differing < 20


def test_whole_blocks_are_passed_over_only_where_nothing_is_said():
    """Sorting blocks by tiles must not lose an observation: compared with all blocks marked as changed."""
    depth = uneven(4)
    T = pose(-0.3, 0.02)
    results = []
    for forced in (False, True):
        volume = RigidVolume(0.01, 0.04, NOISE, farthest_m=2.0)
        volume.integrate(depth, CAMERA, T)
        volume.sparse.distance[:] = np.nan
        volume.sparse.weight[:] = 0.0
        volume.sparse.carved[:] = 0.0
        tiles = np.empty((5, -(-120 // TILE), -(-160 // TILE) + 8), np.float32)
        near, trust = volume.prepare(depth, CAMERA)
        bound_tiles(near, trust, tiles)
        verdicts = np.empty(volume.block_count, np.uint8)
        sort_blocks(volume.sparse.grid, camera_view(CAMERA, T), tiles, 120, 160, 0.04, (0, 1), verdicts)
        if forced:
            verdicts[:] = CHANGED
        sparse = volume.sparse
        integrate_volume(
            sparse.grid,
            camera_view(CAMERA, T),
            (near, trust, tiles),
            verdicts,
            volume.rule(CAMERA),
            sparse.carved,
            sparse.distance,
            sparse.weight,
        )
        volume._settle()
        results.append((sparse.distance.copy(), sparse.weight.copy()))
    (a, wa), (b, wb) = results
    assert np.array_equal(np.isnan(a), np.isnan(b))
    assert np.allclose(a, b, atol=1e-6, equal_nan=True)
    assert np.allclose(wa, wb, rtol=0.1)


def test_smoothing_takes_noise_and_leaves_round_things(fused_ball):
    volume = ball()
    sparse = volume.sparse
    volume._settle()
    before = volume.mesh(0.1).surface.mesh.vertices
    rng = np.random.default_rng(6)
    bends = np.empty_like(sparse.distance)
    for noise in (0.0, 0.0006):
        sparse.distance[:] += rng.normal(0.0, noise, len(sparse.distance)).astype(np.float32)
        rough = np.linalg.norm(volume.mesh(0.1).surface.mesh.vertices, axis=1).std()
        for _ in range(4):
            find_bends(sparse.grid, sparse.distance, 0.03, 1, 0.002, bends)
            smooth_distance(sparse.grid, bends, np.zeros_like(sparse.weight), 1, 0.5, 1.0, sparse.distance)
        radius = np.linalg.norm(volume.mesh(0.1).surface.mesh.vertices, axis=1)
        assert abs(radius.mean() - np.linalg.norm(before, axis=1).mean()) < 5e-4
    assert radius.std() < 0.8 * rough


def test_cast_rays_agrees_with_the_obvious_twin(fused_ball):
    T = pose(0.8, 0.7)
    depth = fused_ball.raycast(CAMERA, T).depth.copy()
    grid, distance = fused_ball.sparse.grid, fused_ball.sparse.distance
    o, d = rays(T)
    rng = np.random.default_rng(9)
    differing = 0
    for y, x in zip(rng.integers(30, 90, 150), rng.integers(40, 120, 150), strict=True):
        expected = naive.march(lambda p: sample(grid, distance, p)[0], o, d[y, x], 1.2)
        differing += abs(depth[y, x] - expected) > 3e-4
    # At the very rim a ray may graze past between two samples.
    assert differing <= 6
