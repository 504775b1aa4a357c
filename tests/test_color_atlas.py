"""The colour atlas: kernels beside their twins, and what a painted body must give back."""

from itertools import pairwise

import numpy as np
import pytest

from game.assets import load_body_model
from solver.atlas.color_atlas import AtlasPainter
from solver.atlas.exposure import correction, harmonics, solve_exposure
from solver.atlas.layout import atlas_layout, texture_coordinates
from solver.atlas.sampling import colors_near
from solver.atlas.surface import neighbours_of, surface_of
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.kernels.label_triangles import gain_of_views, rate_triangles, settle_labels
from solver.kernels.observe_vertices import rate_view, sample_vertices
from solver.kernels.paint_texels import BEST, fill_gutters, paint_texels, weigh_views
from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics
from tests.naive import color_atlas as naive

MODEL = load_body_model()
CAMERA = Intrinsics(240, 424, 230.0, 230.0, 119.5, 211.5)
SIZE = 256
REST = shape_body(MODEL, np.zeros(1))
POSED = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, canonical_pose(MODEL, REST.joints)))


def turned(angle, distance=1.9):
    """The body in frame c of a camera at 1.1 m, turned by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    p = POSED @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]).T
    return np.ascontiguousarray(np.column_stack([p[:, 0], 1.1 - p[:, 2], p[:, 1] + distance]), np.float32)


def photograph(vertices, paint, camera=CAMERA, light=None):
    """A picture of the body whose colour at the place at rest (N, 3) is `paint`; `light` of the normals (N, 3)."""
    rasterizer = Rasterizer(camera)
    raster = rasterizer.render(vertices, MODEL.faces)
    normals = NormalField(MODEL.faces, MODEL.vertex_count)(vertices)
    at = rasterizer.interpolate(np.column_stack([REST.vertices, normals]).astype(np.float32))
    color = paint(at[..., :3])
    if light is not None:
        color = color * light(at[..., 3:])[..., None]
    color[raster.triangle < 0] = (255, 0, 255)  # nothing that shines in goes unnoticed
    return np.clip(np.rint(color), 0, 255).astype(np.uint8), raster.depth.copy()


def places(size=SIZE):
    """At rest [m], of the texels, (size, size, 3), and which are filled."""
    layout = atlas_layout(MODEL, size)
    corners = MODEL.faces[layout.triangle]
    b, c = layout.barycentric[..., :1], layout.barycentric[..., 1:]
    rest = REST.vertices
    return (1 - b - c) * rest[corners[..., 0]] + b * rest[corners[..., 1]] + c * rest[corners[..., 2]], (
        layout.triangle >= 0
    )


def atlas_of(paint, angles, size=SIZE, camera=CAMERA, exposure=None, light=None):
    painter = AtlasPainter(MODEL, size=size)
    for n, angle in enumerate(angles):
        vertices = turned(angle)
        color, depth = photograph(vertices, paint, camera, light)
        if exposure is not None:
            color = np.clip(np.rint(color * exposure[n]), 0, 255).astype(np.uint8)
        painter.add(color, depth, camera, vertices)
    assert painter.view_count == len(angles)
    return painter.paint()


def cloth(p):
    """Broad hues and bands of 12 cm."""
    band = 0.5 + 0.5 * np.tanh(6.0 * np.sin(2 * np.pi * p[..., 2] / 0.12))
    return np.stack([70 + 90 * band, 110 + 60 * np.sin(3 * p[..., 0]), 90 + 50 * np.cos(2 * p[..., 2])], -1)


def grey(level):
    return lambda p: np.full(p.shape, float(level))


def turn(count):
    return np.arange(count) * 2 * np.pi / count


# ---------------------------------------------------------------- properties


def test_a_body_of_one_colour_stays_so():
    atlas = atlas_of(grey(140), turn(8))
    assert np.abs(atlas.color.astype(int) - 140).max() <= 1
    assert np.abs(atlas.vertex_colors.astype(int) - 140).max() <= 1
    assert atlas.color.shape == (SIZE, SIZE, 3)
    assert not atlas.color.flags.writeable
    assert not atlas.seen.flags.writeable


def test_a_painted_body_is_recovered():
    atlas = atlas_of(cloth, turn(12), size=512)
    at, filled = places(512)
    seen = filled & (atlas.seen > 250)
    error = np.abs(atlas.color.astype(float) - cloth(at)).max(-1)[seen]
    assert seen[filled].mean() > 0.55
    assert np.median(error) < 3.0
    assert np.percentile(error, 95) < 25.0
    # Bands are as strong as they were painted: the swing of red about its mean.
    trunk = seen & (at[..., 2] > 0.9) & (at[..., 2] < 1.3) & (np.abs(at[..., 0]) < 0.12)
    assert np.std(atlas.color[trunk][:, 0]) == pytest.approx(np.std(cloth(at[trunk])[:, 0]), rel=0.06)


def test_exposure_and_white_balance_leave_no_trace():
    rng = np.random.default_rng(3)
    exposure = np.exp(rng.normal(0.0, 0.12, (12, 3)))
    exposure /= np.exp(np.log(exposure).mean(0))
    alike = atlas_of(cloth, turn(12))
    atlas = atlas_of(cloth, turn(12), exposure=exposure)
    seen = (atlas.seen > 250) & (alike.seen > 250)
    off = atlas.color[seen].astype(float) - alike.color[seen]
    # Without correction it is four times that.
    assert np.sqrt(np.mean(off**2)) < 4.0


def test_light_from_one_side_is_evened_out():
    def side(n):
        return 0.75 + 0.35 * n[..., 0]

    atlas = atlas_of(grey(150), turn(12), light=side)
    at, _ = places()
    body = (atlas.seen > 250) & (at[..., 2] > 0.2)
    spread = atlas.color[body][:, 1].astype(float)
    # In the pictures brightness runs from 60 to 165.
    assert spread.std() < 6.0


def test_what_no_view_saw_is_said_and_filled():
    atlas = atlas_of(cloth, (0.0, 0.15, -0.15))
    at, filled = places()
    normals = NormalField(MODEL.faces, MODEL.vertex_count)(REST.vertices)
    layout = atlas_layout(MODEL, SIZE)
    facing = normals[MODEL.faces[layout.triangle]].mean(2)[..., 1]
    trunk = filled & (at[..., 2] > 0.95) & (at[..., 2] < 1.3)
    assert atlas.seen[trunk & (facing > 0.5)].max() == 0
    assert np.median(atlas.seen[trunk & (facing < -0.5)]) == 255
    assert atlas.seen[~filled].max() == 0
    # Filled with colours of the body, none of the background.
    magenta = (atlas.color[..., 0] > 200) & (atlas.color[..., 1] < 90)
    assert magenta.mean() < 0.002


def test_one_side_lends_its_detail_to_the_other():
    """A half turn shows the wearer's left only; bands that are the same on both sides are found on the right."""
    atlas = atlas_of(cloth, np.linspace(-2.0, -0.6, 6))
    at, filled = places()
    hidden = filled & (atlas.seen == 0) & (at[..., 2] > 0.3) & (at[..., 2] < 0.8)
    shown = filled & (atlas.seen == 255) & (at[..., 2] > 0.3) & (at[..., 2] < 0.8)
    sides = np.sign(np.median(at[..., 0][hidden])), np.sign(np.median(at[..., 0][shown]))
    assert sides[0] == -sides[1]
    wanted, found = cloth(at[hidden])[:, 0], atlas.color[hidden][:, 0].astype(float)
    assert np.corrcoef(wanted, found)[0, 1] > 0.6


