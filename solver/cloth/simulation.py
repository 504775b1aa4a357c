"""A garment in motion: owns the buffers and steps them by whole frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solver.cloth.body_surface import ARMS, TRUNK, ContactBody
from solver.cloth.constraints import build_constraints, particle_masses, rest_shape, tethers
from solver.cloth.fabric import Fabric
from solver.cloth.sewing import SewnMesh
from solver.kernels.advance_cloth import BodyMotion, ClothState, StepSettings, advance_cloth
from solver.kernels.contact import BodySurface, ContactSettings, farthest_way
from solver.thread_limit import thread_limit

GRAVITY = 9.81
STRAY_M = 1.5
"""Cloth this far outside the body's bounds was torn off it."""


@dataclass(frozen=True, slots=True)
class SolverSettings:
    """How the cloth is solved; a drape starts with other settings than a walk."""

    substep_s: float = 1.0 / 960.0
    contact_interval: int = 2
    """Substeps from one look at contacts to the next."""
    search_interval: int = 4
    """Looks at contacts from one search for the body's triangle below a particle to the next."""
    bending_interval: int = 4
    """Substeps from one solve of bending to the next."""
    gravity: float = GRAVITY
    """[m/s^2]."""
    damping: float | None = None
    """Rate at which velocities die away [1/s]; the fabric's own when None."""
    friction: float | None = None
    """Coulomb's coefficient; the fabric's own when None."""
    compression: float = 0.3
    """Share of the correction that a shortened thread gets: a thread buckles rather than be compressed."""
    speed_limit: float = 12.0
    """[m/s]."""
    threads: int = 1
    """More than one pays only where the cores are idle: every pass waits for its slowest thread."""
    contact_gain_m: float = 0.004
    """Most depth of a contact that turns into velocity [m]; deeper ones are undone without."""


