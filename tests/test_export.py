"""Files that leave the mirror: PLY, GLB, film, report."""

import hashlib
import json
from functools import cache
from io import BytesIO
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pygltflib
import pytest
import trimesh

from game.appearance import Look, paint_body
from game.assets import ASSETS, load_body_model
from game.export import lettering
from game.export.film import Film
from game.export.glb import Garment, write_body_glb, write_outfit_glb
from game.export.gltf import GLTF_FROM_BODY
from game.export.lettering import break_lines, text_width, write
from game.export.ply import write_ply
from game.export.report import GROUPS, TAPE, View, compose_report, write_report
from game.export.texture import bake_texture
from game.materials import Print, PrintKind
from solver.atlas.layout import atlas_layout, texture_coordinates
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.errors import InputError, UsageError
from solver.types import Intrinsics

MODEL = load_body_model()
BODY = shape_body(MODEL, np.array([0.8, -0.5, 0.3, 0.6]))
DTYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def accessor(gltf, index):
    entry = gltf.accessors[index]
    view = gltf.bufferViews[entry.bufferView]
    data = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    values = np.frombuffer(data, DTYPES[entry.componentType]).reshape(entry.count, -1)
    assert values.shape[1] == WIDTHS[entry.type]
    assert view.byteOffset % 4 == 0
    return values


def image(gltf, index):
    view = gltf.bufferViews[gltf.images[index].bufferView]
    data = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def global_matrices(gltf):
    """World matrices of all nodes by glTF's own rules: parent times translation times rotation."""
    matrices = {}

    def walk(node, parent):
        entry = gltf.nodes[node]
        local = np.eye(4)
        if entry.rotation is not None:
            x, y, z, w = entry.rotation
            local[:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        if entry.translation is not None:
            local[:3, 3] = entry.translation
        matrices[node] = parent @ local
        for child in entry.children or []:
            walk(child, matrices[node])

    for root in gltf.scenes[0].nodes:
        walk(root, np.eye(4))
    return matrices


@pytest.fixture(scope="module")
def body_glb(tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "body.glb"
    write_body_glb(path, MODEL, BODY, paint_body(MODEL, BODY), texture_size=256)
    return path, pygltflib.GLTF2().load(str(path))


def test_ply_comes_back(tmp_path):
    path = tmp_path / "out" / "body.ply"
    colors = np.random.default_rng(0).integers(0, 256, (MODEL.vertex_count, 3), np.uint8)
    normals = np.tile(np.array([0, 0, 1], np.float32), (MODEL.vertex_count, 1))
    write_ply(path, BODY.vertices, MODEL.faces, colors, normals)
    mesh = trimesh.load(path, process=False)
    np.testing.assert_array_equal(np.asarray(mesh.vertices, np.float32), BODY.vertices)
    np.testing.assert_array_equal(mesh.faces, MODEL.faces)
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], colors)
    assert [p.name for p in path.parent.iterdir()] == ["body.ply"]
    assert b"format binary_little_endian 1.0" in path.read_bytes()[:200]


