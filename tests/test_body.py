"""The body model: shape, kinematics, skinning, stance, and the asset they run on."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from game.assets import ASSETS, load_body_model
from solver.body import canonical_pose, joint_transforms, rotation_matrices, shape_body, skin
from solver.kernels.blend_shape import blend_shape
from tests.naive import body as naive

MODEL = load_body_model()


def random_shape(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=MODEL.shape_count)


def random_pose(seed: int, spread: float = 0.7) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=spread, size=(MODEL.joint_count, 3))


def enclosed_volume(vertices: np.ndarray) -> float:
    a, b, c = (vertices[MODEL.faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


# The solver


def test_shape_is_the_sum_of_its_components():
    coefficients = random_shape(0)
    body = shape_body(MODEL, coefficients)
    assert body.vertices.dtype == np.float32
    np.testing.assert_allclose(body.vertices, naive.shape(MODEL.template, MODEL.shape_basis, coefficients), atol=2e-6)
    np.testing.assert_allclose(
        body.joints, naive.shape(MODEL.joint_template, MODEL.joint_basis, coefficients), atol=2e-6
    )


@pytest.mark.parametrize(("length", "terms"), [(1, 1), (7, 8), (2048, 9), (2049, 16), (5000, 27), (64, 0)])
def test_blend_shape_handles_every_remainder(length, terms):
    rng = np.random.default_rng(length + terms)
    template, basis = rng.normal(size=length).astype(np.float32), rng.normal(size=(30, length)).astype(np.float32)
    coefficients, out = rng.normal(size=terms).astype(np.float32), np.empty(length, np.float32)
    blend_shape(template, basis, coefficients, out)
    np.testing.assert_allclose(out, naive.shape(template, basis, coefficients), atol=2e-5)


def test_missing_coefficients_are_zero():
    short = random_shape(1)[:9]
    padded = np.zeros(MODEL.shape_count)
    padded[:9] = short
    np.testing.assert_allclose(shape_body(MODEL, short).vertices, shape_body(MODEL, padded).vertices, atol=1e-6)
    np.testing.assert_array_equal(shape_body(MODEL, np.zeros(0)).vertices, MODEL.template)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6))
def test_kinematics_agrees_with_chained_matrices(seed):
    joints = shape_body(MODEL, random_shape(seed)).joints
    root = np.eye(4)
    root[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    root[:3, 3] = np.random.default_rng(seed).normal(size=3)
    pose = random_pose(seed)
    expected = naive.pose_joints(joints, pose, MODEL.joint_parents, root)
    np.testing.assert_allclose(joint_transforms(MODEL, joints, pose, root), expected, atol=1e-12)


def test_kinematics_takes_read_only_and_single_precision_arrays():
    joints, pose = shape_body(MODEL, random_shape(2)).joints, random_pose(2)
    expected = joint_transforms(MODEL, joints, pose)
    pose.flags.writeable = False
    np.testing.assert_array_equal(joint_transforms(MODEL, joints, pose), expected)
    single = joint_transforms(MODEL, joints.astype(np.float32), pose.astype(np.float32))
    np.testing.assert_allclose(single, expected, atol=1e-5)


def test_skinning_agrees_with_its_twin():
    body = shape_body(MODEL, random_shape(3))
    transforms = joint_transforms(MODEL, body.joints, random_pose(3))
    posed = skin(MODEL, body.vertices, transforms)
    some = np.random.default_rng(3).choice(MODEL.vertex_count, 600, replace=False)
    twin = naive.skin_vertices(body.vertices[some], MODEL.skin_joints[some], MODEL.skin_weights[some], transforms)
    np.testing.assert_allclose(posed[some], twin, atol=5e-6)


def test_rigid_motion_moves_the_body_rigidly():
    body = shape_body(MODEL, random_shape(4))
    T_wb = np.eye(4)
    T_wb[:3, :3] = Rotation.from_rotvec([0.3, -1.1, 2.0]).as_matrix()
    T_wb[:3, 3] = 0.4, -2.0, 0.1
    posed = skin(MODEL, body.vertices, joint_transforms(MODEL, body.joints, np.zeros((MODEL.joint_count, 3)), T_wb))
    np.testing.assert_allclose(posed, body.vertices @ T_wb[:3, :3].T + T_wb[:3, 3], atol=2e-6)


def test_skinning_writes_where_it_is_told():
    body = shape_body(MODEL, random_shape(5))
    out = np.empty_like(body.vertices)
    assert skin(MODEL, body.vertices, joint_transforms(MODEL, body.joints, random_pose(5)), out) is out


def test_bone_lengths_survive_any_pose():
    body = shape_body(MODEL, random_shape(6))
    transforms = joint_transforms(MODEL, body.joints, random_pose(6, 1.5))
    posed = np.einsum("jik,jk->ji", transforms[:, :3, :3], body.joints) + transforms[:, :3, 3]
    child = np.flatnonzero(MODEL.joint_parents >= 0)
    parent = MODEL.joint_parents[child]
    rest_length = np.linalg.norm(body.joints[child] - body.joints[parent], axis=1)
    np.testing.assert_allclose(np.linalg.norm(posed[child] - posed[parent], axis=1), rest_length, atol=1e-9)


def test_rodrigues_agrees_with_scipy_down_to_tiny_angles():
    vectors = np.concatenate([random_pose(7).reshape(-1, 3), np.eye(3) * 1e-9, np.zeros((1, 3))])
    np.testing.assert_allclose(rotation_matrices(vectors), Rotation.from_rotvec(vectors).as_matrix(), atol=1e-12)


# The A-pose


@pytest.mark.parametrize("seed", range(12))
def test_canonical_pose_has_the_angles_it_promises(seed):
    body = shape_body(MODEL, 1.5 * random_shape(seed))
    transforms = joint_transforms(MODEL, body.joints, canonical_pose(MODEL, body.joints))
    posed = np.einsum("jik,jk->ji", transforms[:, :3, :3], body.joints) + transforms[:, :3, 3]
    for side, sign in (("l", 1.0), ("r", -1.0)):
        for chain, angle in ((("upperarm", "lowerarm", "hand"), 45.0), (("thigh", "calf", "foot"), 5.0)):
            a, b, c = (posed[MODEL.joint(f"{name}_{side}")] for name in chain)
            for bone in (b - a, c - b):
                across, along, down = bone / np.linalg.norm(bone) * (sign, 1.0, -1.0)
                assert abs(along) < 1e-9  # in the frontal plane
                assert np.degrees(np.arctan2(across, down)) == pytest.approx(angle, abs=1e-6)
        foot = transforms[MODEL.joint(f"foot_{side}"), :3, :3]
        np.testing.assert_allclose(foot, np.eye(3), atol=1e-9)  # soles flat as at rest
    for name in ("pelvis", "spine_03", "head"):
        np.testing.assert_allclose(transforms[MODEL.joint(name), :3, :3], np.eye(3), atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_canonical_pose_leaves_the_hands_untwisted(seed):
    body = shape_body(MODEL, random_shape(seed))
    transforms = joint_transforms(MODEL, body.joints, canonical_pose(MODEL, body.joints))
    for side in "lr":
        upper, lower = (transforms[MODEL.joint(f"{name}_{side}"), :3, :3] for name in ("upperarm", "lowerarm"))
        elbow, wrist = (body.joints[MODEL.joint(f"{name}_{side}")] for name in ("lowerarm", "hand"))
        forearm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        # Straightening the elbow is a hinge across the forearm, not a turn about it.
        turn = Rotation.from_matrix(upper.T @ lower).as_rotvec()
        assert abs(turn @ forearm) < 0.02 * np.linalg.norm(turn)


# The asset


def test_asset_is_what_its_provenance_says():
    folder = ASSETS / "body"
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    for name, known in provenance["sha256"]["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == known, name
    assert "CC0" in (folder / "LICENSE.txt").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 9.5e6
    assert provenance["quality"]["held_out_bodies"]["rms_mm"] < 2.0
    for name, errors in provenance["quality"]["held_out_groups"].items():
        assert errors["rms_mm"] < 3.0, name


def strained(segments: tuple[str, ...], factor: float, along: bool) -> np.ndarray:
    """The template with the lower arms or calves longer or thicker by `factor`; what hangs on them moves along."""
    shift = np.zeros((MODEL.joint_count, 3))
    weights = np.zeros((MODEL.vertex_count, MODEL.joint_count))
    np.put_along_axis(weights, MODEL.skin_joints.astype(np.intp), MODEL.skin_weights.astype(float), 1)
    vertices = MODEL.template.astype(np.float64)
    for name in segments:
        joint = MODEL.joint(name)
        start = MODEL.joint_template[joint].astype(np.float64)
        child = int(np.flatnonzero(MODEL.joint_parents == joint)[0])
        bone = MODEL.joint_template[child] - start
        unit = bone / np.linalg.norm(bone)
        strain = factor * (np.outer(unit, unit) if along else np.eye(3) - np.outer(unit, unit))
        vertices += weights[:, joint, None] * ((MODEL.template - start) @ strain)
        shift[child] = bone @ strain
    for joint in range(1, MODEL.joint_count):
        shift[joint] += shift[MODEL.joint_parents[joint]]
    vertices += weights @ shift
    soles = MODEL.template[:, 2] < 0.005
    vertices[:, 2] -= (vertices - MODEL.template)[soles, 2].mean()
    return vertices


@pytest.mark.parametrize("segment", ["lowerarm", "upperarm", "thigh", "calf"])
@pytest.mark.parametrize("along", [True, False])
def test_basis_holds_segments_longer_and_thicker(segment, along):
    # Known without any sample: limbs may be longer or thicker than the rest of the body lets expect.
    body = strained((f"{segment}_l", f"{segment}_r"), 0.05, along)
    offset = (body - MODEL.template).reshape(-1)
    basis = MODEL.shape_basis.reshape(MODEL.shape_count, -1).T.astype(np.float64)
    coefficients = np.linalg.lstsq(basis, offset, rcond=None)[0]
    left = (offset - basis @ coefficients).reshape(-1, 3)
    assert 1000.0 * np.sqrt((left**2).sum(1).mean()) < 0.3
    assert np.sqrt(np.mean(coefficients**2)) < 1.0


def test_dimensions_fit_together():
    V, J, K = MODEL.vertex_count, MODEL.joint_count, MODEL.shape_count
    assert (V, len(MODEL.faces), J) == (13718, 27420, 52)
    assert 65 <= K <= 80
    assert MODEL.shape_basis.shape == (K, V, 3)
    assert MODEL.joint_basis.shape == (K, J, 3)
    assert MODEL.uv_faces.max() < len(MODEL.uv)
    assert MODEL.uv.min() >= 0.0
    assert MODEL.uv.max() <= 1.0
    assert MODEL.joint_parents[0] == -1
    assert np.all(MODEL.joint_parents[1:] < np.arange(1, J))
    np.testing.assert_allclose(MODEL.skin_weights.sum(1), 1.0, atol=1e-5)
    assert MODEL.skin_weights.min() >= 0.0


def test_surface_is_closed_and_faces_outwards():
    edges = np.sort(MODEL.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    counts = np.unique(edges, axis=0, return_counts=True)[1]
    assert np.all(counts == 2)
    assert 0.055 < enclosed_volume(MODEL.template) < 0.09  # m^3 of a mean adult
    nose = MODEL.template[MODEL.landmarks["nose_tip"]]
    assert nose[1] < -0.08  # faces -y
    assert MODEL.template[MODEL.landmarks["acromion_l"], 0] > 0.1  # wearer's left at +x


def test_bodies_stand_on_the_floor_under_the_pelvis():
    for seed in range(8):
        body = shape_body(MODEL, random_shape(seed))
        assert abs(body.vertices[:, 2].min()) < 0.006
        np.testing.assert_allclose(body.joints[0, :2], 0.0, atol=1e-5)


def test_mirror_image_is_a_body_of_the_same_space():
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_array_equal(MODEL.mirror[MODEL.mirror], np.arange(MODEL.vertex_count))
    np.testing.assert_allclose(MODEL.template[MODEL.mirror] * flip, MODEL.template, atol=1e-6)
    basis = MODEL.shape_basis.astype(np.float64)
    mirrored = basis[:, MODEL.mirror] * flip
    parity = np.sign(np.einsum("kvd,kvd->k", basis, mirrored))
    np.testing.assert_allclose(mirrored, parity[:, None, None] * basis, atol=1e-5)


def test_population_has_the_stature_of_adults():
    crown = MODEL.landmarks["crown"]
    # Linear in coefficients of unit variance: the spread is the norm of the row.
    assert MODEL.template[crown, 2] == pytest.approx(1.69, abs=0.02)  # ANSUR II: men 1.756, women 1.629
    assert np.linalg.norm(MODEL.shape_basis[:, crown, 2]) == pytest.approx(0.095, abs=0.012)


def test_components_are_strongest_first():
    corners = MODEL.template[MODEL.faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weights = np.sqrt(np.bincount(MODEL.faces.reshape(-1), np.repeat(areas, 3), MODEL.vertex_count))
    strength = np.einsum("kvd,v->k", MODEL.shape_basis.astype(np.float64) ** 2, weights)
    assert strength[0] > 25 * strength[20] > 25 * strength[-1]
    assert np.all(np.diff(strength) < 0.005 * strength[:-1])  # float16 and this estimate of the areas


def test_regressor_finds_the_joints_of_any_shape():
    misses = []
    for seed in range(5):
        body = shape_body(MODEL, random_shape(seed))
        regressed = np.einsum("jrd,jr->jd", body.vertices[MODEL.regressor_vertices], MODEL.regressor_weights)
        misses.append(np.linalg.norm(regressed - body.joints, axis=1))
    assert np.sqrt(np.mean(np.square(misses))) < 0.006
    assert np.max(misses) < 0.04  # the spine's joints and the knees slide where the skin does not tell
    np.testing.assert_allclose(MODEL.regressor_weights.sum(1), 1.0, atol=1e-5)


PAIRS = {
    "head": ("eye", "eye_inner", "eye_outer", "ear", "mouth_corner"),
    "trunk": ("acromion", "neck_point", "bust_point", "underbust", "waist_side", "iliac_crest", "trochanter"),
    "seat": ("buttock_prominence",),
    "arm": ("elbow", "wrist_ulnar", "wrist_radial"),
    "hand": [
        f"{finger}_{end}" for finger in ("thumb", "index", "middle", "ring", "pinky") for end in ("knuckle", "tip")
    ],
    "leg": ("kneecap", "ankle_lateral", "ankle_medial", "heel", "toe", "ball_medial", "ball_lateral", "sole"),
}
PAIRED = [name for names in PAIRS.values() for name in names]
HEAD_LINE = ("crown", "occiput", "glabella", "nose_tip", "chin", "larynx")
MIDLINE = (*HEAD_LINE, "suprasternal", "c7", "navel", "waist_back", "crotch")
DOWNWARDS = (
    *("crown", "glabella", "nose_tip", "mouth_corner_l", "chin", "larynx", "neck_point_l", "acromion_l"),
    *("suprasternal", "bust_point_l", "underbust_l", "waist_side_l", "buttock_prominence_l", "crotch"),
    *("kneecap_l", "ankle_lateral_l", "toe_l"),
)


def test_every_landmark_is_there_and_on_its_side():
    points = {name: MODEL.template[vertex] for name, vertex in MODEL.landmarks.items()}
    assert set(points) == {*MIDLINE, *(f"{name}_{side}" for name in PAIRED for side in "lr")}
    for name in MIDLINE:
        assert abs(points[name][0]) < 0.002, name
    for name in PAIRED:
        left, right = points[f"{name}_l"], points[f"{name}_r"]
        assert left[0] > 0.01, name
        np.testing.assert_allclose(left * (-1, 1, 1), right, atol=1e-4, err_msg=name)


def test_landmarks_stand_in_the_order_of_anatomy():
    height = {name: MODEL.template[vertex, 2] for name, vertex in MODEL.landmarks.items()}
    heights = [height[name] for name in DOWNWARDS]
    assert heights == sorted(heights, reverse=True)
    assert height["navel"] == pytest.approx(0.6 * height["crown"], rel=0.03)  # ANSUR II: 0.601
    assert height["c7"] == pytest.approx(0.861 * height["crown"], rel=0.012)  # ANSUR II: 0.861


def test_regions_lie_where_they_should():
    crown, chin = (MODEL.template[MODEL.landmarks[name]] for name in ("crown", "chin"))
    expected = {"skin", "scalp", "brows", "eyes", "irises", "pupils", "lips", "mouth_inside", "nails", "areolae"}
    assert set(MODEL.region_names) == expected
    for name in ("scalp", "brows", "eyes", "irises", "pupils", "lips", "mouth_inside"):
        points = MODEL.template[MODEL.in_region(name)]
        assert len(points) >= 8
        assert points[:, 2].max() <= crown[2] + 1e-6
        assert points[:, 2].min() > chin[2] - 0.03, name
    labels = MODEL.region_labels
    np.testing.assert_array_equal(labels, labels[MODEL.mirror])


def test_parts_follow_the_joints():
    for name in ("upper_arm_l", "hand_l", "thigh_l", "foot_l"):
        here = MODEL.part_labels == MODEL.part(name)
        assert MODEL.template[here, 0].min() > 0.0
        np.testing.assert_array_equal(here[MODEL.mirror], MODEL.part_labels == MODEL.part(f"{name[:-2]}_r"))
    assert np.median(MODEL.template[MODEL.part_labels == MODEL.part("head"), 2]) > 1.4


def test_facial_units_move_the_face_only():
    assert {"jawOpen", "eyeBlinkLeft", "mouthSmileRight"} <= set(MODEL.facial_unit_names)
    assert MODEL.facial_units.shape == (len(MODEL.facial_unit_names), len(MODEL.head_vertices), 3)
    jaw = MODEL.facial_units[MODEL.facial_unit_names.index("jawOpen")]
    chin = int(np.flatnonzero(MODEL.head_vertices == MODEL.landmarks["chin"])[0])
    assert -0.05 < jaw[chin, 2] < -0.008
    assert np.abs(jaw[MODEL.head_vertices == MODEL.landmarks["crown"]]).max() < 1e-4
    left = MODEL.facial_units[MODEL.facial_unit_names.index("eyeBlinkLeft")]
    moved = np.linalg.norm(left, axis=1) > 1e-3
    assert np.median(MODEL.template[MODEL.head_vertices[moved], 0]) > 0.01