class ClothSimulation:
    """Particles of one garment under gravity, its own stiffness and contact with a body."""

    def __init__(
        self,
        mesh: SewnMesh,
        fabric: Fabric,
        positions: ArrayLike,
        body: ContactBody | None = None,
        *,
        pinned: ArrayLike = (),
        anchors: ArrayLike = (),
        on_arms: ArrayLike | None = None,
        settings: SolverSettings | None = None,
    ) -> None:
        """positions (P, 3) [m]; `pinned` particles do not move; `anchors` hold the others by tethers; on_arms (P,) bool
        tells which particles belong to the arms (sleeves) rather than the trunk."""
        self.mesh = mesh
        self.fabric = fabric
        self.body = body
        self.settings = settings or SolverSettings()
        self.rest = rest_shape(mesh.uv, mesh.faces, mesh.triangles)
        self.masses = particle_masses(mesh, self.rest, fabric)
        count = mesh.particle_count
        inverse = 1.0 / self.masses
        inverse[np.asarray(pinned, int)] = 0.0
        start = np.asarray(positions, np.float64)
        self._constraints = build_constraints(
            mesh,
            self.rest,
            fabric,
            inverse,
            start[mesh.triangles].mean(axis=1),
            self.settings.substep_s,
            self.settings.bending_interval,
        )
        anchors = np.asarray(anchors, int)
        if len(anchors):
            self._tethers = tethers(mesh, anchors, slack=0.01)
        else:
            self._tethers = (np.zeros(0, np.int32), np.zeros(0, np.float32))
        self.state = ClothState(
            np.zeros((count, 4), np.float32),
            np.zeros((count, 3), np.float32),
            np.zeros((count, 3), np.float32),
            np.zeros((count, 3), np.float32),
            np.full((count, 2), -1, np.int32),
            np.zeros((count, 2), np.int32),
            np.zeros((count, 2, 7), np.float32),
        )
        self.state.positions[:, 3] = inverse
        on_arms = np.zeros(count, bool) if on_arms is None else np.asarray(on_arms, bool)
        self._groups = np.stack([np.where(on_arms, TRUNK, ARMS), np.where(on_arms, ARMS, TRUNK)], axis=1)
        # Outside its own group a garment part lies on top of another one: one more layer of cloth in between.
        gap = fabric.thickness / 2.0 + 0.0025
        self._thickness = np.tile(np.array([gap + 2.0 * fabric.thickness + 0.002, gap], np.float32), (count, 1))
        self.set_positions(start)

    @property
    def positions(self) -> NDArray[np.float32]:
        """Particle positions [m], a view, shape (P, 3)."""
        return self.state.positions[:, :3]

    def set_positions(self, positions: ArrayLike, velocities: ArrayLike = 0.0, seed: bool = True) -> None:
        """Put the particles at `positions` (P, 3) [m] and, if `seed`, find the body triangle below each."""
        self.state.positions[:, :3] = positions
        self.state.touched[:] = positions
        self.state.velocities[:] = velocities
        self.state.waits[:] = 0
        if seed:
            self.seed_contacts()

    def copy_motion(self, other: ClothSimulation) -> None:
        """The particles are where those of `other`, as many, are, and move and touch as they do."""
        masses = self.state.positions[:, 3].copy()
        for mine, theirs in zip(self.state, other.state, strict=True):
            mine[:] = theirs
        self.state.positions[:, 3] = masses

    def seed_contacts(self) -> None:
        """Find the body triangle below every particle, in both groups, wherever it is."""
        if self.body is None:
            return
        nearest = np.stack([self.body.nearest_triangles(self.positions, group) for group in (TRUNK, ARMS)], axis=1)
        self.state.tracks[:] = np.take_along_axis(nearest, self._groups, axis=1)

    def way_to(self, body_vertices: NDArray[np.float32]) -> float:
        """The longest way [m] of the body from where it is to `body_vertices` (V, 3), of all places that the cloth lies
        on or near."""
        if self.body is None:
            return 0.0
        body, state = self.body, self.state
        vertices = np.asarray(body_vertices, np.float32)
        return float(farthest_way(state.tracks, state.waits, body.faces, body.vertex_ids, body.vertices, vertices))

    @property
    def broken(self) -> bool:
        """True where some position is no number, or farther from the body than cloth can hang."""
        low, high = self.positions.min(axis=0), self.positions.max(axis=0)
        if not np.isfinite(low.sum() + high.sum()):
            return True
        if self.body is None:
            return False
        body = self.body.vertices
        return bool((low < body.min(axis=0) - STRAY_M).any() or (high > body.max(axis=0) + STRAY_M).any())

    def step(self, body_vertices: NDArray[np.float32] | None = None, dt: float = 1.0 / 60.0) -> None:
        """Advance by `dt` [s] while the body moves evenly to `body_vertices` (V, 3) [m] (or stays where it is)."""
        settings = self.settings
        if self.body is not None:
            if body_vertices is not None:
                self.body.move(body_vertices)
            surface, motion = self.body.surface, self.body.motion
        else:
            surface, motion = _NO_SURFACE, _NO_MOTION
        interval = math.lcm(settings.contact_interval, settings.bending_interval)
        substeps = interval * max(1, round(dt / (settings.substep_s * interval)))
        substep = dt / substeps
        damping = self.fabric.damping if settings.damping is None else settings.damping
        friction = self.fabric.friction if settings.friction is None else settings.friction
        with thread_limit(settings.threads):
            advance_cloth(
                self._constraints,
                self._tethers,
                surface,
                motion,
                ContactSettings(
                    float(friction),
                    float(settings.contact_gain_m),
                    settings.contact_interval,
                    settings.search_interval,
                ),
                StepSettings(
                    substeps,
                    float(substep),
                    float(np.exp(-damping * substep)),
                    float(settings.compression),
                    settings.bending_interval,
                    float(settings.speed_limit),
                ),
                np.array([0.0, 0.0, -settings.gravity], np.float32),
                self._thickness,
                self.state,
            )
        if self.body is not None:
            self.body.hold()

    def strains(self) -> NDArray[np.float64]:
        """Stretch of every triangle along weft and warp (0.01 is 1 % longer than cut), shape (F, 2)."""
        corners = self.positions.astype(np.float64)[self.mesh.triangles]
        deformation = np.einsum("fgc,fcx->fgx", self.rest.gradients, corners)
        return np.linalg.norm(deformation, axis=2) - 1.0


_EMPTY = np.zeros((0, 3), np.float32)
_NO_FACES = np.zeros((0, 3), np.int32)
_NO_SURFACE = BodySurface(_NO_FACES, _NO_FACES, _EMPTY, _EMPTY, _EMPTY, np.zeros(0, np.float32))
_NO_MOTION = BodyMotion(_EMPTY, _EMPTY, _EMPTY, _EMPTY)
