"""The picture: a real OpenGL context, offscreen, small pictures.

Golden pictures lie in tests/golden; CHEVAL_UPDATE_GOLDEN=1 writes them anew: look at them before committing.
"""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from panda3d.core import Shader

from game.appearance import BodyPaint, Eye, Look, find_eyes, paint_body
from game.assets import load_body_model
from game.materials import OPTICS, Print, PrintKind, linear, optics_of, print_tile, srgb
from game.view import context as context_module
from game.view.camera import look_from
from game.view.context import Context, NoGraphicsError
from game.view.coverage import GIVE, Covering, Layer, hidden_depth, out_of_sight
from game.view.model import coarse_body
from game.view.portraits import portraits
from game.view.quality import FINE, SOFTWARE
from game.view.shaders import PROGRAMS, program, shader_source
from game.view.stage import TUCKED_IN_PARTS, Stage
from game.view.studio import FLOOR_HALF, paper_roll
from game.view.tailoring import line_distances
from solver.atlas.layout import atlas_layout, texture_coordinates
from solver.body import RestBody, canonical_pose, joint_transforms, shape_body, skin
from solver.errors import InputError, UsageError
from solver.mesh import split_at_seams
from solver.types import Intrinsics

GOLDEN = Path(__file__).parent / "golden"
SIZE = (120, 200)


@pytest.fixture(scope="module")
def context():
    try:
        return Context()
    except NoGraphicsError as error:
        pytest.skip(f"no OpenGL here: {error}")


@pytest.fixture
def stage(context):
    stage = Stage(SIZE, SOFTWARE, context)
    yield stage
    stage.close()


def figure():
    """A turned mannequin that owes nothing to the body model: vertices [m], faces, appearance."""
    height = np.array([0.0, 0.02, 0.5, 0.85, 1.1, 1.2, 1.25, 1.32, 1.42, 1.52, 1.55])
    radius = np.array([0.001, 0.14, 0.18, 0.14, 0.19, 0.15, 0.06, 0.10, 0.13, 0.09, 0.001])
    z = np.linspace(0.0, 1.55, 78)
    angle = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    r = np.interp(z, height, radius)[:, None]
    vertices = np.stack((r * np.sin(angle), -r * np.cos(angle), np.tile(z[:, None], 40)), -1).reshape(-1, 3)
    vertices = vertices.astype(np.float32)
    low = (np.arange(77)[:, None] * 40 + np.arange(40)).ravel()
    right = (np.arange(77)[:, None] * 40 + (np.arange(40) + 1) % 40).ravel()
    faces = np.stack((low, right, right + 40, low, right + 40, low + 40), 1).reshape(-1, 3).astype(np.int32)
    count = len(vertices)
    color = np.tile(np.array([206, 160, 134, 255], np.uint8), (count, 1))
    surface = np.zeros((count, 4), np.uint8)
    surface[vertices[:, 2] > 1.45, 0] = 255
    surface[vertices[:, 2] < 1.0, 1] = 255
    eye = Eye(np.array([0.04, -0.1, 1.42]), np.array([0.0, -1.0, 0.0]))
    paint = BodyPaint(color, surface, np.zeros(count, np.float32), (eye, eye), Look(), scanned=False)
    return vertices, faces, paint


