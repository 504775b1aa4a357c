"""A garment of the rack as a little drawing: its cut by its alterations, filled with its print."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from game.materials import Print, PrintKind
from game.protocol.snapshot import Worn

SPAN_M = 0.94
"""What the drawing's side stands for [m]."""
FINER = 4
"""Drawn so much larger, then averaged."""
SHOULDER, CHEST, LENGTH, SLEEVE, NECK, NECK_DEPTH = 0.205, 0.235, 0.66, 0.21, 0.085, 0.075
"""Of the design as a mean adult's, laid flat: half widths and lengths [m]."""
SLEEVE_DOWN = np.deg2rad(58.0)
PRINT_SCALE = 1.9
"""A print is drawn larger than it is, or it would be a grey."""


def sketch(worn: Worn, pixels: int) -> NDArray[np.uint8]:
    """`worn` seen from the front, sRGB and opacity, (pixels, pixels, 4)."""
    options = worn.options
    side = pixels * FINER
    trunk, sleeves, neck = _outlines(
        options.get("ease", 0.10), options.get("length", 0.0), options.get("sleeve", 0.0), options.get("neckline", 0.0),
        options.get("shape", 0.0),
    )  # fmt: skip
    fill = _printed(worn.printed, side)
    rim = 0.72 * fill.mean((0, 1))
    picture = np.zeros((side, side, 4), np.float32)
    for outline, light in ((sleeves[0], 0.90), (sleeves[1], 0.90), (trunk, 1.0)):
        mask = np.zeros((side, side), np.uint8)
        cv2.fillPoly(mask, [_pixels(outline, side)], 255)
        picture[mask > 0, :3] = light * fill[mask > 0]
        picture[mask > 0, 3] = 255.0
        cv2.polylines(picture, [_pixels(outline, side)], True, (*(light * rim).tolist(), 255.0), FINER)
    opening = np.zeros((side, side), np.uint8)
    cv2.fillPoly(opening, [_pixels(neck, side)], 255)
    picture[opening > 0] = 0.0
    cv2.polylines(picture, [_pixels(neck, side)], True, (*rim.tolist(), 255.0), round(1.6 * FINER))
    # Colours are averaged by their opacity, or the outline would be dark.
    picture[..., :3] *= picture[..., 3:] / 255.0
    small = cv2.resize(picture, (pixels, pixels), interpolation=cv2.INTER_AREA)
    small[..., :3] *= 255.0 / np.maximum(small[..., 3:], 1.0)
    return np.clip(small, 0, 255).astype(np.uint8)


def _outlines(
    ease: float, length: float, sleeve: float, neckline: float, shape: float
) -> tuple[NDArray, tuple[NDArray, NDArray], NDArray]:
    """Trunk, sleeves and neck opening [m]: x to the right, y down from the shoulders' level."""
    chest = CHEST + 0.25 * (ease - 0.10)
    tip = SHOULDER + 0.2 * (ease - 0.10)
    hem, waist = LENGTH + length, chest - 0.035 * shape
    half = np.array([[NECK, 0.0], [tip, 0.045], [chest, 0.235], [waist, 0.42], [chest - 0.012 * shape, max(hem, 0.43)]])
    trunk = np.concatenate((half, half[::-1] * (-1, 1)))
    along = np.array([np.cos(SLEEVE_DOWN), np.sin(SLEEVE_DOWN)])
    end, across = SLEEVE + sleeve, np.array([-along[1], along[0]])
    # A long sleeve narrows towards the wrist.
    width = 0.155 - 0.16 * max(sleeve, 0.0)
    top = np.array([tip, 0.045])
    right = np.stack((top - (0.02, 0.0), top + along * end, top + along * end + across * width, (chest - 0.01, 0.225)))
    angles = np.linspace(0.0, np.pi, 17)
    depth = NECK_DEPTH + neckline
    front = np.stack((NECK * np.cos(angles), depth * np.sin(angles)), 1)
    back = np.stack((-NECK * np.cos(angles), 0.018 * np.sin(angles)), 1)
    return trunk, (right, right * (-1, 1)), np.concatenate((front, back[1:-1]))


def _pixels(outline: NDArray, side: int) -> NDArray[np.int32]:
    scale = side / SPAN_M
    return np.rint(outline * scale + (side / 2, 0.05 * side)).astype(np.int32)


def _printed(printed: Print, side: int) -> NDArray[np.float32]:
    """The print on a square cloth of `SPAN_M`, sRGB, (side, side, 3)."""
    at = np.arange(side) * SPAN_M / side / (printed.pitch * PRINT_SCALE)
    row, column = at[:, None], at[None, :]

    def band(x: NDArray) -> NDArray[np.float32]:
        return (np.abs(x % 1.0 - 0.5) < 0.5 * printed.share).astype(np.float32)

    match printed.kind:
        case PrintKind.STRIPES:
            cover = band(row) + 0.0 * column
        case PrintKind.PINSTRIPES:
            cover = band(column) + 0.0 * row
        case PrintKind.CHECKS:
            cover = 0.5 * (band(row) + band(column))
        case PrintKind.DOTS:
            own = np.hypot(row % 1.0 - 0.5, column % 1.0 - 0.5)
            between = np.hypot((row + 0.5) % 1.0 - 0.5, (column + 0.5) % 1.0 - 0.5)
            cover = np.minimum(own, between) < 0.5 * printed.share
        case _:
            cover = np.zeros((side, side))
    ground, figure = (np.array(color, np.float32) for color in (printed.ground, printed.figure))
    mixed = ground + np.asarray(cover, np.float32)[..., None] * (figure - ground)
    return mixed.astype(np.float32)
