"""Draws docs/images/refinement-errors.jpg: simulated shoppers' bodies coloured by their error, sweep by sweep.

Run from the checkout: python -m tools.draw_refinement FOLDER
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks._surface_errors import SEEN, canonical_body, dressed_truth, part_errors, seen_of_trunk_and_limbs
from benchmarks._turntable import shifted, turned
from capture.shopper import ShopperLandmarker
from capture.simulated.camera import Mount
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from game.scan import Evidence, Scanner
from solver.body import BodyModel, shape_body
from solver.fusion import outer_faces
from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.refinement import RefinementSettings, reconstruct
from solver.types import Intrinsics
from tools.draw_fusion_errors import colour, scale

SHOPPERS = 101, 104
OPTIONS = "visit=scan,fps=15,seconds=6,camera=d455"
CAMERA = Intrinsics(290, 500, 590.0, 590.0, 144.5, 272.5)
DISTANCE_M = 2.6
YAWS = 0.35, 0.35 + np.pi
SHRUNK = 0.65
HATCH_PX = 8


@dataclass(frozen=True, slots=True)
class Panel:
    """One body beside the truth."""

    name: str
    vertices: NDArray[np.float64]
    error_m: NDArray[np.float64]
    """Outwards, (V,)."""
    judged: NDArray[np.bool_]
    """What the numbers count: seen, of trunk and limbs."""
    coverage: NDArray[np.float32]


def main(folder: Path) -> None:
    """Scans the shoppers and draws their bodies after every sweep, and what a quarter of the turn gives."""
    model = load_body_model()
    rows = []
    for seed in SHOPPERS:
        source = SimulatedSource.from_spec(f"sim:seed={seed},serial={seed},{OPTIONS}", model)
        whole, quarter = scanned(model, source)
        rows.append(np.concatenate([drawn(model, panel) for panel in panels(model, source, whole, quarter)], 1))
    picture = np.concatenate(rows, 0)
    picture = np.concatenate([picture, scale(len(picture))], 1)
    picture = np.asarray(cv2.resize(picture, None, fx=SHRUNK, fy=SHRUNK, interpolation=cv2.INTER_AREA), np.uint8)
    cv2.imwrite(str(folder / "refinement-errors.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


def scanned(model: BodyModel, source: SimulatedSource) -> tuple[Evidence, Evidence]:
    """What is kept of a whole turn, and of its first quarter."""
    quarter = None
    with ShopperLandmarker(POSE_LANDMARKER) as landmarker:
        scanner = Scanner(model, source.info, landmarker)
        while not scanner.complete:
            glimpse = scanner.step(source.read())
            if quarter is None and abs(glimpse.turned) > np.pi / 2.0:
                quarter = scanner.evidence()
        assert quarter is not None
        return scanner.evidence(), quarter


def panels(model: BodyModel, source: SimulatedSource, whole: Evidence, quarter: Evidence) -> list[Panel]:
    """By shape alone, after every sweep, and by a quarter of a turn."""
    truth = dressed_truth(source)
    noise = whole.source.noise
    assert noise is not None
    made = []
    for sweeps in range(RefinementSettings().sweeps + 1):
        body = reconstruct(model, whole.keyframes, noise, RefinementSettings(sweeps=sweeps, surface=False))
        if not made:
            shaped = canonical_body(model, shape_body(model, body.shape))
            made.append(judged(model, "shape and poses", shaped, truth, body.coverage))
        made.append(judged(model, f"sweep {sweeps + 1}", body.vertices, truth, body.coverage))
    body = reconstruct(model, quarter.keyframes, noise, RefinementSettings(surface=False))
    made.append(judged(model, "a quarter of a turn", body.vertices, truth, body.coverage))
    return made


def judged(model: BodyModel, name: str, vertices: NDArray, truth: NDArray, coverage: NDArray) -> Panel:
    """`vertices` with their distance from `truth`."""
    error, counted = part_errors(model, vertices, truth), seen_of_trunk_and_limbs(model, coverage)
    return Panel(name, np.asarray(vertices, np.float64), error, counted, np.asarray(coverage, np.float32))


def drawn(model: BodyModel, panel: Panel) -> NDArray[np.uint8]:
    """Front and back, blue where it lies too deep, red where too far out, hatched where inferred; numbers below."""
    views = [_view(model, panel, yaw) for yaw in YAWS]
    picture = np.concatenate(views, 1)
    off = 1e3 * np.abs(panel.error_m[panel.judged])
    bias = 1e3 * float(panel.error_m[panel.judged].mean())
    numbers = f"mean {off.mean():.2f} mm, 95 % {np.percentile(off, 95):.1f}, bias {bias:+.2f}"
    for n, text in enumerate((panel.name, numbers)):
        cv2.putText(picture, text, (12, 24 + 26 * n), cv2.FONT_HERSHEY_SIMPLEX, 0.62, (40, 40, 40), 1, cv2.LINE_AA)
    return picture


def _view(model: BodyModel, panel: Panel, yaw: float) -> NDArray[np.uint8]:
    middle = 0.5 * (panel.vertices[:, 2].min() + panel.vertices[:, 2].max())
    T_cw = np.linalg.inv(turned(yaw) @ shifted(0.0, -DISTANCE_M, middle) @ Mount(0.0, 0.0, 0.0, True).T_wc())
    vertices_c = (panel.vertices @ T_cw[:3, :3].T + T_cw[:3, 3]).astype(np.float32)
    faces = outer_faces(model)
    rasterizer = Rasterizer(CAMERA)
    raster = rasterizer.render(vertices_c, faces)
    normals = NormalField(model.faces, model.vertex_count)(vertices_c)
    light = 0.45 + 0.55 * np.clip(-normals @ np.array([0.3, 0.5, 0.8]) / 0.99, 0.0, 1.0)
    picture = rasterizer.interpolate((colour(panel.error_m) * light[:, None]).astype(np.float32))
    seen = rasterizer.interpolate(panel.coverage[:, None])[..., 0]
    rows, columns = np.indices(seen.shape)
    hatched = (seen < SEEN) & ((rows + columns) % HATCH_PX < 2)
    picture[hatched] = 90.0
    picture[raster.triangle < 0] = 255.0
    return np.ascontiguousarray(np.clip(picture, 0.0, 255.0).astype(np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
