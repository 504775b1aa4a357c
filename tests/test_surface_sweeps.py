"""The model carried onto what depth images show: one pixel's row, a whole turn, cylinders of known girth, edges."""

from dataclasses import replace

import numpy as np
import pytest

from game.assets import load_body_model
from solver.alignment import Articulation
from solver.body import RestBody, canonical_pose, joint_transforms, shape_body, skin
from solver.fusion import outer_faces
from solver.kernels.back_project import VertexSums, back_project, gather_view
from solver.keyframes import Keyframe
from solver.model_fit import ModelFit
from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.surface import vertex_normals
from solver.surface_sweeps import RULE, SurfaceSweeps
from solver.types import BodyState, DepthNoise, Frame, Intrinsics, Observation
from tests.naive.back_project import carried_residuals, pixel_residuals
from tests.shapes import tube

MODEL = load_body_model()
CAMERA = Intrinsics(240, 424, 212.0, 212.0, 119.5, 211.5)
NOISE = DepthNoise(0.095, 0.08, 0.0005)
T_CW = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
EVERYWHERE = np.ones((CAMERA.height, CAMERA.width), np.uint8)
ANGLES = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)


def turned(angle, height=0.0, distance=1.8):
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    T[:3, 3] = 0.0, distance, height
    return T


def picture(rasterizer, vertices, faces, rng=None, wall=3.0):
    """Depth of a mesh in the world before a wall; with `rng` noisy and quantised in disparity as stereo is."""
    depth = rasterizer.render((vertices @ T_CW[:3, :3].T + T_CW[:3, 3]).astype(np.float32), faces).depth
    depth = np.where(depth > 0.0, depth, np.float32(wall))
    if rng is not None:
        constant = CAMERA.fx * NOISE.baseline_m
        disparity = constant / depth + rng.normal(0.0, NOISE.disparity_sigma_px, depth.shape)
        depth = (constant / (np.rint(disparity * 32.0) / 32.0)).astype(np.float32)
    return depth


def keyframe(model, depth, pose, T_wb):
    state = BodyState(0, 0.0, np.zeros(1), pose, T_wb, np.zeros((model.vertex_count, 3), np.float32), 1.0)
    return Keyframe(Observation(Frame(0, 0.0, CAMERA, None, depth), None, None), np.linalg.inv(T_CW), state)


class Wearer:
    """The mean body with a bump and a dent that the model does not know, moving its limbs as it turns."""

    def __init__(self):
        self.guess = shape_body(MODEL, np.zeros(1))
        normals = vertex_normals(self.guess.vertices, outer_faces(MODEL))
        self.detail = np.zeros(MODEL.vertex_count, np.float32)
        for landmark, height in (("navel", 0.012), ("c7", -0.006)):
            away = np.linalg.norm(self.guess.vertices - self.guess.vertices[MODEL.landmarks[landmark]], axis=1)
            self.detail += np.float32(height) * np.exp(-np.square(away / 0.08)).astype(np.float32)
        self.true = RestBody(self.guess.vertices + self.detail[:, None] * normals, self.guess.joints)
        self.pose = canonical_pose(MODEL, self.guess.joints)
        rasterizer, rng = Rasterizer(CAMERA), np.random.default_rng(0)
        moving = [MODEL.joint(n) for n in ("upperarm_l", "upperarm_r", "lowerarm_l", "thigh_l", "calf_r", "spine_02")]
        self.keyframes, self.states = [], []
        for angle in ANGLES:
            pose = self.pose.copy()
            pose[moving] += rng.normal(0.0, 0.08, (len(moving), 3))
            T_wb = turned(angle, height=-0.9)
            posed = skin(MODEL, self.true.vertices, joint_transforms(MODEL, self.true.joints, pose, T_wb))
            self.keyframes.append(keyframe(MODEL, picture(rasterizer, posed, MODEL.faces), pose, T_wb))
            self.states.append(Articulation(np.zeros(1), pose, T_wb))

    def canonical(self):
        return skin(MODEL, self.true.vertices, joint_transforms(MODEL, self.guess.joints, self.pose))

    def sweep(self, sweeps, rest):
        sweeps.begin(len(self.keyframes))
        for n, (key, state) in enumerate(zip(self.keyframes, self.states, strict=True)):
            sweeps.add(n, key, sweeps.predict(key, state, rest), EVERYWHERE)
        sweeps.end()


