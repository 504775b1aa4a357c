"""Draws docs/images/fusion-errors.png: a fused body coloured by its error, online and after every step of refinement.

Run from the checkout: python tools/draw_fusion_errors.py [FILE.png]
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks._rigid_fusion import FRAMES, fused, keyframes, surface
from benchmarks._turntable import Judge, body, shifted, turn, turned
from capture.simulated.camera import Mount
from solver.rasterizer import Rasterizer
from solver.surface import vertex_normals
from solver.types import Intrinsics, Mesh
from solver.volume.refine import refine

SEED = 201
RANGE_M = 0.004
CAMERA = Intrinsics(320, 620, 780.0, 780.0, 159.5, 329.5)


def main(path: str) -> None:
    """Fuses the noisy turn of `bench fusion`, refines it, and writes the picture."""
    frames = turn(body(SEED), FRAMES, SEED, f"r{SEED}")
    judge = Judge(frames)
    volume, _ = fused(frames, 0.005, 5)
    panels = [panel(surface(volume), judge, "online")]
    for sweep in refine(volume, keyframes(frames)):
        panels.append(panel(surface(volume), judge, f"sweep {sweep.number}" if sweep.number else "consensus"))
    cv2.imwrite(path, np.concatenate([*panels, scale(panels[0].shape[0])], 1))


def panel(mesh: Mesh, judge: Judge, name: str) -> NDArray[np.uint8]:
    """One surface from the front, blue where it lies too deep, red where too far out, its numbers below."""
    error, _ = judge.errors(mesh.vertices)
    middle = 0.5 * (mesh.vertices[:, 2].min() + mesh.vertices[:, 2].max())
    T_cw = np.linalg.inv(turned(0.35) @ shifted(0.0, -2.6, middle) @ Mount(0.0, 0.0, 0.0, True).T_wc())
    rasterizer = Rasterizer(CAMERA)
    raster = rasterizer.render((mesh.vertices @ T_cw[:3, :3].T + T_cw[:3, 3]).astype(np.float32), mesh.faces)
    normals = vertex_normals(mesh.vertices, mesh.faces) @ T_cw[:3, :3].T
    light = 0.45 + 0.55 * np.clip(-normals @ np.array([0.3, 0.5, 0.8]) / 0.99, 0.0, 1.0)
    colors = colour(error) * light[:, None]
    picture = rasterizer.interpolate(colors.astype(np.float32))
    picture[raster.triangle < 0] = 255.0
    picture = np.ascontiguousarray(np.clip(picture, 0.0, 255.0).astype(np.uint8))
    row = judge(mesh)
    for n, text in enumerate((name, f"RMS {row['rmse mm']:.2f} mm, bias {row['bias mm']:+.2f}")):
        cv2.putText(picture, text, (12, 26 + 24 * n), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (40, 40, 40), 1, cv2.LINE_AA)
    return picture


def colour(error: NDArray) -> NDArray[np.float64]:
    """Blue (inside) over light grey to red (outside), BGR 0..255, shape (N, 3)."""
    t = np.clip(np.asarray(error) / RANGE_M, -1.0, 1.0)[:, None]
    grey, red, blue = np.array([225.0, 225.0, 225.0]), np.array([35.0, 40.0, 200.0]), np.array([190.0, 80.0, 30.0])
    return np.where(t > 0.0, grey + t * (red - grey), grey - t * (blue - grey))


def scale(height: int) -> NDArray[np.uint8]:
    """The colours' key."""
    bar = np.full((height, 90, 3), 255, np.uint8)
    rows = np.linspace(RANGE_M, -RANGE_M, 300)
    bar[180:480, 10:30] = colour(rows)[:, None]
    for value in (RANGE_M, 0.0, -RANGE_M):
        y = int(330 - 150 * value / RANGE_M) + 5
        cv2.putText(bar, f"{1e3 * value:+.0f} mm", (34, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    return bar


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/images/fusion-errors.png")
