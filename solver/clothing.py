"""What close-fitting clothes add to a body, and taking it off again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.normals import NormalField

THICKNESS_M = 0.002
THICKNESS_STD_M = 0.0008
"""Of close-fitting wear with its seams and the air beneath it: one to three millimetres."""
BARE_PARTS = ("head", "hand_l", "hand_r")


def cloth_likeness(model: BodyModel, colors: NDArray) -> NDArray[np.float64]:
    """How sure it is that each vertex is clothed, (V,), 0..1: its chromaticity is unlike that of the face.

    `colors` (V, 3) are sRGB of the vertices as a camera saw them.
    """
    color = np.asarray(colors, np.float64)
    face = model.in_region("skin") & (model.part_labels == model.part("head"))
    chroma = color / np.maximum(color.sum(1, keepdims=True), 30.0)
    center = np.median(chroma[face], axis=0)
    spread = np.maximum(np.median(np.abs(chroma[face] - center), axis=0), 0.006)
    unlike = np.linalg.norm((chroma - center) / (6.0 * spread), axis=1)
    bare = np.isin(model.part_labels, [model.part(name) for name in BARE_PARTS])
    return np.where(bare, 0.0, np.clip(unlike - 0.6, 0.0, 1.0))


def undressed(model: BodyModel, vertices: NDArray[np.float32], colors: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """`vertices` [m], (V, 3), moved inwards by the thickness of close-fitting clothes where `colors` show cloth.

    Without colours nothing is known of clothes and nothing is taken off.
    """
    if colors is None:
        return vertices
    normals = NormalField(model.faces, model.vertex_count)(vertices)
    off = (THICKNESS_M * cloth_likeness(model, colors)).astype(np.float32)
    return np.asarray(vertices - off[:, None] * normals, np.float32)
