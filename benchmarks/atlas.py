"""The colour atlas: processor time, and views that it was not painted from beside colours of the vertices.

Simulated shoppers (seeds 200 and up, used for nothing else) turn once before a d455. Of the keyframes, in the poses
that the refinement found, every third is held out; atlas and vertex colours are made of the others and drawn as the
held-out cameras saw the body. Compared is where the sensor saw the body too, two pixels inside the outline.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple
from unittest.mock import patch

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks._vertex_colors import VertexColors
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from game.console import Progress
from game.scan import scan_source
from solver import refinement
from solver.atlas.color_atlas import AtlasPainter, prepare_atlas
from solver.atlas.layout import atlas_layout, texture_coordinates
from solver.body import BodyModel
from solver.rasterizer import Rasterizer
from solver.refinement import RefinementSettings
from solver.types import DepthNoise, Intrinsics

FIRST_SEED, SHOPPERS = 200, 10
HELD_OUT = 3
REPEATS = 3
AGREES_M = 0.04
FINE_PX = 4.0
"""What varies over less is detail."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Picture(NamedTuple):
    """One keyframe: what the painter is told."""

    color: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: Intrinsics
    vertices_c: NDArray[np.float32]
    person: NDArray[np.float32] | None


def run(json: bool, seeds: range | None = None) -> dict[str, Any]:
    """Scans the shoppers `seeds`; prints a table unless `json`."""
    model = load_body_model()
    prepare_atlas(model)
    seeds = seeds or range(FIRST_SEED, FIRST_SEED + SHOPPERS)
    rows = []
    with Progress("atlas") as progress:
        for n, seed in enumerate(seeds):
            progress(n / len(seeds), f"shopper {seed}")
            pictures, noise = keyframes_of(f"sim:visit=scan,seed={seed},serial={seed},fps=15,camera=d455", model)
            rows.append(compare(pictures, noise, model))
        progress(1.0)
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    result = {"shoppers": len(rows), "views": int(mean.pop("views")), "mean": mean, "each": rows}
    if not json:
        print(f"{len(rows)} shoppers, {result['views']} views of 848x480 each into 1024x1024 texels")
        print(f"  processor time                 {mean['seconds']:7.2f} s; at 2048x2048 {mean['seconds_2048']:.2f} s")
        print(f"  {'held-out views':24s} {'PSNR':>8s} {'SSIM':>8s} {'PSNR of detail':>15s}")
        for who in ("atlas", "vertices"):
            values = [mean[f"{who}_{what}"] for what in ("psnr", "ssim", "detail")]
            print(f"  {who:24s} {values[0]:8.2f} {values[1]:8.3f} {values[2]:15.2f}")
        better = sum(row["atlas_ssim"] > row["vertices_ssim"] for row in rows)
        print(
            f"  the atlas is nearer (SSIM) for {better} of {len(rows)}; seen {100 * mean['seen']:.0f} % of the texels"
        )
    return result


def keyframes_of(spec: str, model: BodyModel) -> tuple[list[Picture], DepthNoise]:
    """The keyframes of a scan with the vertices where the refinement has them."""
    pictures: list[Picture] = []

    class Listening(AtlasPainter):
        def add(self, color, depth, intrinsics, vertices_c, person=None):
            assert depth is not None
            pictures.append(Picture(color, depth, intrinsics, vertices_c, person))
            super().add(color, depth, intrinsics, vertices_c, person)

    source = SimulatedSource.from_spec(spec, model)
    with ShopperLandmarker(POSE_LANDMARKER) as landmarker, patch.object(refinement, "AtlasPainter", Listening):
        scan_source(source, model, landmarker, RefinementSettings(surface=False))
    assert source.info.noise is not None
    return pictures, source.info.noise