def test_points_near_the_body_take_its_colour():
    at, filled = places(512)
    atlas = np.zeros((512, 512, 3), np.uint8)
    atlas[filled] = np.clip(np.rint(cloth(at[filled])), 0, 255)
    chosen = np.random.default_rng(8).choice(np.flatnonzero(filled), 400, replace=False)
    points = at.reshape(-1, 3)[chosen]
    found = colors_near(MODEL, REST.vertices, atlas, points).astype(float)
    assert np.percentile(np.abs(found - cloth(points)).max(1), 95) < 8.0


def test_gutters_hold_what_lies_beside_them():
    atlas = atlas_of(cloth, turn(6))
    layout = atlas_layout(MODEL, SIZE)
    flat = atlas.color.reshape(-1, 3)
    np.testing.assert_array_equal(flat[layout.gutter], flat[layout.nearest])
    assert (layout.triangle.ravel()[layout.nearest] >= 0).all()
    assert len(layout.gutter) == np.count_nonzero(layout.triangle < 0)


def test_pictures_are_laid_onto_each_other():
    """Poses that are two pixels wrong from picture to picture blur the bands less than they would."""
    painter = AtlasPainter(MODEL, size=SIZE)
    for n, angle in enumerate(turn(12)):
        vertices = turned(angle)
        color, depth = photograph(vertices, cloth)
        moved = vertices + np.array([0.0, (-1) ** n * 0.008, 0.0], np.float32)
        painter.add(color, depth, CAMERA, moved)
    off = painter.paint()
    straight = atlas_of(cloth, turn(12))
    seen = (off.seen > 250) & (straight.seen > 250)
    at, _ = places()
    trunk = seen & (at[..., 2] > 0.9) & (at[..., 2] < 1.3) & (np.abs(at[..., 0]) < 0.12)
    assert np.std(off.color[trunk][:, 0]) > 0.85 * np.std(straight.color[trunk][:, 0])


