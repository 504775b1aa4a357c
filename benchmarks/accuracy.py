"""Scans of simulated shoppers against their true bodies: measures and surface, mean, spread and worst.

The shoppers (seeds 200 and up) were used for nothing else: not for building, tuning or validating. Each stands before
a camera with lasting errors of its own. Their true bodies lie outside the model's shape space, naked, breathed half
in; heights are those of the true body as it stood. Clothes are tight and count as error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks._surface_errors import TRUNK_AND_LIMBS, dressed_truth, part_errors, seen_of_trunk_and_limbs
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from game.console import Progress
from game.scan import Scan, scan_source
from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, skin
from solver.errors import ChevalError
from solver.measures import Measurements, measure_body
from solver.normals import NormalField

FIRST_SEED = 200
SHOPPERS = 10
CAMERA = "camera=d455"
ALLOWED_MM = {"height": 10.0, "chest_girth": 25.0, "waist_girth": 25.0, "hip_girth": 25.0}
"""What step 1 asks for."""


def run(json: bool, seeds: range | None = None, options: str = CAMERA) -> dict[str, Any]:
    """Scans the shoppers `seeds` and prints the errors; `options` are those of `sim:`."""
    model = load_body_model()
    seeds = seeds or range(FIRST_SEED, FIRST_SEED + SHOPPERS)
    errors: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    surfaces = []
    failures = {}
    with Progress("accuracy") as progress:
        for n, seed in enumerate(seeds):
            progress(n / len(seeds), f"shopper {seed}")
            source = SimulatedSource.from_spec(f"sim:visit=scan,seed={seed},serial={seed},fps=15,{options}", model)
            try:
                with ShopperLandmarker(POSE_LANDMARKER) as landmarker:
                    scan = scan_source(source, model, landmarker)
            except ChevalError as error:
                failures[seed] = str(error)
                continue
            truth = true_measures(model, source)
            for key, measured in scan.measurements.items():
                if key in truth:
                    error = measured.value_mm - truth[key].value_mm
                    errors.setdefault(key, []).append(error)
                    ratios.setdefault(key, []).append(abs(error) / max(measured.std_mm, 1e-9))
            surfaces.append((*surface_errors(model, source, scan), *seen_errors(model, source, scan)))
        progress(1.0)
    table = {
        key: {
            "shoppers": len(values),
            "mean_mm": float(np.mean(values)),
            "sd_mm": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
            "worst_mm": float(np.max(np.abs(values))),
            "within_2_std": float(np.mean(np.array(ratios[key]) <= 2.0)),
        }
        for key, values in errors.items()
    }
    surface = {
        name: {"mean_mm": float(1e3 * np.mean(rows[:, i])), "worst_mm": float(1e3 * np.max(rows[:, i]))}
        for rows in [np.array(surfaces).reshape(-1, 6)]
        for i, name in enumerate(("bias", "mean_abs", "p95", "seen_bias", "seen_mean_abs", "seen_p95"))
        if len(rows)
    }
    result = {
        "shoppers": len(seeds),
        "options": options,
        "failures": {str(seed): text for seed, text in failures.items()},
        "measures": table,
        "surface": surface,
        "allowed_mm": ALLOWED_MM,
        "met": not failures and all(table.get(k, {"worst_mm": np.inf})["worst_mm"] <= v for k, v in ALLOWED_MM.items()),
    }
    if not json:
        _print(result)
    return result


def true_body(model: BodyModel, source: SimulatedSource, breath: float = 0.5) -> RestBody:
    """The shopper's naked body at rest."""
    person = source.person
    vertices = person.rest.vertices + np.float32(breath) * person.breath
    return RestBody(vertices.astype(np.float32), person.rest.joints)


def canonical_vertices(model: BodyModel, body: RestBody) -> NDArray[np.float32]:
    """`body` in the canonical A-pose, soles at z = 0."""
    vertices = skin(model, body.vertices, joint_transforms(model, body.joints, canonical_pose(model, body.joints)))
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices


def true_measures(model: BodyModel, source: SimulatedSource) -> Measurements:
    """Measures of the true body by the same definitions; heights as it stood in the first frame."""
    standing = source.truth(0).naked
    return measure_body(
        model, canonical_vertices(model, true_body(model, source)), standing=standing, floor_m=0.0, sample_count=1
    )


def surface_errors(model: BodyModel, source: SimulatedSource, scan: Scan) -> tuple[float, float, float]:
    """Signed mean, mean absolute and 95th percentile of the distance [m] of the registered trunk and limbs from the
    true surface, along its normals, after taking out the shift that lies between the two A-poses."""
    true = canonical_vertices(model, true_body(model, source))
    normals = NormalField(model.faces, model.vertex_count)(true)
    chosen = np.isin(model.part_labels, [model.part(name) for name in TRUNK_AND_LIMBS])
    found = scan.reconstruction.vertices[chosen].astype(np.float64)
    tree = cKDTree(true)
    for _ in range(5):
        nearest = tree.query(found)[1]
        n = normals[nearest].astype(np.float64)
        offset = np.einsum("vi,vi->v", found - true[nearest], n)
        found = found - np.linalg.lstsq(n, offset, rcond=None)[0]
    nearest = tree.query(found)[1]
    offset = np.einsum("vi,vi->v", found - true[nearest], normals[nearest])
    return float(offset.mean()), float(np.abs(offset).mean()), float(np.percentile(np.abs(offset), 95))


def seen_errors(model: BodyModel, source: SimulatedSource, scan: Scan) -> tuple[float, float, float]:
    """The same of what was seen, against what the camera saw, clothes and all, each part of the body by itself."""
    body = scan.reconstruction
    error = part_errors(model, body.vertices, dressed_truth(source))[seen_of_trunk_and_limbs(model, body.coverage)]
    return float(error.mean()), float(np.abs(error).mean()), float(np.percentile(np.abs(error), 95))


def _print(result: dict[str, Any]) -> None:
    print(f"{result['shoppers']} unseen shoppers, {result['options']}")
    for seed, text in result["failures"].items():
        print(f"  shopper {seed} failed: {text}")
    print(f"{'measure':18s} {'mean':>8s} {'SD':>8s} {'worst':>8s} {'allowed':>8s}  within 2 std   [mm]")
    for key, row in result["measures"].items():
        allowed = result["allowed_mm"].get(key)
        print(
            f"{key:18s} {row['mean_mm']:+8.1f} {row['sd_mm']:8.1f} {row['worst_mm']:8.1f}"
            f" {allowed if allowed else '':>8}  {row['within_2_std']:4.0%} of {row['shoppers']}"
        )
    for name, row in result["surface"].items():
        print(f"surface {name:14s} {row['mean_mm']:+8.1f} {'':8s} {row['worst_mm']:8.1f}")
