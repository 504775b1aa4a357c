"""One frame of cloth: all its substeps in one call, so that nothing but kernels runs between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from solver.kernels.contact import blend_body, resolve_contacts
from solver.kernels.xpbd import (
    predict_positions,
    pull_tethers,
    solve_constraints,
    update_velocities,
)

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
    """Looks at contacts to leave out, shape (P, 2)."""


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
    speed_limit: float
    """[m/s]."""


@njit(nogil=True, cache=True, error_model="numpy")
def advance_cloth(constraints, tethers, body, motion, contact, settings, gravity, thickness, state):
    """Advance `state` by one frame.

    Stretch, which converges slowly, is solved every substep; bending and contact every `contact.interval` substeps.

    constraints: ClothConstraints; tethers: (anchors (P,), lengths (P,)); body: BodySurface; motion: BodyMotion;
    contact: ContactSettings; settings: StepSettings; gravity (3,) [m/s^2] float32; thickness (P, 2) [m].
    """
    dt = np.float32(settings.dt)
    inverse_dt = np.float32(1.0 / settings.dt)
    gravity_dt = gravity * dt
    reach = np.float32(APPROACH_SPEED * settings.dt * contact.interval)
    for s in range(settings.substeps):
        looks = (s + 1) % contact.interval == 0
        predict_positions(gravity_dt, dt, state.velocities, state.previous, state.positions)
        solve_constraints(constraints, np.float32(settings.compression), looks, state.positions)
        if tethers[0].shape[0] > 0:
            pull_tethers(tethers[0], tethers[1], state.positions)
        if looks and body.vertices.shape[0] > 0:
            fraction = np.float32((s + 1.0) / settings.substeps)
            blend_body(
                motion.start,
                motion.end,
                motion.start_normals,
                motion.end_normals,
                fraction,
                body.vertices,
                body.previous,
                body.normals,
            )
            resolve_contacts(
                body,
                thickness,
                contact,
                reach,
                state.tracks,
                state.waits,
                state.touched,
                state.previous,
                state.positions,
            )
        update_velocities(
            inverse_dt,
            np.float32(settings.damping),
            np.float32(settings.speed_limit),
            state.previous,
            state.positions,
            state.velocities,
        )
