"""Draws the pictures of docs/reconstruction.md: slices of the head, error against iteration, few noisy views.

python -m tools.draw_tomography docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks._phantoms import pixel_means, psnr_db, shepp_logan, voxel_means
from benchmarks.ct import FEW_VIEWS, WATER, few_view_methods, scanner
from solver.tomography import AsdPocs, Cgls, FistaTv, Iteration, OsSart, Sart, Sirt, reconstruct
from solver.tomography.problem import Method

SLICE_SIDE = 320
INK = (40, 40, 40)
COLORS = ((190, 120, 30), (60, 150, 40), (40, 40, 200), (160, 60, 150), (20, 150, 200), (120, 120, 120))


def main() -> None:
    """Writes `ct-methods.png` and `ct-few-views.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    cv2.imwrite(str(folder / "ct-methods.png"), draw_methods())
    cv2.imwrite(str(folder / "ct-few-views.png"), draw_few_views())


def draw_methods(size: int = 64, view_count: int = 90) -> NDArray[np.uint8]:
    """Truth and a reconstruction in three planes, and the PSNR of every method by iteration."""
    head = shepp_logan(0.1, WATER)
    geometry, grid = scanner(size, view_count)
    integrals, truth = pixel_means(head, geometry), voxel_means(head, grid)
    methods: dict[str, Method] = {
        "SART 0.5": Sart(20, 0.5),
        "OS-SART, 10 a subset": OsSart(20, 10),
        "SIRT": Sirt(20, 1.9),
        "CGLS": Cgls(20),
        "ASD-POCS, 10 a subset": AsdPocs(20, views_per_subset=10),
        "FISTA-TV, 10 a subset": FistaTv(20, 1e-3 * WATER, 10),
    }
    curves, shown = {}, truth
    for name, method in methods.items():
        found: list[float] = []

        def look(iteration: Iteration, found: list[float] = found) -> None:
            found.append(psnr_db(iteration.volume, truth))

        volume = reconstruct(
            integrals, geometry, grid, method, minimum=None if isinstance(method, Cgls) else 0.0, on_iteration=look
        ).volume
        curves[name] = found
        if name.startswith("OS"):
            shown = volume
    middle = size // 2
    low = int(0.375 * size)
    planes = [[v[:, :, low], v[:, middle], v[middle]] for v in (truth, shown)]
    rows = [
        np.hstack([picture_of(p, t) for p, t in zip(row, names, strict=True)])
        for row, names in zip(
            planes,
            (("true, level", "true, from the front", "true, from the side"), ("OS-SART, 20 times", "", "")),
            strict=True,
        )
    ]
    slices = np.vstack(rows)
    return np.vstack([slices, draw_curves(curves, slices.shape[1], 420)])


def draw_few_views() -> NDArray[np.uint8]:
    """Each method at its best iteration, its slice and what it errs."""
    geometry, grid = scanner(128, FEW_VIEWS)
    truth = voxel_means(shepp_logan(0.1, WATER), grid)
    low = int(0.375 * geometry.rows)
    columns = [np.vstack([picture_of(truth[:, :, low], "true"), picture_of(0 * truth[:, :, low], "")])]
    for name, (psnr, iteration, _, volume) in few_view_methods():
        error = np.abs(volume - truth)[:, :, low]
        columns.append(
            np.vstack(
                [
                    picture_of(volume[:, :, low], f"{name}: {psnr:.1f} dB at {iteration}"),
                    picture_of(error, "error, white: 0.3 of water", 0.0, 0.3),
                ]
            )
        )
    return np.hstack(columns)


def picture_of(plane: NDArray[np.floating], title: str, low: float = 0.9, high: float = 1.14) -> NDArray[np.uint8]:
    """A plane (a, b) with b upwards, grey from `low` to `high` times water."""
    grey = np.clip((plane.T[::-1] / WATER - low) / (high - low), 0.0, 1.0)
    picture = cv2.resize((255.0 * grey).astype(np.uint8), (SLICE_SIDE, SLICE_SIDE), interpolation=cv2.INTER_NEAREST)
    picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    cv2.putText(picture, title, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def draw_curves(curves: dict[str, list[float]], width: int, height: int) -> NDArray[np.uint8]:
    """PSNR [dB] by iteration, one line a method."""
    canvas = np.full((height, width, 3), 255, np.uint8)
    left, right, top, bottom = 60, 230, 25, 45
    most = max(len(c) for c in curves.values())
    lowest = 5.0 * np.floor(min(min(c) for c in curves.values()) / 5.0)
    highest = 5.0 * np.ceil(max(max(c) for c in curves.values()) / 5.0)

    def place(iteration: float, psnr: float) -> tuple[int, int]:
        x = left + (iteration - 1) / (most - 1) * (width - left - right)
        y = height - bottom - (psnr - lowest) / (highest - lowest) * (height - top - bottom)
        return round(x), round(y)

    for level in np.arange(lowest, highest + 1.0, 5.0):
        cv2.line(canvas, place(1, level), place(most, level), (225, 225, 225), 1)
        _write(canvas, f"{level:.0f}", (25, place(1, level)[1] + 5), INK)
    for iteration in range(5, most + 1, 5):
        _write(canvas, str(iteration), (place(iteration, lowest)[0] - 8, height - 22), INK)
    _write(canvas, "PSNR [dB] by iteration, 64^3, 90 views, no noise", (left, height - 5), INK)
    for n, (name, curve) in enumerate(curves.items()):
        points = np.array([place(i + 1, p) for i, p in enumerate(curve)], np.int32)
        cv2.polylines(canvas, [points], False, COLORS[n], 2, cv2.LINE_AA)
        y = top + 20 + 24 * n
        cv2.line(canvas, (width - right + 15, y - 4), (width - right + 40, y - 4), COLORS[n], 2)
        _write(canvas, name, (width - right + 46, y), INK)
    return canvas


def _write(canvas: NDArray[np.uint8], text: str, place: tuple[int, int], color: tuple[int, int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1, cv2.LINE_AA)


if __name__ == "__main__":
    main()
