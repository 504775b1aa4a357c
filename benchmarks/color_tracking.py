"""The colour-only tracker: its errors on simulated shoppers whose depth is taken away, turning and standing still.

python -m benchmarks.color_tracking [--json] [--shoppers N]
"""

from __future__ import annotations

import json as json_format
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.tracking import _angle, _moved, _pelvis_turn
from capture.landmarks import PoseLandmarker
from capture.simulated.source import SimulatedSource
from capture.source import EndOfRecording
from game.assets import POSE_LANDMARKER, load_body_model
from solver.alignment import FINGERS, Articulation
from solver.body import BodyModel
from solver.color_tracking import ColorTracker
from solver.errors import ChevalError
from solver.ground import estimate_ground
from solver.landmark_place import assume_average

NAME = "color_tracking"
FIRST_SEED = 300
FLIP_DEG = 60.0
VISITS = (
    "turn=360",
    "turn=-360,tilt=-15,height=1.7",
    "turn=360,mount=landscape,distance=2.4",
    "turn=-360,clothes=loose",
    "turn=360,seconds=6",
    "turn=360,tilt=-8,height=1.0,distance=2.0",
)
GROUNDS = ("floor known", "floor assumed")


def run(json: bool = False, shoppers: int = len(VISITS)) -> dict[str, Any]:
    """Follow `shoppers` turns on a known and an assumed floor, and one who stands still."""
    model = load_body_model()
    visits = [(FIRST_SEED + n, VISITS[n % len(VISITS)]) for n in range(shoppers)]
    rows = [row for seed, options in visits for row in _visit(model, seed, f"visit=scan,{options}")]
    rows += _visit(model, FIRST_SEED, "fault=statue,seconds=6", still=True)
    if not json:
        _print_table(rows)
    return {"visits": rows}


def _visit(model: BodyModel, seed: int, options: str, still: bool = False) -> list[dict[str, Any]]:
    seconds = "" if "seconds" in options else ",seconds=8"
    source = SimulatedSource.from_spec(f"sim:seed={seed},fps=10,{options}{seconds}", model)
    info = source.info
    assert info.noise is not None
    joints = [j for j, name in enumerate(model.joint_names) if not name.startswith(FINGERS)]
    trackers = {name: ColorTracker(model, info.intrinsics) for name in GROUNDS}
    grounds: dict[str, Any] = {}
    found: dict[str, list[np.ndarray]] = {name: [] for name in GROUNDS}
    truths: dict[str, list[np.ndarray]] = {name: [] for name in GROUNDS}
    facing: dict[str, list[float]] = {name: [] for name in GROUNDS}
    times_ms: dict[str, list[float]] = {name: [] for name in GROUNDS}
    with source, PoseLandmarker(POSE_LANDMARKER) as landmarker:
        while True:
            try:
                frame = source.read()
            except EndOfRecording:
                break
            observation = landmarker.observe(frame)
            colored = replace(observation, frame=replace(frame, depth=None, gravity=None))
            truth = source.truth(frame.sequence)
            for name, tracker in trackers.items():
                begin = time.thread_time()
                try:
                    if name not in grounds:
                        assert frame.depth is not None
                        known = estimate_ground(frame.depth, info.intrinsics, info.noise, frame.gravity)
                        ground = known if name == GROUNDS[0] else assume_average(model, colored)
                        state = tracker.start(colored, ground)
                        grounds[name] = ground
                    else:
                        state = tracker.track(colored)
                except ChevalError:
                    continue
                times_ms[name].append(1e3 * (time.thread_time() - begin))
                to_truth = source.T_wc @ np.linalg.inv(grounds[name].T_wc)
                body = Articulation(state.shape, state.pose, state.T_wb)
                found[name].append(_moved(body.joints(model), to_truth)[joints])
                truths[name].append(truth.joints[joints])
                forward = (to_truth @ state.T_wb)[:2, 1]
                facing[name].append(_angle(forward, (truth.T_wb @ _pelvis_turn(truth.pose))[:2, 1]))
    rows = []
    for name in GROUNDS:
        now, true = np.array(found[name]), np.array(truths[name])
        place = np.linalg.norm(now - true, axis=2)
        pose = np.linalg.norm((now - now[:, :1]) - (true - true[:, :1]), axis=2)
        # What remains when the slow part is taken away: trembling.
        tremble = np.abs((now[2:] - 2.0 * now[1:-1] + now[:-2]) @ source.T_wc[:3, :3]) / np.sqrt(6.0)
        rows.append(
            {
                "seed": seed,
                "options": options,
                "ground": name,
                "frames": len(now),
                "of": info.frame_count,
                "place_mm": {"mean": 1e3 * float(place.mean()), "p95": 1e3 * float(np.percentile(place, 95))},
                "pose_mm": {"mean": 1e3 * float(pose.mean()), "p95": 1e3 * float(np.percentile(pose, 95))},
                "facing_deg": {"mean": float(np.mean(facing[name])), "worst": float(np.max(facing[name]))},
                "flips": int(np.sum(np.array(facing[name]) > FLIP_DEG)),
                "tremble_mm": (1e3 * tremble.mean((0, 1))).tolist() if still else None,
                "track_ms": float(np.median(times_ms[name])),
            }
        )
    return rows


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'shopper':52}{'ground':>14}{'place mm':>14}{'pose mm':>14}{'facing deg':>14}{'flips':>7}{'still mm':>16}")
    print(f"{'':66}" + f"{'mean':>8}{'p95':>6}" * 2 + f"{'mean':>8}{'worst':>6}")
    for row in rows:
        place, pose, facing = row["place_mm"], row["pose_mm"], row["facing_deg"]
        still = "" if row["tremble_mm"] is None else "{:6.1f}{:5.1f}{:5.1f}".format(*row["tremble_mm"])
        print(
            f"{row['seed']} {row['options']:48}{row['ground']:>14}{place['mean']:8.0f}{place['p95']:6.0f}"
            f"{pose['mean']:8.0f}{pose['p95']:6.0f}{facing['mean']:8.1f}{facing['worst']:6.0f}{row['flips']:7d}{still}"
        )
    print("place: joints in the world; pose: about the pelvis; still: trembling across, down, along the view")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    count = int(arguments[arguments.index("--shoppers") + 1]) if "--shoppers" in arguments else len(VISITS)
    result = run("--json" in arguments, count)
    if "--json" in arguments:
        print(json_format.dumps(result))
