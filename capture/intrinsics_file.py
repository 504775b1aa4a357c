"""Reads the intrinsics files that come with RGB-D folders, and refuses what cannot be a camera."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from solver.errors import InputError
from solver.types import DepthNoise, Intrinsics

COLUMN_MAJOR = "[fx, 0, 0, 0, fy, 0, cx, cy, 1]"
FOCAL_RANGE = (0.2, 10.0)
"""Of the focal length over the picture's longer side: views of 136 down to 6 degrees."""


@dataclass(frozen=True, slots=True)
class FolderCamera:
    """What an RGB-D folder says of its camera."""

    intrinsics: Intrinsics
    depth_scale: float
    """Counts a metre."""
    distortion: tuple[float, ...] = ()
    """k1, k2, p1, p2, k3 of OpenCV, of both pictures; empty for none."""
    frame_rate: float = 30.0
    noise: DepthNoise | None = None
    gravity: tuple[float, float, float] | None = None
    serial: str = ""


def checked_intrinsics(path: Path, width: int, height: int, fx: float, fy: float, cx: float, cy: float) -> Intrinsics:
    """The intrinsics, if a camera can have them. Raises `InputError` naming `path` and what is wrong."""
    side = max(width, height)
    if not all(math.isfinite(value) for value in (fx, fy, cx, cy)):
        raise InputError(f"{path}: the intrinsics are not all numbers; write fx, fy, cx, cy in pixels")
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise InputError(f"{path}: width and height {width}x{height} are no picture's; write them in pixels")
    if not all(FOCAL_RANGE[0] * side < focal < FOCAL_RANGE[1] * side for focal in (fx, fy)):
        raise InputError(
            f"{path}: focal lengths {fx:g}, {fy:g} are impossible for {width}x{height}; write them in pixels"
        )
    if not (0.0 < cx < width and 0.0 < cy < height):
        cure = "give the intrinsics of these very pictures"
        raise InputError(
            f"{path}: the principal point {cx:g}, {cy:g} lies outside the {width}x{height} picture; {cure}"
        )
    return Intrinsics(width, height, fx, fy, cx, cy)


def read_open3d_camera(path: Path) -> FolderCamera:
    """Reads Open3D's `intrinsic.json`. Raises `InputError`."""
    content = _read_json(path)
    try:
        width, height = content["width"], content["height"]
        matrix = np.array(content["intrinsic_matrix"], np.float64)
        depth_scale = float(content.get("depth_scale", 1000.0))
        frame_rate = float(content.get("frame_rate", 30.0))
        distortion = tuple(float(k) for k in content.get("distortion", ()))
        noise = DepthNoise(**content["depth_noise"]) if "depth_noise" in content else None
        gravity = tuple(float(g) for g in content["gravity"]) if "gravity" in content else None
    except (KeyError, TypeError, ValueError) as error:
        form = f'{{"width": W, "height": H, "intrinsic_matrix": {COLUMN_MAJOR}}}'
        raise InputError(f"{path}: not Open3D intrinsics ({type(error).__name__}: {error}); write {form}") from error
    if not all(isinstance(size, int) and not isinstance(size, bool) for size in (width, height)):
        raise InputError(f"{path}: width and height must be whole numbers of pixels")
    if matrix.shape != (9,):
        raise InputError(f"{path}: intrinsic_matrix must be 9 numbers, column-major {COLUMN_MAJOR}")
    fx, skew_rows, _, skew, fy, last_row, cx, cy, one = matrix
    if matrix[2] != 0.0 or last_row != 0.0:
        raise InputError(f"{path}: intrinsic_matrix looks row-major; Open3D writes it column-major: {COLUMN_MAJOR}")
    if skew != 0.0 or skew_rows != 0.0 or one != 1.0:
        raise InputError(f"{path}: intrinsic_matrix is no camera matrix without skew; write {COLUMN_MAJOR}")
    if not (math.isfinite(depth_scale) and 1.0 <= depth_scale <= 1e6):
        raise InputError(f"{path}: depth_scale {depth_scale:g} is not the number of depth counts a metre (1000 for mm)")
    if not 0.1 <= frame_rate <= 1000.0:
        raise InputError(f"{path}: frame_rate {frame_rate:g} is not a number of frames a second")
    if len(distortion) not in (0, 5) or not np.isfinite(distortion).all():
        raise InputError(f"{path}: distortion must be the 5 numbers k1, k2, p1, p2, k3 of OpenCV")
    if noise is not None and not (np.isfinite(noise).all() and noise.baseline_m > 0 and min(noise[1:]) >= 0):
        raise InputError(f"{path}: depth_noise must be baseline_m > 0, disparity_sigma_px >= 0 and floor_m >= 0")
    if gravity is not None and not (len(gravity) == 3 and abs(np.linalg.norm(gravity) - 1.0) < 1e-3):
        raise InputError(f"{path}: gravity must be a unit vector of 3 numbers")
    intrinsics = checked_intrinsics(path, width, height, *(float(value) for value in (fx, fy, cx, cy)))
    serial = str(content.get("serial", ""))
    return FolderCamera(intrinsics, depth_scale, distortion, frame_rate, noise, gravity, serial)  # pyright: ignore


def read_matrix_camera(path: Path, width: int, height: int, depth_scale: float) -> FolderCamera:
    """Reads a 3x3 matrix in rows, as 7-Scenes' `camera-intrinsics.txt`. Raises `InputError`."""
    matrix = read_numbers(path, (3, 3), "fx 0 cx / 0 fy cy / 0 0 1")
    if matrix[0, 2] == 0.0 and matrix[2, 0] != 0.0:
        raise InputError(f"{path}: the matrix is transposed; write the rows fx 0 cx / 0 fy cy / 0 0 1")
    if matrix[2].tolist() != [0.0, 0.0, 1.0] or matrix[1, 0] != 0.0 or matrix[0, 1] != 0.0:
        raise InputError(f"{path}: not a camera matrix without skew; write the rows fx 0 cx / 0 fy cy / 0 0 1")
    (fx, _, cx), (_, fy, cy) = matrix[:2].tolist()
    return FolderCamera(checked_intrinsics(path, width, height, fx, fy, cx, cy), depth_scale)


def read_numbers(path: Path, shape: tuple[int, int], form: str) -> np.ndarray:
    """A small text matrix of finite or infinite numbers. Raises `InputError` telling the `form` it should have."""
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        matrix = np.array([[float(word) for word in row] for row in rows], np.float64)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); it should hold {form}") from error
    except ValueError as error:
        raise InputError(f"{path}: not a matrix of numbers; it should hold {form}") from error
    if matrix.shape != shape:
        raise InputError(f"{path}: not {shape[0]} rows of {shape[1]} numbers; it should hold {form}")
    return matrix


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON; export the intrinsics again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a JSON object with width, height and intrinsic_matrix")
    return content
