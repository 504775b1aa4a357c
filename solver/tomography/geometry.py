"""Where sources and flat panels stand: a matrix a view, and the trajectories that scanners have.

A view is a 3 x 4 matrix P that takes a point X of the world [m] to its place on the panel: (u, v, 1) w = P (X, 1), with
u the column and v the row, pixel centres at integers, and w > 0 before the source. That is what a pinhole camera has,
P = K [R | t], so a depth camera is a view as well. The line integral of a pixel runs from the source through its centre
and on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.types import Intrinsics


@dataclass(frozen=True, slots=True)
class ConeBeamGeometry:
    """V views by flat panels of one size, from any places.

    Raises InputError where a matrix is not finite or has no source at a finite place.
    """

    matrices: NDArray[np.float64]
    """World [m] to pixels, shape (V, 3, 4), float64."""
    rows: int
    """Pixels of the panel from top to bottom."""
    columns: int
    """Pixels of the panel from left to right."""

    def __post_init__(self) -> None:
        matrices = np.array(self.matrices, np.float64)
        if matrices.ndim != 3 or matrices.shape[1:] != (3, 4) or len(matrices) == 0:
            raise InputError(f"geometry: matrices have shape {matrices.shape}; give (views, 3, 4), at least one view")
        if self.rows < 1 or self.columns < 1:
            raise InputError(f"geometry: a panel of {self.rows} x {self.columns} pixels; give at least one")
        if not np.isfinite(matrices).all():
            raise InputError("geometry: a matrix holds NaN or infinity")
        flat = np.linalg.cond(matrices[:, :, :3]) > 1e12
        if flat.any():
            raise InputError(f"geometry: view {int(np.argmax(flat))} has no source; its matrix is singular")
        matrices.setflags(write=False)
        object.__setattr__(self, "matrices", matrices)

    @property
    def view_count(self) -> int:
        """V."""
        return len(self.matrices)

    @property
    def sources(self) -> NDArray[np.float64]:
        """Where the rays start, world [m], shape (V, 3)."""
        return np.asarray(-np.linalg.solve(self.matrices[:, :, :3], self.matrices[:, :, 3:])[:, :, 0], np.float64)

    @property
    def projections_shape(self) -> tuple[int, int, int]:
        """(V, rows, columns): the shape of a stack of projections."""
        return self.view_count, self.rows, self.columns

    def views(self, chosen: NDArray | list[int] | slice) -> ConeBeamGeometry:
        """The geometry of the `chosen` views alone: indices, a mask or a slice."""
        return ConeBeamGeometry(self.matrices[chosen], self.rows, self.columns)


def panel_geometry(
    sources: NDArray[np.floating],
    corners: NDArray[np.floating],
    along_rows: NDArray[np.floating],
    along_columns: NDArray[np.floating],
    rows: int,
    columns: int,
) -> ConeBeamGeometry:
    """Any trajectory from places in the world: everything [m], shape (V, 3).

    `corners` are the centres of the pixels (row 0, column 0), `along_rows` the step from a column to the next and
    `along_columns` the step from a row to the next. Raises InputError where a source lies in its panel's plane.
    """
    places = np.asarray(sources, np.float64)
    frames = np.stack([along_rows, along_columns, corners - places], axis=-1).astype(np.float64)
    sizes = np.linalg.norm(frames, axis=1)
    volumes = np.abs(np.linalg.det(frames))
    flat = ~(volumes > 1e-9 * sizes.prod(axis=1))
    if flat.any():
        raise InputError(f"geometry: the source of view {int(np.argmax(flat))} lies in the plane of its panel")
    rotations = np.linalg.inv(frames)
    # w is 1 on the panel: positive before the source.
    matrices = np.concatenate([rotations, -rotations @ places[:, :, None]], axis=2)
    return ConeBeamGeometry(np.asarray(matrices, np.float64), rows, columns)


def circular_geometry(
    view_count: int,
    source_to_axis_m: float,
    source_to_panel_m: float,
    rows: int,
    columns: int,
    pixel_m: float,
    *,
    arc_rad: float = 2.0 * np.pi,
    start_rad: float = 0.0,
    offset_m: tuple[float, float] = (0.0, 0.0),
    tilt_rad: float = 0.0,
    climb_m: float = 0.0,
) -> ConeBeamGeometry:
    """A source that circles the world's z axis about the origin, opposite a panel.

    At angle 0 the source is at +x, and it turns towards +y. Columns run along the way of turning, rows downwards.
    `offset_m` moves the panel that way, `tilt_rad` turns the whole trajectory about the world's x axis, and over the
    whole arc it climbs `climb_m`. Raises InputError on sizes that are no scanner's.
    """
    if view_count < 1 or not 0.0 < source_to_axis_m <= source_to_panel_m or pixel_m <= 0.0:
        raise InputError("geometry: give at least one view, 0 < source_to_axis_m <= source_to_panel_m and pixel_m > 0")
    fraction = np.arange(view_count) / view_count
    angles = start_rad + arc_rad * fraction
    sine, cosine, zero = np.sin(angles), np.cos(angles), np.zeros(view_count)
    outward = np.stack([cosine, sine, zero], axis=1)
    right = np.stack([-sine, cosine, zero], axis=1)
    down = np.tile((0.0, 0.0, -1.0), (view_count, 1))
    height = climb_m * (fraction - 0.5 * (view_count - 1) / view_count)[:, None] * np.array([0.0, 0.0, 1.0])
    sources = source_to_axis_m * outward + height
    corners = sources - source_to_panel_m * outward
    corners += (offset_m[0] - 0.5 * (columns - 1) * pixel_m) * right + (offset_m[1] - 0.5 * (rows - 1) * pixel_m) * down
    c, s = np.cos(tilt_rad), np.sin(tilt_rad)
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return panel_geometry(
        sources @ tilt.T, corners @ tilt.T, pixel_m * right @ tilt.T, pixel_m * down @ tilt.T, rows, columns
    )


def helical_geometry(
    view_count: int,
    source_to_axis_m: float,
    source_to_panel_m: float,
    rows: int,
    columns: int,
    pixel_m: float,
    *,
    turns: float,
    pitch_m: float,
    start_rad: float = 0.0,
) -> ConeBeamGeometry:
    """As `circular_geometry`, while the source climbs `pitch_m` along z every turn; the middle view is at z = 0."""
    return circular_geometry(
        view_count,
        source_to_axis_m,
        source_to_panel_m,
        rows,
        columns,
        pixel_m,
        arc_rad=2.0 * np.pi * turns,
        start_rad=start_rad,
        climb_m=pitch_m * turns,
    )


def camera_geometry(intrinsics: Intrinsics, T_cw: NDArray[np.floating]) -> ConeBeamGeometry:
    """The views of one pinhole camera from V places: `T_cw`, world to camera, shape (V, 4, 4)."""
    K = np.array([[intrinsics.fx, 0.0, intrinsics.cx], [0.0, intrinsics.fy, intrinsics.cy], [0.0, 0.0, 1.0]])
    return ConeBeamGeometry(K @ np.asarray(T_cw, np.float64)[:, :3], intrinsics.height, intrinsics.width)
