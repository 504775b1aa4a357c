"""`cheval scan SOURCE`: a person turning once in front of the camera becomes a measured body."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from capture.open import open_source
from capture.rotation import TURNS
from capture.shopper import ShopperLandmarker
from game.assets import POSE_LANDMARKER, load_body_model
from game.console import Progress, report
from game.scan import Scan, scan_source
from game.scan_files import remarks, write_scan
from solver.errors import UsageError
from solver.refinement import RefinementSettings

EXAMPLES = """examples:
  cheval scan sim:seed=3 --out scan
  cheval scan realsense: --rotate 90
  cheval scan visit.db3 --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `scan`."""
    parser.add_argument("source", metavar="SOURCE", help="sim:, realsense:, a recording or an RGB-D folder")
    parser.add_argument("--out", type=Path, default=Path("scan"), metavar="DIR", help="where to write (default: scan)")
    parser.add_argument(
        "--rotate", type=int, choices=TURNS, default=0, help="turn pictures clockwise by so many degrees"
    )
    parser.add_argument("--voxel", type=float, metavar="M", help="size of the volume's voxels [m] (default: 0.005)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers behind the standard errors")
    parser.add_argument("--json", action="store_true", help="print measurements.json on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Scans and writes `body.ply`, `body.glb`, `measurements.json` and `report.png`."""
    settings = None
    if arguments.voxel is not None:
        if not 0.002 <= arguments.voxel <= 0.02:
            raise UsageError("--voxel lies between 0.002 and 0.02 m")
        settings = RefinementSettings(voxel_m=arguments.voxel)
    model = load_body_model()
    with (
        open_source(arguments.source, rotate=arguments.rotate, load_body=load_body_model) as source,
        ShopperLandmarker(POSE_LANDMARKER) as landmarker,
        Progress("scan") as progress,
    ):
        scan = scan_source(
            source, model, landmarker, settings, lambda what, share: progress(share, what), seed=arguments.seed
        )
        progress(1.0, "writing")
        content = write_scan(arguments.out, scan, model, arguments.open_graphics())
    report(content, arguments.json, summary(scan, arguments.out))
    return 0


def summary(scan: Scan, out: Path) -> list[str]:
    """What a person wants to know of a scan."""
    lines = [
        f"{measurement.key:18s} {measurement.value_mm:8.1f} ± {measurement.std_mm:.1f}"
        for measurement in scan.measurements.values()
    ]
    body = scan.reconstruction
    seen = float(np.mean(body.coverage))
    lines.append(f"turned {np.rad2deg(abs(scan.turned)):.0f} degrees, {seen:.0%} of the surface seen")
    lines += remarks(scan)
    for key, reason in scan.measurements.missing.items():
        lines.append(f"missing: {key}: {reason}")
    lines.append(f"written to {out}")
    return lines
