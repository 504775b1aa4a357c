"""What is done after the last frame of a turn: wall and processor time by stage, on one core and on two."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from capture.source import EndOfRecording
from game.assets import POSE_LANDMARKER, load_body_model
from game.console import Progress
from game.scan import Evidence, Scan, Scanner, finish_scan
from game.scan_files import paint_scan
from solver.atlas.color_atlas import prepare_atlas
from solver.body import BodyModel
from solver.fusion import outer_faces
from solver.pieces import complete
from solver.refinement import RefinementSettings
from solver.thread_limit import thread_limit

SPEC = "sim:visit=scan,seed=100,serial=100,fps=15,camera=d455"
REPEATS = 3
ASKED_S = 3.0


def run(json: bool) -> dict[str, Any]:
    """Renders and follows one simulated turn, then makes its body again and again; prints the medians."""
    model = load_body_model()
    # As the mirror does before anybody comes.
    outer_faces(model)
    prepare_atlas(model)
    with Progress("following the turn") as progress:
        evidence = follow(model, SPEC, progress)
    settings = RefinementSettings(surface=False)
    paint_scan(complete(finish_scan(model, evidence, settings)), model)
    cores: dict[str, dict[str, float]] = {}
    for count in (1, 2):
        with thread_limit(count):
            rows = [_timed(model, evidence, settings) for _ in range(REPEATS)]
        cores[str(count)] = {name: float(np.median([row[name] for row in rows])) for name in rows[0]}
    result = {"source": SPEC, "keyframes": len(evidence.keyframes), "cores": cores, "asked_s": ASKED_S}
    if not json:
        _print(result)
    return result


def follow(model: BodyModel, spec: str, progress: Progress) -> Evidence:
    """What a scan of `spec` keeps."""
    source = SimulatedSource.from_spec(spec, model)
    with ShopperLandmarker(POSE_LANDMARKER) as landmarker:
        scanner = Scanner(model, source.info, landmarker)
        while not scanner.complete:
            try:
                scanner.step(source.read())
            except EndOfRecording:
                break
            progress(scanner.frame_count / max(source.info.frame_count or 1, 1))
    return scanner.evidence()


def _timed(model: BodyModel, evidence: Evidence, settings: RefinementSettings) -> dict[str, float]:
    begin, busy, longest = time.perf_counter(), time.process_time(), 0.0
    last = begin

    def end_piece(_: object) -> None:
        nonlocal last, longest
        now = time.perf_counter()
        last, longest = now, max(longest, now - last)

    scan: Scan = complete(finish_scan(model, evidence, settings), end_piece)
    end_piece(None)
    paint_scan(scan, model)
    end = time.perf_counter()
    return dict(scan.reconstruction.seconds) | {
        "measuring": scan.seconds["measuring"],
        "painting": end - last,
        "whole": end - begin,
        "processor": time.process_time() - busy,
        "longest piece": longest,
    }


def _print(result: dict[str, Any]) -> None:
    print(f"{result['source']}: {result['keyframes']} keyframes, asked {result['asked_s']:g} s [s]")
    one, two = result["cores"]["1"], result["cores"]["2"]
    print(f"{'':18s} {'one core':>9s} {'two cores':>9s}")
    for name in one:
        print(f"{name:18s} {one[name]:9.2f} {two[name]:9.2f}")


if __name__ == "__main__":
    run("--json" in sys.argv[1:])
