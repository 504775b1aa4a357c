"""The cloth solver against its slow twins, against mechanics, and on a body."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numba
import numpy as np
import pytest

from game.fabrics import load_fabric, load_fabrics
from solver.cloth.body_surface import ContactBody, point_triangle_distance
from solver.cloth.constraints import build_constraints, particle_masses, rest_shape, tethers
from solver.cloth.fabric import Fabric
from solver.cloth.sewing import SewnMesh, sew
from solver.cloth.simulation import ClothSimulation, SolverSettings
from solver.errors import UsageError
from solver.kernels.advance_cloth import BodyMotion
from solver.kernels.contact import (
    FAR,
    BodySurface,
    ContactSettings,
    blend_body,
    lay_planes,
    phong_bulge,
    surface_point,
    touch_planes,
    walk_to_triangle,
)
from solver.kernels.lanes import gather_rows, scatter_rows
from solver.kernels.xpbd import (
    LANES,
    ROW,
    RUN_MAX,
    correct_strain,
    predict_positions,
    pull_tethers,
    solve_bending,
    solve_constraints,
    update_velocities,
)
from solver.pattern.panel import Panel, Pattern, line
from solver.pattern.triangulate import triangulate
from tests.naive import contact as naive_contact
from tests.naive import xpbd as naive

STIFF = Fabric("stiff", mass=0.15, weft=5e4, warp=5e4, shear=2e4, bend=1e-6, thickness=5e-4, friction=0.4, damping=0.0)


def sheet(width: float, height: float, edge_length: float) -> SewnMesh:
    corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    panel = Panel("sheet", tuple(line(f"e{i}", corners[i], corners[(i + 1) % 4]) for i in range(4)))
    return sew(triangulate(Pattern("sheet", (panel,)), edge_length))


def upright(mesh: SewnMesh) -> np.ndarray:
    """Panel x is x, panel y is up."""
    uv = mesh.uv.astype(float)
    return np.stack([uv[:, 0], np.zeros(len(uv)), uv[:, 1]], axis=1)


def lying(mesh: SewnMesh, height: float) -> np.ndarray:
    """Flat about the z axis at a height."""
    uv = mesh.uv - (mesh.uv.min(axis=0) + mesh.uv.max(axis=0)) / 2.0
    return np.column_stack([uv, np.full(len(uv), height)])


def sphere(radius: float, rings: int = 20, segments: int = 32) -> tuple[np.ndarray, np.ndarray]:
    polar = np.linspace(0.0, np.pi, rings + 1)[1:-1]
    around = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    ring = [[(np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)) for a in around] for p in polar]
    points = np.concatenate([[(0.0, 0.0, 1.0)], np.reshape(ring, (-1, 3)), [(0.0, 0.0, -1.0)]]) * radius
    faces = []
    for s in range(segments):
        t = (s + 1) % segments
        faces.append((0, 1 + s, 1 + t))
        for r in range(rings - 2):
            a, b = 1 + r * segments, 1 + (r + 1) * segments
            faces += [(a + s, b + s, b + t), (a + s, b + t, a + t)]
        last = 1 + (rings - 2) * segments
        faces.append((last + s, len(points) - 1, last + t))
    return points.astype(np.float32), np.array(faces, np.int32)


def plane(tilt: float, size: float = 4.0, cells: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """A square that falls towards +x at `tilt` [rad]."""
    side = np.linspace(-size / 2, size / 2, cells + 1)
    x, y = np.meshgrid(side, side, indexing="ij")
    points = np.stack([x * np.cos(tilt), y, -x * np.sin(tilt)], axis=-1).reshape(-1, 3)
    faces = []
    for i in range(cells):
        for j in range(cells):
            a = i * (cells + 1) + j
            b = a + cells + 1
            faces += [(a, b, b + 1), (a, b + 1, a + 1)]
    return points.astype(np.float32), np.array(faces, np.int32)


def run(simulation: ClothSimulation, seconds: float) -> None:
    for _ in range(round(seconds * 60)):
        simulation.step()


def test_strain_of_a_run_agrees_with_its_twin():
    rng = np.random.default_rng(0)
    count = 21  # vectors and a rest
    strain, before, expected = np.zeros((7, count)), np.zeros((12, ROW), np.float32), []
    for n in range(count):
        flat = np.array([[0.0, 0.0], [0.012, 0.001], [0.004, 0.011]]) + rng.normal(0, 0.001, (3, 2))
        inverse = np.linalg.inv(np.stack([flat[1] - flat[0], flat[2] - flat[0]], axis=1))
        a, b = inverse[:, 0], inverse[:, 1]
        coefficients = (a[0], a[1], b[0], b[1])
        x = np.column_stack([flat, np.zeros(3)]) + rng.normal(0, 0.002, (3, 3))
        w = rng.uniform(3e4, 9e4, 3)
        compliance = rng.uniform(0.0, 1e9, 3)
        full_a, full_b = np.array([-a.sum(), *a]), np.array([-b.sum(), *b])
        s4, s5 = ((w * p * p).sum() for p in (full_a, full_b))
        strain[:, n] = [*coefficients, 1 / (s4 + compliance[0]), 1 / (s5 + compliance[1]), compliance[2]]
        expected.append(naive.strain_steps(x, w, coefficients, compliance, 0.3))
        before[:, n] = np.column_stack([x, w]).ravel()
    after = np.zeros(12 * ROW, np.float32)
    correct_strain(count, strain.astype(np.float32).ravel(), np.float32(0.3), before.ravel(), after)
    found = after.reshape(3, 4, ROW)[:, :3, :count].transpose(2, 0, 1)
    np.testing.assert_allclose(found, expected, atol=2e-7)


@numba.njit
def there_and_back(x, rows, columns, n, stride, out):
    a, b, c, d = rows
    gather_rows(x, a, b, c, d, columns, n, stride)
    scatter_rows(columns, n, stride, out, a, b, c, d)


def test_rows_become_columns_and_rows_again():
    x = np.random.default_rng(9).normal(size=(9, 4)).astype(np.float32)
    rows, n, stride = np.array([7, 0, 3, 8], np.uint64), 5, 11
    columns, out = np.zeros(4 * stride, np.float32), np.zeros_like(x)
    there_and_back(x.ravel(), tuple(rows), columns, n, stride, out.ravel())
    expected = np.zeros((4, stride), np.float32)
    expected[:, n : n + 4] = x[rows].T
    np.testing.assert_array_equal(columns, expected.ravel())
    np.testing.assert_array_equal(out[rows], x[rows])
    assert not np.delete(out, rows, axis=0).any()


def test_bending_agrees_with_its_twin():
    rng = np.random.default_rng(1)
    for _ in range(20):
        x, w, k = rng.normal(0, 0.01, (4, 3)), rng.uniform(3e4, 9e4, 4), rng.normal(0, 1, 4)
        k[3] = -k[:3].sum()
        numbers = np.array([*k[:3], 1.0 / ((w * k**2).sum() + 1e5)], np.float32)
        positions = np.column_stack([x, w]).astype(np.float32)
        solve_bending(0, 1, np.arange(4, dtype=np.uint16)[None], numbers, positions.ravel())
        np.testing.assert_allclose(positions[:, :3], naive.bend_step(x, w, k, 1e5), atol=1e-7)
        np.testing.assert_array_equal(positions[:, 3], w.astype(np.float32))


def test_bend_energy_of_a_cylinder_is_that_of_a_plate():
    """Half B kappa^2 per area (Bergou et al. 2006), whatever way the sheet is rolled."""
    mesh = sheet(0.3, 0.3, 0.012)
    rest = rest_shape(mesh.uv, mesh.faces, mesh.triangles)
    radius = 0.08
    for angle in (0.0, 0.6, np.pi / 2):
        turned = mesh.uv @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        x = np.stack(
            [radius * np.sin(turned[:, 0] / radius), turned[:, 1], radius * np.cos(turned[:, 0] / radius)], axis=1
        )
        bend = np.einsum("hk,hkc->hc", rest.hinge_weights, x[mesh.particles][rest.hinges])
        areas = rest.areas[rest.hinge_faces].sum(axis=1)
        energy = 0.5 * ((bend**2).sum(axis=1) / areas).sum()
        assert energy == pytest.approx(0.5 * rest.areas.sum() / radius**2, rel=0.08)
        flat = np.einsum("hk,hkc->hc", rest.hinge_weights, np.column_stack([turned, 0 * turned[:, 0]])[rest.hinges])
        assert np.abs(flat).max() < 1e-5


def strain_numbers(constraints, t):
    """The seven numbers of triangle t."""
    run = np.searchsorted(constraints.runs, t, side="right") - 1
    first, last = constraints.runs[run : run + 2]
    return constraints.strain[7 * first : 7 * last].reshape(7, -1)[:, t - first].astype(float)


def distinct(constraints, first, last):
    """The triangles from first to last, those left out that fill up a run."""
    triangles = constraints.triangles[first:last]
    new = np.any(triangles[1:] != triangles[:-1], axis=1)
    return first + np.flatnonzero(np.concatenate([[True], new]))


def test_a_sweep_is_its_constraints_one_after_the_other():
    mesh = sheet(0.06, 0.05, 0.012)
    rest = rest_shape(mesh.uv, mesh.faces, mesh.triangles)
    w = 1.0 / particle_masses(mesh, rest, STIFF)
    x = upright(mesh) + np.random.default_rng(2).normal(0, 0.001, (mesh.particle_count, 3))
    c = build_constraints(mesh, rest, STIFF, w, x[mesh.triangles].mean(axis=1), 1e-3, 1)
    positions = np.column_stack([x, w]).astype(np.float32)
    solve_constraints(c, np.float32(0.5), True, positions)
    for block in range(len(c.block_runs) - 1):
        for t in distinct(c, c.runs[c.block_runs[block]], c.runs[c.block_runs[block + 1]]):
            s, corners = strain_numbers(c, t), c.triangles[t]
            aa, bb = ((w[corners] * np.array([-p - q, p, q]) ** 2).sum() for p, q in (s[:2], s[2:4]))
            compliances = (1 / s[4] - aa, 1 / s[5] - bb, s[6])
            x[corners] = naive.strain_steps(x[corners], w[corners], s[:4], compliances, 0.5)
        for h in range(c.block_hinges[block], c.block_hinges[block + 1]):
            k, corners = c.bending[4 * h : 4 * h + 4].astype(float), c.hinges[h]
            weights = np.array([*k[:3], -k[:3].sum()])
            compliance = 1 / k[3] - (w[corners] * weights**2).sum()
            x[corners] = naive.bend_step(x[corners], w[corners], weights, compliance)
    np.testing.assert_allclose(positions[:, :3], x, atol=2e-6)


def test_a_frame_is_its_substeps():
    mesh = sheet(0.1, 0.08, 0.015)
    start = upright(mesh) + np.random.default_rng(7).normal(0, 0.001, (mesh.particle_count, 3))
    simulation = ClothSimulation(mesh, replace(STIFF, damping=2.0), start, pinned=[0])
    s, c = simulation.state, simulation._constraints
    positions, previous, velocities = s.positions.copy(), s.previous.copy(), s.velocities.copy()
    settings = simulation.settings
    dt, substeps = np.float32(settings.substep_s), round(1 / 60 / settings.substep_s)
    for i in range(substeps):
        predict_positions(np.array([0, 0, -9.81], np.float32) * dt, dt, velocities, previous, positions)
        bending = (i + 1) % settings.bending_interval == 0
        solve_constraints(c, np.float32(settings.compression), bending, positions)
        damping = np.float32(np.exp(-2.0 * settings.substep_s))
        update_velocities(np.float32(1 / settings.substep_s), damping, np.float32(12), previous, positions, velocities)
    simulation.step()  # advance_cloth
    np.testing.assert_allclose(simulation.positions, positions[:, :3], atol=2e-6)


def test_blocks_of_one_colour_and_triangles_of_one_run_share_no_particle():
    mesh = sheet(0.4, 0.4, 0.008)
    simulation = ClothSimulation(mesh, STIFF, upright(mesh))
    c = simulation._constraints
    assert len(c.block_runs) > 8
    each = np.concatenate([c.triangles[distinct(c, a, b)] for a, b in pairwise(c.runs)])
    assert sorted(map(tuple, np.sort(each, axis=1))) == sorted(map(tuple, np.sort(mesh.triangles, axis=1)))
    block_triangles = c.runs[c.block_runs]
    for first, last in pairwise(c.colors):
        seen: set[int] = set()
        for b in range(first, last):
            own = set(c.triangles[block_triangles[b] : block_triangles[b + 1]].ravel().tolist())
            own |= set(c.hinges[c.block_hinges[b] : c.block_hinges[b + 1]].ravel().tolist())
            assert not own & seen
            seen |= own
    for first, last in pairwise(c.runs):
        assert 0 < last - first <= RUN_MAX
        assert (last - first) % LANES == 0
        assert len(np.unique(c.triangles[first:last])) == 3 * len(distinct(c, first, last))


def test_same_drape_whatever_the_number_of_threads():
    mesh = sheet(0.4, 0.4, 0.014)
    vertices, faces = sphere(0.15)
    ends = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        body = ContactBody(faces, np.zeros(len(faces), int), vertices)
        simulation = ClothSimulation(mesh, STIFF, lying(mesh, 0.17), body, settings=SolverSettings(threads=threads))
        run(simulation, 0.5)
        ends.append(simulation.positions.copy())
    np.testing.assert_array_equal(ends[0], ends[1])


def test_velocities_and_prediction():
    rng = np.random.default_rng(3)
    positions = np.column_stack([rng.normal(size=(5, 3)), [1, 1, 0, 1, 1]]).astype(np.float32)
    velocities = rng.normal(size=(5, 3)).astype(np.float32)
    velocities[2] = 0.0
    before, previous = positions[:, :3].copy(), np.zeros((5, 3), np.float32)
    gravity_dt = np.array([0.0, 0.0, -0.01], np.float32)
    predict_positions(gravity_dt, np.float32(0.1), velocities, previous, positions)
    np.testing.assert_array_equal(previous, before)
    expected = before + 0.1 * (velocities + gravity_dt) * (positions[:, 3:] > 0)
    np.testing.assert_allclose(positions[:, :3], expected, atol=1e-6)
    update_velocities(np.float32(10.0), np.float32(0.5), np.float32(1.0), previous, positions, velocities)
    way = expected - before
    speed = np.linalg.norm(way, axis=1) * 10.0
    way *= np.minimum(1.0, 1.0 / np.maximum(speed, 1e-9))[:, None]
    np.testing.assert_allclose(positions[:, :3], before + way, atol=1e-6)
    np.testing.assert_allclose(velocities, way * 10.0 * 0.5, atol=1e-5)


def test_tethers_are_as_long_as_the_cloth_between():
    mesh = sheet(0.3, 0.5, 0.015)
    x = upright(mesh)
    top = np.flatnonzero(x[:, 2] > 0.4999)
    anchors, lengths = tethers(mesh, top, slack=0.0)
    assert (anchors[top] == -1).all()
    below = np.setdiff1d(np.arange(mesh.particle_count), top)
    straight = 0.5 - x[below, 2]
    assert (lengths[below] >= straight - 1e-6).all()
    assert (lengths[below] <= straight * 1.05 + 0.005).all()
    positions = np.column_stack([x, np.ones(len(x))]).astype(np.float32)
    positions[below, 2] -= 0.1
    pull_tethers(anchors, lengths, positions)
    away = np.linalg.norm(positions[below, :3] - positions[anchors[below], :3], axis=1)
    np.testing.assert_allclose(away, np.minimum(away, lengths[below]), rtol=1e-5)
    assert (away > 0.9 * lengths[below]).all()


def test_hanging_strip_is_a_catenary():
    mesh = sheet(1.0, 0.03, 0.015)
    x = upright(mesh)
    span = 0.8
    start = x.copy()
    start[:, 0] *= span
    start[:, 1] = 0.3 * np.sin(np.pi * x[:, 0])  # out of the way, so that it is longer than the span
    ends = np.flatnonzero((x[:, 0] < 1e-6) | (x[:, 0] > 1 - 1e-6))
    simulation = ClothSimulation(
        mesh, replace(STIFF, bend=1e-8, damping=3.0), start, pinned=ends, settings=SolverSettings(compression=1.0)
    )
    run(simulation, 4.0)
    middle = np.abs(mesh.uv[:, 1] - 0.015) < 0.006
    sag = -(simulation.positions[middle][:, 2].min() - 0.015)
    # span = 2 a sinh^-1(L / 2 a) of a chain of length 1, sag = a (cosh(span / 2 a) - 1)
    a = np.linspace(0.1, 2.0, 200000)
    a = a[np.argmin(np.abs(2 * a * np.arcsinh(1.0 / (2 * a)) - span))]
    assert sag == pytest.approx(a * (np.cosh(span / (2 * a)) - 1), rel=0.03)


@pytest.mark.parametrize(("stiffness", "tolerance"), [(5e4, None), (4.0, 0.04)])
def test_hanging_sheet_stretches_as_its_modulus_says(stiffness, tolerance):
    mesh = sheet(0.3, 0.5, 0.012)
    x = upright(mesh)
    top = np.flatnonzero(x[:, 2] > 0.4999)
    fabric = replace(STIFF, weft=stiffness, warp=stiffness, shear=stiffness / 2, damping=4.0)
    # A substep's single sweep adds a compliance that falls with the square of the substep.
    settings = SolverSettings() if tolerance is None else SolverSettings(substep_s=1 / 2400)
    simulation = ClothSimulation(mesh, fabric, x, pinned=top, settings=settings)
    run(simulation, 3.0)
    strain = simulation.strains()
    if tolerance is None:
        assert np.abs(strain).mean() < 0.02
    else:  # the mean of rho g (L - y) / k over the sheet
        expected = fabric.mass * 9.81 * 0.5 / (2.0 * stiffness)
        assert strain[:, 1].mean() == pytest.approx(expected, rel=tolerance)


def test_momentum_is_kept_and_energy_is_not_gained():
    mesh = sheet(0.2, 0.2, 0.015)
    rng = np.random.default_rng(4)
    x = upright(mesh) + rng.normal(0, 0.0005, (mesh.particle_count, 3))
    simulation = ClothSimulation(mesh, STIFF, x, settings=SolverSettings(gravity=0.0, compression=1.0))
    simulation.set_positions(x, rng.normal(0, 0.3, x.shape) + np.array([1.0, 2.0, 3.0]))
    mass = simulation.masses[:, None]

    def momentum():
        velocity = simulation.state.velocities.astype(float)
        linear = (mass * velocity).sum(axis=0)
        angular = (mass * np.cross(simulation.positions.astype(float), velocity)).sum(axis=0)
        return linear, angular, 0.5 * (mass * velocity**2).sum()

    linear, angular, energy = momentum()
    run(simulation, 0.5)
    linear_after, angular_after, energy_after = momentum()
    np.testing.assert_allclose(linear_after, linear, rtol=2e-3)
    np.testing.assert_allclose(angular_after, angular, atol=0.02 * np.linalg.norm(angular))
    assert 0.999 * (linear @ linear) / (2.0 * mass.sum()) < energy_after < energy


def test_free_fall_is_that_of_a_stone():
    mesh = sheet(0.1, 0.1, 0.02)
    simulation = ClothSimulation(mesh, STIFF, lying(mesh, 0.0))
    run(simulation, 0.5)
    assert simulation.positions[:, 2].mean() == pytest.approx(-0.5 * 9.81 * 0.25, rel=0.01)


def test_walk_finds_the_nearest_triangle():
    vertices, faces = sphere(0.2, 24, 36)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(40, 3))
    points = directions / np.linalg.norm(directions, axis=1, keepdims=True) * rng.uniform(0.19, 0.26, (40, 1))
    for point in points.astype(np.float32):
        start = body.nearest_triangles(point[None] + rng.normal(0.0, 0.02, 3), 0)[0]
        for _ in range(4):  # a substep's walk is short; a few get there
            face, b1, b2, is_open = walk_to_triangle(*point, np.int32(start), body.surface)
            start = face
        assert not is_open
        corners = vertices[faces[face]]
        assert np.all(body.faces == faces)
        nearest = (1 - b1 - b2) * corners[0] + b1 * corners[1] + b2 * corners[2]
        least = naive_contact.distance_to_mesh(point.astype(float), vertices.astype(float), faces)
        assert np.linalg.norm(point - nearest) == pytest.approx(least, abs=0.001)
        distance = point_triangle_distance(point.astype(float), vertices[faces].astype(float))
        assert distance.min() == pytest.approx(least, abs=1e-9)
        gap, *_ = surface_point(*point, face, b1, b2, body.surface)
        assert gap == pytest.approx(np.linalg.norm(point) - 0.2, abs=0.002)


def test_rounded_surface_lies_between_triangles_and_sphere():
    vertices, faces = sphere(0.2, 12, 18)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    third = np.float32(1 / 3)
    for face in range(18, len(faces) - 18, 7):
        q = vertices[faces[face]].mean(axis=0)
        n = (q / np.linalg.norm(q)).astype(np.float32)
        bulge = phong_bulge(*q, *n, np.int32(face), third, third, body.surface)
        missing = 0.2 - np.linalg.norm(q)
        assert 0.5 * missing < bulge < 1.25 * missing


def test_contact_pushes_out_and_holds_by_coulombs_law():
    vertices, faces = plane(0.0)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    shift = np.array([0.001, 0.0, 0.0], np.float32)
    normals = body.motion.end_normals
    blend_body(BodyMotion(vertices, vertices + shift, normals, normals), np.float32(1.0), np.float32(1.0), body.surface)
    np.testing.assert_allclose(body.surface.vertices, vertices + shift, atol=1e-6)
    np.testing.assert_allclose(body.surface.steps, np.tile(shift, (len(vertices), 1)), atol=1e-6)
    rng = np.random.default_rng(6)
    count, thickness, friction = 40, 0.003, 0.4
    x = rng.uniform(-1.0, 1.0, (count, 3)) * [1.0, 1.0, 0.004]
    before = x - rng.normal(0, 0.002, (count, 3))
    positions = np.column_stack([x, np.ones(count)]).astype(np.float32)
    touched, previous = before.astype(np.float32), before.astype(np.float32)
    tracks = np.stack([np.full(count, -1), body.nearest_triangles(x, 0)], axis=1).astype(np.int32)
    planes = np.zeros((count, 2, 7), np.float32)
    lay_planes(
        body.surface, np.full((count, 2), thickness, np.float32), np.float32(0.005), tracks,
        np.zeros((count, 2), np.int32), positions, planes,
    )  # fmt: skip
    touch_planes(planes, np.float32(0.0), ContactSettings(friction, 1.0, 1, 1), touched, previous, positions)
    for i in range(count):
        depth = thickness - x[i, 2]
        expected = x[i].copy()
        if depth > 0.0:
            slip = (x[i] - before[i] - shift) * [1.0, 1.0, 0.0]
            expected = x[i] + [0.0, 0.0, depth] - naive_contact.coulomb(slip, friction, depth)
        np.testing.assert_allclose(positions[i, :3], expected, atol=1e-6)
    np.testing.assert_allclose(touched, positions[:, :3])


def test_planes_go_with_the_body():
    """A plane that was laid three substeps ago is where the surface is now; who is far from the body has none."""
    vertices, faces = sphere(0.2, 24, 36)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    step = np.array([0.001, -0.002, 0.0015], np.float32)
    normals = body.motion.end_normals
    blend_body(
        BodyMotion(vertices, vertices + 4 * step, normals, normals), np.float32(0.25), np.float32(0.25), body.surface
    )
    rng = np.random.default_rng(8)
    count, thickness = 60, 0.003
    out = rng.normal(size=(count, 3))
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    x = step + out * rng.choice([0.201, 0.3], (count, 1))
    positions = np.column_stack([x, np.ones(count)]).astype(np.float32)
    tracks = np.stack([np.full(count, -1), body.nearest_triangles(x, 0)], axis=1).astype(np.int32)
    planes = np.zeros((count, 2, 7), np.float32)
    for _ in range(3):  # walks of a few steps each
        waits = np.zeros((count, 2), np.int32)
        held_off = np.full((count, 2), thickness, np.float32)
        lay_planes(body.surface, held_off, np.float32(0.005), tracks, waits, positions, planes)
    assert (planes[:, 0, 3] == FAR).all()
    far = np.linalg.norm(x - step, axis=1) > 0.25
    np.testing.assert_array_equal(planes[:, 1, 3] == FAR, far)
    np.testing.assert_allclose(planes[~far, 1, 4:], np.tile(step, ((~far).sum(), 1)), atol=1e-6)
    positions[:, :3] = 4 * step + out * 0.199
    touched, previous = positions[:, :3].copy(), positions[:, :3].copy()
    touch_planes(planes, np.float32(3.0), ContactSettings(0.0, 1.0, 2, 4), touched, previous, positions)
    off = np.linalg.norm(positions[:, :3] - 4 * step, axis=1)
    np.testing.assert_allclose(off[~far], 0.203, atol=0.0015)
    np.testing.assert_allclose(off[far], 0.199, atol=1e-6)


@pytest.mark.parametrize("tilt_deg", [15.0, 30.0])
def test_patch_on_an_incline_slides_when_steeper_than_its_friction_angle(tilt_deg):
    tilt = np.deg2rad(tilt_deg)
    vertices, faces = plane(tilt)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    mesh = sheet(0.12, 0.12, 0.02)
    flat = lying(mesh, 0.0)
    gap = STIFF.thickness / 2 + 0.0025
    down, normal = np.array([np.cos(tilt), 0, -np.sin(tilt)]), np.array([np.sin(tilt), 0, np.cos(tilt)])
    x = flat[:, :1] * down + flat[:, 1:2] * [0.0, 1.0, 0.0] + gap * normal
    simulation = ClothSimulation(mesh, STIFF, x, body)
    run(simulation, 0.5)
    way = (simulation.positions.mean(axis=0) - x.mean(axis=0)) @ down
    acceleration = 9.81 * (np.sin(tilt) - STIFF.friction * np.cos(tilt))  # the friction angle is 21.8 degrees
    if acceleration < 0.0:
        assert abs(way) < 0.001
    else:
        assert way == pytest.approx(0.5 * acceleration * 0.25, rel=0.05)


def test_sheet_drapes_over_a_sphere():
    mesh = sheet(0.5, 0.5, 0.014)
    vertices, faces = sphere(0.15, 24, 40)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    simulation = ClothSimulation(mesh, replace(STIFF, damping=3.0), lying(mesh, 0.17), body)
    run(simulation, 2.0)
    radius = np.linalg.norm(simulation.positions, axis=1)
    assert radius.min() > 0.15
    top = simulation.positions[:, 2] > 0.08
    assert np.percentile(radius[top], 90) < 0.15 + 0.012
    assert simulation.positions[:, 2].min() < -0.02  # the corners hang
    assert np.abs(simulation.strains()).mean() < 0.02
    before = simulation.positions.copy()
    simulation.step()
    assert (np.linalg.norm(simulation.positions - before, axis=1) > 5e-4).mean() < 0.015


def test_cloth_on_a_moving_body_goes_along():
    mesh = sheet(0.3, 0.3, 0.018)
    vertices, faces = sphere(0.15)
    body = ContactBody(faces, np.zeros(len(faces), int), vertices)
    simulation = ClothSimulation(mesh, replace(STIFF, damping=2.0, friction=0.8), lying(mesh, 0.16), body)
    run(simulation, 0.7)
    shift = 0.0
    for i in range(90):
        shift += 0.012 * np.sin(i / 90 * np.pi) ** 2
        target = vertices + np.array([shift, 0.0, 0.0], np.float32)
        target.flags.writeable = False
        simulation.step(target)
    run(simulation, 0.5)
    centre = simulation.positions.mean(axis=0)
    assert centre[0] == pytest.approx(shift, abs=0.08)
    assert np.linalg.norm(simulation.positions - [shift, 0.0, 0.0], axis=1).min() > 0.149


def test_only_what_cloth_lies_near_counts_as_the_bodys_way():
    vertices, faces = sphere(0.1)
    both = np.concatenate([vertices, vertices + np.array([0.5, 0.0, 0.0], np.float32)])
    body = ContactBody(np.concatenate([faces, faces + len(vertices)]), np.repeat([0, 1], len(faces)), both)
    mesh = sheet(0.1, 0.1, 0.02)
    simulation = ClothSimulation(mesh, STIFF, lying(mesh, 0.102), body)
    simulation.step()  # finds out that the second sphere is far
    moved = both.copy()
    moved[len(vertices) :] += 1.0
    assert simulation.way_to(moved) == 0.0
    moved[: len(vertices)] += np.linspace(0.0, 0.05, len(vertices), dtype=np.float32)[:, None] * [0.0, 0.6, 0.8]
    state = simulation.state
    near = (state.waits == 0) & (state.tracks >= 0)
    ids = body.vertex_ids[np.unique(body.faces[np.unique(state.tracks[near])])]
    expected = np.linalg.norm(moved[ids] - both[ids], axis=1).max()
    assert 0.001 < expected < 0.049
    assert simulation.way_to(moved) == pytest.approx(expected, rel=1e-5)


def test_groups_keep_to_themselves():
    """Between two spheres each group's cloth stays outside its own, and walks never leave the group."""
    vertices, faces = sphere(0.1)
    both = np.concatenate([vertices, vertices + np.array([0.21, 0.0, 0.0], np.float32)])
    all_faces = np.concatenate([faces, faces + len(vertices)])
    groups = np.repeat([0, 1], len(faces))
    body = ContactBody(all_faces, groups, both)
    neighbors = body.surface.neighbors
    assert (groups[neighbors[neighbors >= 0]] == np.repeat(groups, 3).reshape(-1, 3)[neighbors >= 0]).all()
    assert (body.face_groups[body.nearest_triangles(np.zeros((3, 3)), 1)] == 1).all()
    surface: BodySurface = body.surface
    face, *_ = walk_to_triangle(np.float32(0.3), np.float32(0.0), np.float32(0.0), np.int32(0), surface)
    assert groups[face] == 0


def test_fabrics_load_and_unknown_ones_are_named():
    for fabric in load_fabrics().values():
        assert 0.05 < fabric.mass < 1.0
        assert 1e-4 < fabric.thickness < 5e-3
        assert min(fabric.weft, fabric.warp, fabric.shear, fabric.bend) > 0.0
    with pytest.raises(UsageError, match="no fabric 'chainmail'; there are jersey"):
        load_fabric("chainmail")
