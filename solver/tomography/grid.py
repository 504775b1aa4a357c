"""Where the voxels of a reconstructed volume are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError


@dataclass(frozen=True, slots=True)
class VolumeGrid:
    """X x Y x Z voxels along the axes of the world; values belong to their centres. Raises InputError if empty."""

    shape: tuple[int, int, int]
    """(X, Y, Z); z is contiguous in memory."""
    spacing_m: tuple[float, float, float]
    """Between voxel centres along x, y and z [m]."""
    origin_m: tuple[float, float, float]
    """Centre of voxel (0, 0, 0), world [m]."""

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InputError(f"grid: shape {self.shape}; give three numbers of at least 1")
        numbers = np.array([self.spacing_m, self.origin_m], np.float64)
        if numbers.shape != (2, 3) or not np.isfinite(numbers).all() or numbers[0].min() <= 0.0:
            raise InputError(
                f"grid: spacing {self.spacing_m} m, origin {self.origin_m} m; give three finite numbers each"
            )

    @classmethod
    def centred(cls, shape: tuple[int, int, int], spacing_m: float | tuple[float, float, float]) -> VolumeGrid:
        """The grid whose middle is the origin of the world."""
        dx, dy, dz = np.broadcast_to(np.asarray(spacing_m, np.float64), 3).tolist()
        nx, ny, nz = shape
        return cls((nx, ny, nz), (dx, dy, dz), (-0.5 * (nx - 1) * dx, -0.5 * (ny - 1) * dy, -0.5 * (nz - 1) * dz))

    def centres(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Coordinates of the voxel centres, world [m], shapes (X, 1, 1), (1, Y, 1), (1, 1, Z)."""
        x, y, z = (
            np.linspace(o, o + s * (n - 1), n)
            for n, s, o in zip(self.shape, self.spacing_m, self.origin_m, strict=True)
        )
        return x[:, None, None], y[None, :, None], z[None, None, :]
