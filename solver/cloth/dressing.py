"""Dressing: a pattern is cut, sewn, put round a body, draped until it rests, and then follows the body."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.cloth.arrangement import arrange
from solver.cloth.body_surface import ContactBody
from solver.cloth.fabric import Fabric
from solver.cloth.sewing import SewnMesh, sew
from solver.cloth.simulation import ClothSimulation
from solver.errors import InputError
from solver.normals import NormalField
from solver.pattern.panel import Pattern
from solver.pattern.triangulate import PatternMesh, recut, triangulate
from solver.pieces import complete

FRAME_S = 1.0 / 60.0
EDGE_LENGTH_M = 0.012
JUMP_M = 0.06
"""A body that moves further than this in one frame, apart from its trunk's rigid motion, is taken there in steps."""
JUMP_STEP_M = 0.004
JUMP_STEPS_MAX = 150
TURN_MAX = np.deg2rad(20.0)
TRAVEL_MAX_M = 0.12
"""A trunk that turns or travels further in one frame was not moving: it was put elsewhere, and its cloth with it."""


class DrapeStage(NamedTuple):
    """A stretch of the first drape."""

    frames: int
    """At most: it ends when the garment rests."""
    gravity: float
    damping: float
    friction: float


DRAPE = (
    DrapeStage(40, 0.0, 20.0, 0.0),  # panels contract round the body
    DrapeStage(45, 9.81, 5.0, 0.1),  # the garment sinks onto the shoulders
    DrapeStage(120, 9.81, 4.0, 0.4),  # and comes to rest
)
REST_M = 3e-4
REST_SHARE = 0.01
"""A garment rests when no more than this share of it moves further than that in a frame."""


class Garment:
    """A garment on a body: its mesh, and the simulation that moves it. Frame b of the body that it was put on, until
    `follow` takes it elsewhere."""

    def __init__(self, cut: PatternMesh, simulation: ClothSimulation, body_vertices: NDArray[np.float32]) -> None:
        """Takes over a settled `simulation` of `cut` round the body `body_vertices` (V, 3) [m]."""
        self.cut = cut
        self.simulation = simulation
        self.mesh: SewnMesh = simulation.mesh
        self.home_body = np.array(body_vertices, np.float32)
        """The body that it was draped on [m], (V, 3)."""
        self.home = simulation.positions.copy()
        """Where the particles lay then [m], (P, 3)."""
        self._normal_field = NormalField(self.mesh.triangles, self.mesh.particle_count)
        self._positions = np.zeros((self.mesh.particle_count, 3), np.float32)
        self._normals = np.zeros_like(self._positions)

    @property
    def vertices(self) -> NDArray[np.float32]:
        """Where the vertices of `mesh` are [m], shape (N, 3)."""
        return self.simulation.positions[self.mesh.particles]

    @property
    def normals(self) -> NDArray[np.float32]:
        """Unit normals of the vertices of `mesh`, smooth across seams, shape (N, 3)."""
        self._positions[:] = self.simulation.positions
        return self._normal_field(self._positions, out=self._normals)[self.mesh.particles]

    def follow(self, body_vertices: NDArray[np.float32], dt: float = FRAME_S) -> NDArray[np.float32]:
        """The body is at `body_vertices` (V, 3) [m] `dt` [s] later; returns the garment's vertices, shape (N, 3).

        After a jump (the first tracked pose, a teleport) the garment is carried along rigidly with the trunk and the
        rest of the way is simulated in small steps before this returns.
        """
        target = np.asarray(body_vertices, np.float32)
        if self.simulation.way_to(target) <= JUMP_M:
            self.simulation.step(target, dt)
        else:
            for left in range(self.begin_jump(target), 0, -1):
                self.jump_on(target, left)
        if self.simulation.broken:
            self.reset()
            return self.follow(body_vertices, dt)
        return self.vertices

    def begin_jump(self, target: NDArray[np.float32]) -> int:
        """Carries the garment along where the trunk was put elsewhere, on its way to the body `target` (V, 3) [m];
        returns how many steps of `jump_on` the rest of the way takes."""
        body = self._contact_body
        rotation, shift = _rigid_motion(body.vertices[body.trunk], target[body.vertex_ids[body.trunk]])
        turn = np.arccos(np.clip((np.trace(rotation) - 1.0) / 2.0, -1.0, 1.0))
        centre = body.vertices[body.trunk].mean(axis=0)
        if turn > TURN_MAX or np.linalg.norm(rotation @ centre + shift - centre) > TRAVEL_MAX_M:
            self.carry(rotation, shift)
        return self.steps_to(target)

    def steps_to(self, target: NDArray[np.float32]) -> int:
        """In how many steps of FRAME_S the body should go to `target` (V, 3) [m]."""
        body = self._contact_body
        way = float(np.linalg.norm(target[body.vertex_ids] - body.vertices, axis=1).max())
        return 1 if way <= JUMP_M else min(int(np.ceil(way / JUMP_STEP_M)), JUMP_STEPS_MAX)

    def jump_on(self, target: NDArray[np.float32], left: int) -> None:
        """One step of FRAME_S of a jump, `left` of which are left: the body goes that share of its way to `target`."""
        body = self._contact_body
        between = target.copy()
        between[body.vertex_ids] = body.vertices + (target[body.vertex_ids] - body.vertices) / np.float32(left)
        self.simulation.step(between, FRAME_S)

    def carry(self, rotation: NDArray, shift: NDArray) -> None:
        """Moves garment and body rigidly: p -> rotation p + shift, (3, 3) and (3,) [m]."""
        simulation, body = self.simulation, self._contact_body
        whole = np.zeros_like(self.home_body)
        whole[body.vertex_ids] = body.vertices @ rotation.T + shift
        body.place(whole)
        velocities = simulation.state.velocities @ rotation.T
        simulation.set_positions(simulation.positions @ rotation.T + shift, velocities, seed=False)

    def take_over(self, other: Garment) -> None:
        """Lies and moves as `other` does, a garment of the same particles on the same body."""
        self._contact_body.copy_motion(other._contact_body)
        self.simulation.copy_motion(other.simulation)

    @property
    def pattern(self) -> Pattern:
        """What it is cut by."""
        return self.cut.pattern

    def reset(self) -> None:
        """Back to the body in the canonical pose, as first draped."""
        self._contact_body.place(self.home_body)
        self.simulation.set_positions(self.home)

    @property
    def _contact_body(self) -> ContactBody:
        body = self.simulation.body
        assert body is not None
        return body