@pytest.fixture(scope="module")
def wearer():
    return Wearer()


def test_sweeps_bring_bump_and_dent_onto_the_model(wearer):
    sweeps, fit = SurfaceSweeps(MODEL, NOISE), ModelFit(MODEL, wearer.guess)
    for part in (wearer.detail > 0.004, wearer.detail < -0.003):
        assert np.linalg.norm(fit.vertices - wearer.canonical(), axis=1)[part].mean() > 3e-3
    errors = []
    for _ in range(3):
        wearer.sweep(sweeps, fit.rest)
        fit.advance(sweeps.residual, sweeps.weight)
        errors.append(np.linalg.norm(fit.vertices - wearer.canonical(), axis=1))
    for part in (wearer.detail > 0.004, wearer.detail < -0.003):
        assert errors[-1][part].mean() < 1.2e-3
        assert errors[-1][part].mean() <= errors[0][part].mean()
    assert sweeps.weight[wearer.detail > 0.004].mean() > 0.8
    hands = np.isin(MODEL.part_labels, [MODEL.part("hand_l"), MODEL.part("hand_r")])
    assert errors[-1][hands].mean() < 2e-3


def test_rest_and_canonical_pose_are_one_body(wearer):
    sweeps, fit = SurfaceSweeps(MODEL, NOISE), ModelFit(MODEL, wearer.guess)
    wearer.sweep(sweeps, fit.rest)
    fit.advance(sweeps.residual, sweeps.weight)
    transforms = joint_transforms(MODEL, wearer.guess.joints, wearer.pose)
    assert np.abs(skin(MODEL, fit.rest.vertices, transforms) - fit.vertices).max() < 2e-5


def test_what_is_predicted_right_is_left_alone(wearer):
    sweeps, fit = SurfaceSweeps(MODEL, NOISE), ModelFit(MODEL, wearer.true)
    wearer.sweep(sweeps, wearer.true)
    fit.advance(sweeps.residual, sweeps.weight)
    assert np.abs(sweeps.residual).max() < 1e-5
    assert np.abs(fit.vertices - wearer.canonical()).max() < 1e-5


def cylinder_model(radius):
    """A 'body' that is one upright cylinder about the z axis, moved by the pelvis alone."""
    vertices, faces = tube([radius] * 33, np.linspace(-0.2, 0.2, 33), segments=48)
    count = len(vertices)
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = 1.0
    return replace(
        MODEL,
        template=vertices.astype(np.float32),
        faces=faces,
        skin_joints=np.zeros((count, 4), np.int32),
        skin_weights=weights,
    )


@pytest.mark.parametrize("radius", [0.045, 0.08, 0.15])
@pytest.mark.parametrize("wrong", [-0.006, 0.006])
def test_cylinders_keep_their_girth_through_noise(radius, wrong):
    """Guessed 6 mm too thin or thick: 36 noisy views bring the radius back within half a millimetre."""
    truth, guess = cylinder_model(radius), cylinder_model(radius + wrong)
    joints = np.zeros((MODEL.joint_count, 3))
    still = np.zeros((MODEL.joint_count, 3))
    sweeps = SurfaceSweeps(guess, NOISE)
    rasterizer, rng = Rasterizer(CAMERA), np.random.default_rng(3)
    views = []
    for angle in np.linspace(0.0, 2.0 * np.pi, 36, endpoint=False):
        T = turned(angle)
        depth = picture(rasterizer, truth.template @ T[:3, :3].T + T[:3, 3], truth.faces, rng)
        views.append((keyframe(guess, depth, still, T), Articulation(np.zeros(1), still, T)))
    vertices = guess.template.astype(np.float64)
    outward = vertex_normals(vertices, guess.faces)
    for _ in range(3):
        sweeps.begin(len(views))
        rest = RestBody(vertices.astype(np.float32), joints)
        for n, (key, state) in enumerate(views):
            sweeps.add(n, key, sweeps.predict(key, state, rest), EVERYWHERE)
        sweeps.end()
        vertices = vertices + sweeps.residual[:, None] * outward
    middle = np.abs(vertices[:, 2]) < 0.15
    bias = np.hypot(vertices[middle, 0], vertices[middle, 1]).mean() - radius
    assert abs(bias) < 0.5e-3


