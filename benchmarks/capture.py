"""Reading frames: every format, the crossing from a child process, colour alignment and the landmarker.

python -m benchmarks.capture [--json]
"""

from __future__ import annotations

import json as json_format
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from capture.child_process import ChildProcessSource
from capture.landmarks import PoseLandmarker
from capture.realsense import RealSenseRecording
from capture.recorder import RealSenseRecorder
from capture.rgbd_folder import RgbdFolder
from capture.rgbd_writer import RgbdFolderWriter
from capture.rotation import rotate_frame
from capture.source import FrameSource, SourceInfo
from game.assets import POSE_LANDMARKER
from solver.kernels.align_color import MODIFIED_BROWN, ColorCamera, align_color
from solver.types import DepthNoise, Frame, Intrinsics, read_only

NAME = "capture"
FRAME_COUNT = 60
INTRINSICS = Intrinsics(848, 480, 425.0, 425.0, 423.5, 239.5)
INFO = SourceInfo("simulated", "benchmark", "1", INTRINSICS, DepthNoise(0.095, 0.08, 0.0), 30.0, False, FRAME_COUNT)


def picture(seed: int) -> Frame:
    """A frame whose pictures pack about as badly as a real camera's: smooth shapes under sensor noise."""
    rng = np.random.default_rng(seed)
    shape = (INTRINSICS.height, INTRINSICS.width)
    smooth = cv2.resize(rng.random((6, 8)).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    depth = 1.5 + smooth + rng.normal(0.0, 0.003, shape)
    depth[smooth < 0.1] = 0.0
    color = np.clip(200 * smooth[..., None] * rng.random(3) + rng.normal(0, 3, (*shape, 3)), 0, 255)
    return Frame(0, 0.0, INTRINSICS, read_only(color.astype(np.uint8)), read_only(depth.astype(np.float32)))


def time_calls(call: Callable[[], object], count: int) -> dict[str, float]:
    """Median and 99th percentile of `count` calls after one to warm up [ms]."""
    call()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return {"p50_ms": round(float(np.median(times)), 2), "p99_ms": round(float(np.percentile(times, 99)), 2)}


def time_reading(opened: Callable[[], FrameSource]) -> dict[str, float]:
    """Opening [ms] and reading every frame of a source."""
    start = time.perf_counter()
    with opened() as source:
        opening_ms = 1e3 * (time.perf_counter() - start)
        return {"open_ms": round(opening_ms, 1)} | time_calls(lambda: source.read(10.0), FRAME_COUNT - 1)


def run(json: bool = False) -> dict:
    """Times every step at 848x480; prints a table unless `json`."""
    frames = [picture(seed) for seed in range(4)]
    result: dict = {"width": INTRINSICS.width, "height": INTRINSICS.height, "steps": {}}
    with tempfile.TemporaryDirectory() as folder:
        db3, pictures = Path(folder) / "visit.db3", Path(folder) / "pictures"
        for name, writer in (("db3", RealSenseRecorder(db3, INFO)), ("folder", RgbdFolderWriter(pictures, INFO))):
            start = time.perf_counter()
            with writer:
                for k in range(FRAME_COUNT):
                    writer.write(replace(frames[k % 4], sequence=k, captured_at=k / 30))
            spent_ms = 1e3 * (time.perf_counter() - start) / FRAME_COUNT
            result["steps"][f"write {name}"] = {"p50_ms": round(spent_ms, 2)}
        result["db3_bytes_per_frame"] = db3.stat().st_size // FRAME_COUNT
        recording = partial(RealSenseRecording, db3)
        result["steps"]["read db3"] = time_reading(recording)
        result["steps"]["read db3 in a child"] = time_reading(lambda: ChildProcessSource(recording))
        result["steps"]["read folder"] = time_reading(partial(RgbdFolder, pictures))

    frame = frames[0]
    turn = np.array([[1.0, -0.002, 0.003], [0.002, 1.0, -0.001], [-0.003, 0.001, 1.0]])
    coefficients = np.array([-0.05, 0.06, 0.0, 0.0, -0.02])
    camera = ColorCamera(640.0, 640.0, 639.5, 359.5, MODIFIED_BROWN, coefficients, turn, np.array([-0.059, 0.0, 0.0]))
    color = read_only(np.random.default_rng(0).integers(0, 256, (720, 1280, 3)).astype(np.uint8))
    row, aligned = np.empty(INTRINSICS.width, np.float32), np.empty((INTRINSICS.height, INTRINSICS.width, 3), np.uint8)
    align = partial(align_color, frame.depth, INTRINSICS, color, camera, row, aligned)
    result["steps"]["align colour (1280x720)"] = time_calls(align, 60)
    result["steps"]["turn by 90 degrees"] = time_calls(lambda: rotate_frame(frame, 90), 60)
    with PoseLandmarker(POSE_LANDMARKER) as landmarker:
        observe = partial(landmarker.observe, frame)
        result["steps"]["landmarker, nobody there"] = time_calls(observe, 60)
    if not json:
        print(
            f"{INTRINSICS.width}x{INTRINSICS.height}; a frame is {result['db3_bytes_per_frame'] / 1e6:.2f} MB in .db3"
        )
        for name, times in result["steps"].items():
            print(
                f"  {name:26s}"
                + "".join(f"{key.removesuffix('_ms'):>6s} {value:7.2f} ms" for key, value in times.items())
            )
    return result


if __name__ == "__main__":
    as_json = "--json" in sys.argv
    outcome = run(as_json)
    if as_json:
        print(json_format.dumps(outcome))
