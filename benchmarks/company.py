"""Two people in view: how often the landmarker keeps to the shopper, alone and with the other one masked.

python -m benchmarks.company [--json] [--shoppers N]
"""

from __future__ import annotations

import json as json_format
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from capture.landmarks import PoseLandmarker
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from capture.source import EndOfRecording
from game.assets import POSE_LANDMARKER, load_body_model
from solver.body import BodyModel

NAME = "company"
FIRST_SEED = 400
CASES = ("other=behind", "other=beside", "other=behind,mount=landscape", "other=beside,mount=landscape")
TRUNK = [11, 12, 23, 24]


def run(json: bool = False, shoppers: int = 1) -> dict[str, Any]:
    """Whole visits of `shoppers` for each case, with depth and colour only; prints a table unless `json`."""
    model = load_body_model()
    rows = [_visit(model, FIRST_SEED + n, case) for case in CASES for n in range(shoppers)]
    if not json:
        print(f"{'visit':44}{'frames':>8}" + "".join(f"{name:>34}" for name in rows[0]["by"]))
        print(f"{'':52}" + f"{'shopper':>12}{'other':>7}{'none':>6}{'ms':>9}" * len(rows[0]["by"]))
        for row in rows:
            print(f"{row['visit']:44}{row['frames']:8d}", end="")
            for found in row["by"].values():
                print(f"{found['shopper']:12d}{found['other']:7d}{found['none']:6d}{found['ms']:9.1f}", end="")
            print()
        print("frames in which the shopper stands in the picture: on whom the trunk's landmarks lie")
    return {"visits": rows}


def _visit(model: BodyModel, seed: int, case: str) -> dict[str, Any]:
    spec = f"seed={seed},fps=5,seconds=6,{case}"
    landmarkers = {
        "landmarker alone": PoseLandmarker(POSE_LANDMARKER),
        "others masked": ShopperLandmarker(POSE_LANDMARKER),
        "others masked, colour only": ShopperLandmarker(POSE_LANDMARKER),
    }
    by = {name: {"shopper": 0, "other": 0, "none": 0, "ms": 0.0} for name in landmarkers}
    frames = 0
    with SimulatedSource.from_spec(f"sim:{spec}", model) as source:
        standing = [span for span in source.phases if span.name in ("pose", "turn", "mirror")]
        while True:
            try:
                frame = source.read()
            except EndOfRecording:
                break
            picture = source.clean_picture(frame.sequence)
            assert picture.other is not None
            true = [_middle((picture.person.triangle >= 0) & ~picture.other), _middle(picture.other)]
            there = any(span.begin <= frame.sequence / source.info.frame_rate <= span.end for span in standing)
            frames += there
            for name, landmarker in landmarkers.items():
                begin = time.process_time()
                colored = replace(frame, depth=None, gravity=None) if "colour" in name else frame
                landmarks = landmarker.observe(colored).landmarks
                by[name]["ms"] += 1e3 * (time.process_time() - begin)
                if not there:
                    continue
                if landmarks is None:
                    by[name]["none"] += 1
                    continue
                trunk = landmarks.image[TRUNK].mean(0)
                inside = true[1] is not None and _nearer(trunk, true[1], true[0])
                by[name]["other" if inside else "shopper"] += 1
    for name, landmarker in landmarkers.items():
        landmarker.close()
        by[name]["ms"] /= source.info.frame_count or 1
    return {"visit": spec, "frames": frames, "by": by}


def _middle(mask: np.ndarray) -> np.ndarray | None:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()]) if len(rows) else None


def _nearer(point: np.ndarray, a: np.ndarray, b: np.ndarray | None) -> bool:
    return b is None or bool(abs(point[0] - a[0]) < abs(point[0] - b[0]))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    count = int(arguments[arguments.index("--shoppers") + 1]) if "--shoppers" in arguments else 1
    result = run("--json" in arguments, count)
    if "--json" in arguments:
        print(json_format.dumps(result))
