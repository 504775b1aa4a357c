"""Shape, kinematics and skinning of the body model, beside anny's forward pass where that package is installed.

python -m benchmarks.body [--json]
"""

from __future__ import annotations

import json as json_format
import sys
import time
from collections.abc import Callable

import numpy as np

from game.assets import load_body_model
from solver.body import canonical_pose, joint_transforms, shape_body, skin

NAME = "body"
REPEATS = 400
BUDGET_MS = {"shape": 1.0, "skinning": 0.2}


def run(json: bool = False) -> dict:
    """Time every step [ms] (median, best and 99th percentile); prints a table unless `json`."""
    model = load_body_model()
    rng = np.random.default_rng(0)
    coefficients = rng.normal(size=model.shape_count)
    body = shape_body(model, coefficients)
    pose = canonical_pose(model, body.joints) + rng.normal(scale=0.1, size=(model.joint_count, 3))
    transforms = joint_transforms(model, body.joints, pose)
    out = np.empty_like(body.vertices)
    steps: dict[str, Callable[[], object]] = {
        "shape": lambda: shape_body(model, coefficients),
        "kinematics": lambda: joint_transforms(model, body.joints, pose),
        "skinning": lambda: skin(model, body.vertices, transforms, out),
        "canonical pose": lambda: canonical_pose(model, body.joints),
    }
    result: dict = {
        "vertices": model.vertex_count,
        "components": model.shape_count,
        "steps_ms": {name: _time(step) for name, step in steps.items()},
        "budget_ms": BUDGET_MS,
        "anny_ms": _time_anny(),
    }
    if not json:
        _print_table(result)
    return result


def _time(step: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    for _ in range(5):
        step()
    taken = np.empty(repeats)
    for i in range(repeats):
        start = time.perf_counter()
        step()
        taken[i] = time.perf_counter() - start
    best, median, p99 = 1000.0 * np.percentile(taken, [0, 50, 99])
    return {"best": float(best), "median": float(median), "p99": float(p99)}


def _time_anny() -> dict[str, float] | None:
    """One forward pass of the whole source model (shape, rig and skinning) for one body."""
    try:
        import anny  # pyright: ignore[reportMissingImports]
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    model = anny.create_fullbody_model(
        rig="game_engine", local_changes="all", triangulate_faces=True, all_phenotypes=True
    )
    rng = np.random.default_rng(0)
    phenotype = {label: torch.tensor([rng.uniform(0.3, 0.8)]) for label in model.phenotype_labels}
    local = {label: torch.tensor([rng.normal(0.0, 0.2)]) for label in model.local_change_labels}
    with torch.no_grad():
        return _time(lambda: model(phenotype_kwargs=phenotype, local_changes_kwargs=local), 30)


def _print_table(result: dict) -> None:
    print(f"body model: {result['vertices']} vertices, {result['components']} components")
    print(f"{'[ms]':24s} {'best':>8s} {'median':>8s} {'p99':>8s} {'budget':>8s}")
    rows = dict(result["steps_ms"])
    if result["anny_ms"] is not None:
        rows["anny, forward pass"] = result["anny_ms"]
    for name, row in rows.items():
        budget = result["budget_ms"].get(name)
        limit = f"{budget:8.2f}" if budget is not None else f"{'':8s}"
        print(f"{name:24s} {row['best']:8.3f} {row['median']:8.3f} {row['p99']:8.3f} {limit}")
    if result["anny_ms"] is None:
        print("anny is not installed here: its forward pass was not timed")


if __name__ == "__main__":
    found = run("--json" in sys.argv)
    if "--json" in sys.argv:
        print(json_format.dumps(found))
