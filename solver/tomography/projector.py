"""The projector A and its exact transpose, for one geometry and one grid.

Stacks are kept as (views, columns, rows) here, panels on their side: detector columns run along the voxels' z.
`project` and `back_project` speak in pictures, (views, rows, columns).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.kernels.cone_beams import TASKS, ConeBeams, scale_by_length
from solver.kernels.joseph_columns import back_project_columns, project_columns
from solver.kernels.joseph_rays import back_project_rays, project_rays
from solver.tomography.geometry import ConeBeamGeometry
from solver.tomography.grid import VolumeGrid


class Projector:
    """Owns the rays and the scratch, so that applying it allocates nothing.

    Raises InputError where a view has the whole grid behind its source.
    """

    def __init__(self, geometry: ConeBeamGeometry, grid: VolumeGrid, most_views: int | None = None) -> None:
        """`most_views` is how many are projected back at once at most, all without it."""
        self.geometry = geometry
        self.grid = grid
        self.beams = _beams(geometry, grid)
        self.all_views = np.arange(geometry.view_count, dtype=np.int32)
        self._columns = np.zeros((TASKS, grid.shape[2] + 2), np.float32)
        self._scaled = self.stack(geometry.view_count if most_views is None else most_views)

    def stack(self, view_count: int | None = None) -> NDArray[np.float32]:
        """An empty stack of so many views, all without a number, (N, columns, rows)."""
        count = self.geometry.view_count if view_count is None else view_count
        return np.empty((count, self.geometry.columns, self.geometry.rows), np.float32)

    def project(self, volume: NDArray[np.float32], views: NDArray[np.int32], rays: NDArray[np.float32]) -> None:
        """Line integrals of `volume` (X, Y, Z) in `views` (N,) into `rays` (N, columns, rows)."""
        upright = self.beams.upright[views]
        if upright.any():
            project_columns(volume, self.beams, views, self._columns, rays)
        if not upright.all():
            project_rays(volume, self.beams, views, rays)
        scale_by_length(rays, self.beams, views, rays)

    def back_project(self, rays: NDArray[np.float32], views: NDArray[np.int32], volume: NDArray[np.float32]) -> None:
        """The transpose: `rays` (N, columns, rows) of `views` (N,) into `volume` (X, Y, Z)."""
        scaled = self._scaled[: len(views)]
        scale_by_length(rays, self.beams, views, scaled)
        volume.fill(0.0)
        upright = self.beams.upright[views]
        if upright.any():
            back_project_columns(scaled, self.beams, views, self._columns, volume)
        if not upright.all():
            back_project_rays(scaled, self.beams, views, volume)


def project(volume: NDArray[np.floating], geometry: ConeBeamGeometry, grid: VolumeGrid) -> NDArray[np.float32]:
    """Line integrals of `volume` (X, Y, Z) [1/m], (V, rows, columns). Raises InputError on a wrong shape or NaN."""
    values = check_array("volume", volume, grid.shape)
    projector = Projector(geometry, grid, most_views=0)
    rays = projector.stack()
    projector.project(values, projector.all_views, rays)
    return to_pictures(rays)


def back_project(
    projections: NDArray[np.floating], geometry: ConeBeamGeometry, grid: VolumeGrid
) -> NDArray[np.float32]:
    """The transpose of `project`: (V, rows, columns) to (X, Y, Z). Raises InputError on a wrong shape or NaN."""
    rays = to_columns(check_array("projections", projections, geometry.projections_shape))
    projector = Projector(geometry, grid)
    volume = np.empty(grid.shape, np.float32)
    projector.back_project(rays, projector.all_views, volume)
    return volume


def to_columns(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """(V, rows, columns) laid on its side: (V, columns, rows), contiguous."""
    return np.ascontiguousarray(pictures.transpose(0, 2, 1))


def to_pictures(rays: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `to_columns`."""
    return np.ascontiguousarray(rays.transpose(0, 2, 1))


def check_array(name: str, values: NDArray, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """`values` as contiguous float32. Raises InputError unless they have `shape` and are finite."""
    found = np.asarray(values)
    if found.shape != tuple(shape):
        raise InputError(f"{name}: shape {found.shape}, but the geometry and the grid ask for {tuple(shape)}")
    if found.dtype.kind not in "fiub":
        raise InputError(f"{name}: values of type {found.dtype}; give real numbers")
    found = np.ascontiguousarray(found, np.float32)
    if not np.isfinite(found).all():
        raise InputError(f"{name}: NaN or infinity in {np.count_nonzero(~np.isfinite(found))} places")
    return found


def _beams(geometry: ConeBeamGeometry, grid: VolumeGrid) -> ConeBeams:
    spacing = np.array(grid.spacing_m)
    origin = np.array(grid.origin_m)
    shape = np.array(grid.shape)
    corners = origin + spacing * (np.array(np.meshgrid(*[(0, 1)] * 3)).reshape(3, -1).T * (shape - 1))
    depths = corners @ geometry.matrices[:, 2, :3].T + geometry.matrices[:, 2, 3]
    behind = (depths <= 0.0).all(axis=0)
    if behind.any():
        raise InputError(f"geometry: view {int(np.argmax(behind))} looks away from the volume")
    sources = (geometry.sources - origin) / spacing
    directions = np.linalg.inv(geometry.matrices[:, :, :3]) / spacing[:, None]
    # Of each column the first and the last ray: between them the steepness along z is lower.
    columns = np.arange(geometry.columns)
    pixels = np.stack(
        [np.stack([columns, np.full_like(columns, row), np.ones_like(columns)]) for row in (0, geometry.rows - 1)]
    )
    ends = np.abs(directions[:, None] @ pixels)
    level = np.abs(directions[:, :2, 1]).max(axis=1) <= 1e-9 * np.abs(directions[:, 2, 1])
    upright = level & (ends[:, :, 2] <= ends[:, :, :2].max(axis=2)).all(axis=(1, 2))
    return ConeBeams(np.ascontiguousarray(sources), np.ascontiguousarray(directions), upright.astype(np.uint8), spacing)
