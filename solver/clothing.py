"""What close-fitting clothes add to a body, and taking it off again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from solver.body import BodyModel
from solver.normals import NormalField

THICKNESS_M = 0.002
THICKNESS_STD_M = 0.0008
"""Of one layer of close-fitting wear with its seams and the air beneath it: one to three millimetres."""
OVERLAP_M = 0.08
OVERLAP_STD_M = 0.04
"""How far a top and what is worn below it lie over each other, up from the hem (or down from the waistband) that is
seen: tops are cut so that they do not ride up when the arms are raised."""
TUCKED_BELOW_WAIST_M = 0.02
TUCKED_STD_M = 0.02
"""A line so far below the waist is as likely a waistband with a top tucked in as the hem of one that hangs over."""
BARE_PARTS = ("head", "hand_l", "hand_r")

LEVEL_M = 0.01
LEAST_LEVELS = 4
"""Of each garment that a hem is to be seen between."""
LEAST_CONTRAST = 0.08
"""Between two garments, of a colour's full range."""
LEAST_EXPLAINED = 0.6
"""Share of the colours' variance up the trunk that one hem must explain: stripes and checks do not."""


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


def find_hem(model: BodyModel, vertices: NDArray, colors: NDArray, likeness: NDArray) -> float | None:
    """Height [m] of the hem at which one garment ends on another between hip and chest; None where none is seen.

    `vertices` (V, 3) [m] are upright. The colours up the trunk are split in two where the two means explain most.
    """
    trunk = model.part_labels == model.part("trunk")
    heights = vertices[:, 2]
    low = heights[model.landmarks["crotch"]]
    high = np.mean([heights[model.landmarks[f"underbust_{side}"]] for side in "lr"])
    edges = np.arange(low, high, LEVEL_M)
    level = np.digitize(heights, edges) - 1
    chosen = trunk & (level >= 0) & (heights < high)
    counts = np.bincount(level[chosen], minlength=len(edges))
    if len(edges) < 2 * LEAST_LEVELS or counts.min() == 0:
        return None
    clothed = np.bincount(level[chosen], likeness[chosen], len(edges)) / counts > 0.5
    color = np.stack(
        [np.bincount(level[chosen], colors[chosen, c] / 255.0, len(edges)) / counts for c in range(3)], axis=1
    )
    splits = range(LEAST_LEVELS, len(edges) - LEAST_LEVELS + 1)
    total = np.square(color - color.mean(0)).sum()
    within = [
        np.square(color[:n] - color[:n].mean(0)).sum() + np.square(color[n:] - color[n:].mean(0)).sum() for n in splits
    ]
    n = splits[int(np.argmin(within))]
    contrast = np.linalg.norm(color[:n].mean(0) - color[n:].mean(0))
    beside = clothed[n - LEAST_LEVELS : n + LEAST_LEVELS]
    if contrast < LEAST_CONTRAST or min(within) > (1.0 - LEAST_EXPLAINED) * total or not beside.all():
        return None
    return float(edges[n])


def layer_counts(
    model: BodyModel, vertices: NDArray, colors: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected number of layers of cloth on each vertex and its standard deviation, (V,) each.

    Where one garment ends on another, one of the two goes on beneath: the lower one upwards where the line is the hem
    of a top that hangs over, the upper one downwards where it is the waistband that a top is tucked into, which is worn
    at the waist.
    """
    likeness = cloth_likeness(model, colors)
    expected, variance = likeness, likeness * (1.0 - likeness)
    line = find_hem(model, vertices, colors, likeness)
    if line is not None:
        trunk = np.isin(model.part_labels, [model.part(name) for name in ("trunk", "thigh_l", "thigh_r")])
        waist = np.mean([vertices[model.landmarks[f"waist_side_{side}"], 2] for side in "lr"])
        hangs_over = ndtr((waist - line - TUCKED_BELOW_WAIST_M) / TUCKED_STD_M)
        above = vertices[:, 2] - line
        beside = np.where(above > 0.0, hangs_over, 1.0 - hangs_over)
        double = np.where(trunk, beside * ndtr((OVERLAP_M - np.abs(above)) / OVERLAP_STD_M), 0.0)
        expected = likeness * (1.0 + double)
        variance = variance + likeness * double * (1.0 - double)
    return expected, np.sqrt(variance)


def undressed(
    model: BodyModel, vertices: NDArray[np.float32], colors: NDArray[np.uint8] | None
) -> tuple[NDArray[np.float32], NDArray[np.float64] | float]:
    """`vertices` [m], (V, 3), moved inwards by the thickness of close-fitting clothes where `colors` show cloth, and
    the standard deviation of that thickness [m], (V,).

    Without colours nothing is known of clothes: nothing is taken off, and one layer more or less is as likely.
    """
    if colors is None:
        return vertices, THICKNESS_STD_M
    normals = NormalField(model.faces, model.vertex_count)(vertices)
    layers, spread = layer_counts(model, vertices, colors)
    inwards = (THICKNESS_M * layers).astype(np.float32)
    moved = np.asarray(vertices - inwards[:, None] * normals, np.float32)
    return moved, np.hypot(THICKNESS_STD_M * layers, THICKNESS_M * spread)
