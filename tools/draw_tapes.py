"""Draws where the tapes lie on a body: the picture of docs/measuring.md.

python -m tools.draw_tapes docs/images/tapes.png [--mesh MESH]
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from game.assets import load_body_model
from game.mesh_file import load_surface
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.measures import Measurements, measure_body
from solver.registration import register_body
from solver.standing_measures import measure_registered
from tools.body.picture import render_mesh

DOT_STEP_M = 0.003
SIZE = (500, 700)


def main() -> None:
    """Measures the mean body, or a mesh, and draws front, left and back with the tapes on it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--mesh", type=Path)
    arguments = parser.parse_args()
    model = load_body_model()
    if arguments.mesh is not None:
        registration = register_body(model, *load_surface(arguments.mesh))
        vertices, measures = registration.vertices, measure_registered(model, registration)[0]
    else:
        rest = shape_body(model, np.zeros(model.shape_count))
        transforms = joint_transforms(model, rest.joints, canonical_pose(model, rest.joints))
        joints = np.einsum("jab,jb->ja", transforms[:, :3, :3], rest.joints) + transforms[:, :3, 3]
        vertices = skin(model, rest.vertices, transforms).astype(np.float64)
        measures = measure_body(model, vertices, joints, sample_count=0)
    height = float(vertices[:, 2].max())
    views = [
        render_mesh(
            vertices,
            model.faces,
            SIZE,
            azimuth,
            centre=(0.0, 0.0, 0.5 * height),
            height_m=1.12 * height,
            markers=_dots(measures),
        )
        for azimuth in (0.0, 0.5 * np.pi, np.pi)
    ]
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.picture), np.hstack(views)[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _dots(measures: Measurements) -> NDArray[np.float64]:
    """Points along all tapes, DOT_STEP_M apart, shape (M, 3)."""
    dots = []
    for measured in measures.values():
        for path in measured.paths:
            for a, b in pairwise(path):
                count = max(2, int(np.linalg.norm(b - a) / DOT_STEP_M))
                dots.append(a + (b - a) * np.linspace(0.0, 1.0, count)[:, None])
    return np.concatenate(dots)


if __name__ == "__main__":
    main()