def dress(
    pattern: Pattern,
    model: BodyModel,
    body_vertices: NDArray[np.float32],
    fabric: Fabric,
    *,
    edge_length_m: float = EDGE_LENGTH_M,
    on_progress: Callable[[float], None] | None = None,
) -> Garment:
    """Cut, sew and drape `pattern` in `fabric` on a body of `model` in the canonical A-pose.

    body_vertices (V, 3) [m], frame b. `on_progress` is told the share that is done. Raises `InputError` where the
    pattern is unsound or does not go round this body.
    """
    return complete(dressing(pattern, model, body_vertices, fabric, edge_length_m=edge_length_m), on_progress)


def dressing(
    pattern: Pattern,
    model: BodyModel,
    body_vertices: NDArray[np.float32],
    fabric: Fabric,
    *,
    edge_length_m: float = EDGE_LENGTH_M,
) -> Generator[float, None, Garment]:
    """`dress` in pieces of a fraction of a second; yields the share that is done."""
    pattern.check()
    cut = triangulate(pattern, edge_length_m)
    yield 0.0
    mesh = sew(cut)
    start = arrange(cut, mesh, model, body_vertices)
    yield 0.0
    body = ContactBody.of_model(model, np.asarray(body_vertices, np.float32))
    simulation = ClothSimulation(mesh, fabric, start, body, on_arms=_on_arms(pattern, mesh))
    total = sum(stage.frames for stage in DRAPE)
    done = 0
    before = simulation.positions.copy()
    working = simulation.settings
    for stage in DRAPE:
        simulation.settings = replace(
            working, gravity=stage.gravity, damping=stage.damping, friction=stage.friction * fabric.friction / 0.4
        )
        for _ in range(stage.frames):
            simulation.step()
            done += 1
            yield done / total
            moved = np.linalg.norm(simulation.positions - before, axis=1)
            before[:] = simulation.positions
            if np.mean(moved > REST_M) <= REST_SHARE:
                break
    yield 1.0
    simulation.settings = working
    if not np.isfinite(simulation.positions).all():
        raise InputError(f"{pattern.name}: the garment does not go round this body; give it more ease")
    return Garment(cut, simulation, body_vertices)


def altered(garment: Garment, pattern: Pattern, fabric: Fabric, model: BodyModel) -> Garment | None:
    """`garment` cut anew to `pattern` in `fabric` without draping: the same particles with other shapes at rest.

    It lies as `garment` did when first draped; `Garment.take_over` puts it where `garment` is now, and the cloth gives
    way from there. None where the cut differs so much that it must be draped from the start. Raises `InputError` where
    the pattern is unsound.
    """
    pattern.check()
    cut = recut(garment.cut, pattern)
    if cut is None:
        return None
    body = ContactBody.of_model(model, garment.home_body)
    mesh = sew(cut)
    simulation = ClothSimulation(mesh, fabric, garment.home, body, on_arms=_on_arms(pattern, mesh))
    return Garment(cut, simulation, garment.home_body)


def _on_arms(pattern: Pattern, mesh: SewnMesh) -> NDArray[np.bool_]:
    """Which particles lie on sleeves only; the armhole seam counts as the trunk's."""
    sleeve = np.array([panel.place.startswith("arm") for panel in pattern.panels])[mesh.panels]
    on_arms = np.zeros(mesh.particle_count, bool)
    on_arms[mesh.particles[sleeve]] = True
    on_arms[mesh.particles[~sleeve]] = False
    return on_arms


def _rigid_motion(before: NDArray, after: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (3, 3) and shift (3,) that best take points `before` (n, 3) to `after` (Kabsch 1976)."""
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    centre_a, centre_b = a.mean(axis=0), b.mean(axis=0)
    u, _, vt = np.linalg.svd((a - centre_a).T @ (b - centre_b))
    sign = np.sign(np.linalg.det(vt.T @ u.T))
    rotation = vt.T @ np.diag([1.0, 1.0, sign]) @ u.T
    return rotation, centre_b - rotation @ centre_a
