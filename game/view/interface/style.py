"""The design system: every size, colour and duration of the interface has its one place here.

Lengths are units: the shorter side of the screen is 540 of them, whatever its pixels.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import NamedTuple

SHORT_SIDE = 540.0
"""Units along the shorter side of the screen."""

Color = tuple[float, float, float, float]
"""sRGB and opacity, 0..1."""


class Face(Enum):
    """Weights of the typeface."""

    LIGHT = "Light"
    REGULAR = "Regular"
    BOLD = "Bold"


class TypeStyle(NamedTuple):
    """One step of the type scale."""

    face: Face
    size: float
    """Em [units]."""
    leading: float
    """From line to line, of the size."""
    tracking: float = 0.0
    """Extra space between letters, of the size."""


DISPLAY = TypeStyle(Face.LIGHT, 56, 1.12)
TITLE = TypeStyle(Face.LIGHT, 38, 1.18)
HEADING = TypeStyle(Face.REGULAR, 24, 1.28)
BODY = TypeStyle(Face.REGULAR, 19, 1.42)
LABEL = TypeStyle(Face.REGULAR, 16, 1.3)
SMALL = TypeStyle(Face.REGULAR, 14, 1.35)
OVERLINE = TypeStyle(Face.BOLD, 12, 1.3, 0.20)
NUMBER = TypeStyle(Face.LIGHT, 30, 1.1)

INK: Color = (0.13, 0.12, 0.115, 1.0)
INK_SOFT: Color = (0.13, 0.12, 0.115, 0.66)
WHITE: Color = (1.0, 1.0, 1.0, 1.0)
WHITE_SOFT: Color = (1.0, 1.0, 1.0, 0.78)
PANEL: Color = (0.985, 0.978, 0.965, 0.90)
PANEL_FAINT: Color = (0.985, 0.978, 0.965, 0.58)
DARK_PANEL: Color = (0.10, 0.095, 0.09, 0.52)
HAIRLINE: Color = (0.13, 0.12, 0.115, 0.12)
LINE: Color = (0.13, 0.12, 0.115, 0.30)
TRACK: Color = (0.13, 0.12, 0.115, 0.16)
ACCENT: Color = (0.60, 0.43, 0.30, 1.0)
"""Cognac leather: what is chosen, what has the focus."""
GLOW: Color = (0.97, 0.87, 0.72, 1.0)
"""Candle light: what is alive on the dark camera picture."""
NOTHING: Color = (0.0, 0.0, 0.0, 0.0)

MARGIN = 28.0
"""From the screen's edge."""
GAP, GAP_SMALL, GAP_LARGE = 16.0, 8.0, 32.0
TARGET = 56.0
"""Least side of what a finger should hit: 11 mm on a mirror 45 cm wide is 13 units; four times that is comfortable."""
RADIUS, RADIUS_LARGE = 18.0, 28.0

FADE_S, MOVE_S, PRESS_S = 0.35, 0.45, 0.12


def ease_out(share: float) -> float:
    """Quick at first, then settling: 0..1 to 0..1."""
    return 1.0 - (1.0 - min(max(share, 0.0), 1.0)) ** 3


def ease_in_out(share: float) -> float:
    """Slow at both ends: 0..1 to 0..1."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


def approach(value: float, target: float, seconds: float, dt: float) -> float:
    """`value` on its way to `target`, of which it leaves a twentieth after `seconds`; `dt` [s] has passed."""
    return target + (value - target) * math.exp(-3.0 * dt / seconds)


def with_opacity(color: Color, opacity: float) -> Color:
    """The same colour at another opacity."""
    return (color[0], color[1], color[2], opacity)
