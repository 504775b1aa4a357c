"""The tracker: milliseconds of processor time of every part of a frame, and its errors on simulated shoppers that
nothing was tuned on (seeds from 200; 100 to 103 are for comparing changes).

python -m benchmarks.tracking [--json] [--shoppers N] [--seed FIRST] [--every N]

With `--every 2` landmarks and outline are kept from every other frame, as the live mirror spares them.
"""

from __future__ import annotations

import json as json_format
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from capture.landmarks import PoseLandmarker
from capture.simulated.source import SimulatedSource
from capture.source import EndOfRecording
from game.assets import POSE_LANDMARKER, load_body_model
from solver.alignment import FINGERS, Articulation
from solver.body import BodyModel, rotation_matrices
from solver.errors import ChevalError
from solver.ground import estimate_ground
from solver.normals import NormalField
from solver.tracking import BodyTracker
from solver.types import BodyState, Observation

NAME = "tracking"
BUDGET_MS = 25.0
FIRST_SEED = 200
WARM_UP = 5
VISITS = (
    "camera=d455",
    "camera=d435",
    "camera=d455,tilt=-15,height=1.7",
    "camera=d435,tilt=-20,height=1.9,distance=2.2",
    "camera=d455,clothes=loose",
    "camera=d455,turn=-360",
    "camera=femto",
    "camera=d455,tilt=-8,height=1.0,distance=2.0",
    "camera=d435,seconds=6",
    "camera=d455,tilt=-25,height=2.1,distance=2.0",
)
PARTS = {
    "draw": "draw",
    "pixels": "add_pixels",
    "landmarks": "add_landmarks",
    "priors": "add_priors",
}


def run(
    json: bool = False, shoppers: int = len(VISITS), first_seed: int = FIRST_SEED, landmarks_every: int = 1
) -> dict[str, Any]:
    """Follow `shoppers` turns; prints both tables unless `json`."""
    model = load_body_model()
    times: dict[str, list[float]] = {}
    rows = [_visit(model, first_seed + n, VISITS[n % len(VISITS)], times, landmarks_every) for n in range(shoppers)]
    result = {
        "times_ms": {
            name: {"p50": float(np.percentile(taken, 50)), "p99": float(np.percentile(taken, 99))}
            for name, taken in times.items()
        },
        "budget_ms": BUDGET_MS,
        "visits": rows,
    }
    if not json:
        _print_tables(result)
    return result


def _visit(
    model: BodyModel, seed: int, options: str, times: dict[str, list[float]], landmarks_every: int
) -> dict[str, Any]:
    seconds = "" if "seconds" in options else ",seconds=8"
    source = SimulatedSource.from_spec(f"sim:seed={seed},visit=scan,fps=15,{options}{seconds}", model)
    info = source.info
    assert info.noise is not None
    joint_errors, surface_errors, turns, confidences = [], [], [], []
    tracker, ground, refused = None, None, 0
    surface = _Surface(model)
    with source, PoseLandmarker(POSE_LANDMARKER) as landmarker:
        while True:
            try:
                frame = source.read()
            except EndOfRecording:
                break
            begin = time.perf_counter()
            observation = landmarker.observe(frame)
            times.setdefault("MediaPipe", []).append(1e3 * (time.perf_counter() - begin))
            try:
                if tracker is None or ground is None:
                    assert frame.depth is not None
                    ground = estimate_ground(frame.depth, info.intrinsics, info.noise, frame.gravity)
                    candidate = BodyTracker(model, info.intrinsics, info.noise)
                    state = candidate.start(observation, ground)
                    tracker = candidate
                else:
                    if frame.sequence % landmarks_every:
                        observation = Observation(frame, None, None)
                    begin = time.thread_time()
                    state = tracker.track(observation)
                    if len(turns) == WARM_UP:
                        _time_parts(tracker, times)
                    if len(turns) > WARM_UP:
                        times.setdefault("track, whole", []).append(1e3 * (time.thread_time() - begin))
            except ChevalError:
                refused += 1
                continue
            # Compared in frame c: what the ground is off counts too in the world, but is not the tracker's.
            to_truth = source.T_wc @ np.linalg.inv(ground.T_wc)
            truth = source.truth(frame.sequence)
            joint_errors.append(_joint_errors(model, state, to_truth, truth.joints))
            surface_errors.append(surface.error(_moved(state.vertices, to_truth), truth.naked))
            forward = (to_truth @ state.T_wb)[:2, 1]
            turns.append(_angle(forward, (truth.T_wb @ _pelvis_turn(truth.pose))[:2, 1]))
            confidences.append(state.confidence)
    joints, surfaces = np.array(joint_errors) * 1e3, np.array(surface_errors) * 1e3
    return {
        "seed": seed,
        "options": options,
        "frames": len(joints),
        "refused": refused,
        "joints_mm": {
            "mean": float(joints.mean()),
            "p95": float(np.percentile(joints, 95)),
            "worst": float(joints.max()),
        },
        "surface_mm": {
            "mean": float(surfaces.mean()),
            "p95": float(np.percentile(surfaces, 95)),
            "worst": float(surfaces.max()),
        },
        "facing_deg": {"mean": float(np.mean(turns)), "worst": float(np.max(turns))},
        "confidence": {"mean": float(np.mean(confidences)), "worst": float(np.min(confidences))},
    }


