"""`cheval demo`: one whole visit, unattended, with or without a screen."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from capture.landmarks import PoseLandmarker
from capture.open import open_source
from capture.rotation import TURNS
from game.assets import POSE_LANDMARKER, load_body_model
from game.compilation import compilation_seconds
from game.console import Progress, report
from game.visit import Visit

SHOPPER = "sim:seed={seed},fps=15"

EXAMPLES = """examples:
  cheval demo
  cheval demo --seed 7 --out visit7
  cheval demo --source visit.db3        the same way from a recording"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `demo`."""
    parser.add_argument(
        "--out", type=Path, default=Path("visit"), metavar="DIR", help="where to write (default: visit)"
    )
    parser.add_argument("--source", metavar="SOURCE", help="who visits (default: the simulated shopper)")
    parser.add_argument(
        "--rotate", type=int, choices=TURNS, default=0, help="turn pictures clockwise by so many degrees"
    )
    parser.add_argument("--seed", type=int, default=12, metavar="N", help="which simulated shopper comes (default: 12)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Runs the visit and says what it left and how long it took."""
    begin = time.perf_counter()
    spec = arguments.source or SHOPPER.format(seed=arguments.seed)
    model = load_body_model()
    with (
        open_source(spec, rotate=arguments.rotate, load_body=load_body_model) as source,
        PoseLandmarker(POSE_LANDMARKER) as landmarker,
        Progress("welcome") as progress,
    ):
        visit = Visit(
            source,
            model,
            landmarker,
            arguments.open_graphics(),
            lambda what, share: progress(share, what),
            arguments.seed,
        )
        outcome = visit.run(arguments.out)
    seconds = time.perf_counter() - begin
    compiling = compilation_seconds()
    result = {
        "out": str(arguments.out),
        "files": outcome.files,
        "seconds": round(seconds, 1),
        "compiling_s": round(compiling, 1),
        "stages_s": outcome.seconds,
        "measurements": outcome.measurements["measurements"],
    }
    lines = [
        f"{key:14s} {entry['value'] / 10:6.1f} cm ± {entry['std'] / 10:.1f}"
        for key, entry in outcome.measurements["measurements"].items()
        if key in ("height", "chest_girth", "waist_girth", "hip_girth")
    ]
    lines.append(f"{seconds:.0f} s, of which {compiling:.0f} s compiled kernels (none the next time)")
    lines.append("  ".join(f"{name} {value:.1f} s" for name, value in outcome.seconds.items()))
    lines.append(f"{arguments.out}: " + ", ".join(outcome.files))
    report(result, arguments.json, lines)
    return 0
