"""Pulls of the depth image on the model: against their naive twins, and where they must point."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from solver.kernels.keyframe_rows import HairPlaces, KeyframeWeights, weigh_keyframe
from solver.kernels.pixel_association import (
    MATCHED,
    STICKS_OUT,
    UNCOVERED,
    PixelMatching,
    PixelRows,
    Pulls,
    Rendered,
    associate_pixels,
    find_nearest_person,
    grow_region,
    mark_person,
    weigh_pulls,
)
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics
from tests.naive import pixel_association as naive

CAMERA = Intrinsics(40, 30, 60.0, 60.0, 19.5, 14.5)
MATCHING = PixelMatching(0.12, 0.006, 0.03, 6, 2, 0.002, 0.001)


def ball(x, z, radius=0.3, rings=12):
    """A closed sphere in frame c."""
    theta, phi = np.meshgrid(np.linspace(0.01, np.pi - 0.01, rings), np.linspace(0, 2 * np.pi, 2 * rings + 1)[:-1])
    vertices = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta), np.sin(theta) * np.sin(phi)], -1).reshape(-1, 3)
    faces = []
    for i in range(2 * rings):
        for j in range(rings - 1):
            a, b = i * rings + j, (i + 1) % (2 * rings) * rings + j
            faces += [(a, b, b + 1), (a, b + 1, a + 1)]
    return (vertices * radius + (x, 0.0, z)).astype(np.float32), np.array(faces, np.int32)


def scene(x_model=0.0, z_model=2.0, x_seen=0.0, z_seen=2.0):
    """The model's picture, the measured depth (a wall at 4 m behind) and who is where."""
    vertices, faces = ball(x_model, z_model)
    raster = Rasterizer(CAMERA).render(vertices, faces, cull_back=False)
    rendered = Rendered(raster.depth.copy(), raster.triangle.copy(), faces, vertices)
    seen = Rasterizer(CAMERA).render(*ball(x_seen, z_seen), cull_back=False).depth.copy()
    person = (seen > 0).astype(np.uint8)
    depth = np.where(seen > 0, seen, np.float32(4.0))
    return rendered, depth, person


def pulls_of(rendered, depth, person, matching=MATCHING):
    pulls = Pulls(*(np.zeros(s, t) for s, t in PULL_ARRAYS))
    nearest = np.empty(depth.shape, np.int32)
    find_nearest_person(person, nearest)
    count, *counts = associate_pixels(rendered, depth, person, nearest, CAMERA, matching, pulls)
    return Pulls(*(a[:count] for a in pulls)), tuple(counts), nearest


PULL_ARRAYS = (
    (1200, np.uint8),
    (1200, np.int32),
    ((1200, 3), np.float64),
    ((1200, 3), np.float64),
    (1200, np.float64),
    (1200, np.float64),
)


def test_pulls_are_those_of_the_naive_twin():
    rng = np.random.default_rng(1)
    for shift in ((0.0, 0.0), (0.15, 0.03), (-0.3, 0.3)):
        rendered, depth, person = scene(shift[0], 2.0 + shift[1])
        depth += rng.normal(0.0, 0.02, depth.shape).astype(np.float32) * (person == 1)
        depth[rng.uniform(size=depth.shape) < 0.1] = 0.0
        person[(depth == 0.0) & (rng.uniform(size=depth.shape) < 0.5)] = 2
        person[(depth == 0.0) & (person == 1)] = 0
        pulls, counts, nearest = pulls_of(rendered, depth, person)
        expected, expected_counts = naive.associate_pixels(rendered, depth, person, nearest, CAMERA, MATCHING)
        assert counts == expected_counts
        assert [p[0] for p in expected] == pulls.kinds.tolist()
        assert [p[1] for p in expected] == pulls.pixels.tolist()
        for found, wanted in zip(pulls[2:], zip(*(p[2:] for p in expected), strict=True), strict=True):
            np.testing.assert_allclose(found, np.array(wanted), atol=2e-5)


def test_a_model_in_place_matches_and_nothing_else_pulls():
    pulls, (known, agreeing, person, covered), _ = pulls_of(*scene())
    assert (pulls.kinds == MATCHED).all()
    assert known == agreeing == person == covered
    assert np.abs(pulls.offsets).max() < 1e-5


def test_every_pull_goes_towards_the_person():
    """The ball is seen 15 cm to the right of the model: least squares over a shift finds it from any kind of pull."""
    rendered, depth, person = scene(x_model=0.0, x_seen=0.15)
    pulls, _, _ = pulls_of(rendered, depth, person)
    for kind in (STICKS_OUT, UNCOVERED):
        of = pulls.kinds == kind
        assert of.sum() > 10
        step = -pulls.directions[of] * pulls.offsets[of, None]
        assert step[:, 0].mean() > 0.03, kind
        assert abs(step[:, 1].mean()) < 0.02


def test_regions_grow_as_their_twin_does():
    rng = np.random.default_rng(2)
    depth = (2.0 + np.cumsum(rng.normal(0.0, 0.02, (12, 15)), axis=1)).astype(np.float32)
    allowed = (rng.uniform(size=depth.shape) < 0.9).astype(np.uint8)
    seeds = np.zeros_like(allowed)
    seeds[5, 4] = seeds[11, 14] = 1
    region, stack = np.empty_like(allowed), np.empty(depth.size, np.int32)
    count = grow_region(depth, seeds, allowed, 0.002, stack, region)
    expected = naive.grow_region(depth, seeds, allowed, 0.002)
    assert (region.astype(bool) == expected).all()
    assert count == expected.sum()
    assert 1 < count < depth.size