def _time_parts(tracker: BodyTracker, times: dict[str, list[float]]) -> None:
    """Have the tracker's own parts write down how long they take."""

    def timed(label: str, part: Callable) -> Callable:
        def call(*arguments: object, **named: object) -> object:
            begin = time.thread_time()
            result = part(*arguments, **named)
            times.setdefault(label, []).append(1e3 * (time.thread_time() - begin))
            return result

        return call

    for label, name in PARTS.items():
        setattr(tracker._fit, name, timed(f"  {label}, each step", getattr(tracker._fit, name)))
    tracker._pose.solve = timed("  solve, each step", tracker._pose.solve)
    tracker._fit.region.label = timed("  person region, each frame", tracker._fit.region.label)
    tracker._update_shape = timed("  shape, every third frame", tracker._update_shape)


def _joint_errors(model: BodyModel, state: BodyState, to_truth: NDArray, joints: NDArray) -> NDArray[np.float64]:
    found = _moved(Articulation(state.shape, state.pose, state.T_wb).joints(model), to_truth)
    active = [j for j, name in enumerate(model.joint_names) if not name.startswith(FINGERS)]
    return np.linalg.norm(found - joints, axis=1)[active]


def _moved(points: NDArray, T: NDArray) -> NDArray[np.float64]:
    return points @ T[:3, :3].T + T[:3, 3]


def _pelvis_turn(pose: NDArray) -> NDArray[np.float64]:
    T = np.eye(4)
    T[:3, :3] = rotation_matrices(pose[:1])[0]
    return T


def _angle(a: NDArray, b: NDArray) -> float:
    return float(np.rad2deg(abs(np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b))))


class _Surface:
    """Mean distance of a body from the true surface, every piece of skin counting by its area."""

    def __init__(self, model: BodyModel) -> None:
        self._faces = model.faces
        self._normals = NormalField(model.faces, model.vertex_count)
        self._chosen = np.arange(0, model.vertex_count, 5)

    def error(self, vertices: NDArray, truth: NDArray[np.float32]) -> float:
        a, b, c = (truth[self._faces[:, k]] for k in range(3))
        areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        weights = np.bincount(self._faces.ravel(), np.repeat(areas, 3), len(truth))[self._chosen]
        nearest = cKDTree(truth).query(vertices[self._chosen])[1]
        offsets = vertices[self._chosen] - truth[nearest]
        distances = np.abs(np.einsum("ni,ni->n", offsets, self._normals(truth)[nearest]))
        return float(np.sum(distances * weights) / weights.sum())


def _print_tables(result: dict[str, Any]) -> None:
    print(f"{'':28}{'p50 ms':>9}{'p99 ms':>9}   (budget of a frame: {result['budget_ms']:.0f} ms)")
    for name, taken in result["times_ms"].items():
        print(f"{name:28}{taken['p50']:9.2f}{taken['p99']:9.2f}")
    print(f"\n{'shopper':58}{'joints mm':>22}{'surface mm':>20}{'facing deg':>14}{'confidence':>12}{'frames':>8}")
    print(
        f"{'':58}{'mean':>8}{'p95':>7}{'worst':>7}{'mean':>8}{'p95':>6}{'worst':>6}{'mean':>8}{'worst':>6}{'worst':>12}"
    )
    for row in result["visits"]:
        j, s, f = row["joints_mm"], row["surface_mm"], row["facing_deg"]
        print(
            f"{row['seed']} {row['options']:54}{j['mean']:8.1f}{j['p95']:7.1f}{j['worst']:7.0f}"
            f"{s['mean']:8.1f}{s['p95']:6.1f}{s['worst']:6.1f}{f['mean']:8.1f}{f['worst']:6.1f}"
            f"{row['confidence']['worst']:12.2f}{row['frames']:8d}"
        )


if __name__ == "__main__":
    arguments = sys.argv[1:]

    def option(name: str, default: int) -> int:
        return int(arguments[arguments.index(name) + 1]) if name in arguments else default

    found = run(
        "--json" in arguments, option("--shoppers", len(VISITS)), option("--seed", FIRST_SEED), option("--every", 1)
    )
    if "--json" in arguments:
        print(json_format.dumps(found))