def compare(pictures: list[Picture], noise: DepthNoise, model: BodyModel) -> dict[str, float]:
    """Errors of the held-out views and the time of the others."""
    held_out = [picture for n, picture in enumerate(pictures) if n % HELD_OUT == 1]
    shown = [picture for n, picture in enumerate(pictures) if n % HELD_OUT != 1]
    seconds, atlas = {}, None
    for size in (2048, 1024):
        times = []
        for _ in range(REPEATS):
            begin = time.process_time()
            painter = AtlasPainter(model, noise, size)
            for picture in shown:
                painter.add(*picture)
            atlas = painter.paint()
            times.append(time.process_time() - begin)
        seconds[size] = min(times)
    assert atlas is not None
    peer = VertexColors(model)
    for picture in shown:
        peer.add(picture.color, picture.intrinsics, picture.vertices_c)
    colors = peer.colors()
    errors: dict[str, list[tuple[float, ...]]] = {"atlas": [], "vertices": []}
    for picture in held_out:
        by_atlas, by_vertices, depth = draw(picture, atlas.color, colors, model)
        inside = cv2.erode((depth > 0.0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        inside &= (picture.depth > 0.0) & (np.abs(picture.depth - depth) < AGREES_M)
        errors["atlas"].append(distances(by_atlas, picture.color, inside))
        errors["vertices"].append(distances(by_vertices, picture.color, inside))
    seen = np.count_nonzero(atlas.seen) / np.count_nonzero(atlas_layout(model, 1024).triangle >= 0)
    result = {"views": len(shown), "seconds": seconds[1024], "seconds_2048": seconds[2048], "seen": seen}
    for who, values in errors.items():
        for what, value in zip(("psnr", "ssim", "detail"), np.mean(values, axis=0).tolist(), strict=True):
            result[f"{who}_{what}"] = value
    return result


def draw(
    picture: Picture, atlas: NDArray[np.uint8], colors: NDArray[np.uint8], model: BodyModel
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The body without light as the camera of `picture` sees it: by the atlas, by colours of vertices; its depth."""
    rasterizer = Rasterizer(picture.intrinsics)
    raster = rasterizer.render(picture.vertices_c, model.faces)
    by_vertices = rasterizer.interpolate(colors.astype(np.float32))
    inside = raster.triangle >= 0
    triangle, (b, c) = raster.triangle[inside], raster.barycentric[inside].T
    corners = texture_coordinates(model)[model.uv_faces[triangle]]
    uv = (1 - b - c)[:, None] * corners[:, 0] + b[:, None] * corners[:, 1] + c[:, None] * corners[:, 2]
    at = np.zeros((*inside.shape, 2), np.float32)
    at[inside] = uv * len(atlas) - 0.5
    by_atlas = cv2.remap(atlas, at[..., 0], at[..., 1], cv2.INTER_LINEAR).astype(np.float32)
    by_atlas[~inside] = 0.0
    return by_atlas, by_vertices, raster.depth.copy()


def distances(drawn: NDArray[np.float32], seen: NDArray[np.uint8], inside: NDArray[np.bool_]) -> tuple[float, ...]:
    """PSNR [dB] of colours, mean SSIM of brightness (Wang et al. 2004, Gaussian of 1.5 px), PSNR of its detail."""
    truth = seen.astype(np.float32)
    a, b = drawn @ LUMA, truth @ LUMA

    def blur(values: NDArray, sigma: float = 1.5) -> NDArray:
        return cv2.GaussianBlur(values, (0, 0), sigma)

    mean_a, mean_b = blur(a), blur(b)
    variance_a, variance_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    few, some = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * mean_a * mean_b + few) * (2 * both + some)
    ssim /= (mean_a**2 + mean_b**2 + few) * (variance_a + variance_b + some)
    detail = (a - blur(a, FINE_PX)) - (b - blur(b, FINE_PX))
    return (
        float(10 * np.log10(255**2 / np.square(drawn - truth)[inside].mean())),
        float(ssim[inside].mean()),
        float(10 * np.log10(255**2 / np.square(detail)[inside].mean())),
    )
