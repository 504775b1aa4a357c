"""Lays the body model over any upright human surface: other people's scans and models, in whatever pose they stand.

registration = register_body(model, vertices, faces)
registration.vertices            # the surface as it stands, in model topology
registration.canonical           # the same body in the A-pose
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation
from solver.articulated_icp import BodyFitter, Fit
from solver.body import BodyModel, canonical_pose, joint_transforms, shape_body, skin
from solver.errors import InputError, NotAPersonError
from solver.measures.body import topology_of
from solver.surface_offset import offset_to_surface
from solver.surface_points import SurfacePoints, cloud_points, sample_mesh

POINT_COUNT = 30_000
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
HEIGHTS_M = (0.7, 2.4)
LEAST_NEAR = 0.88
LEAST_COVERED = 0.55
MOST_SHAPE = 2.2
"""A person: at least LEAST_NEAR of the surface within NEAR_M of the fitted model, LEAST_COVERED of the model's within
NEAR_M of the surface, shape coefficients of root mean square MOST_SHAPE at most."""

Up = Literal["y", "z"]
Unit = Literal["m", "cm", "mm"]


@dataclass(frozen=True, slots=True)
class Registration:
    """The body model laid over a surface. Frame b: z up, facing -y, the floor (the surface's lowest point) at z = 0."""

    vertices: NDArray[np.float64]
    """The body as it stands [m], shape (V, 3)."""
    joints: NDArray[np.float64]
    """[m], shape (J, 3)."""
    canonical: NDArray[np.float64]
    """The same body in the canonical A-pose [m], shape (V, 3)."""
    canonical_joints: NDArray[np.float64]
    """[m], shape (J, 3)."""
    state: Articulation
    """Pose and shape that the model had before its vertices moved."""
    coverage: NDArray[np.float64]
    """Share of each vertex's neighbourhood that the surface shows, shape (V,)."""
    rmse_m: float
    """Distance of the surface from `vertices`, of what belongs to the body."""
    fit: Fit
    up: Up
    unit: Unit
    T_bm: NDArray[np.float64]
    """The given surface's coordinates to frame b, shape (4, 4): turn, unit and place."""


def register_body(
    model: BodyModel,
    vertices: NDArray,
    faces: NDArray | None = None,
    normals: NDArray | None = None,
    up: Up | None = None,
    unit: Unit | None = None,
    seed: int = 0,
) -> Registration:
    """Registers a surface: triangles (`faces`, (F, 3)) or a cloud of points (V, 3) with or without `normals`.

    What `up` and `unit` do not say is guessed. Raises `InputError` for surfaces that cannot be read as an upright
    person's and `NotAPersonError` for those that are none.
    """
    rng = np.random.default_rng(seed)
    vertices = np.asarray(vertices, np.float64)
    readings = _readings(vertices, up, unit)
    best: tuple[float, BodyFitter, list[Articulation], tuple[Up, Unit], SurfacePoints] | None = None
    for axis, name in readings:
        upright = UNITS[name] * vertices @ _to_z_up(axis).T
        if faces is None:
            turned = None if normals is None else np.asarray(normals, np.float64) @ _to_z_up(axis).T
            surface = cloud_points(upright, turned, POINT_COUNT, rng)
        else:
            surface = sample_mesh(upright, faces, POINT_COUNT, rng)
        fitter = BodyFitter(model, surface, rng)
        starts = fitter.starts()
        if best is None or starts[0][0] < best[0]:
            best = (starts[0][0], fitter, [state for _, state in starts], (axis, name), surface)
    assert best is not None
    _, fitter, starts, (axis, name), surface = best
    fit = fitter.fit(starts)
    _refuse_others(fit)

    # Turn the body to face -y and stand it on the floor; everything after happens in frame b.
    T_bw = _heading_undone(fit.state.T_wb)
    T_bw[2, 3] = -UNITS[name] * _lowest(vertices @ _to_z_up(axis)[2])
    pelvis = T_bw[:3, :3] @ fit.state.joints(model)[0]
    T_bw[:2, 3] = -pelvis[:2]
    surface = SurfacePoints(
        surface.points @ T_bw[:3, :3].T + T_bw[:3, 3], surface.normals @ T_bw[:3, :3].T, surface.outward
    )
    state = Articulation(fit.state.shape, fit.state.pose, T_bw @ fit.state.T_wb)
    offset = offset_to_surface(topology_of(model), state.vertices(model), surface)
    canonical, canonical_joints = repose(model, state, offset.vertices)
    T_bm = T_bw.copy()
    T_bm[:3, :3] = T_bw[:3, :3] @ (UNITS[name] * _to_z_up(axis))
    return Registration(
        offset.vertices,
        state.joints(model),
        canonical,
        canonical_joints,
        state,
        offset.coverage,
        offset.rmse_m,
        fit,
        axis,
        name,
        T_bm,
    )


def repose(model: BodyModel, state: Articulation, vertices: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Brings `vertices` (V, 3), that stand as `state` says, into the canonical A-pose on the floor; and the joints."""
    rest = shape_body(model, state.shape)
    posed = joint_transforms(model, rest.joints, state.pose, state.T_wb)
    blended = np.einsum("vk,vkab->vab", model.skin_weights.astype(np.float64), posed[model.skin_joints])
    offset = np.asarray(vertices, np.float64) - blended[:, :3, 3]
    at_rest = np.linalg.solve(blended[:, :3, :3], offset[:, :, None])[:, :, 0]
    canonical = joint_transforms(model, rest.joints, canonical_pose(model, rest.joints))
    moved = skin(model, np.ascontiguousarray(at_rest, np.float32), canonical).astype(np.float64)
    joints = np.einsum("jab,jb->ja", canonical[:, :3, :3], rest.joints) + canonical[:, :3, 3]
    floor = np.array([0.0, 0.0, moved[topology_of(model).skin, 2].min()])
    return moved - floor, joints - floor


def _readings(vertices: NDArray, up: Up | None, unit: Unit | None) -> list[tuple[Up, Unit]]:
    """Ways to read the coordinates in which the height is a person's."""
    extents = dict(zip("xyz", np.percentile(vertices, 99.95, 0) - np.percentile(vertices, 0.05, 0), strict=True))
    found = []
    axes: tuple[Up, ...] = ("y", "z") if up is None else (up,)
    units: tuple[Unit, ...] = ("m", "cm", "mm") if unit is None else (unit,)
    for axis in axes:
        height = extents[axis]
        # Nobody lies down to be measured: arms spread wide reach little farther than the crown is high.
        if up is None and height < 0.75 * max(extents.values()):
            continue
        found += [(axis, name) for name in units if HEIGHTS_M[0] <= UNITS[name] * height <= HEIGHTS_M[1]]
    if not found:
        size = " x ".join(f"{extents[axis]:.4g}" for axis in "xyz")
        raise InputError(
            f"a surface of {size} cannot be an upright person in m, cm or mm; give --up and --unit, or scale it"
        )
    return found


def _refuse_others(fit: Fit) -> None:
    reasons = []
    if fit.near < LEAST_NEAR:
        reasons.append(f"{100 * (1 - fit.near):.0f} % of it lies off any human body")
    if fit.covered < LEAST_COVERED:
        reasons.append(f"it shows {100 * fit.covered:.0f} % of a body")
    if float(np.sqrt(np.mean(np.square(fit.state.shape)))) > MOST_SHAPE:
        reasons.append("no person is shaped so")
    if reasons:
        raise NotAPersonError(f"not a person standing upright: {', '.join(reasons)}")


def _to_z_up(axis: Up) -> NDArray[np.float64]:
    if axis == "z":
        return np.eye(3)
    return np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def _heading_undone(T_wb: NDArray) -> NDArray[np.float64]:
    """The turn about z (4, 4) that makes a body placed by `T_wb` face -y again."""
    left = T_wb[:2, 0] / np.linalg.norm(T_wb[:2, 0])
    undone = np.eye(4)
    undone[:2, :2] = [[left[0], left[1]], [-left[1], left[0]]]
    return undone


def _lowest(heights: NDArray) -> float:
    """Height of the floor under a surface: its lowest points, stray ones aside."""
    stray = len(heights) // 10_000
    return float(np.partition(heights, stray)[stray])


__all__ = ["Registration", "register_body", "repose"]