def sheet(size=0.3, count=9):
    """A square of cloth in the plane y = 0 that faces -y: vertices [m], faces, panel coordinates."""
    x, z = np.meshgrid(np.linspace(-size / 2, size / 2, count), np.linspace(-size / 2, size / 2, count))
    vertices = np.stack((x, np.zeros_like(x), z), -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    faces = np.stack((corner, corner + 1, corner + count + 1, corner, corner + count + 1, corner + count), 1)
    return vertices, faces.reshape(-1, 3).astype(np.int32), (vertices[:, ::2] + size / 2).astype(np.float32)


def put_figure(stage, center=(0.0, 0.0)):
    vertices, faces, paint = figure()
    vertices = vertices + np.array([*center, 0.0], np.float32)
    stage.set_body(faces, vertices, paint)
    stage.update_body(vertices)
    stage.place_studio(center)
    stage.camera.frame_body(vertices)
    return vertices


def assert_golden(name, picture):
    path = GOLDEN / f"{name}.png"
    if os.environ.get("CHEVAL_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(path), picture[..., ::-1])
    assert path.is_file(), f"{path} is missing: run with CHEVAL_UPDATE_GOLDEN=1 and look at it"
    golden = cv2.imread(str(path))[..., ::-1]
    assert golden.shape == picture.shape

    def seen(image):
        # Two drivers round edges differently; an eye a step away does not see single pixels.
        return cv2.cvtColor(cv2.GaussianBlur(image.astype(np.float32) / 255, (0, 0), 1.2), cv2.COLOR_RGB2LAB)

    difference = np.linalg.norm(seen(picture) - seen(golden), axis=2)
    assert difference.mean() < 0.4, f"{name}: mean colour difference {difference.mean():.2f}"
    assert np.percentile(difference, 99.5) < 8.0, (
        f"{name}: {np.percentile(difference, 99.5):.1f} at the 99.5 percentile"
    )


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_every_program_compiles(stage, name):
    gsg = stage.context._host.get_gsg()
    stage.render()
    assert program(name).prepare_now(gsg.prepared_objects, gsg) is not None
    assert not program(name).get_error_flag()


def test_a_broken_program_would_be_noticed(stage):
    gsg = stage.context._host.get_gsg()
    vertex, fragment, definitions = PROGRAMS["body_detail"]
    broken = shader_source(fragment, definitions).replace("to_screen(radiance)", "to_nowhere(radiance)")
    shader = Shader.make(Shader.SL_GLSL, shader_source(vertex, definitions), broken)
    stage.render()
    assert shader.prepare_now(gsg.prepared_objects, gsg) is None
    assert shader.get_error_flag()


def test_a_missing_shader_names_itself():
    with pytest.raises(InputError, match=r"nothing\.frag.*reinstall"):
        shader_source("nothing.frag")


def test_without_opengl_the_error_names_the_cure(monkeypatch):
    monkeypatch.setattr(context_module, "OFFSCREEN_MODULES", ("p3nothing",))
    with pytest.raises(NoGraphicsError, match="install a GPU driver, or Mesa"):
        Context()


def test_the_driver_names_itself(context):
    assert "OpenGL" in context.renderer


@pytest.mark.parametrize("shift", [(0.0, 0.0), (23.0, -31.0)])
def test_points_are_drawn_where_the_camera_projects_them(context, shift):
    def redness(picture):
        return picture[..., 0] - picture[..., 2].astype(float)

    stage = Stage(SIZE, FINE, context)
    intrinsics = Intrinsics(240, 400, 380.0, 390.0, 119.5 + shift[0], 199.5 + shift[1])
    T_wc = look_from(np.array([0.3, -2.4, 1.3]), np.array([0.0, 0.2, 1.0]))
    stage.camera.set(intrinsics, T_wc)
    vertices, faces, uv = sheet(0.08)
    stage.place_studio((0.0, 30.0))
    empty = redness(stage.render())
    garment = stage.add_garment(faces, uv, "poplin", Print(ground=(200, 30, 30)))
    for place in ((-0.2, 0.1, 1.2), (0.25, -0.2, 0.8)):
        stage.update_garment(garment, vertices + np.array(place, np.float32))
        weight = np.clip(redness(stage.render()) - empty, 0, None)
        rows, columns = np.indices(weight.shape)
        drawn = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        # By hand, in the picture that is half as large: pixel centres at integers.
        local = T_wc[:3, :3].T @ (np.array(place) - T_wc[:3, 3])
        pixel = np.array([intrinsics.fx, intrinsics.fy]) * local[:2] / local[2] + (intrinsics.cx, intrinsics.cy)
        np.testing.assert_allclose(drawn, (pixel + 0.5) / 2 - 0.5, atol=0.15)
        np.testing.assert_allclose(stage.camera.project(np.array([place]))[0], [*((pixel + 0.5) / 2 - 0.5), local[2]])
    stage.close()


def test_the_wearers_left_is_at_the_cameras_right(stage):
    stage.camera.look_at((0.0, -3.0, 1.0), (0.0, 0.0, 1.0))
    center, left, up = stage.camera.project(np.array([[0, 0, 1.0], [0.3, 0, 1.0], [0, 0, 1.3]]))
    assert left[0] > center[0]
    assert up[1] < center[1]


@pytest.mark.parametrize("azimuth", [0.0, 0.7, np.pi])
def test_framing_shows_the_whole_body(stage, azimuth):
    vertices = put_figure(stage, (0.4, 2.0))
    stage.camera.frame_body(vertices, azimuth)
    pixels = stage.camera.project(vertices)
    assert (pixels[:, :2] > 0).all()
    assert (pixels[:, :2] < SIZE).all()
    assert np.ptp(pixels[:, 1]) > 0.75 * SIZE[1]


def test_the_mirror_flips_last(stage):
    put_figure(stage)
    stage.camera.look_at((0.8, -3.0, 1.2), (0.1, 0.0, 0.8))
    straight, mirrored = stage.render().astype(int), stage.render(mirrored=True).astype(int)
    assert np.abs(straight - mirrored).mean() > 1.0
    # The dither of the floor and the side an edge is smoothed to are the picture's, not the scene's.
    assert np.percentile(np.abs(straight - mirrored[:, ::-1]), 99) <= 2


def test_a_body_follows_its_vertices(stage):
    vertices = put_figure(stage)
    before = stage.render().astype(int)
    np.testing.assert_array_equal(stage.render(), before)
    stage.update_body(vertices + np.array([0.3, 0, 0], np.float32))
    moved = stage.render().astype(int)
    (x_before, y, _), (x_after, _, _) = stage.camera.project(np.array([[0, 0, 1.1], [0.3, 0, 1.1]]))
    skin_before, skin_after = (np.flatnonzero(np.ptp(p[round(y)], axis=1) > 40).mean() for p in (before, moved))
    assert abs(skin_after - skin_before - (x_after - x_before)) < 1.0


def test_the_body_throws_a_shadow_and_touches_the_floor(stage):
    vertices = put_figure(stage)
    shown = stage.render().astype(int)
    stage.update_body(vertices + np.array([0, 0, 20.0], np.float32))
    bare = stage.render().astype(int)
    ground = stage.camera.project(np.array([[0.27, 0.05, 0.0], [0.55, 0.45, 0.0], [-0.55, -0.3, 0.0]]))
    at_feet, in_shadow, in_light = ((shown - bare)[round(y), round(x)].sum() for x, y, _ in ground)
    assert at_feet < -20
    assert in_shadow < -10
    assert abs(in_light) <= 6


def test_an_empty_floor_is_lit_evenly(stage):
    """Neither the shadow map nor the polish may leave a mark where nobody stands."""
    stage.camera.look_at((0.0, -3.0, 6.0), (0.0, 0.0, 0.0), np.deg2rad(40))
    patch = stage.render().astype(float).mean(2)
    stage.studio.floor.hide()
    plain = stage.render().astype(float).mean(2)
    assert np.abs(patch - plain).max() < 2.0


def test_the_floor_reflects_only_what_stands_on_it(context):
    differences = []
    for lift in (0.0, 1.0):
        pictures = []
        for reflection in (True, False):
            stage = Stage(SIZE, SOFTWARE._replace(reflection=reflection), context)
            vertices = put_figure(stage)
            stage.update_body(vertices + np.array([0, 0, lift], np.float32))
            pictures.append(stage.render().astype(int))
            stage.close()
        differences.append(np.abs(pictures[0] - pictures[1]).max())
    assert differences[0] > 3
    assert differences[1] <= 1


def test_update_before_set_is_refused(stage):
    with pytest.raises(UsageError, match="set_body first"):
        stage.update_body(np.zeros((3, 3), np.float32))


def test_unknown_fabric_is_refused(stage):
    _, faces, uv = sheet()
    with pytest.raises(UsageError, match="no such fabric; there are jersey"):
        stage.add_garment(faces, uv, "adamantium")


@pytest.mark.parametrize("quality", [SOFTWARE, FINE], ids=["live", "fine"])
def test_golden_figure(context, quality):
    stage = Stage(SIZE, quality, context)
    put_figure(stage)
    assert_golden(f"figure_{'fine' if quality.detail else 'live'}", stage.render())
    stage.close()


def test_golden_prints(stage):
    stage.place_studio((0.0, 2.0))
    stage.camera.look_at((0.0, -2.2, 1.0), (0.0, 0.0, 1.0))
    vertices, faces, uv = sheet(0.34)
    for i, (kind, cloth) in enumerate(zip(PrintKind, OPTICS, strict=False)):
        garment = stage.add_garment(faces, uv, cloth, Print(kind, pitch=0.08))
        place = np.array([0.2 * (-1) ** i, 0, 0.62 + 0.38 * (i // 2)], np.float32)
        stage.update_garment(garment, vertices + place)
    assert_golden("prints", stage.render())


def test_prints_on_screen_and_in_files_are_the_same(stage):
    """cloth.frag and `print_tile` draw the same repeat: the share of figure and where it lies."""
    vertices, faces, uv = sheet(0.4)
    stage.camera.set(
        Intrinsics(*SIZE, 260.0, 260.0, 59.5, 99.5), look_from(np.array([0, -1.0, 1.0]), np.array([0, 0, 1.0]))
    )
    stage.place_studio((0.0, 3.0))
    for kind in PrintKind:
        printed = Print(kind, (250, 250, 250), (10, 10, 10), 0.1, 0.4)
        stage.remove_garments()
        garment = stage.add_garment(faces, uv, "silk", printed)
        stage.update_garment(garment, vertices + np.array([0, 0, 1.0], np.float32))
        picture = stage.render()
        tile = print_tile(printed, 64).astype(float).mean(2)
        agreed = []
        for x, z in np.random.default_rng(0).uniform(0.05, 0.35, (400, 2)):
            column, row = np.rint(stage.camera.project(np.array([[x - 0.2, 0, z - 0.2 + 1.0]]))[0, :2]).astype(int)
            expected = tile[int((1 - z / 0.1 % 1) * 63.999), int(x / 0.1 % 1 * 63.999)]
            if kind != PrintKind.CHECKS and (expected < 40 or expected > 220):
                agreed.append((picture[row, column].mean() > 110) == (expected > 128))
        assert kind == PrintKind.CHECKS or np.mean(agreed) > 0.9


def test_hems_and_seams_are_told_apart():
    _, faces, uv = sheet(0.3, 7)
    border = np.minimum.reduce([uv[:, 0], uv[:, 1], 0.3 - uv[:, 0], 0.3 - uv[:, 1]])
    hem, seam = line_distances(faces, faces, uv)
    np.testing.assert_allclose(hem, border, atol=1e-6)
    assert (seam == 1).all()
    # A tube: the sheet's left and right column are sewn together.
    merged = np.arange(49).reshape(7, 7)
    merged[:, 6] = merged[:, 0]
    hem, seam = line_distances(merged.ravel()[faces].astype(np.int32), faces, uv)
    np.testing.assert_allclose(hem, np.minimum(uv[:, 1], 0.3 - uv[:, 1]), atol=1e-6)
    np.testing.assert_allclose(seam, np.minimum(uv[:, 0], 0.3 - uv[:, 0]), atol=1e-6)
    # Two panels that lie on each other in the pattern's plane: the small one's edges are not the large one's.
    both = np.concatenate((faces, faces + 49))
    hem, _ = line_distances(both, both, np.concatenate((uv, uv / 2)))
    np.testing.assert_allclose(hem, np.concatenate((border, border / 2)), atol=1e-6)


def test_skin_gives_way_under_cloth_only():
    body, _, _ = sheet(0.4, 21)
    normals = np.tile(np.array([0, -1, 0], np.float32), (len(body), 1))
    cloth, _, uv = sheet(0.2, 21)
    edge = np.minimum.reduce([uv[:, 0], uv[:, 1], 0.2 - uv[:, 0], 0.2 - uv[:, 1]]).astype(np.float32)
    in_front = cloth - np.array([0, 0.008, 0], np.float32)
    depth = hidden_depth(body, normals, [Layer(in_front, edge)])
    radius = np.abs(body[:, ::2]).max(1)
    assert depth[radius < 0.06] == pytest.approx(GIVE)
    assert (depth[radius > 0.09] == 0).all()
    in_parts = Covering(body, normals, [Layer(in_front, edge)], parts=7)
    in_front += 1.0  # what moves meanwhile is not looked at
    while not in_parts.go_on():
        assert not in_parts.depth.all()
    np.testing.assert_array_equal(in_parts.depth, depth)
    in_front -= 1.0
    assert not hidden_depth(body, normals, [Layer(in_front - np.array([0, 0.1, 0], np.float32), edge)]).any()
    assert not hidden_depth(body, normals, []).any()


def test_skin_is_left_out_well_within_cloth_only():
    body, faces, _ = sheet(0.4, 21)
    depth = np.where(np.abs(body[:, ::2]).max(1) < 0.11, GIVE, 0.0).astype(np.float32)
    covered = out_of_sight(depth, faces)
    radius = np.abs(body[:, ::2]).max(1)
    assert covered.any()
    # Three rings of squares 20 mm wide are drawn all the same.
    assert radius[covered].max() < 0.11 - 2.5 * 0.02
    assert not out_of_sight(np.zeros(len(body), np.float32), faces).any()
    assert out_of_sight(np.full(len(body), GIVE, np.float32), faces).all()


def test_tucked_skin_does_not_poke_through(stage):
    vertices = put_figure(stage)
    faces = figure()[1]
    band = np.flatnonzero((vertices[:, 2] > 0.4) & (vertices[:, 2] < 1.1))
    inside = np.isin(faces, band).all(1)
    used, index = np.unique(faces[inside], return_inverse=True)
    # Cloth a hair's breadth under the skin here and there, as a coarse simulation leaves it.
    radial = vertices[used] * (1, 1, 0)
    radial = radial / np.linalg.norm(radial, axis=1, keepdims=True)
    cloth = (vertices[used] + radial * np.where(np.arange(len(used)) % 3, 0.003, -0.004)[:, None]).astype(np.float32)
    uv = np.stack((0.2 * np.arctan2(cloth[:, 0], -cloth[:, 1]), cloth[:, 2]), 1).astype(np.float32)
    garment = stage.add_garment(index.reshape(-1, 3).astype(np.int32), uv, "poplin", Print(ground=(20, 40, 200)))
    stage.update_garment(garment, cloth)
    stage.camera.look_at((0, -2.5, 0.75), (0, 0, 0.75), np.deg2rad(20))

    def bare_share():
        middle = stage.render()[60:140, 50:70].astype(int)
        return (middle[..., 2] - middle[..., 0] < 60).mean()

    assert bare_share() > 0.1
    for _ in range(TUCKED_IN_PARTS + 2):
        stage.tuck_in_by_and_by()
    assert bare_share() == 0.0
    stage.remove_garments()
    assert bare_share() == 1.0
    garment = stage.add_garment(index.reshape(-1, 3).astype(np.int32), uv, "poplin", Print(ground=(20, 40, 200)))
    stage.update_garment(garment, cloth)
    assert bare_share() > 0.1
    stage.tuck_in()
    assert bare_share() == 0.0
    stage.remove_garments()
    assert bare_share() == 1.0


def test_folds_are_shaded_a_direction_a_picture_and_kept_by_what_is_altered(stage):
    put_figure(stage)
    # Two sheets face to face: what lies between them sees little.
    inner, faces, uv = sheet(0.4, 9)
    apart = np.array([0, 0.02, 0], np.float32)
    both, both_faces = np.concatenate([inner, inner - apart]), np.concatenate([faces, faces + len(inner)])
    panels = np.concatenate([uv, uv])
    stage.update_garment(stage.add_garment(both_faces.astype(np.int32), panels, "poplin"), both)
    pictures = 1
    while not stage.shade_folds_by_and_by(16):
        assert (stage.folds[0] == 1.0).all()
        pictures += 1
    assert pictures == 16
    (slowly,) = stage.folds
    stage.shade_folds(16)
    np.testing.assert_array_equal(stage.folds[0], slowly)
    assert slowly.min() < 0.8
    stage.remove_garments()
    number = stage.add_garment(both_faces.astype(np.int32), panels, "poplin")
    assert (stage.folds[0] == 1.0).all()
    stage.keep_folds(number, slowly)
    np.testing.assert_array_equal(stage.folds[0], slowly)
    stage.keep_folds(number, slowly[1:])
    np.testing.assert_array_equal(stage.folds[0], slowly)
    stage.remove_garments()
    assert stage.shade_folds_by_and_by()


def test_paper_is_one_sheet_with_a_patch_around_the_person():
    vertices, faces, patch = paper_roll()
    normals = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    toward = np.array([0.0, -3.0, 1.5]) - vertices[faces].mean(1)
    near = np.abs(vertices[faces].mean(1)[:, 0]) < 3
    assert ((normals * toward).sum(1)[near] > 0).all()
    flat = vertices[faces[patch]].reshape(-1, 3)
    assert (np.abs(flat[:, :2]) <= FLOOR_HALF + 1e-4).all()
    assert not flat[:, 2].any()
    area = np.linalg.norm(normals[patch], axis=1).sum() / 2
    assert area == pytest.approx((2 * FLOOR_HALF) ** 2, rel=1e-4)


def test_stages_give_everything_back(context):
    before = context.engine.get_num_windows()
    for _ in range(3):
        stage = Stage((32, 48), SOFTWARE, context)
        put_figure(stage)
        stage.render()
        stage.close()
    assert context.engine.get_num_windows() == before


def test_portraits_show_front_side_and_back_at_one_scale(stage):
    vertices = put_figure(stage)
    views = portraits(stage, vertices)
    assert [view.title for view in views] == ["Front", "Side", "Back"]
    assert len({view.intrinsics.fy for view in views}) == 1
    assert np.allclose([np.linalg.norm(v.T_wc[:2, 3]) for v in views], np.linalg.norm(views[0].T_wc[:2, 3]))
    assert views[1].T_wc[0, 3] > 1.0  # the camera stands at the person's left
    assert views[2].T_wc[1, 3] > 1.0


def test_body_paint_follows_the_regions():
    model = load_body_model()
    body = shape_body(model, np.zeros(3))
    look = Look(skin=(200, 150, 120), hair=(10, 10, 10))
    paint = paint_body(model, body, look)
    assert (paint.surface[model.in_region("scalp"), 0] > 60).mean() > 0.9
    assert (paint.surface[model.in_region("eyes", "irises", "pupils"), 3] == 255).all()
    trunk, hand = model.part_labels == model.part("trunk"), model.part_labels == model.part("hand_l")
    assert (paint.surface[trunk, 1] > 127).mean() > 0.6
    assert (paint.surface[hand, 1] == 0).all()
    assert (paint.color[hand & model.in_region("skin"), :3] == look.skin).all(1).mean() > 0.9
    for eye, side in zip(find_eyes(model, body.vertices), (1, -1), strict=True):
        assert side * eye.center[0] > 0.02
        assert eye.gaze @ (0, -1, 0) > 0.9


def test_scanned_clothes_are_told_from_skin():
    model = load_body_model()
    body = shape_body(model, np.zeros(3))
    rng = np.random.default_rng(1)
    colors = np.tile(np.array([196, 150, 126.0]), (model.vertex_count, 1))
    trunk = np.isin(model.part_labels, [model.part(n) for n in ("trunk", "thigh_l", "thigh_r")])
    colors[trunk] = (70, 84, 130)
    colors = np.clip(colors * rng.uniform(0.6, 1.1, (len(colors), 1)) + rng.normal(0, 4, colors.shape), 0, 255)
    paint = paint_body(model, body, scanned=colors.astype(np.uint8))
    assert (paint.surface[trunk, 1] > 200).mean() > 0.98
    assert (paint.surface[~trunk, 1] < 60).mean() > 0.95
    assert not paint.surface[:, 0].any()
    assert paint.inputs["suit"] == 0.0


def test_colours_survive_the_way_to_linear_light_and_back():
    levels = np.arange(256)
    light = np.array([linear((v, v, v)) for v in levels])
    np.testing.assert_array_equal(srgb(light)[:, 0], levels)
    with pytest.raises(UsageError, match="no such fabric"):
        optics_of("felt")


@pytest.fixture(scope="module")
def scanned():
    """A body in the A-pose with a plain skin: the model, at rest, posed."""
    model = load_body_model()
    body = shape_body(model, np.zeros(3))
    vertices = skin(model, body.vertices, joint_transforms(model, body.joints, canonical_pose(model, body.joints)))
    vertices[:, 2] -= vertices[:, 2].min()
    return model, RestBody(body.vertices, body.joints), vertices


def picture_of(stage, scanned, colors, atlas):
    model, rest, vertices = scanned
    stage.set_body(model.faces, rest.vertices, paint_body(model, rest, Look(), scanned=colors, atlas=atlas))
    stage.update_body(vertices)
    stage.place_studio((0.0, 0.0))
    stage.camera.frame_body(vertices)
    return stage.render().astype(int)


@pytest.mark.parametrize("quality", [SOFTWARE, FINE], ids=["software", "fine"])
def test_an_atlas_is_lit_as_colours_of_vertices_are(context, scanned, quality):
    """Broad colours, as an atlas and as colours of vertices: the same picture. Left is left, and up is up."""
    model, rest, _ = scanned
    stage = Stage((240, 400), quality, context)

    def hue(p):
        return np.stack([140 + 200 * p[..., 0], 120 + 40 * np.sin(4 * p[..., 2]), 90 + 60 * p[..., 2]], -1)

    colors = np.clip(hue(rest.vertices), 0, 255).astype(np.uint8)
    layout = atlas_layout(model, 512)
    corners = rest.vertices[model.faces[layout.triangle]]
    b, c = layout.barycentric[..., :1], layout.barycentric[..., 1:]
    at = (1 - b - c) * corners[..., 0, :] + b * corners[..., 1, :] + c * corners[..., 2, :]
    atlas = np.clip(hue(at), 0, 255).astype(np.uint8)
    flat = atlas.reshape(-1, 3)
    flat[layout.gutter] = flat[layout.nearest]
    plain = picture_of(stage, scanned, colors, None)
    detailed = picture_of(stage, scanned, colors, atlas)
    stage.close()
    difference = np.abs(plain - detailed).max(2)
    assert (difference > 0).any()
    assert np.percentile(difference, 99) < 8
    assert difference.mean() < 0.5


def test_stripes_finer_than_triangles_are_seen(context, scanned):
    model, rest, vertices = scanned
    stage = Stage((480, 800), SOFTWARE, context)
    grey = np.full((model.vertex_count, 3), 128, np.uint8)
    layout = atlas_layout(model, 1024)
    corners = rest.vertices[model.faces[layout.triangle]]
    b, c = layout.barycentric[..., 0], layout.barycentric[..., 1]
    height = (1 - b - c) * corners[..., 0, 2] + b * corners[..., 1, 2] + c * corners[..., 2, 2]
    atlas = np.where(np.sin(2 * np.pi * height / 0.02) > 0, 200, 56)[..., None].repeat(3, 2).astype(np.uint8)
    striped = picture_of(stage, scanned, grey, atlas)
    plain = picture_of(stage, scanned, grey, None)
    intrinsics, T_wc = stage.camera.intrinsics, stage.camera.T_wc
    trunk = vertices[model.landmarks["navel"]]
    local = (trunk - T_wc[:3, 3]) @ T_wc[:3, :3]
    row, column = (round(f * x / local[2] + o) for f, x, o in (
        (intrinsics.fy, local[1], intrinsics.cy), (intrinsics.fx, local[0], intrinsics.cx)))  # fmt: skip
    band = np.s_[row - 30 : row + 30, column]
    stage.close()
    assert striped[band].std() > 30
    assert plain[band].std() < 10


def test_no_atlas_is_left_when_the_body_goes(context, scanned):
    model, _, _ = scanned
    stage = Stage(SIZE, SOFTWARE, context)
    colors = np.full((model.vertex_count, 3), 128, np.uint8)
    picture_of(stage, scanned, colors, None)
    before = context.object_counts["textures"]
    picture_of(stage, scanned, colors, np.full((64, 64, 3), 130, np.uint8))
    assert context.object_counts["textures"] == before + 1
    texture = stage._picture.texture
    stage.clear()
    context.engine.render_frame()
    assert not texture.has_ram_image()
    assert context.object_counts["textures"] == before
    stage.close()


def test_a_coarse_body_is_not_torn_where_its_picture_is_cut(scanned):
    model, rest, _ = scanned
    source, uv_index, faces = split_at_seams(model.faces, model.uv_faces)
    place = texture_coordinates(model)[uv_index]
    coarse = coarse_body(rest.vertices, faces, place, source)
    assert len(coarse) < 1.01 * len(coarse_body(rest.vertices, model.faces))
    # No triangle reaches from one side of a cut to the other.
    span = np.ptp(place[coarse], axis=1).max(1)
    assert span.max() <= np.ptp(place[faces], axis=1).max() + 0.02

    def open_edges(triangles):
        edges = np.sort(source[triangles][:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        return np.count_nonzero(np.unique(edges, axis=0, return_counts=True)[1] == 1)

    # Holes only where the body has some, and where thinning pinches.
    assert open_edges(coarse) <= open_edges(coarse_body(rest.vertices, model.faces)) + 20


def test_eyes_take_the_colour_of_the_irises_that_were_seen(scanned):
    model, rest, _ = scanned
    colors = np.full((model.vertex_count, 3), (170, 130, 110), np.uint8)
    atlas = np.full((256, 256, 3), (170, 130, 110), np.uint8)
    uv = texture_coordinates(model)[np.unique(model.uv_faces[model.in_region("irises", "pupils")[model.faces]])]
    column, row = (uv * 256).astype(int).T
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            atlas[row + b, column + a] = (30, 60, 120)
    seen = paint_body(model, rest, scanned=colors, atlas=atlas)
    assert np.abs(np.array(seen.look.iris) - (30, 60, 120)).max() <= 2
    assert seen.look.sclera == Look().sclera
    dim = paint_body(model, rest, scanned=colors // 2, atlas=atlas // 2)
    assert np.mean(dim.look.sclera) < 0.7 * np.mean(Look().sclera)
    assert paint_body(model, rest, scanned=colors).look == Look()


def test_a_real_body_is_lit(stage):
    """A person of the model: face lit from the camera's left, no pixel broken, suit and skin where they belong."""
    model = load_body_model()
    body = shape_body(model, np.zeros(3))
    transforms = joint_transforms(model, body.joints, canonical_pose(model, body.joints))
    vertices = skin(model, body.vertices, transforms)
    vertices[:, 2] -= vertices[:, 2].min()
    stage.set_body(model.faces, body.vertices, paint_body(model, RestBody(body.vertices, body.joints)))
    stage.update_body(vertices)
    stage.place_studio((0.0, 0.0))
    stage.camera.frame_body(vertices)
    picture = stage.render().astype(int)

    def at(name):
        x, y, _ = stage.camera.project(vertices[[model.landmarks[name]]])[0]
        return picture[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2].mean((0, 1))

    forearm, navel = at("wrist_ulnar_l"), at("navel")
    assert forearm[0] > forearm[2] + 15
    assert abs(navel[0] - navel[2]) < 25
    thigh_right, thigh_left = at("kneecap_r"), at("kneecap_l")
    assert thigh_right.sum() > thigh_left.sum()