def test_the_face_comes_from_one_view():
    surface = surface_of(MODEL)
    face = np.unique(MODEL.faces[surface.face])
    assert MODEL.landmarks["nose_tip"] in face
    assert np.isin(np.flatnonzero(MODEL.in_region("irises", "lips")), face).all()
    waves = ((0, 0.03), (2, 0.03), (0, 0.02), (2, 0.02))

    def stamped(n):
        # Every view bears its own fine pattern.
        axis, period = waves[n]
        return lambda p: 140.0 + 25.0 * np.sin(2 * np.pi * p[..., axis, None] / period) * np.ones(3)

    camera = Intrinsics(480, 848, 460.0, 460.0, 239.5, 423.5)

    painter = AtlasPainter(MODEL, size=512)
    for n, angle in enumerate((0.0, 0.35, -0.35, 0.7)):
        vertices = turned(angle, distance=1.2)
        color, depth = photograph(vertices, stamped(n), camera)
        painter.add(color, depth, camera, vertices)
    atlas = painter.paint()
    at, filled = places(512)
    layout = atlas_layout(MODEL, 512)
    inside = filled & surface.face[layout.triangle] & (atlas.seen == 255)
    fine = atlas.color[inside][:, 0].astype(float)
    match = sorted(abs(np.corrcoef(fine, stamped(n)(at[inside])[:, 0])[0, 1]) for n in range(4))
    assert match[3] > 0.6
    assert match[2] < 0.5 * match[3]


# ---------------------------------------------------------------- exposure


def test_exposures_and_light_are_solved_for():
    rng = np.random.default_rng(0)
    views, count = 10, 3000
    albedo = rng.uniform(40, 160, (count, 3))
    angles = turn(views)
    base = rng.normal(size=(count, 3)) * (1, 0.4, 1)
    base /= np.linalg.norm(base, axis=1, keepdims=True)
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    normals = np.stack(
        [c * base[:, 0] + s * base[:, 2], np.broadcast_to(base[:, 1], (views, count)), c * base[:, 2] - s * base[:, 0]],
        -1,
    )
    exposures = rng.normal(0.0, 0.1, (views, 3))
    exposures -= exposures.mean(0)
    light = rng.normal(0.0, 0.08, (4, 3))
    colors = np.exp(np.log(albedo) + exposures[:, None] + harmonics(normals) @ light).astype(np.float32)
    quality = np.clip(-normals[..., 2], 0.0, 1.0).astype(np.float32)
    found, lit = solve_exposure(colors, quality, normals.astype(np.float32))
    np.testing.assert_allclose(found, exposures, atol=0.01)
    np.testing.assert_allclose(lit, light, atol=0.01)
    alike = colors * correction(found, lit, normals.astype(np.float32))
    seen = quality > 0.2
    pairs = seen[:-1] & seen[1:]
    spread = np.abs(np.diff(np.log(alike), axis=0))[pairs]
    assert np.median(spread) < 0.01


def test_nothing_seen_twice_says_nothing_of_exposure():
    colors = np.full((2, 10, 3), 100.0, np.float32)
    quality = np.zeros((2, 10), np.float32)
    exposures, light = solve_exposure(colors, quality, np.zeros((2, 10, 3), np.float32))
    assert not exposures.any()
    assert not light.any()


# ---------------------------------------------------------------- kernels and their twins


