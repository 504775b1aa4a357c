"""How much work goes into a picture."""

from __future__ import annotations

from typing import NamedTuple

from solver.errors import UsageError


class Quality(NamedTuple):
    """One tier."""

    supersampling: int
    """Pixels drawn per pixel of the picture along each side."""
    detail: bool
    """Pores, strands and yarns, lit per pixel; else lit per vertex."""
    shadow_resolution: int
    """Side of the key's shadow map [px]."""
    shadow_every: int
    """Pictures from one shadow map to the next."""
    floor_light: int
    """Side of the picture of the floor's light [px]."""
    reflection: bool
    """The floor mirrors the feet."""
    most_pixels: int
    """A scene of more pixels is drawn coarser and enlarged; 0 for no bound."""
    still_backdrop: bool
    """Paper and floor are drawn once for each view and kept as a picture."""


SOFTWARE = Quality(1, False, 320, 3, 64, True, 560_000, True)
"""Every pixel is dear: what does not move is kept, light is reckoned at vertices."""
INTEGRATED = Quality(1, True, 1024, 1, 128, True, 0, False)
"""The full look, each pixel drawn once."""
FINE = Quality(2, True, 1536, 1, 160, True, 0, False)
"""The full look, supersampled: graphics cards, and stills on anything."""

TIERS = {"software": SOFTWARE, "integrated": INTEGRATED, "fine": FINE}
SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swr", "swiftshader", "software", "microsoft basic render")
CARDS = ("nvidia", "geforce", "quadro", "rtx", "radeon rx", "radeon pro", "arc(tm) a", "arc a")


def tier_for(renderer: str, chosen: str = "auto") -> Quality:
    """The tier called `chosen`, or with "auto" the one that suits the driver that calls itself `renderer`.

    Raises `UsageError` for a tier that there is not.
    """
    if chosen != "auto":
        if chosen not in TIERS:
            raise UsageError(f"{chosen}: no such quality; there are auto, {', '.join(TIERS)}")
        return TIERS[chosen]
    name = renderer.lower()
    if any(word in name for word in SOFTWARE_RENDERERS):
        return SOFTWARE
    return FINE if any(word in name for word in CARDS) else INTEGRATED
