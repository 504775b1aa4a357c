"""Rigid tracking: simulated flights with exact truth and a real folder; Open3D's dense SLAM beside it where installed.

python -m benchmarks.odometry [--json]; CHEVAL_ROOM names an RGB-D folder with poses to be tracked as well
(CHEVAL_ROOM_FRAMES of it, default 300), CHEVAL_FLIGHTS the flights (default all), CHEVAL_PEERS how many of the
peer's settings are tried on the folder (default all).
"""

from __future__ import annotations

import importlib
import json as json_format
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import _flights as flights
from capture.features import OrbDetector
from capture.realsense_sdk import load_sdk
from capture.rgbd_folder import RgbdFolder
from game.fuse import TRACKING_VOXEL_M, make_volume, read_frames
from solver.odometry.mapping import RigidMapper, Status
from solver.odometry.trajectory import trajectory_error
from solver.types import DepthNoise, Frame

PEER_SETTINGS = (("PointToPlane", 0.01, 4.0), ("PointToPlane", 0.0058, 8.0), ("Hybrid", 0.01, 4.0))
"""Method, voxel [m], truncation in voxels: what was best of Open3D's own defaults and those that suit the noise."""
PEER_DEPTH_M = 6.0


class Timed:
    """Wall and processor time of calls."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    def __call__(self, call: Callable[[], Any]) -> Any:
        """Times one call [ms]."""
        wall, processor = time.perf_counter(), time.process_time()
        result = call()
        self.wall.append(1e3 * (time.perf_counter() - wall))
        self.processor.append(1e3 * (time.process_time() - processor))
        return result

    def row(self) -> dict[str, float]:
        """Medians after the first three, which compile."""
        return {"wall ms": float(np.median(self.wall[3:])), "cpu ms": float(np.median(self.processor[3:]))}


def judge(found: dict[int, NDArray], true: dict[int, NDArray], timed: Timed) -> dict[str, float]:
    """Errors over the frames that were placed, and times."""
    common = sorted(found.keys() & true.keys())
    error = trajectory_error(np.array([found[k] for k in common]), np.array([true[k] for k in common]))
    return {
        "placed": len(common),
        "ATE mm": 1e3 * error.ate_m,
        "largest mm": 1e3 * error.largest_m,
        "RPE mm": 1e3 * error.rpe_m,
        "RPE median mm": 1e3 * error.rpe_median_m,
        "RPE deg": float(np.rad2deg(error.rpe_rad)),
        **timed.row(),
    }


def track(frames: Iterator[Frame], noise: DepthNoise, true: dict[int, NDArray]) -> dict[str, Any]:
    """Ours; `true` is filled from the frames where they have poses."""
    mapper: RigidMapper | None = None
    timed, statuses = Timed(), dict.fromkeys(Status, 0)
    for frame in frames:
        if frame.T_wc is not None:
            true[frame.sequence] = frame.T_wc
        if mapper is None:
            start = true[frame.sequence]
            model = make_volume(frame, noise, TRACKING_VOXEL_M)
            mapper = RigidMapper(frame.intrinsics, noise, model, OrbDetector(), T_wc=start)
        step = timed(lambda mapper=mapper, frame=frame: mapper.step(frame))
        statuses[step.status] += 1
    assert mapper is not None
    row: dict[str, Any] = judge(mapper.poses(), true, timed)
    row |= {status.name.lower(): count for status, count in statuses.items() if status is not Status.TRACKED}
    return row | {"closures": len(mapper.closures), "corrections": mapper.corrections}


def open3d_slam() -> Any | None:
    """Open3D, None where it is not installed."""
    load_sdk()  # brings libusb, which its wheel needs
    try:
        return importlib.import_module("open3d")
    except ImportError:
        return None


def track_open3d(
    o3d: Any, frames: Iterator[Frame], true: dict[int, NDArray], method: str, voxel_m: float, truncation: float
) -> dict[str, Any]:
    """The peer's frame-to-model loop, as its own example has it."""
    slam, device = o3d.t.pipelines.slam, o3d.core.Device("CPU:0")
    chosen = getattr(o3d.t.pipelines.odometry.Method, method)
    model = slam.Model(voxel_m, 16, 20000, o3d.core.Tensor(np.eye(4)), device)
    view = ray = None
    T, found, timed, failed = np.eye(4), {}, Timed(), 0
    for count, frame in enumerate(frames):
        assert frame.depth is not None
        height, width = frame.depth.shape
        if view is None:
            k = frame.intrinsics
            matrix = o3d.core.Tensor(np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1.0]]))
            view, ray = (slam.Frame(height, width, matrix, device) for _ in range(2))
        raw = np.rint(frame.depth * 5000.0)
        view.set_data_from_image("depth", o3d.t.geometry.Image(o3d.core.Tensor(raw.astype(np.uint16))))
        view.set_data_from_image("color", o3d.t.geometry.Image(o3d.core.Tensor(np.array(frame.color))))

        def step(count=count, view=view, ray=ray, T=T):
            worked = True
            if count:
                try:
                    result = model.track_frame_to_model(view, ray, 5000.0, PEER_DEPTH_M, 0.07, chosen)
                    T = T @ result.transformation.numpy()
                except RuntimeError:
                    worked = False
            model.update_frame_pose(count, o3d.core.Tensor(T))
            model.integrate(view, 5000.0, PEER_DEPTH_M, truncation)
            model.synthesize_model_frame(ray, 5000.0, 0.1, PEER_DEPTH_M, truncation, method != "PointToPlane")
            return T, worked

        T, worked = timed(step)
        failed += not worked
        found[frame.sequence] = T
    return judge(found, true, timed) | {"failed": failed}