@pytest.mark.parametrize("masked", [False, True])
def test_views_are_rated_as_their_twin_does(masked):
    rng = np.random.default_rng(1)
    vertices = turned(0.4)
    normals = NormalField(MODEL.faces, MODEL.vertex_count)(vertices)
    model_depth = Rasterizer(CAMERA).render(vertices, MODEL.faces).depth
    depth = model_depth + rng.normal(0.0, 0.02, model_depth.shape).astype(np.float32)
    depth[rng.random(depth.shape) < 0.2] = 0.0
    person = np.zeros((0, 0), np.float32)
    if masked:
        person = (rng.random(depth.shape) < 0.95).astype(np.float32)
    pixels, quality = np.empty((MODEL.vertex_count, 2), np.float32), np.empty(MODEL.vertex_count, np.float32)
    rate_view(depth, person, model_depth, CAMERA, vertices, normals, 0.004, 0.008, pixels, quality)
    some = rng.choice(MODEL.vertex_count, 1500, replace=False)
    expected = naive.rate_view(depth, person, model_depth, CAMERA, vertices[some], normals[some], 0.004, 0.008)
    np.testing.assert_allclose(pixels[some], expected[0], atol=1e-3)
    # A vertex at the very limit may fall to either side.
    close = np.isclose(quality[some], expected[1], rtol=1e-3, atol=1e-7)
    assert close.mean() > 0.998
    assert 0.1 < (quality > 0).mean() < 0.5


def test_samples_are_those_of_their_twin():
    rng = np.random.default_rng(2)
    color = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    pixels = rng.uniform(4, 35, (60, 2)).astype(np.float32)
    quality = (rng.random(60) < 0.8).astype(np.float32)
    colors, slopes = np.empty((60, 3), np.float32), np.empty((60, 2), np.float32)
    sample_vertices(color, pixels, quality, colors, slopes)
    expected = naive.sample_vertices(color, pixels, quality)
    np.testing.assert_allclose(colors, expected[0], atol=2e-3)
    np.testing.assert_allclose(slopes, expected[1], atol=2e-3)


def test_slopes_of_a_ramp_are_exact():
    y, x = np.mgrid[:40, :50]
    color = np.repeat((2 * x + 3 * y)[..., None], 3, 2).astype(np.uint8)
    pixels = np.array([[20.3, 11.8], [9.5, 17.1]], np.float32)
    colors, slopes = np.empty((2, 3), np.float32), np.empty((2, 2), np.float32)
    sample_vertices(color, pixels, np.ones(2, np.float32), colors, slopes)
    # Along one axis the other's slope adds what the window is off its middle by.
    np.testing.assert_allclose(slopes, [[2, 3], [2, 3]], atol=0.1)


def ring_mesh():
    """A strip of triangles and a loose one."""
    return np.array([[0, 1, 2], [2, 1, 3], [2, 3, 4], [4, 3, 5], [6, 7, 8]], np.int32)


def test_neighbours_share_an_edge():
    faces = ring_mesh()
    np.testing.assert_array_equal(neighbours_of(faces, 9), naive.neighbour_triangles(faces))
    body = neighbours_of(MODEL.faces, MODEL.vertex_count)
    # The body's skin is closed but for the mouth and the eyes' sockets.
    assert (body >= 0).mean() > 0.99
    f, k = 1234, 1
    shared = set(MODEL.faces[f, [k, (k + 1) % 3]]) & set(MODEL.faces[body[f, k]])
    assert len(shared) == 2


def test_triangles_are_rated_by_their_corners():
    rng = np.random.default_rng(4)
    faces = ring_mesh()
    quality = rng.random((3, 9)).astype(np.float32)
    quality[1, 3] = 0.0
    scores = np.empty((3, 5), np.float32)
    rate_triangles(faces, quality, scores)
    corners = quality[:, faces]
    np.testing.assert_allclose(scores, corners.mean(2) * (corners > 0).all(2), rtol=1e-6)
    best, gains = rng.random(5).astype(np.float32), np.empty(3)
    areas = rng.random(5).astype(np.float32)
    gain_of_views(scores, areas, best, gains)
    np.testing.assert_allclose(gains, (np.maximum(scores - best, 0) * areas).sum(1), rtol=1e-5)


