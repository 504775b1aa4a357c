"""A T-shirt put on bodies of the model, and worn while they move."""

from __future__ import annotations

import numpy as np
import pytest

from game.assets import load_body_model
from game.fabrics import load_fabric
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.cloth.body_surface import ARMS, TRUNK, ContactBody, point_triangle_distance
from solver.cloth.dressing import FRAME_S, Garment, dress
from solver.measures import measure_body
from solver.pattern.panel import EdgeRef
from solver.pattern.tshirt import draft_tshirt
from tests.naive.contact import winding_numbers

EDGE_LENGTH = 0.024
HERE = np.eye(4)


class Wearer:
    """A body of the model that can be posed."""

    def __init__(self, coefficients):
        self.model = load_body_model()
        self.rest = shape_body(self.model, coefficients)
        self.pose = canonical_pose(self.model, self.rest.joints)
        self.vertices = self.posed()
        self.measures = {k: m.value_mm for k, m in measure_body(self.model, self.vertices, sample_count=1).items()}

    def posed(self, arms_down: float = 0.0, lift_left: float = 0.0, T_wb=None):
        """Arms lowered from the A-pose [rad], the left one raised after that."""
        pose = self.pose.copy()
        left, right = (self.model.joint(f"upperarm_{side}") for side in "lr")
        pose[left] = pose[left] + [0.0, arms_down - lift_left, 0.0]
        pose[right] = pose[right] - [0.0, arms_down, 0.0]
        transforms = joint_transforms(self.model, self.rest.joints, pose, T_wb)
        vertices = skin(self.model, self.rest.vertices, transforms)
        vertices.flags.writeable = False
        return vertices

    def dressed(self, edge_length: float = EDGE_LENGTH, **options) -> Garment:
        pattern = draft_tshirt(self.measures, options)
        return dress(pattern, self.model, self.vertices, load_fabric("jersey"), edge_length_m=edge_length)


def inside(garment: Garment, vertices) -> float:
    """Share of the garment's particles inside the body, but for those that arm and trunk squeeze between them."""
    positions = garment.simulation.positions[::2].astype(float)
    body = ContactBody.of_model(load_body_model(), vertices)
    corners = body.vertices[body.faces].astype(float)
    near = [point_triangle_distance(positions, corners[body.nearest_triangles(positions, g)]) for g in (TRUNK, ARMS)]
    free = positions[np.maximum(*near) > 0.02]
    assert len(free) > 0.8 * len(positions)
    close = free[np.minimum(*near)[np.maximum(*near) > 0.02] < 0.02]
    return float((winding_numbers(close, vertices, load_body_model().faces) > 0.5).sum() / len(positions))


def turned(angle, shift):
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = shift
    return matrix


@pytest.fixture(scope="module")
def wearer():
    return Wearer(np.zeros(8))


@pytest.fixture(scope="module")
def settled(wearer):
    return wearer.dressed()


@pytest.fixture
def shirt(settled):
    settled.reset()
    return settled


def assert_worn(garment: Garment, wearer: Wearer, to_body=HERE):
    """It is where a T-shirt belongs: neckline round the neck, sleeves on the upper arms, hem round the hips."""
    positions = garment.vertices.astype(float) @ to_body[:3, :3].T + to_body[:3, 3]
    mesh = garment.mesh
    joints = wearer.rest.joints
    neck = positions[mesh.edges[EdgeRef("rib", "fold")]]
    assert abs(neck[:, 0].mean()) < 0.03
    girth = wearer.measures["neck_girth"] / 1e3
    assert girth < np.linalg.norm(np.diff(neck, axis=0), axis=1).sum() < 1.6 * girth
    assert abs(neck[:, 2].mean() - wearer.measures["neck_height"] / 1e3) < 0.06
    for side, sign in (("l", 1.0), ("r", -1.0)):
        cuff = positions[mesh.edges[EdgeRef(f"sleeve_{side}", "hem")]].mean(axis=0)
        assert sign * cuff[0] > abs(joints[wearer.model.joint(f"upperarm_{side}")][0])
    hem = positions[mesh.edges[EdgeRef("front", "hem")]]
    crotch, waist = wearer.measures["crotch_height"] / 1e3, wearer.measures["waist_height"] / 1e3
    assert crotch - 0.08 < hem[:, 2].mean() < waist


