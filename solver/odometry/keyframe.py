"""Frames that are kept: to be known again, to be compared with, and to be put into the model anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.odometry.places import PlaceFeatures
from solver.odometry.pyramid import Pyramid

COUNTS_PER_M = 5000.0
"""Depth is kept in fifths of a millimetre, up to 13.1 m."""


@dataclass(slots=True)
class Keyframe:
    """One kept frame. Its pose changes when loops are closed."""

    number: int
    sequence: int
    T_wc: NDArray[np.float64]
    depth: NDArray[np.uint16]
    """(H, W), `COUNTS_PER_M`."""
    intensity: NDArray[np.uint8] | None
    """Grey values, (H, W)."""
    features: PlaceFeatures

    def load_into(self, pyramid: Pyramid) -> None:
        """Makes `pyramid` a reference that shows this keyframe."""
        pyramid.levels[0].depth[:] = self.metres()
        pyramid.load_levels(self.intensity)
        pyramid.add_normals()

    def metres(self) -> NDArray[np.float32]:
        """Depth [m], (H, W)."""
        return self.depth * np.float32(1.0 / COUNTS_PER_M)


def keep(number: int, sequence: int, T_wc: NDArray, current: Pyramid, features: PlaceFeatures) -> Keyframe:
    """A keyframe from what `current` holds."""
    finest = current.levels[0]
    depth = np.where(finest.depth * COUNTS_PER_M < 65535.0, np.rint(finest.depth * COUNTS_PER_M), 0.0)
    intensity = np.rint(finest.intensity).astype(np.uint8) if current.has_color else None
    return Keyframe(number, sequence, T_wc.copy(), depth.astype(np.uint16), intensity, features)
