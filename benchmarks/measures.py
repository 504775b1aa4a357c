"""Measures: time of one body, and how far they lie from a slow independent computation on 30 random bodies."""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from game.assets import load_body_model
from solver.body import BodyModel, canonical_pose, joint_transforms, shape_body, skin
from solver.kernels.closest_points import find_closest_points
from solver.kernels.vertex_normals import count_incident_faces, list_incident_faces
from solver.measures import SurfaceError, measure_body
from solver.measures.body import topology_of
from solver.measures.figure import UP, Figure
from solver.registration import register_body

BODY_COUNT = 30
TRUNK = ("trunk",)
SEAT = ("trunk", "thigh_l", "thigh_r")
LEVELS = {"chest_girth": TRUNK, "waist_girth": TRUNK, "hip_girth": SEAT}
NOISY = (
    "height",
    "chest_girth",
    "waist_girth",
    "hip_girth",
    "neck_girth",
    "thigh_girth",
    "wrist_girth",
    "crotch_height",
)


def run(json: bool) -> dict:
    model = load_body_model()
    bodies = [_body(model, seed) for seed in range(BODY_COUNT)]
    result = {
        "times_ms": _times(model, *bodies[0]),
        "against_slow_twin_mm": _against_twin(model, bodies),
        "change_under_1_mm_of_noise_mm": _noise(model, bodies[:10]),
    }
    if not json:
        for title, rows in result.items():
            print(title.replace("_", " "))
            for name, row in rows.items():
                print(f"  {name:34s}", "  ".join(f"{key} {value:7.2f}" for key, value in row.items()))
    return result


def _body(model: BodyModel, seed: int) -> tuple[NDArray, NDArray]:
    rest = shape_body(model, np.random.default_rng(seed).normal(size=model.shape_count))
    transforms = joint_transforms(model, rest.joints, canonical_pose(model, rest.joints))
    vertices = skin(model, rest.vertices, transforms).astype(np.float64)
    joints = np.einsum("jab,jb->ja", transforms[:, :3, :3], rest.joints) + transforms[:, :3, 3]
    floor = np.array([0.0, 0.0, vertices[:, 2].min()])
    return vertices - floor, joints - floor


def _times(model: BodyModel, vertices: NDArray, joints: NDArray) -> dict:
    topology = topology_of(model)
    figure = Figure(topology, vertices, joints)
    seat = topology.faces_of(SEAT)
    faces = np.ascontiguousarray(model.faces, np.int32)
    starts = np.zeros(model.vertex_count + 1, np.int32)
    incident = np.empty(3 * len(faces), np.int32)
    count_incident_faces(faces, starts)
    list_incident_faces(faces, starts, np.empty(model.vertex_count, np.int32), incident)
    points = vertices[:10_000] + 0.002
    near = np.arange(10_000)[:, None]
    outputs = np.empty(10_000, np.int32), np.empty((10_000, 3)), np.empty(10_000)
    jobs = {
        "130 trunk contours and tapes": (lambda: figure.tapes(seat, np.zeros(3), UP, 0.9, 1.42), 20),
        "10,000 closest points": (
            lambda: find_closest_points(points, near, vertices, faces, starts, incident, *outputs),
            20,
        ),
        "all measures, values alone": (lambda: measure_body(model, vertices, joints, sample_count=0), 10),
        "all measures with standard errors": (lambda: measure_body(model, vertices, joints), 3),
        "registration of a mesh of 27,000": (lambda: register_body(model, vertices, model.faces), 2),
    }
    times = {}
    for name, (job, repeats) in jobs.items():
        job()
        spent = []
        for _ in range(repeats):
            start = time.perf_counter()
            job()
            spent.append(1e3 * (time.perf_counter() - start))
        times[name] = {"p50": float(np.median(spent)), "worst": max(spent)}
    return times


def _against_twin(model: BodyModel, bodies: list) -> dict:
    errors = {key: [] for key in LEVELS}
    for vertices, joints in bodies:
        measures = measure_body(model, vertices, joints, sample_count=0)
        for key, parts in LEVELS.items():
            level = measures[key].level_mm
            assert level is not None
            errors[key].append(measures[key].value_mm - _slow_girth(model, vertices, parts, level / 1e3))
    return {key: _summary(found) for key, found in errors.items()}


def _slow_girth(model: BodyModel, vertices: NDArray, parts: tuple[str, ...], z: float) -> float:
    """Girth [mm] by scipy's hull of every edge of the parts' triangles that crosses the level."""
    labels = model.part_labels[model.faces]
    owner = np.where(labels[:, 1] == labels[:, 2], labels[:, 1], labels[:, 0])
    faces = model.faces[np.isin(owner, [model.part(name) for name in parts])]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    a, b = vertices[edges[:, 0]], vertices[edges[:, 1]]
    across = (a[:, 2] < z) != (b[:, 2] < z)
    a, b = a[across], b[across]
    t = ((z - a[:, 2]) / (b[:, 2] - a[:, 2]))[:, None]
    return 1e3 * float(ConvexHull(((1.0 - t) * a + t * b)[:, :2]).area)


def _noise(model: BodyModel, bodies: list) -> dict:
    changes = {key: [] for key in NOISY}
    claims = {key: [] for key in NOISY}
    rng = np.random.default_rng(1)
    for vertices, joints in bodies:
        exact = measure_body(model, vertices, joints, error=SurfaceError(noise_m=0.001, wave_m=0.02))
        noisy = measure_body(model, vertices + rng.normal(0.0, 0.001, vertices.shape), joints, sample_count=0)
        for key in (key for key in NOISY if key in exact and key in noisy):
            changes[key].append(noisy[key].value_mm - exact[key].value_mm)
            claims[key].append(exact[key].std_mm)
    return {key: {**_summary(changes[key]), "claimed": float(np.mean(claims[key]))} for key in NOISY}


def _summary(values: list[float]) -> dict[str, float]:
    array = np.array(values)
    return {"mean": float(array.mean()), "sd": float(array.std()), "worst": float(np.abs(array).max())}


if __name__ == "__main__":
    run(json="--json" in sys.argv)