def test_kernel_agrees_with_the_obvious_twin(wearer):
    key, state = wearer.keyframes[1], wearer.states[1]
    vertices = skin(
        MODEL, wearer.guess.vertices, T_CW @ joint_transforms(MODEL, wearer.guess.joints, state.pose, state.T_wb)
    )
    normals = NormalField(MODEL.faces, MODEL.vertex_count)(vertices)
    raster = Rasterizer(CAMERA).render(vertices, MODEL.faces)
    depth = key.observation.frame.depth.copy()
    depth[::17, ::5] = 0.0
    person = (np.random.default_rng(2).random(depth.shape) < 0.8).astype(np.uint8)
    found = VertexSums(*(np.zeros(MODEL.vertex_count, np.float32) for _ in range(3)))
    back_project(raster, MODEL.faces, normals, depth, person, CAMERA, NOISE, RULE, found)
    expected = carried_residuals(raster, MODEL.faces, normals, depth, person, CAMERA, NOISE, RULE)
    # A pixel on the brink of a test may fall to either side in single precision.
    brink = np.abs(found[2] - expected[2]) > 1e-3
    assert brink.sum() <= 9
    assert expected[2].sum() > 3000
    for got, wanted, scale in zip(found, expected, (1e-3, 1.0, 1.0), strict=True):
        assert np.abs(got - wanted)[~brink].max() < 2e-4 * scale * max(1.0, np.abs(wanted).max() / scale)


def test_carrying_back_is_the_transpose_of_predicting(wearer):
    """<A d, w r> over the pixels is <d, A^T w r> over the vertices, for the kernel's A^T."""
    key, state = wearer.keyframes[0], wearer.states[0]
    vertices = skin(
        MODEL, wearer.guess.vertices, T_CW @ joint_transforms(MODEL, wearer.guess.joints, state.pose, state.T_wb)
    )
    normals = NormalField(MODEL.faces, MODEL.vertex_count)(vertices)
    raster = Rasterizer(CAMERA).render(vertices, MODEL.faces)
    displacement = np.random.default_rng(5).normal(0.0, 1e-3, MODEL.vertex_count)
    depth = key.observation.frame.depth
    carried = VertexSums(*(np.zeros(MODEL.vertex_count, np.float32) for _ in range(3)))
    back_project(raster, MODEL.faces, normals, depth, EVERYWHERE, CAMERA, NOISE, RULE, carried)
    pixels = list(pixel_residuals(raster, MODEL.faces, normals, depth, EVERYWHERE, CAMERA, NOISE, RULE))
    predicted = np.array([shares @ displacement[corners] for corners, shares, _, _ in pixels])
    weighted = np.array([outwards * weight for _, _, outwards, weight in pixels])
    size = np.linalg.norm(predicted) * np.linalg.norm(weighted)
    assert abs(carried.residual.astype(float) @ displacement - predicted @ weighted) < 1e-4 * size
    # Rows sum to one: the same displacement everywhere is predicted as itself.
    assert [shares.sum() for _, shares, _, _ in pixels] == pytest.approx(np.ones(len(pixels)), abs=1e-6)


def test_every_picture_counts_once_however_near_it_is():
    view = VertexSums(*(np.array(row, np.float32) for row in ([0.8, 0.002, 0.0], [8.0, 0.02, 0.0], [8.0, 0.02, 0.0])))
    residual, weight = np.zeros(3, np.float32), np.zeros(3, np.float32)
    gather_view(view, np.float32(1.0), residual, weight)
    assert weight == pytest.approx([1.0, 0.02, 0.0])
    assert residual == pytest.approx([0.1, 0.002, 0.0])
    assert not any(values.any() for values in view)
