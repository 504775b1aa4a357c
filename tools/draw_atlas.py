"""Draws the pictures of docs/reconstruction.md, "Colour": python -m tools.draw_atlas FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks._vertex_colors import VertexColors
from benchmarks.atlas import HELD_OUT, Picture, draw, keyframes_of
from game.assets import load_body_model
from solver.atlas.color_atlas import AtlasPainter
from solver.body import BodyModel

SHOPPERS = 104, 101
CAMERA = "camera=d455"
PAPER = 246
HEAD_PX = 300


def main(folder: Path) -> None:
    """Writes atlas-views.jpg and atlas-texels.jpg into `folder`."""
    model = load_body_model()
    rows, texels = [], None
    for seed in SHOPPERS:
        pictures, noise = keyframes_of(f"sim:visit=scan,seed={seed},serial={seed},fps=15,{CAMERA}", model)
        painter, peer = AtlasPainter(model, noise), VertexColors(model)
        for n, picture in enumerate(pictures):
            if n % HELD_OUT != 1:
                painter.add(*picture)
                peer.add(picture.color, picture.intrinsics, picture.vertices_c)
        atlas, colors = painter.paint(), peer.colors()
        held_out = pictures[1::HELD_OUT]
        nose = model.landmarks["nose_tip"]
        front = min(held_out, key=lambda one: one.vertices_c[nose, 2] - one.vertices_c[:, 2].mean())
        rows.append(_row(front, atlas.color, colors, model))
        texels = np.concatenate([atlas.color, np.repeat(atlas.seen[..., None], 3, 2)], 1).astype(np.uint8)
    assert texels is not None
    width = max(row.shape[1] for row in rows)
    rows = [np.pad(row, ((0, 8), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER) for row in rows]
    _write(folder / "atlas-views.jpg", np.concatenate(rows, 0))
    _write(
        folder / "atlas-texels.jpg",
        np.asarray(cv2.resize(texels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8),
    )


def _row(view: Picture, atlas: NDArray, colors: NDArray, model: BodyModel) -> NDArray[np.uint8]:
    """Camera, atlas, vertex colours: from the knees up, then the face."""
    by_atlas, by_vertices, depth = draw(view, atlas, colors, model)
    inside = depth > 0
    columns, rows = np.flatnonzero(inside.any(0)), np.flatnonzero(inside.any(1))
    window = np.s_[rows[0] - 6 : rows[0] + int(0.62 * len(rows)), columns[0] - 6 : columns[-1] + 7]
    head = model.part_labels == model.part("head")
    x, y, z = view.vertices_c[head].T
    u = view.intrinsics.fx * x / z + view.intrinsics.cx
    w = view.intrinsics.fy * y / z + view.intrinsics.cy
    middle, half = (int((u.min() + u.max()) / 2), int((w.min() + w.max()) / 2)), int(0.56 * (w.max() - w.min()))
    face = np.s_[middle[1] - half : middle[1] + half, middle[0] - half : middle[0] + half]
    panels = []
    for image in (view.color.astype(np.float32), by_atlas, by_vertices):
        shown = np.where(inside[..., None] | (image is not by_atlas) & (image is not by_vertices), image, PAPER)
        shown = np.clip(shown, 0, 255).astype(np.uint8)
        whole = np.ascontiguousarray(shown[window])
        whole = cv2.resize(whole, None, fx=HEAD_PX / len(whole), fy=HEAD_PX / len(whole), interpolation=cv2.INTER_CUBIC)
        close = cv2.resize(shown[face], (HEAD_PX, HEAD_PX), interpolation=cv2.INTER_CUBIC)
        panels += [whole, close]
    return np.concatenate(panels[::2] + panels[1::2], 1)


def _write(path: Path, picture: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