def test_settles_on_the_body(wearer, shirt):
    assert_worn(shirt, wearer)
    assert inside(shirt, wearer.vertices) <= 0.001
    strain = shirt.simulation.strains()
    assert np.maximum(strain, 0.0).mean() < 0.02
    for _ in range(20):  # it was draped with more damping than it is worn with
        before = shirt.vertices
        shirt.follow(wearer.vertices)
    assert (np.linalg.norm(shirt.vertices - before, axis=1) > 5e-4).mean() < 0.015


def test_is_dressed_the_same_way_every_time(wearer, shirt):
    np.testing.assert_array_equal(wearer.dressed().vertices, shirt.vertices)


def test_mesh_can_be_drawn(shirt):
    mesh = shirt.mesh
    assert shirt.vertices.dtype == shirt.normals.dtype == mesh.uv.dtype == np.float32
    assert len(shirt.vertices) == len(shirt.normals) == len(mesh.uv) == len(mesh.particles)
    np.testing.assert_allclose(np.linalg.norm(shirt.normals, axis=1), 1.0, atol=1e-4)
    for name, direction in (("front", -1.0), ("back", 1.0)):
        assert direction * np.median(shirt.normals[mesh.panel_vertices(name)][:, 1]) > 0.5  # right side out
    u, v = (mesh.uv[mesh.faces[:, k]] - mesh.uv[mesh.faces[:, 0]] for k in (1, 2))
    assert (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0.0).all()


def test_follows_arms_that_go_down_and_up(wearer, shirt):
    for i in range(60):
        share = (i + 1) / 60
        vertices = wearer.posed(0.55 * min(2 * share, 1.0), 2.0 * max(2 * share - 1.0, 0.0))
        shirt.follow(vertices)
    assert inside(shirt, vertices) < 0.004
    assert np.maximum(shirt.simulation.strains(), 0.0).mean() < 0.03


def test_first_tracked_pose_may_be_anywhere(wearer, shirt):
    T_wb = turned(2.4, (1.3, 2.1, 0.02))
    vertices = wearer.posed(0.5, T_wb=T_wb)
    shirt.follow(vertices)
    for _ in range(20):
        shirt.follow(vertices)
    assert_worn(shirt, wearer, np.linalg.inv(T_wb))
    assert inside(shirt, vertices) <= 0.003


def test_survives_fast_random_motion_and_teleports(wearer, shirt):
    rng = np.random.default_rng(0)
    for i in range(24):
        if i % 12 == 0:
            base = turned(rng.uniform(-3, 3), rng.uniform(-3, 3, 3) * [1, 1, 0])
        step = turned(0.2 * np.sin(i), 0.05 * rng.normal(size=3))
        vertices = wearer.posed(rng.uniform(-0.5, 0.6), rng.uniform(0.0, 1.5), base @ step)
        shirt.follow(vertices, FRAME_S)
        assert np.isfinite(shirt.vertices).all()
    still = wearer.posed(0.4, T_wb=base)
    for _ in range(40):
        shirt.follow(still)
    assert_worn(shirt, wearer, np.linalg.inv(base))
    assert inside(shirt, still) <= 0.01


def test_recovers_from_broken_numbers(wearer, shirt):
    shirt.simulation.state.positions[5, 0] = np.nan
    shirt.follow(wearer.posed(0.3))
    assert np.isfinite(shirt.vertices).all()
    assert_worn(shirt, wearer)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "ease"), [(0, -0.03), (1, 0.1), (2, 0.25), (3, -0.03), (4, 0.25)])
def test_fits_other_bodies(seed, ease):
    wearer = Wearer(np.random.default_rng(seed).normal(0.0, 1.0, 20))
    shirt = wearer.dressed(edge_length=0.013, ease=ease)
    assert_worn(shirt, wearer)
    assert inside(shirt, wearer.vertices) <= 0.003