def test_settling_lowers_the_cost_and_keeps_what_is_fixed():
    rng = np.random.default_rng(5)
    surface = surface_of(MODEL)
    count = len(MODEL.faces)
    scores = rng.random((4, count)).astype(np.float32)
    scores /= scores.max(0)
    labels = scores.argmax(0).astype(np.int32)
    labels[:50] = -1
    fixed = np.zeros(count, bool)
    fixed[50:200] = True
    before, start = labels.copy(), labels.copy()
    cost = [naive.labelling_cost(scores, surface.areas, surface.neighbours, surface.lengths, 0.02, labels)]
    while settle_labels(scores, surface.areas, surface.neighbours, surface.lengths, fixed, 0.02, labels):
        cost.append(naive.labelling_cost(scores, surface.areas, surface.neighbours, surface.lengths, 0.02, labels))
        assert len(cost) < 60
    assert all(b < a for a, b in pairwise(cost))
    assert cost[-1] < 0.5 * cost[0]
    np.testing.assert_array_equal(labels[:50], -1)
    np.testing.assert_array_equal(labels[fixed], before[fixed])
    # Without a price of seams every triangle keeps its best.
    settle_labels(scores, surface.areas, surface.neighbours, surface.lengths, fixed, 0.0, start)
    np.testing.assert_array_equal(start, before)


def test_shares_of_views_are_those_of_the_area_around():
    rng = np.random.default_rng(6)
    faces = ring_mesh()
    labels, areas = np.array([0, 1, -1, 1, 2], np.int32), rng.random(5).astype(np.float32)
    view_of, weight_of = np.empty((9, BEST), np.int32), np.empty((9, BEST), np.float32)
    weigh_views(faces, labels, areas, view_of, weight_of)
    for v, expected in enumerate(naive.weigh_views(faces, labels, areas, 9)):
        found = {n: w for n, w in zip(view_of[v].tolist(), weight_of[v].tolist(), strict=True) if n >= 0}
        assert found == pytest.approx(expected, rel=1e-5)


def test_texels_are_painted_as_their_twin_does():
    rng = np.random.default_rng(7)
    faces = ring_mesh()
    size, views = 12, 3
    triangle = rng.integers(-1, 5, (size, size)).astype(np.int32)
    barycentric = rng.dirichlet((1, 1, 1), (size, size))[..., 1:].astype(np.float32)
    pictures = rng.integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    picture_of = np.array([0, 1, 0], np.int32)
    pixels = rng.uniform(2.0, 16.0, (views, 9, 2)).astype(np.float32)
    gains = rng.uniform(0.8, 1.2, (views, 9, 3)).astype(np.float32)
    shifts = rng.uniform(-20, 20, (views, 9, 3)).astype(np.float32)
    view_of, weight_of = np.empty((9, BEST), np.int32), np.empty((9, BEST), np.float32)
    weigh_views(faces, np.array([0, 1, -1, 2, 1], np.int32), np.ones(5, np.float32), view_of, weight_of)
    visible = rng.random((views, 9)) < 0.85
    fill = rng.uniform(0, 255, (9, 3)).astype(np.float32)
    blend = (view_of, weight_of, visible, 2)
    atlas, seen = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
    paint_texels((triangle, barycentric), faces, pictures, picture_of, pixels, gains, shifts, blend, fill, atlas, seen)
    for row, column in np.ndindex(size, size):
        if triangle[row, column] < 0:
            assert not atlas[row, column].any()
            continue
        b, c = barycentric[row, column]
        color, direct = naive.paint_texel(
            faces[triangle[row, column]], np.array([1 - b - c, b, c], float),
            pictures, picture_of, pixels, gains, shifts, blend, fill,
        )  # fmt: skip
        assert np.abs(atlas[row, column] - color).max() < 0.6
        assert abs(seen[row, column] - 255 * direct) < 0.6
    fill_gutters(np.array([0, 5], np.int32), np.array([17, 30], np.int32), atlas)
    np.testing.assert_array_equal(atlas.reshape(-1, 3)[[0, 5]], atlas.reshape(-1, 3)[[17, 30]])


def test_texture_coordinates_lie_in_the_picture_and_do_not_overlap():
    uv = texture_coordinates(MODEL)
    assert uv.min() >= 0.0
    assert uv.max() <= 1.0
    layout = atlas_layout(MODEL, 512)
    a, b, c = (uv[MODEL.uv_faces[:, k]].astype(float) for k in range(3))
    areas = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    assert np.count_nonzero(layout.triangle >= 0) == pytest.approx(areas.sum() * 512**2, rel=0.01)
    assert atlas_layout(MODEL, 512) is layout
