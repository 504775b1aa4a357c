"""Small recordings of a known scene in every format, for tests of the sources."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from capture.recorder import RealSenseRecorder
from capture.source import SourceInfo
from solver.types import DepthNoise, Frame, Intrinsics, read_only

INTRINSICS = Intrinsics(96, 64, 80.0, 81.0, 47.25, 30.5)
INFO = SourceInfo("simulated", "test camera", "123456", INTRINSICS, DepthNoise(0.05, 0.08, 0.0005), 30.0, False, None)
GRAVITY = np.array([0.1, 0.98, 0.17]) / np.linalg.norm([0.1, 0.98, 0.17])
FRAME_COUNT = 6


def color_of(k: int) -> np.ndarray:
    """A noisy picture with a red corner at its upper left and a blue one at its upper right."""
    color = np.random.default_rng(k).integers(0, 256, (INTRINSICS.height, INTRINSICS.width, 3)).astype(np.uint8)
    color[:10, :10], color[:10, -10:] = (250, 10, 10), (10, 10, 250)
    return color


def depth_mm_of(k: int) -> np.ndarray:
    """A slope from 0.8 m at the top left, with a hole and an overflow."""
    rows, columns = np.mgrid[: INTRINSICS.height, : INTRINSICS.width]
    depth = (800 + 7 * rows + 3 * columns + k).astype(np.uint16)
    depth[20:24, 30:40] = 0
    depth[25, 30] = 65535
    return depth


def depth_of(k: int) -> np.ndarray:
    """The same in metres, as it should be read."""
    depth = depth_mm_of(k)
    return np.where(depth == 65535, 0, depth / 1000.0).astype(np.float32)


def pose_of(k: int) -> np.ndarray:
    """Camera to world: a turn about y and a step."""
    pose = np.eye(4)
    pose[:3, :3], _ = cv2.Rodrigues(np.array([0.0, 0.1 * k, 0.0]))
    pose[:3, 3] = 0.1 * k, 0.2, 0.3
    return pose


def frame_of(k: int, **changes) -> Frame:
    color, depth = read_only(color_of(k)), read_only(depth_of(k))
    parts = {"gravity": read_only(GRAVITY.copy()), "color": color, "depth": depth} | changes
    return Frame(sequence=2 * k + 3, captured_at=1000.25 + k / 30, intrinsics=INTRINSICS, **parts)


def write_db3(path: Path, count: int = FRAME_COUNT, **changes) -> Path:
    with RealSenseRecorder(path, INFO) as recorder:
        for k in range(count):
            recorder.write(frame_of(k, **changes))
    return path


def write_picture(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[..., ::-1] if picture.ndim == 3 else picture)


def write_open3d(folder: Path, count: int = FRAME_COUNT, **camera) -> Path:
    for k in range(count):
        write_picture(folder / "color" / f"{k:06d}.png", color_of(k))
        write_picture(folder / "depth" / f"{k:06d}.png", depth_mm_of(k))
    width, height, fx, fy, cx, cy = INTRINSICS
    content = {"width": width, "height": height, "intrinsic_matrix": [fx, 0, 0, 0, fy, 0, cx, cy, 1]} | camera
    folder.mkdir(exist_ok=True)
    (folder / "intrinsic.json").write_text(json.dumps(content))
    return folder


def matrix_text() -> str:
    _, _, fx, fy, cx, cy = INTRINSICS
    return f"{fx} 0 {cx}\n0 {fy} {cy}\n0 0 1\n"


def write_tum(folder: Path, count: int = FRAME_COUNT) -> Path:
    """Colour 7 ms after depth, depth in counts of 0.2 mm, a stray colour picture between two frames."""
    rgb, depth, poses = ["# color images"], ["# depth maps"], ["# timestamp tx ty tz qx qy qz qw"]
    for k in range(count):
        time = 1305031102.0 + k / 30
        write_picture(folder / "rgb" / f"{k}.png", color_of(k))
        millimetres = depth_mm_of(k)
        write_picture(
            folder / "depth" / f"{k}.png", np.where(millimetres == 65535, 65535, 5 * millimetres).astype(np.uint16)
        )
        rgb.append(f"{time + 0.007:.6f} rgb/{k}.png")
        depth.append(f"{time:.6f} depth/{k}.png")
        half = 0.05 * k
        poses.append(f"{time + 0.001:.6f} {0.1 * k} 0.2 0.3 0 {np.sin(half)} 0 {np.cos(half)}")
    write_picture(folder / "rgb" / "stray.png", color_of(99))
    rgb.append(f"{1305031102.0 + 10:.6f} rgb/stray.png")
    for name, lines in (("rgb.txt", rgb), ("depth.txt", depth), ("groundtruth.txt", poses)):
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "camera-intrinsics.txt").write_text(matrix_text())
    return folder


def write_seven_scenes(folder: Path, count: int = FRAME_COUNT) -> Path:
    for k in range(count):
        write_picture(folder / f"frame-{k:06d}.color.png", color_of(k))
        write_picture(folder / f"frame-{k:06d}.depth.png", depth_mm_of(k))
        np.savetxt(folder / f"frame-{k:06d}.pose.txt", pose_of(k))
    (folder / "camera-intrinsics.txt").write_text(matrix_text())
    return folder
