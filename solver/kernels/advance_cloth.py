"""One frame of cloth: all its substeps in one call, so that nothing but kernels runs between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.kernels.contact import blend_body, lay_planes, touch_planes
from solver.kernels.xpbd import go_on, predict_positions, pull_tethers, solve_constraints, update_velocities

APPROACH_SPEED = 3.0
"""How fast cloth and body come together [m/s], at most; faster ones meet a little later, and are still kept apart."""


class ClothState(NamedTuple):
    """What changes every substep (P particles)."""

    positions: NDArray[np.float32]
    """x, y, z [m] and inverse mass [1/kg] (0 where pinned), shape (P, 4)."""
    previous: NDArray[np.float32]
    """Positions at the start of the substep [m], shape (P, 3)."""
    touched: NDArray[np.float32]
    """Positions at the last look at contacts [m], shape (P, 3)."""
    velocities: NDArray[np.float32]
    """[m/s], shape (P, 3)."""
    tracks: NDArray[np.int32]
    """Body triangle below each particle in the other group and in its own, or -1, shape (P, 2)."""
    waits: NDArray[np.int32]
    """Searches for contacts to leave out, shape (P, 2)."""
    planes: NDArray[np.float32]
    """Planes that hold each particle off the other group and its own, see `lay_plane`, shape (P, 2, 7)."""


class BodyMotion(NamedTuple):
    """The body at the start and the end of a frame, all [m], shape (B, 3)."""

    start: NDArray[np.float32]
    end: NDArray[np.float32]
    start_normals: NDArray[np.float32]
    end_normals: NDArray[np.float32]


class StepSettings(NamedTuple):
    """How a frame is stepped."""

    substeps: int
    dt: float
    """A substep [s]."""
    damping: float
    """Share of the velocity that is left after a substep."""
    compression: float
    """Share of the correction that a shortened thread gets."""
    bending_interval: int
    """Substeps from one solve of bending to the next."""
    speed_limit: float
    """[m/s]."""


@njit(nogil=True, cache=True, error_model="numpy")
def advance_cloth(constraints, tethers, body, motion, contact, settings, gravity, thickness, state):
    """Advance `state` by one frame.

    Stretch, which converges slowly, is solved every substep; bending and contact every few. Contact planes are laid at
    the first look of the frame, since the body may move another way than before, and every `contact.search_interval`
    looks after it.

    constraints: ClothConstraints; tethers: (anchors (P,), lengths (P,)); body: BodySurface; motion: BodyMotion;
    contact: ContactSettings; settings: StepSettings; gravity (3,) [m/s^2] float32; thickness (P, 2) [m].
    """
    dt = np.float32(settings.dt)
    inverse_dt = np.float32(1.0 / settings.dt)
    gravity_dt = gravity * dt
    reach = np.float32(APPROACH_SPEED * settings.dt * contact.interval * contact.search_interval)
    damping, speed_limit = np.float32(settings.damping), np.float32(settings.speed_limit)
    laid_at = 0
    predict_positions(gravity_dt, dt, state.velocities, state.previous, state.positions)
    for s in range(settings.substeps):
        if s > 0:
            go_on(gravity_dt, dt, damping, speed_limit, state.previous, state.positions)
        bends = (s + 1) % settings.bending_interval == 0
        solve_constraints(constraints, np.float32(settings.compression), bends, state.positions)
        if tethers[0].shape[0] > 0:
            pull_tethers(tethers[0], tethers[1], state.positions)
        if (s + 1) % contact.interval == 0 and body.vertices.shape[0] > 0:
            if (s + 1) // contact.interval % contact.search_interval == 1 % contact.search_interval:
                laid_at = s
                blend_body(motion, np.float32((s + 1.0) / settings.substeps), np.float32(1.0 / settings.substeps), body)
                lay_planes(body, thickness, reach, state.tracks, state.waits, state.positions, state.planes)
            touch_planes(state.planes, np.float32(s - laid_at), contact, state.touched, state.previous, state.positions)
    update_velocities(inverse_dt, damping, speed_limit, state.previous, state.positions, state.velocities)