def test_ply_with_too_few_colours_is_refused(tmp_path):
    with pytest.raises(UsageError, match="one row per vertex"):
        write_ply(tmp_path / "body.ply", BODY.vertices, MODEL.faces, np.zeros((3, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_ply(tmp_path / "file" / "body.ply", BODY.vertices, MODEL.faces)


def test_body_glb_declares_what_it_holds(body_glb):
    path, gltf = body_glb
    assert len(path.read_bytes()) == int.from_bytes(path.read_bytes()[8:12], "little")
    (mesh,) = gltf.meshes
    attributes = mesh.primitives[0].attributes
    positions = accessor(gltf, attributes.POSITION)
    declared = gltf.accessors[attributes.POSITION]
    np.testing.assert_array_equal(declared.min, positions.min(0).tolist())
    np.testing.assert_array_equal(declared.max, positions.max(0).tolist())
    indices = accessor(gltf, mesh.primitives[0].indices).reshape(-1, 3)
    assert len(indices) == len(MODEL.faces)
    assert indices.max() == len(positions) - 1
    np.testing.assert_allclose(np.linalg.norm(accessor(gltf, attributes.NORMAL), axis=1), 1, atol=1e-5)
    (rig,) = gltf.skins
    assert [gltf.nodes[j].name for j in rig.joints] == list(MODEL.joint_names)
    weights, joints = accessor(gltf, attributes.WEIGHTS_0), accessor(gltf, attributes.JOINTS_0)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert joints.max() < MODEL.joint_count
    assert (joints[weights == 0] == 0).all()


def test_body_glb_posed_by_gltf_rules_is_our_posed_body(body_glb):
    _, gltf = body_glb
    attributes = gltf.meshes[0].primitives[0].attributes
    positions = accessor(gltf, attributes.POSITION).astype(np.float64)
    joints, weights = accessor(gltf, attributes.JOINTS_0), accessor(gltf, attributes.WEIGHTS_0)
    matrices = global_matrices(gltf)
    inverse_bind = accessor(gltf, gltf.skins[0].inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    moves = np.array([matrices[node] @ bind for node, bind in zip(gltf.skins[0].joints, inverse_bind, strict=True)])
    homogeneous = np.column_stack((positions, np.ones(len(positions))))
    posed = np.einsum("vk,vkij,vj->vi", weights, moves[joints], homogeneous)[:, :3]

    ours = skin(MODEL, BODY.vertices, joint_transforms(MODEL, BODY.joints, canonical_pose(MODEL, BODY.joints)))
    # The same triangles in the same order: compare corner by corner, so that no vertex order is assumed.
    corners = accessor(gltf, gltf.meshes[0].primitives[0].indices).reshape(-1, 3)
    np.testing.assert_allclose(posed[corners], (ours @ GLTF_FROM_BODY.T)[MODEL.faces], atol=2e-5)


def test_body_glb_stands_upright_and_looks_ahead(body_glb):
    path, _ = body_glb
    scene = trimesh.load(path)
    mesh = next(iter(scene.geometry.values()))
    assert mesh.extents.argmax() == 1 or mesh.extents[1] > 1.4
    nose, occiput = (BODY.vertices[MODEL.landmarks[name]] @ GLTF_FROM_BODY.T for name in ("nose_tip", "occiput"))
    assert nose[2] > occiput[2] + 0.15
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=True, merge_tex=True, merge_norm=True).volume > 0.03


def test_texture_holds_the_scanned_colours():
    rng = np.random.default_rng(2)
    smooth = 128 + 90 * np.sin(BODY.vertices @ rng.normal(0, 3, (3, 3)))
    paint = paint_body(MODEL, BODY, scanned=smooth.astype(np.uint8))
    size = 512
    picture = bake_texture(MODEL, BODY.vertices, paint, size)
    uv = texture_coordinates(MODEL)
    position = np.zeros(len(uv), int)
    position[MODEL.uv_faces.ravel()] = MODEL.faces.ravel()
    eyes = MODEL.in_region("eyes", "irises", "pupils")[position]
    texels = np.clip((uv * size).astype(int), 0, size - 1)
    compared = np.setdiff1d(MODEL.uv_faces, np.flatnonzero(eyes))
    error = np.abs(picture[texels[:, 1], texels[:, 0]].astype(int) - smooth[position])[compared]
    assert np.median(error) < 3
    assert np.percentile(error, 95) < 16


def test_texture_of_a_scan_with_an_atlas_is_that_atlas():
    rng = np.random.default_rng(3)
    atlas = cv2.resize(rng.integers(40, 200, (40, 40, 3), np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
    paint = paint_body(MODEL, BODY, scanned=np.full((MODEL.vertex_count, 3), 128, np.uint8), atlas=atlas)
    same_size = bake_texture(MODEL, BODY.vertices, paint, 256)
    eyes = MODEL.in_region("eyes", "irises", "pupils")[MODEL.faces].all(1)
    layout = atlas_layout(MODEL, 256)
    skin = (layout.triangle >= 0) & ~eyes[layout.triangle]
    np.testing.assert_array_equal(same_size[skin], atlas[skin])
    # Eyes are drawn: a pupil, a white.
    drawn = same_size[(layout.triangle >= 0) & eyes[layout.triangle]].mean(1)
    assert drawn.min() < 30 < 120 < drawn.max()
    larger = bake_texture(MODEL, BODY.vertices, paint, 512)
    assert np.abs(cv2.resize(larger, (256, 256), interpolation=cv2.INTER_AREA).astype(int) - atlas)[skin].mean() < 8


def test_texture_has_eyes_and_no_holes():
    look = Look(iris=(40, 90, 200))
    picture = bake_texture(MODEL, BODY.vertices, paint_body(MODEL, BODY, look), 1024)
    assert (picture.astype(int).sum(2) > 0).all()
    blue = (picture[..., 2].astype(int) - picture[..., 0] > 50).sum()
    assert blue > 60


def test_texture_coordinates_do_not_overlap():
    size = 1024
    drawn = np.zeros((size, size), np.int32)
    for triangle in texture_coordinates(MODEL)[MODEL.uv_faces] * size:
        low, high = np.floor(triangle.min(0)).astype(int), np.ceil(triangle.max(0)).astype(int) + 1
        window = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillConvexPoly(window, np.round((triangle - low) * 256 - 128).astype(np.int32), 1, cv2.LINE_8, 8)
        drawn[low[1] : high[1], low[0] : high[0]] += window
    # Neighbours share the texels of their common edge; islands on top of each other would add up to whole areas.
    kernel = np.ones((9, 9), np.uint8)
    assert not cv2.erode((drawn > 3).astype(np.uint8), kernel).any()


def test_outfit_glb_has_a_node_for_each_garment_and_the_body(tmp_path):
    path = tmp_path / "outfit.glb"
    cylinder = trimesh.creation.cylinder(0.3, 0.6, sections=24)
    uv = cylinder.vertices[:, ::2].astype(np.float32)
    faces = cylinder.faces.astype(np.int32)
    striped = Print(PrintKind.STRIPES, pitch=0.05)
    shirt = Garment("shirt", cylinder.vertices.astype(np.float32), faces, uv, faces, "heather", striped)
    write_outfit_glb(path, [shirt], MODEL, BODY.vertices, BODY, paint_body(MODEL, BODY))
    gltf = pygltflib.GLTF2().load(str(path))
    assert [node.name for node in gltf.nodes] == ["shirt", "body"]
    material = gltf.materials[gltf.meshes[0].primitives[0].material]
    assert material.doubleSided
    assert "KHR_materials_sheen" in gltf.extensionsUsed
    repeats = accessor(gltf, gltf.meshes[0].primitives[0].attributes.TEXCOORD_0)
    np.testing.assert_allclose(np.ptp(repeats, axis=0), np.ptp(uv, axis=0) / 0.05, rtol=1e-5)
    assert len(np.unique(image(gltf, 0).reshape(-1, 3), axis=0)) > 1
    scene = trimesh.load(path)
    assert len(scene.geometry) == 2
    np.testing.assert_allclose(
        scene.geometry["shirt"].bounds, np.sort(cylinder.bounds @ GLTF_FROM_BODY.T, axis=0), atol=1e-6
    )
    write_outfit_glb(tmp_path / "alone.glb", [shirt])
    assert [node.name for node in pygltflib.GLTF2().load(str(tmp_path / "alone.glb")).nodes] == ["shirt"]


def test_film_plays_back(tmp_path):
    pictures = [np.full((50, 41, 3), (40 * i, 120, 200 - 30 * i), np.uint8) for i in range(6)]
    with Film(tmp_path / "visit.mp4", (41, 50), fps=25) as film:
        for picture in pictures:
            film.add(picture)
    assert [p.name for p in tmp_path.iterdir()] == ["visit.mp4"]
    content = (tmp_path / "visit.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(BytesIO(content)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (40, 50, 25)
        frames = [
            frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray() for frame in container.decode(stream)
        ]
    assert len(frames) == 6
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.abs(frame.astype(int) - picture[:, :40]).max() < 8


def test_a_film_that_fails_leaves_nothing(tmp_path):
    def fail():
        with Film(tmp_path / "visit.mp4", (32, 32)) as film:
            film.add(np.zeros((32, 32, 3), np.uint8))
            raise RuntimeError("the scene broke")

    with pytest.raises(RuntimeError, match="the scene broke"):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_film_nowhere_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), Film(tmp_path / "file" / "visit.mp4", (32, 32)):
        pass


def ball_views(size=(300, 500)):
    """A ball half a metre wide seen from the front, its left and its back, with plain pictures."""
    ball = trimesh.creation.icosphere(3, 0.5)
    ball.apply_translation((0, 0, 1.0))
    intrinsics = Intrinsics(*size, 700.0, 700.0, (size[0] - 1) / 2, (size[1] - 1) / 2)
    views = []
    for title, azimuth in (("Front", 0.0), ("Side", np.pi / 2), ("Back", np.pi)):
        T_wc = np.eye(4)
        away = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        T_wc[:3, 0], T_wc[:3, 1], T_wc[:3, 2] = (-away[1], away[0], 0.0), (0.0, 0.0, -1.0), -away
        T_wc[:3, 3] = 4.0 * away + (0.0, 0.0, 1.0)
        views.append(View(title, np.full((size[1], size[0], 3), 120, np.uint8), intrinsics, T_wc))
    return views, ball.vertices.astype(np.float32), ball.faces.astype(np.int32)


def ring(z=1.0, radius=0.5, arc=(0.0, 2 * np.pi)):
    angle = np.linspace(*arc, 200)
    return np.stack((radius * np.sin(angle), -radius * np.cos(angle), np.full(200, z)), 1)


def tape_pixels(page):
    return (np.abs(page.astype(int) - TAPE).sum(2) < 24).sum()


def test_tapes_show_where_the_camera_sees_them():
    views, vertices, faces = ball_views()
    counts = {}
    for name, arc in (("whole", (0, 2 * np.pi)), ("front", (-1.2, 1.2)), ("none", None)):
        paths = () if arc is None else (ring(1.0, 0.502, arc),)
        measures = {"waist_girth": SimpleNamespace(value_mm=3140.0, std_mm=4.0, paths=paths)}
        page = compose_report(views, vertices, faces, measures, {}, None, ())
        panels = np.array_split(page[:, 150:1700], [560, 1000], axis=1)
        counts[name] = [tape_pixels(panel) for panel in panels]
    assert counts["none"] == [0, 0, 0]
    assert min(counts["whole"]) > 200
    assert counts["front"][0] > 200
    assert counts["front"][2] == 0
    assert 0 < counts["front"][1] < 0.8 * counts["whole"][1]


def test_unseen_surface_is_hatched_and_said():
    views, vertices, faces = ball_views()
    seen = np.ones(len(vertices), np.float32)
    half = np.where(vertices[:, 0] > 0, 1.0, 0.0).astype(np.float32)
    whole = compose_report(views, vertices, faces, {}, {}, seen, ())
    hatched = compose_report(views, vertices, faces, {}, {}, half, ())
    front = slice(150, 150 + 500)
    changed = (np.abs(whole.astype(int) - hatched).sum(2) > 10)[250:1380, front]
    columns = np.flatnonzero(changed.any(0))
    assert changed.sum() > 5000
    # Front view: the wearer's right, which nobody saw, is on the picture's left.
    assert columns.max() < 150 + np.ptp(columns) + 140
    assert columns.mean() < 250


def test_report_is_written_whole(tmp_path):
    views, vertices, faces = ball_views()
    measures = {
        "height": SimpleNamespace(value_mm=1500.0, std_mm=2.0, paths=()),
        "chest_girth": SimpleNamespace(value_mm=3141.0, std_mm=5.0, paths=(ring(),)),
    }
    path = tmp_path / "report.png"
    write_report(path, views, vertices, faces, measures, {"knee_girth": "hardly seen"}, None, ["A ball."])
    assert cv2.imread(str(path)).shape == (1500, 2480, 3)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_report(tmp_path / "file" / "report.png", views, vertices, faces, measures)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "report.png"]


def test_report_says_all_that_is_missing():
    """However long the list is, it ends, stays on the page, and grows with what is missing."""
    views, vertices, faces = ball_views()
    keys = [key for _, pairs in GROUPS for key, _ in pairs]
    ink = []
    for count in (0, 1, len(keys) // 2, len(keys)):
        page = compose_report(views, vertices, faces, {}, dict.fromkeys(keys[:count], "hardly seen"), None, ())
        column = page[250:1380, 1774:]
        assert not (column[:, -96:] != column[0, -1]).any()
        ink.append(int((column != column[0, -1]).any(2).sum()))
    assert ink[0] == 0
    assert ink == sorted(set(ink))


SENTENCE = "arms a little away from the body, then turn once on the spot, slowly, until the ring is full"


@cache
def shortest_longest_line(words, count):
    """Width of the widest line of `words` in `count` lines, at best: every way is tried."""
    if count == 1:
        return text_width(" ".join(words), 30)
    return min(
        max(text_width(" ".join(words[:n]), 30), shortest_longest_line(words[n:], count - 1))
        for n in range(1, len(words) - count + 2)
    )


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("width", [150, 300, 500, 5000])
def test_lines_are_broken_without_loss(width, even):
    lines = break_lines(SENTENCE, width, 30, even)
    assert " ".join(lines) == SENTENCE
    assert max(text_width(line, 30) for line in lines) <= width
    assert len(lines) == len(break_lines(SENTENCE, width, 30))
    if even:
        longest = max(text_width(line, 30) for line in lines)
        assert longest <= shortest_longest_line(tuple(SENTENCE.split()), len(lines)) + width / 32


def test_words_longer_than_the_line_and_none_at_all():
    assert break_lines("a incomprehensibilities b", 100, 30) == ["a", "incomprehensibilities", "b"]
    assert break_lines("a incomprehensibilities b", 100, 30, even=True) == ["a", "incomprehensibilities", "b"]
    assert break_lines("  ", 100, 30, even=True) == []


@pytest.mark.parametrize(("align", "low", "high"), [("left", 200, 330), ("center", 130, 270), ("right", 70, 201)])
def test_lines_of_text_are_placed(align, low, high):
    picture = np.full((60, 400, 3), 255, np.uint8)
    width = write(picture, "Hip 98.4", (200, 40), 30, (0, 0, 0), "Bold", align)
    columns = np.flatnonzero((picture < 128).any((0, 2)))
    assert width == text_width("Hip 98.4", 30, "Bold")
    assert low <= columns.min()
    assert columns.max() <= high
    assert abs(np.ptp(columns) - width) < 8


def test_plus_minus_is_in_the_typeface():
    """A missing glyph is drawn as a question mark."""
    pictures = []
    for text in ("±", "?"):
        pictures.append(np.full((60, 60, 3), 255, np.uint8))
        write(pictures[-1], text, (10, 45), 40, (0, 0, 0))
    assert (pictures[0] != pictures[1]).any()


def test_a_missing_typeface_names_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(lettering, "ASSETS", tmp_path)
    lettering.face.cache_clear()
    with pytest.raises(InputError, match=r"Lato-Light\.ttf.*reinstall"):
        lettering.face("Light")


def test_fonts_are_the_ones_of_record():
    record = json.loads((ASSETS / "fonts" / "provenance.json").read_text())
    assert record["license"] == "OFL-1.1"
    for name, digest in record["sha256"].items():
        assert hashlib.sha256((ASSETS / "fonts" / name).read_bytes()).hexdigest() == digest
    assert "SIL OPEN FONT LICENSE" in (ASSETS / "fonts" / "OFL.txt").read_text()
