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


def break_lines(text: str, width: float, size: int, even: bool = False) -> list[str]:
    """`text` broken at spaces into lines no wider than `width` [px] (a longer word stands alone), as few as can be;
    with `even` of about equal length."""
    words = text.split()
    lines = _fill_lines(words, width, size)
    if even and len(lines) > 1:
        narrow, wide = width / len(lines), width
        for _ in range(6):
            middle = 0.5 * (narrow + wide)
            filled = _fill_lines(words, middle, size)
            if len(filled) > len(lines):
                narrow = middle
            else:
                wide, lines = middle, filled
    return lines


def _fill_lines(words: list[str], width: float, size: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
