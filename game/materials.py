"""What garments look like: the optics of fabrics and the prints on them."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.errors import UsageError


class Weave(IntEnum):
    """How yarns interlace; the numbers are those of cloth.frag."""

    WOVEN = 0
    KNIT = 1
    TWILL = 2


class PrintKind(IntEnum):
    """What is printed; the numbers are those of cloth.frag."""

    PLAIN = 0
    STRIPES = 1
    PINSTRIPES = 2
    CHECKS = 3
    DOTS = 4


class Optics(NamedTuple):
    """How a cloth takes light."""

    weave: Weave
    pitch: float
    """From yarn to yarn [m]."""
    depth: float
    """Slope of the yarns' relief."""
    roughness: float
    sheen: float
    """Fuzz that catches light from the side."""
    sheerness: float
    """Share of the light that comes through."""
    melange: float
    """How unevenly the fibres took the dye."""


class Print(NamedTuple):
    """A pattern in the panels' own metres. Colours are sRGB."""

    kind: PrintKind = PrintKind.PLAIN
    ground: tuple[int, int, int] = (238, 236, 230)
    figure: tuple[int, int, int] = (32, 44, 74)
    pitch: float = 0.03
    """Repeat [m]."""
    share: float = 0.4
    """Share of the repeat that the figure covers."""


OPTICS: dict[str, Optics] = {
    "jersey": Optics(Weave.KNIT, 0.0011, 0.22, 0.78, 0.35, 0.05, 0.05),
    "heather": Optics(Weave.KNIT, 0.0011, 0.22, 0.80, 0.40, 0.04, 0.22),
    "poplin": Optics(Weave.WOVEN, 0.0006, 0.18, 0.62, 0.12, 0.08, 0.02),
    "denim": Optics(Weave.TWILL, 0.0012, 0.35, 0.80, 0.20, 0.0, 0.30),
    "wool": Optics(Weave.TWILL, 0.0014, 0.25, 0.85, 0.60, 0.0, 0.25),
    "silk": Optics(Weave.WOVEN, 0.0003, 0.05, 0.32, 0.25, 0.05, 0.0),
    "linen": Optics(Weave.WOVEN, 0.0012, 0.40, 0.75, 0.10, 0.12, 0.18),
    "fleece": Optics(Weave.KNIT, 0.0018, 0.30, 0.95, 0.90, 0.0, 0.10),
}


def optics_of(name: str) -> Optics:
    """The optics of the fabric called `name`. Raises `UsageError`."""
    if name not in OPTICS:
        raise UsageError(f"{name}: no such fabric; there are {', '.join(OPTICS)}")
    return OPTICS[name]


def linear(srgb: tuple[int, int, int] | NDArray) -> tuple[float, float, float]:
    """sRGB 0..255 to linear light 0..1 (IEC 61966-2-1)."""
    c = np.asarray(srgb, np.float64)[:3] / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    return float(c[0]), float(c[1]), float(c[2])


def band_cover(x: NDArray, share: float) -> NDArray[np.float64]:
    """1 where x lies in a band of `share` about the middle of each period 1, else 0."""
    return (np.abs(np.mod(x, 1.0) - 0.5) < 0.5 * share).astype(np.float64)


def print_tile(printed: Print, size: int = 256) -> NDArray[np.uint8]:
    """One repeat of a print, sRGB, shape (size, size, 3): what cloth.frag draws, row 0 at the top of the panel."""
    fine = 4 * size
    x = (np.arange(fine) + 0.5)[None, :] / fine
    y = 1.0 - (np.arange(fine) + 0.5)[:, None] / fine
    cover = np.zeros((fine, fine))
    if printed.kind == PrintKind.STRIPES:
        cover = cover + band_cover(y, printed.share)
    elif printed.kind == PrintKind.PINSTRIPES:
        cover = cover + band_cover(x, printed.share)
    elif printed.kind == PrintKind.CHECKS:
        cover = 0.5 * (band_cover(x, printed.share) + band_cover(y, printed.share))
    elif printed.kind == PrintKind.DOTS:
        middle = np.hypot(x - 0.5, y - 0.5)
        corner = np.hypot(np.mod(x + 0.5, 1.0) - 0.5, np.mod(y + 0.5, 1.0) - 0.5)
        cover = (np.minimum(middle, corner) < 0.5 * printed.share).astype(np.float64)
    cover = cover.reshape(size, 4, size, 4).mean((1, 3))[..., None]
    light = np.array(linear(printed.ground)) * (1 - cover) + np.array(linear(printed.figure)) * cover
    return srgb(light)


def srgb(light: NDArray) -> NDArray[np.uint8]:
    """Linear light 0..1 to sRGB 0..255 (IEC 61966-2-1)."""
    light = np.clip(light, 0.0, 1.0)
    return np.rint(255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )


def cloth_inputs(cloth: Optics, printed: Print) -> dict[str, object]:
    """Uniforms of cloth.frag."""
    return {
        "ground": linear(printed.ground),
        "figure": linear(printed.figure),
        "print_kind": int(printed.kind),
        "print_pitch": printed.pitch,
        "print_share": printed.share,
        "weave_kind": int(cloth.weave),
        "weave_pitch": cloth.pitch,
        "weave_depth": cloth.depth,
        "roughness": cloth.roughness,
        "sheen": cloth.sheen,
        "sheerness": cloth.sheerness,
        "melange": cloth.melange,
    }
