"""How much work goes into a picture."""

from __future__ import annotations

from typing import NamedTuple


class Quality(NamedTuple):
    """One tier. A GPU draws FINE at display rate; a software rasteriser draws LIVE at one."""

    supersampling: int
    """Pixels drawn per pixel of the picture along each side."""
    detail: bool
    """Pores, strands and yarns."""
    shadow_resolution: int
    """Side of the key's shadow map [px]."""
    reflection: bool
    """The floor mirrors the feet."""


LIVE = Quality(supersampling=1, detail=False, shadow_resolution=512, reflection=True)
FINE = Quality(supersampling=2, detail=True, shadow_resolution=1536, reflection=True)
