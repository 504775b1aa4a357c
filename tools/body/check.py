"""Verifies a built asset and prints its quality; measures it anew where the source is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tools.body.asset import array_hash, file_hash

FRESH_BODIES = 64
FRESH_SEED = 7_000_001


def check_asset(folder: Path, anthropometry: Path | None) -> int:
    """Print what the provenance promises and whether the files hold it; returns the exit status."""
    try:
        provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        with np.load(folder / "body.npz") as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        print(f"{folder}: no complete body asset there ({error}); build it with tools/build_body.py")
        return 1
    wrong = [name for name, known in provenance["sha256"]["files"].items() if file_hash(folder / name) != known]
    wrong += [
        name for name in provenance["sha256"]["arrays"]
        if name not in arrays or array_hash(arrays[name]) != provenance["sha256"]["arrays"][name]
    ]  # fmt: skip
    size = sum(path.stat().st_size for path in folder.iterdir())
    components, landmarks = len(arrays["shape_basis"]), len(arrays["landmark_names"])
    print(f"{folder}: {size / 1e6:.2f} MB, {components} components, {landmarks} landmarks")
    print("hashes: " + ("all as recorded" if not wrong else "DIFFER: " + ", ".join(wrong)))
    _print_quality(provenance["quality"])
    _print_sample(provenance["sample"])
    if anthropometry is not None:
        _measure_anew(arrays, anthropometry)
    return 1 if wrong else 0


def _print_quality(quality: dict) -> None:
    rows = {"held-out bodies": quality["held_out_bodies"]}
    rows |= {f"held-out targets: {name}": row for name, row in quality["held_out_groups"].items()}
    rows["head, body basis only"] = quality["head_with_head_basis"]["without"]
    rows["head, with head basis"] = quality["head_with_head_basis"]["with"]
    rows["joints by regressor"], rows["joints by shape"] = quality["joints_by_regressor"], quality["joints_by_shape"]
    print(f"\n{'[mm]':44s} {'RMS':>6s} {'by area':>7s} {'worst body':>10s} {'p95 vertex':>10s} {'p95 of worst':>13s}")
    for name, row in rows.items():
        by_area = f"{row['area_weighted_rms_mm']:7.2f}" if "area_weighted_rms_mm" in row else ""
        print(
            f"{name:44s} {row['rms_mm']:6.2f} {by_area:7s} {row['worst_body_rms_mm']:10.2f}"
            f" {row['p95_vertex_mm']:10.2f} {row['p95_worst_vertex_mm']:13.2f}"
        )


def _print_sample(sample: dict) -> None:
    print(
        f"\nsample: {sample['bodies']} adults, {sample['women']} women,"
        f" {sample['civilian']} after NHANES, the rest after ANSUR II"
    )
    for group, title in (("men_ansur", "men (ANSUR II)"), ("women_ansur", "women (ANSUR II)")):
        print(
            f"{title}, correlations off by {sample[group]['mean_absolute_correlation_difference']:.3f} on average\n"
            f"  {'[mm]':28s} {'mean drawn':>10s} {'met':>8s} {'sd drawn':>9s} {'met':>7s} {'rms':>7s}"
        )
        for name, row in sample[group]["measures"].items():
            scale = 1.0 if name == "weightkg" else 1000.0
            numbers = [scale * row[key] for key in ("drawn_mean", "met_mean", "drawn_sd", "met_sd", "rms_difference")]
            print("  {:28s} {:10.1f} {:8.1f} {:9.1f} {:7.1f} {:7.1f}".format(name, *numbers))


def _measure_anew(arrays: dict, anthropometry: Path) -> None:
    from tools.body.basis import Basis, errors, vertex_weights
    from tools.body.build import draw_sample, open_workshop

    workshop = open_workshop()
    fresh = draw_sample(workshop, anthropometry, FRESH_BODIES, FRESH_SEED)
    bodies, _ = workshop.stand(workshop.space.coefficients(fresh.macros, fresh.locals))
    weights = vertex_weights(arrays["template"], arrays["faces"])
    basis = Basis(arrays["template"], arrays["shape_basis"].astype(np.float32), weights)
    found = errors(bodies, basis.shape(basis.fit(bodies)), weights**2)
    print(f"\n{FRESH_BODIES} fresh bodies: " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()))