def run(json: bool) -> dict[str, Any]:
    """Trajectory errors against the truth, and milliseconds a frame, ours and the peer's."""
    peer = open3d_slam()
    result: dict[str, Any] = {}
    names = os.environ.get("CHEVAL_FLIGHTS", ",".join(flights.FLIGHTS))
    for name in filter(None, names.split(",")):
        flight = flights.FLIGHTS[name]()
        true = dict(enumerate(flight.poses))
        result[name] = {"frames": len(true), "cheval": track(flight.frames(), flights.NOISE, true)}
        if peer is not None:
            method, voxel_m, truncation = PEER_SETTINGS[0]
            result[name][f"open3d {method}"] = track_open3d(peer, flight.frames(), true, method, voxel_m, truncation)
        show(name, result[name], json)
    if folder := os.environ.get("CHEVAL_ROOM"):
        count = int(os.environ.get("CHEVAL_ROOM_FRAMES", "300"))

        def frames() -> Iterator[Frame]:
            return islice(read_frames(RgbdFolder(Path(folder))), count)

        noise = RgbdFolder(Path(folder)).info.noise
        assert noise is not None
        true = {}
        rows: dict[str, Any] = {"frames": count, "cheval": track(frames(), noise, true)}
        peers = int(os.environ.get("CHEVAL_PEERS", len(PEER_SETTINGS))) if peer is not None else 0
        for method, voxel_m, truncation in PEER_SETTINGS[:peers]:
            key = f"open3d {method} {1e3 * voxel_m:g} mm"
            rows[key] = track_open3d(peer, frames(), true, method, voxel_m, truncation)
        result["folder"] = rows
        show(Path(folder).name, rows, json)
    return result


def show(name: str, rows: dict[str, Any], json: bool) -> None:
    """One flight's table as soon as it is there."""
    if json:
        return
    print(f"{name}: {rows['frames']} frames", flush=True)
    for who, row in rows.items():
        if isinstance(row, dict):
            numbers = "  ".join(f"{key} {value:.3g}" for key, value in row.items())
            print(f"  {who.ljust(28)}{numbers}", flush=True)


if __name__ == "__main__":
    outcome = run("--json" in sys.argv)
    if "--json" in sys.argv:
        print(json_format.dumps(outcome))
