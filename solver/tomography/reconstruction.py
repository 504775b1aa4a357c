"""A volume from its line integrals: checked input, any method, a typed result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError, UsageError
from solver.tomography.geometry import ConeBeamGeometry
from solver.tomography.grid import VolumeGrid
from solver.tomography.problem import Method, Problem
from solver.tomography.projector import Projector, check_array, to_columns
from solver.tomography.sart import OsSart


@dataclass(frozen=True, slots=True)
class Iteration:
    """How far a reconstruction is."""

    number: int
    """1 after the first."""
    of: int
    residual: float
    """Length of b - A x relative to that of b, weighted, as the method met it in this iteration."""
    volume: NDArray[np.float32]
    """The volume as it stands, (X, Y, Z): a read-only view of what the next iteration changes."""


@dataclass(frozen=True, slots=True)
class Tomogram:
    """A reconstructed volume. Arrays are read-only."""

    volume: NDArray[np.float32]
    """Attenuation [1/m], (X, Y, Z)."""
    grid: VolumeGrid
    residuals: NDArray[np.float64]
    """Of every iteration done, see `Iteration.residual`."""
    ended: Literal["iterations", "residual", "stalled", "caller"]
    """What ended it: all iterations done, residual tolerance reached, residual no longer falling, the caller's word."""


def reconstruct(
    projections: NDArray[np.floating],
    geometry: ConeBeamGeometry,
    grid: VolumeGrid,
    method: Method | None = None,
    *,
    weights: NDArray[np.floating] | None = None,
    mask: NDArray | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    initial: NDArray[np.floating] | None = None,
    residual_tolerance: float = 0.0,
    stall_tolerance: float | None = None,
    on_iteration: Callable[[Iteration], bool | None] | None = None,
) -> Tomogram:
    """The volume whose line integrals are `projections`.

    `projections` (V, rows, columns): line integrals, -log(I / I0), without unit; pixels as the geometry says. `method`:
    `OsSart` (default), `Sart`, `Sirt`, `Cgls`, `AsdPocs`, `FistaTv`. `weights`, like the projections: how much each ray
    counts, 0 for dead pixels; for Poisson noise the counted photons. `mask` (X, Y, Z): true where voxels are to be
    found; the others keep `initial` (0 without). `minimum` and `maximum` [1/m] hold the voxels that are to be found.
    `initial` (X, Y, Z) [1/m] is where it starts.

    It ends after the method's iterations, when the residual is at most `residual_tolerance`, when it fell by less than
    the share `stall_tolerance` in an iteration, or when `on_iteration` returns True.

    Raises InputError on wrong shapes, values that are not finite, an empty mask, limits that exclude each other, a view
    that does not look at the grid; UsageError where the method's parameters make no sense.
    """
    steps = reconstruction_steps(
        projections,
        geometry,
        grid,
        method,
        weights=weights,
        mask=mask,
        minimum=minimum,
        maximum=maximum,
        initial=initial,
        residual_tolerance=residual_tolerance,
        stall_tolerance=stall_tolerance,
    )
    answer = None
    while True:
        try:
            iteration = steps.send(answer)
        except StopIteration as end:
            return end.value
        answer = on_iteration is not None and bool(on_iteration(iteration))


def reconstruction_steps(
    projections: NDArray[np.floating],
    geometry: ConeBeamGeometry,
    grid: VolumeGrid,
    method: Method | None = None,
    *,
    weights: NDArray[np.floating] | None = None,
    mask: NDArray | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    initial: NDArray[np.floating] | None = None,
    residual_tolerance: float = 0.0,
    stall_tolerance: float | None = None,
) -> Generator[Iteration, bool | None, Tomogram]:
    """As `reconstruct`, in pieces: yields after every iteration, and ends where it is sent True."""
    if method is None:
        method = OsSart()
    if method.iterations < 1:
        raise UsageError(f"reconstruct: {method.iterations} iterations; give at least one")
    problem = _problem(projections, geometry, grid, weights, mask, minimum, maximum)
    volume = np.zeros(grid.shape, np.float32)
    if initial is not None:
        volume[:] = check_array("initial", initial, grid.shape)
    np.clip(volume, *problem.limits, out=volume, where=problem.mask != 0)
    shown = volume.view()
    shown.setflags(write=False)
    length = problem.measured_length()
    residuals: list[float] = []
    ended: Literal["iterations", "residual", "stalled", "caller"] = "iterations"
    for residual in method.run(problem, volume):
        # Nothing measured: the residual is the volume's own line integrals, and relative to nothing.
        residuals.append(residual / length if length > 0.0 else residual)
        stopped = yield Iteration(len(residuals), method.iterations, residuals[-1], shown)
        if stopped:
            ended = "caller"
        elif residuals[-1] <= residual_tolerance:
            ended = "residual"
        elif (
            stall_tolerance is not None
            and len(residuals) > 1
            and residuals[-2] - residuals[-1] < stall_tolerance * residuals[-2]
        ):
            ended = "stalled"
        else:
            continue
        break
    history = np.array(residuals)
    for array in (volume, history):
        array.setflags(write=False)
    return Tomogram(volume, grid, history, ended)


def _problem(
    projections: NDArray[np.floating],
    geometry: ConeBeamGeometry,
    grid: VolumeGrid,
    weights: NDArray[np.floating] | None,
    mask: NDArray | None,
    minimum: float | None,
    maximum: float | None,
) -> Problem:
    measured = to_columns(check_array("projections", projections, geometry.projections_shape))
    if weights is None:
        counting = np.ones_like(measured)
    else:
        counting = to_columns(check_array("weights", weights, geometry.projections_shape))
        if counting.min() < 0.0 or counting.max() <= 0.0:
            raise InputError("weights: give 0 or more, and more than 0 to at least one ray")
        # A greatest weight of 1: float32 sums stay in their range whatever unit the weights have.
        counting /= counting.max()
    found = np.ones(grid.shape, np.uint8)
    if mask is not None:
        found[:] = check_array("mask", mask, grid.shape) != 0.0
        if not found.any():
            raise InputError("mask: no voxel is to be found; mark at least one")
    low = -np.inf if minimum is None else float(minimum)
    high = np.inf if maximum is None else float(maximum)
    if not low <= high:
        raise InputError(f"limits: minimum {low:g} and maximum {high:g}; give numbers in that order")
    return Problem(Projector(geometry, grid), measured, counting, found, np.array([low, high], np.float32))
