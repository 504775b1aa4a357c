"""Text on pictures, in the project's own typeface."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from game.assets import ASSETS
from solver.errors import InputError

Color = tuple[int, int, int]


@cache
def face(weight: str) -> cv2.FontFace:
    """The typeface in `weight`: Light, Regular or Bold. Raises `InputError` when the installation is incomplete."""
    path = ASSETS / "fonts" / f"Lato-{weight}.ttf"
    font = cv2.FontFace()
    if not path.is_file() or not font.set(str(path)):
        raise InputError(f"{path}: the typeface cannot be read; reinstall cheval")
    return font


def write(
    picture: NDArray[np.uint8],
    text: str,
    place: tuple[float, float],
    size: int,
    color: Color,
    weight: str = "Regular",
    align: str = "left",
    tracking: int = 0,
) -> int:
    """Writes a line whose baseline starts (or with `align` "right" ends, "center" is centred) at `place` (x, y) [px].

    `size` is the em [px], `tracking` extra space between letters [px]. Returns the line's width [px].
    """
    width = text_width(text, size, weight, tracking)
    x = place[0] - {"left": 0.0, "center": 0.5, "right": 1.0}[align] * width
    for run in text if tracking else (text,):
        cv2.putText(picture, run, (round(x), round(place[1])), color, face(weight), size)
        x += text_width(run, size, weight) + tracking
    return width


def text_width(text: str, size: int, weight: str = "Regular", tracking: int = 0) -> int:
    """Advance of a line [px]: its ink's right end, so that spaces inside count."""
    if tracking:
        return sum(text_width(letter, size, weight) + tracking for letter in text) - tracking
    if text == " ":
        return round(0.25 * size)
    x, _, width, _ = cv2.getTextSize((1, 1), text, (0, 0), face(weight), size)
    return x + width
