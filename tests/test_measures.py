"""Measures against shapes of known girth, against slow twins, and against an independent computation on bodies."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from shapes import sphere, tube

from game.assets import load_body_model
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.errors import InputError
from solver.kernels.convex_hull import measure_tapes, wrap_points
from solver.kernels.random_waves import sum_waves
from solver.kernels.slice_mesh import count_cuts, cut_triangles, place_along
from solver.kernels.surface_moments import sum_surface
from solver.measures import DEFINITIONS, SurfaceError, estimate_joints, measure_body
from solver.measures.body import topology_of
from solver.measures.figure import LevelNotFoundError, Profile, taut_path
from solver.measures.uncertainty import _wavy_field, disturb
from solver.thread_limit import thread_limit
from tests.naive import convex_hull as naive_hull
from tests.naive import slice_mesh as naive_slice
from tests.naive import surface_moments as naive_moments

STABLE = (
    *("chest_girth", "waist_girth", "hip_girth", "thigh_girth", "upper_arm_girth", "wrist_girth", "calf_girth"),
    *("crotch_height", "chest_height", "neck_height", "shoulder_width", "shoulder_length", "arm_length"),
)
ANSUR = Path(__file__).resolve().parents[2] / "shared" / "data" / "anthropometry"


def cut(vertices, faces, planes, part=None, normal=(0.0, 0.0, 1.0)):
    coordinates = np.ascontiguousarray(vertices @ np.asarray(normal))
    part = np.arange(len(faces), dtype=np.int32) if part is None else part
    counts = np.empty(len(planes), np.int32)
    step = planes[1] - planes[0] if len(planes) > 1 else 1.0
    count_cuts(coordinates, faces, part, planes[0], step, counts)
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    segments = np.empty((starts[-1], 2, 3))
    cut_triangles(coordinates, vertices, faces, part, planes[0], step, starts, segments)
    return starts, segments


def girths(vertices, faces, planes):
    starts, segments = cut(vertices, faces, planes)
    lengths = np.empty(len(planes))
    measure_tapes(np.ascontiguousarray(segments.reshape(-1, 3)[:, :2]), 2 * starts, lengths)
    return lengths


def ellipse_perimeter(a, b):
    angle = np.linspace(0.0, 2.0 * np.pi, 20_001)
    return np.hypot(np.diff(a * np.cos(angle)), np.diff(b * np.sin(angle))).sum()


@pytest.fixture(scope="module")
def model():
    return load_body_model()


def canonical(model, coefficients):
    rest = shape_body(model, coefficients)
    transforms = joint_transforms(model, rest.joints, canonical_pose(model, rest.joints))
    vertices = skin(model, rest.vertices, transforms).astype(np.float64)
    joints = np.einsum("jab,jb->ja", transforms[:, :3, :3], rest.joints) + transforms[:, :3, 3]
    floor = np.array([0.0, 0.0, vertices[:, 2].min()])
    return vertices - floor, joints - floor


def random_body(model, seed):
    return canonical(model, np.random.default_rng(seed).normal(size=model.shape_count))


class TestKernels:
    def test_slices_like_the_twin(self):
        rng = np.random.default_rng(0)
        vertices = rng.normal(size=(60, 3))
        faces = rng.integers(0, 60, (80, 3)).astype(np.int32)
        part = rng.permutation(80)[:50].astype(np.int32)
        # Vertices exactly on planes are where such code breaks.
        vertices[:20, 2] = np.round(vertices[:20, 2], 1)
        planes = np.arange(-15, 16) * 0.1
        starts, segments = cut(vertices, faces, planes, part)
        expected = naive_slice.slice_mesh(
            vertices[:, 2], vertices, faces, part, planes[0] + np.arange(31) * (planes[1] - planes[0])
        )
        for level, contour in enumerate(expected):
            assert starts[level + 1] - starts[level] == len(contour)
            for mine, theirs in zip(segments[starts[level] : starts[level + 1]], contour, strict=True):
                np.testing.assert_allclose(mine, theirs, atol=1e-12)

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000), st.integers(3, 40))
    def test_tapes_like_the_twin(self, seed, count):
        points = np.random.default_rng(seed).normal(size=(count, 2))
        lengths = np.empty(1)
        measure_tapes(points, np.array([0, count]), lengths)
        assert lengths[0] == pytest.approx(naive_hull.tape_length(points), rel=1e-12)

    def test_hull_like_scipy_with_points_on_lines(self):
        lattice = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), -1).reshape(-1, 2)
        hull = np.empty(21, np.int64)
        assert wrap_points(lattice, hull) == 4
        lengths = np.empty(1)
        measure_tapes(lattice, np.array([0, 20]), lengths)
        assert lengths[0] == pytest.approx(ConvexHull(lattice).area)

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_tapes_of_next_to_nothing(self, count):
        points = np.array([[0.0, 0.0], [3.0, 4.0]])[:count]
        lengths = np.full(1, np.nan)
        measure_tapes(np.ascontiguousarray(points), np.array([0, count]), lengths)
        assert lengths[0] == (10.0 if count == 2 else 0.0)

    def test_moments_like_the_twin_and_the_sphere(self):
        vertices, faces = sphere(0.3, (0.1, -0.2, 1.0))
        part = np.arange(len(faces), dtype=np.int32)
        assert sum_surface(vertices, faces, part) == pytest.approx(naive_moments.sum_surface(vertices, faces, part))
        volume, area = sum_surface(vertices, faces, part)
        assert volume == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.01)
        assert area == pytest.approx(4 * np.pi * 0.3**2, rel=0.01)


class TestKnownGirths:
    def test_cylinder(self):
        vertices, faces = tube([0.15] * 5, np.linspace(0.0, 1.0, 5), segments=360)
        np.testing.assert_allclose(girths(vertices, faces, np.arange(0.1, 0.95, 0.1)), 2 * np.pi * 0.15, rtol=1e-4)

    def test_ellipsoid_trunk(self):
        vertices, faces = tube([0.18] * 3, [0.0, 0.5, 1.0], segments=360, depth=0.6)
        np.testing.assert_allclose(girths(vertices, faces, np.array([0.3])), ellipse_perimeter(0.18, 0.108), rtol=1e-4)

    def test_cone(self):
        heights = np.linspace(0.0, 1.0, 11)
        vertices, faces = tube(0.2 - 0.1 * heights, heights, segments=360)
        planes = np.arange(0.05, 0.95, 0.09)
        np.testing.assert_allclose(girths(vertices, faces, planes), 2 * np.pi * (0.2 - 0.1 * planes), rtol=1e-4)

    def test_tape_spans_a_hollow(self):
        around = np.linspace(0.0, 2 * np.pi, 400, endpoint=False)
        radius = 0.2 - 0.05 * np.exp(-np.square((around - np.pi) / 0.4))
        points = np.stack([radius * np.cos(around), radius * np.sin(around)], 1)
        lengths = np.empty(1)
        measure_tapes(points, np.array([0, 400]), lengths)
        contour = np.linalg.norm(points - np.roll(points, 1, 0), axis=1).sum()
        assert lengths[0] < contour - 0.002
        assert lengths[0] == pytest.approx(ConvexHull(points).area)

    def test_profile_finds_the_waist_between_planes(self):
        places = np.arange(0.0, 0.2, 0.004)
        assert Profile(places, np.square(places - 0.0937)).minimum() == pytest.approx(0.0937, abs=1e-4)
        assert Profile(places, -np.square(places - 0.0937)).maximum() == pytest.approx(0.0937, abs=1e-4)
        assert Profile(places, places).minimum() == 0.0

    def test_taut_path_lies_on_bulges_and_spans_hollows(self):
        x = np.linspace(0.0, np.pi, 2000)
        over = np.stack([x, 0 * x, np.sin(x)], 1)
        start, end = over[0], over[-1]
        bulge = taut_path(over, start, end, np.array([0.0, 0.0, 1.0]))
        assert np.linalg.norm(np.diff(bulge, axis=0), axis=1).sum() == pytest.approx(3.8202, abs=1e-3)
        np.testing.assert_allclose(bulge[[0, -1]], [start, end])
        hollow = taut_path(over * (1.0, 1.0, -1.0), start, end, np.array([0.0, 0.0, 1.0]))
        np.testing.assert_allclose(hollow, [start, end])


def slow_girth(model, vertices, parts, z, keep=None):
    """By another way: all edges of the parts' triangles that cross the level, scipy's hull."""
    labels = model.part_labels[model.faces]
    points = []
    for face, own in zip(model.faces, labels, strict=True):
        name = model.part_names[own[1] if own[1] == own[2] else own[0]]
        if name not in parts:
            continue
        for a, b in ((face[0], face[1]), (face[1], face[2]), (face[2], face[0])):
            za, zb = vertices[a, 2], vertices[b, 2]
            if min(za, zb) < z <= max(za, zb):
                points.append(vertices[a] + (z - za) / (zb - za) * (vertices[b] - vertices[a]))
    points = np.array(points)
    if keep is not None:
        points = points[keep(points)]
    return 1e3 * ConvexHull(points[:, :2]).area


class TestBodies:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_girths_agree_with_an_independent_computation(self, model, seed):
        vertices, joints = random_body(model, seed)
        measures = measure_body(model, vertices, joints, sample_count=0)
        seat = ("trunk", "thigh_l", "thigh_r")
        for key, parts in {"chest_girth": ("trunk",), "waist_girth": ("trunk",), "hip_girth": seat}.items():
            level = measures[key].level_mm / 1e3
            assert measures[key].value_mm == pytest.approx(slow_girth(model, vertices, parts, level), abs=1.5), key
        crotch = measures["crotch_height"].value_mm / 1e3
        thighs = [
            slow_girth(model, vertices, seat, crotch - 0.03, lambda p, sign=sign: sign * p[:, 0] > 0.0)
            for sign in (1, -1)
        ]
        assert measures["thigh_girth"].value_mm == pytest.approx(np.mean(thighs), abs=1.5)
        assert measures["height"].value_mm == pytest.approx(1e3 * vertices[:, 2].max(), abs=1e-6)

    def test_waist_is_the_smallest_and_hip_the_largest_about_their_levels(self, model):
        vertices, joints = random_body(model, 7)
        measures = measure_body(model, vertices, joints, sample_count=0)
        crotch, neck = measures["crotch_height"].value_mm / 1e3, measures["neck_height"].value_mm / 1e3
        crest, rib = crotch + 0.32 * (neck - crotch), crotch + 0.44 * (neck - crotch)
        waists = [slow_girth(model, vertices, ("trunk",), z) for z in np.linspace(crest, rib, 7)]
        assert measures["waist_girth"].value_mm < min(waists) + 1.0
        seat = ("trunk", "thigh_l", "thigh_r")
        prominence = np.mean([vertices[model.landmarks[f"buttock_prominence_{side}"], 2] for side in "lr"])
        assert measures["hip_girth"].value_mm > slow_girth(model, vertices, seat, prominence) - 1.0
        assert abs(measures["hip_height"].value_mm / 1e3 - prominence) < 0.08

    def test_levels_are_in_the_order_of_a_body(self, model):
        for seed in range(4):
            m = measure_body(model, *random_body(model, seed), sample_count=0)
            heights = [m[f"{name}_height"].value_mm for name in ("knee", "crotch", "hip", "waist", "chest", "neck")]
            assert heights == sorted(heights), seed
            assert not m.missing
            assert set(m) == set(DEFINITIONS)

    def test_grows_with_the_body(self, model):
        vertices, joints = random_body(model, 3)
        small = measure_body(model, vertices, joints, sample_count=0)
        large = measure_body(model, 1.03 * vertices, 1.03 * joints, sample_count=0)
        for key in ("height", "chest_girth", "waist_girth", "wrist_girth", "arm_length", "crotch_height"):
            assert large[key].value_mm == pytest.approx(1.03 * small[key].value_mm, rel=0.004), key
        assert large["volume_l"].value_mm == pytest.approx(1.03**3 * small["volume_l"].value_mm, rel=1e-6)

    def test_a_turned_or_moved_body_has_the_same_girths(self, model):
        vertices, joints = random_body(model, 5)
        shift = np.array([0.3, -0.2, 0.0])
        here = measure_body(model, vertices, joints, sample_count=0)
        there = measure_body(model, vertices + shift, joints + shift, sample_count=0)
        for key in DEFINITIONS:
            assert there[key].value_mm == pytest.approx(here[key].value_mm, abs=0.05), key

    @pytest.mark.parametrize(("wave_m", "limit"), [(0.04, 4.5), (None, 3.5)])
    def test_noise_of_a_millimetre_moves_values_little(self, model, wave_m, limit):
        """Root mean square change. Waves of 40 mm leave some ten independent patches around a trunk, so that 1 mm makes
        2 pi / sqrt(10) = 2 mm and more of girth whatever one does; noise of single vertices also pushes the tape out.
        """
        topology = topology_of(model)
        errors = {key: [] for key in STABLE}
        for seed in range(3):
            vertices, joints = random_body(model, seed)
            rng = np.random.default_rng(100 + seed)
            exact = measure_body(model, vertices, joints, sample_count=0)
            for _ in range(3):
                if wave_m is None:
                    shaken = vertices + rng.normal(0.0, 0.001, vertices.shape)
                else:
                    error = SurfaceError(noise_m=0.001, wave_m=wave_m, landmark_m=0.0)
                    shaken = disturb(topology, vertices, joints, None, error, rng).vertices
                noisy = measure_body(model, shaken, joints, sample_count=0)
                for key, found in errors.items():
                    found.append(noisy[key].value_mm - exact[key].value_mm)
        for key, found in errors.items():
            assert np.sqrt(np.mean(np.square(found))) < limit, key

    def test_claimed_error_grows_with_the_surface_error(self, model):
        vertices, joints = random_body(model, 2)
        fine = measure_body(model, vertices, joints, error=SurfaceError(noise_m=0.0005))
        coarse = measure_body(model, vertices, joints, error=SurfaceError(noise_m=0.004, offset_m=0.002))
        for key in ("chest_girth", "waist_girth", "hip_girth", "wrist_girth", "volume_l"):
            assert coarse[key].std_mm > 2.0 * fine[key].std_mm, key
        # A surface 2 mm too far out makes a tape 4 pi mm too long.
        only_offset = SurfaceError(noise_m=0.0, offset_m=0.002, landmark_m=0.0)
        waist = measure_body(model, vertices, joints, error=only_offset, sample_count=30)["waist_girth"]
        assert waist.std_mm == pytest.approx(4.0 * np.pi, rel=0.4)

    def test_what_was_not_seen_is_missing_with_its_reason(self, model):
        vertices, joints = random_body(model, 2)
        coverage = np.ones(model.vertex_count)
        legs = [model.part(name) for name in model.part_names if name.startswith(("calf", "foot", "thigh"))]
        coverage[np.isin(model.part_labels, legs)] = 0.0
        measures = measure_body(model, vertices, joints, coverage, sample_count=4)
        assert {"height", "calf_girth", "thigh_girth", "waist_height"} <= set(measures.missing)
        assert {"chest_girth", "waist_girth", "shoulder_width"} <= set(measures)
        assert "calf" in measures.missing["calf_girth"]

    def test_what_is_hardly_known_is_no_measure(self, model):
        """The surface may be off by 12 mm: that is much of a wrist, and little of a chest."""
        vertices, joints = random_body(model, 2)
        vague = SurfaceError(offset_m=0.012)
        measures = measure_body(model, vertices, joints, error=vague, sample_count=12)
        assert "wrist_girth" in measures.missing
        assert "may be off by" in measures.missing["wrist_girth"]
        assert "chest_girth" in measures
        assert all(measured.std_mm <= 0.2 * measured.value_mm for measured in measures.values())

    def test_heights_come_from_the_body_as_it_stood(self, model):
        vertices, joints = random_body(model, 2)
        stood = vertices * (1.0, 1.0, 0.99)
        canonical_only = measure_body(model, vertices, joints, sample_count=0)
        measures = measure_body(model, vertices, joints, standing=stood, sample_count=0)
        assert measures["height"].value_mm == pytest.approx(1e3 * stood[:, 2].max())
        assert measures["waist_height"].value_mm == pytest.approx(
            0.99 * canonical_only["waist_height"].value_mm, abs=1.0
        )
        assert measures["waist_girth"].value_mm == canonical_only["waist_girth"].value_mm

    def test_joints_are_found_from_the_surface(self, model):
        vertices, joints = random_body(model, 4)
        found = estimate_joints(model, vertices)
        large = [
            model.joint(name) for name in ("upperarm_l", "lowerarm_r", "hand_l", "thigh_l", "calf_r", "foot_l", "head")
        ]
        assert np.linalg.norm(found - joints, axis=1)[large].max() < 0.03

    def test_refuses_arrays_that_are_no_body(self, model):
        with pytest.raises(InputError, match="vertices"):
            measure_body(model, np.zeros((10, 3)))
        with pytest.raises(InputError, match="finite"):
            measure_body(model, np.full((model.vertex_count, 3), np.nan))

    @pytest.mark.parametrize("seed", [0, 14, 15])
    def test_what_is_no_body_has_no_measures_but_reasons(self, model, seed):
        rng = np.random.default_rng(seed)
        cloud = rng.normal(0.0, 0.5, (model.vertex_count, 3))
        measures = measure_body(model, cloud, sample_count=0)
        assert set(measures) | set(measures.missing) == set(DEFINITIONS)
        assert all(measures.missing.values())

    def test_a_level_off_the_body_is_not_found(self):
        places = np.arange(0.0, 0.1, 0.004)
        with pytest.raises(LevelNotFoundError):
            Profile(places, places).at(0.3)
        for find in (Profile.minimum, Profile.maximum):
            with pytest.raises(LevelNotFoundError):
                find(Profile(places[:0], places[:0]))

    def test_skin_is_what_is_measured(self, model):
        topology = topology_of(model)
        assert 0.9 < topology.skin.mean() < 1.0
        assert topology_of(model) is topology

    @pytest.mark.slow
    def test_random_bodies_are_people(self, model):
        if not ANSUR.exists():
            pytest.skip("no ANSUR II data beside this checkout")
        rows = []
        for name in ("MALE", "FEMALE"):
            with (ANSUR / f"ANSUR_II_{name}_Public.csv").open(encoding="latin-1") as stream:
                rows += list(csv.DictReader(stream))
        pairs = {"height": "stature", "chest_girth": "chestcircumference", "waist_girth": "waistcircumference"}
        pairs |= {
            "hip_girth": "buttockcircumference",
            "crotch_height": "crotchheight",
            "neck_girth": "neckcircumference",
        }
        bodies = [measure_body(model, *random_body(model, seed), sample_count=0) for seed in range(30)]
        for key, column in pairs.items():
            people = np.array([float(row[column]) for row in rows])
            values = np.array([body[key].value_mm for body in bodies])
            assert abs(values.mean() - people.mean()) < 1.5 * people.std(), key


def test_waves_agree_with_the_obvious_sum():
    rng = np.random.default_rng(6)
    points = rng.uniform(-2.0, 2.0, (3, 500)).astype(np.float32)
    waves = rng.normal(0.0, 4.0, (64, 3)).astype(np.float32)
    phases, weights = rng.uniform(size=64).astype(np.float32), rng.normal(size=64).astype(np.float32)
    found = np.empty(500, np.float32)
    sum_waves(points, waves, phases, weights, found)
    turns = points.T.astype(float) @ waves.T.astype(float) + phases
    assert np.abs(found - np.cos(2.0 * np.pi * turns) @ weights.astype(float)).max() < 2e-5 * np.abs(weights).sum()


def test_a_random_field_has_its_variance_and_length():
    rng = np.random.default_rng(7)
    points = np.array([[0.0, 0.0, 0.0], [0.05, 0.0, 0.0], [0.0, 0.5, 0.0]])
    fields = np.array([_wavy_field(points, 0.05, rng) for _ in range(3000)])
    covariance = fields.T @ fields / len(fields)
    assert np.diagonal(covariance) == pytest.approx(1.0, abs=0.1)
    assert covariance[0, 1] == pytest.approx(np.exp(-0.5), abs=0.08)
    assert covariance[0, 2] == pytest.approx(0.0, abs=0.08)


def test_samples_do_not_depend_on_who_reads_them(model):
    vertices, joints = random_body(model, 3)
    error = SurfaceError(noise_m=0.002, offset_m=0.002)
    with thread_limit(1):
        alone = measure_body(model, vertices, joints, error=error, sample_count=4)
    together = measure_body(model, vertices, joints, error=error, sample_count=4)
    assert {key: m.std_mm for key, m in alone.items()} == {key: m.std_mm for key, m in together.items()}


def test_places_along_a_normal_agree_with_the_product():
    rng = np.random.default_rng(8)
    vertices, origin, normal = rng.normal(size=(40, 3)), rng.normal(size=3), rng.normal(size=3)
    found = np.empty(40)
    place_along(vertices, origin, normal, found)
    np.testing.assert_allclose(found, (vertices - origin) @ normal, atol=1e-14)