def test_nearest_person_pixel():
    rng = np.random.default_rng(3)
    person = np.zeros((40, 50), np.uint8)
    for _ in range(6):
        v, u = rng.integers(40), rng.integers(50)
        person[v : v + 4, u : u + 5] = 1
    person[20:, :10] = 2
    nearest = np.empty(person.shape, np.int32)
    find_nearest_person(person, nearest)
    assert (person.reshape(-1)[nearest] == 1).all()
    v, u = np.indices(person.shape)
    found = np.hypot(nearest // 50 - v, nearest % 50 - u)
    np.testing.assert_allclose(naive.nearest_person_distance(person), distance_transform_edt(person != 1))
    np.testing.assert_allclose(found, distance_transform_edt(person != 1))
    find_nearest_person(np.zeros_like(person), nearest)
    assert (nearest == -1).all()


@pytest.mark.parametrize("row_target", [5000, 40])
def test_rows_are_those_of_the_naive_twin(row_target):
    rng = np.random.default_rng(4)
    rendered, depth, person = scene(0.1, 2.02)
    depth += rng.normal(0.0, 0.02, depth.shape).astype(np.float32) * (person == 1)
    pulls, _, _ = pulls_of(rendered, depth, person)
    assert set(pulls.kinds) == {MATCHED, STICKS_OUT, UNCOVERED}
    barycentric = rng.dirichlet(np.ones(3), depth.shape)[..., 1:].astype(np.float32)
    corners = rng.integers(1000, size=rendered.faces.shape).astype(np.int32)
    R_wc = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rows = PixelRows(*(np.zeros((1200, *shape), kind) for shape, kind in ROW_ARRAYS))
    count, matches, square, misfit = weigh_pulls(
        pulls, len(pulls.kinds), rendered.triangle, barycentric, corners, R_wc, 0.1, 0.3, row_target, rows
    )
    expected = naive.weigh_pulls(pulls, rendered.triangle, barycentric, corners, R_wc, 0.1, 0.3, row_target)
    assert count == len(expected)
    for found, wanted in zip(rows, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(found[:count], np.array(wanted), rtol=1e-9, atol=1e-12)
    of = pulls.kinds == MATCHED
    assert matches == of.sum()
    np.testing.assert_allclose(square, np.square(pulls.offsets[of]).sum())
    np.testing.assert_allclose(misfit, np.square(pulls.offsets[of] / pulls.sigmas[of]).sum())


@pytest.mark.parametrize("knows_hair", [False, True])
@pytest.mark.parametrize("subsets", [1, 3])
def test_keyframes_are_weighed_as_their_twin_does(subsets, knows_hair):
    rng = np.random.default_rng(8)
    rendered, depth, person = scene(0.06, 2.02)
    depth += rng.normal(0.0, 0.02, depth.shape).astype(np.float32)
    pulls, _, _ = pulls_of(rendered, depth, person)
    assert len(np.unique(pulls.kinds)) == 3
    barycentric = rng.dirichlet((1.0, 1.0, 1.0), rendered.triangle.shape)[..., 1:].astype(np.float32)
    R_wc = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    count = len(rendered.vertices)
    scalp, zone = ((rng.uniform(size=count) < 0.4).astype(np.uint8) for _ in range(2))
    likeness = rng.uniform(size=depth.shape if knows_hair else (0, 0)).astype(np.float32)
    hair, rule = HairPlaces(scalp, zone, likeness), KeyframeWeights(0.06, 0.1, subsets, subsets // 2, 0.2, 0.02)
    rows = PixelRows(*(np.zeros((1200, *shape), kind) for shape, kind in ROW_ARRAYS))
    row_count, mass, square = weigh_keyframe(
        pulls, len(pulls.kinds), rendered.triangle, barycentric, rendered.faces, R_wc, CAMERA, hair, rule, rows
    )
    expected, *sums = naive.weigh_keyframe(
        pulls, rendered.triangle, barycentric, rendered.faces, R_wc, CAMERA, hair, rule
    )
    assert row_count == len(expected)
    for found, wanted in zip(rows, zip(*expected, strict=True), strict=True):
        np.testing.assert_allclose(found[:row_count], np.array(wanted), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose((mass, square), sums)


ROW_ARRAYS = (((3,), np.int32), ((3,), float), ((3,), float), ((), float), ((), float))


@pytest.mark.parametrize("has_mask", [False, True])
@pytest.mark.parametrize("has_model", [False, True])
def test_person_is_marked_as_its_twin_does(has_mask, has_model):
    rng = np.random.default_rng(5)
    rendered, depth, person = scene(0.05, 2.03)
    depth[rng.uniform(size=depth.shape) < 0.1] = 0.0
    mask = np.clip(0.8 * person + rng.normal(0.0, 0.15, depth.shape), 0.0, 1.0).astype(np.float32)
    T_wc = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.2, 0.98, 0.0], [0.0, -0.98, 0.2, 0.0]])
    limits = (0.001, 0.3, 1.1, 0.12, 0.15)
    seeds, allowed = np.empty(depth.shape, np.uint8), np.empty(depth.shape, np.uint8)
    nothing = np.zeros((0, 0), np.float32)
    pelvis = np.array([0.02, 1.85, 0.0])
    mark_person(
        depth, mask if has_mask else nothing, rendered.depth if has_model else nothing, CAMERA, T_wc, pelvis, limits,
        seeds, allowed,
    )  # fmt: skip
    expected = naive.mark_person(
        depth.astype(float), mask if has_mask else None, rendered.depth if has_model else None, CAMERA, T_wc, pelvis,
        limits,
    )  # fmt: skip
    for found, wanted in zip((seeds, allowed), expected, strict=True):
        assert 5 < wanted.sum() < 0.95 * wanted.size
        np.testing.assert_array_equal(found.astype(bool), wanted)
