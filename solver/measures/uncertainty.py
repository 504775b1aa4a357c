"""How sure a measure is: the body is measured again and again, each time a little wrong in the ways scans are wrong."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.body import joint_transforms, skin
from solver.kernels.random_waves import sum_waves
from solver.measures.figure import Figure, Topology

FIELD_WAVES = 64
UNSEEN_STD_M = 0.012
UNSEEN_LENGTH_M = 0.15


class SurfaceError(NamedTuple):
    """How a measured body may be wrong. Every number is a standard deviation."""

    noise_m: float = 0.0005
    """Of the surface along its normals, wavy with `wave_m`."""
    wave_m: float = 0.04
    """Correlation length of the noise."""
    offset_m: float = 0.0
    """Of the whole surface along its normals: fixed error of the camera."""
    cloth_m: NDArray[np.float64] | float = 0.0
    """Of how far clothes stood off that were taken off, (V,): one garment is as thick everywhere."""
    scale: float = 0.0
    """Of the size of everything: depth scale of the camera."""
    landmark_m: float = 0.002
    """Of named points along the surface."""
    pose_rad: float = 0.0
    """Of each joint's turn when the body was brought into the canonical pose."""


def disturb(
    topology: Topology,
    vertices: NDArray,
    joints: NDArray,
    coverage: NDArray | None,
    error: SurfaceError,
    rng: np.random.Generator,
) -> Figure:
    """One body that could as well be the true one. `coverage` (V,) 0..1: the share of each vertex's surface seen."""
    model = topology.model
    rest = np.ascontiguousarray(vertices, np.float32)
    if error.pose_rad > 0.0:
        turns = rng.normal(0.0, error.pose_rad, (model.joint_count, 3))
        turns[0] = 0.0
        transforms = joint_transforms(model, joints, turns)
        rest = skin(model, rest, transforms)
        joints = np.einsum("jab,jb->ja", transforms[:, :3, :3], joints) + transforms[:, :3, 3]
    normals = topology.normals(rest).astype(np.float64)
    shift = error.noise_m * _wavy_field(rest, error.wave_m, rng) + rng.normal(0.0, error.offset_m)
    shift = shift + error.cloth_m * rng.standard_normal()
    if coverage is not None:
        unseen = np.sqrt(np.clip(1.0 - np.asarray(coverage, np.float64), 0.0, 1.0))
        shift = shift + UNSEEN_STD_M * unseen * _wavy_field(rest, UNSEEN_LENGTH_M, rng)
    scale = 1.0 + rng.normal(0.0, error.scale)
    moved = scale * (rest + shift[:, None] * normals)
    return Figure(topology, moved, scale * joints, _landmark_shifts(topology, normals, error.landmark_m, rng))


def _wavy_field(points: NDArray, length_m: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A Gaussian random field of unit variance and correlation length `length_m` at points (V, 3) (Rahimi and Recht
    2007: random Fourier features)."""
    waves = rng.normal(0.0, 0.5 / (np.pi * length_m), (FIELD_WAVES, 3)).astype(np.float32)
    phases = rng.uniform(0.0, 1.0, FIELD_WAVES).astype(np.float32)
    weights = (rng.normal(size=FIELD_WAVES) * np.sqrt(2.0 / FIELD_WAVES)).astype(np.float32)
    field = np.empty(len(points), np.float32)
    sum_waves(np.ascontiguousarray(points.T, np.float32), waves, phases, weights, field)
    return field.astype(np.float64)


def _landmark_shifts(
    topology: Topology, normals: NDArray, spread_m: float, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    shifts = {}
    for name, vertex in topology.model.landmarks.items():
        shift = rng.normal(0.0, spread_m, 3)
        shifts[name] = shift - (shift @ normals[vertex]) * normals[vertex]
    return shifts
