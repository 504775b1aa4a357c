"""Fusing depth images of something that stands still, and predicting what a camera would see of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.kernels.cast_rays import bound_ranges, cast_rays
from solver.kernels.integrate_volume import VolumeRule, integrate_color, integrate_volume, settle_carved
from solver.kernels.nearness import TILE, NearnessRule, bound_tiles, find_nearness
from solver.kernels.volume_blocks import CameraView, sort_blocks
from solver.surface import Extraction, extract_surface
from solver.types import DepthNoise, Intrinsics
from solver.volume.sparse import SparseVolume

SIGMA_M = 0.005
"""Depth error of an observation that counts as weight 1."""
EDGE_PX = 1.0
"""A change of disparity above this within a few pixels is an edge: a stereo camera's window sees both its sides."""
CELL_PX = 0.5
"""Disparity is interpolated between pixels that differ by less."""
REACH_PX = 2
"""How far an edge spoils the pixels beside it."""
FRINGE_TRUST = 0.1
"""Weight of the pixels on the near side of an edge: mostly right, but not as often."""
EDGE_TRUST = 0.01
"""Weight of a single pixel where no four can be interpolated: it only decides where nothing better is seen."""
UNKNOWN_EDGE = 0.025
"""The nearness [1/m] that stands for one pixel of disparity where the camera is not known (d455: 1 / (f B))."""


NO_MASK = np.zeros((0, 0), np.uint8)
NO_ERROR = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a camera would see of a volume. Arrays belong to the volume: its next `raycast` overwrites them."""

    depth: NDArray[np.float32]
    """Depth along the optical axis [m], shape (H, W), 0.0 where no surface is met."""
    normals: NDArray[np.float32]
    """Unit normals, frame c, towards the camera, shape (H, W, 3), 0 where no surface is met."""
    weight: NDArray[np.float32]
    """Sum of the weights of the observations there, one for a depth error of `SIGMA_M`, shape (H, W)."""


@dataclass(frozen=True, slots=True)
class VolumeSurface:
    """A surface taken from a volume."""

    surface: Extraction
    """Mesh, normals and where in the grid the vertices come from; frame w."""
    weight: NDArray[np.float32]
    """Sum of the observations' weights at each vertex, shape (N,)."""
    colors: NDArray[np.uint8] | None
    """sRGB of each vertex, shape (N, 3), where colour was integrated."""


class _Picture:
    """Buffers for pictures of one size."""

    def __init__(self, height: int, width: int) -> None:
        tiles = (-(-height // TILE), -(-width // TILE))
        self.nearness = np.zeros((height, width), np.float32)
        self.trust = np.zeros((height, width), np.float32)
        self.tiles = np.zeros((5, tiles[0], tiles[1] + 8), np.float32)
        self.ranges = np.zeros((*tiles, 2), np.float32)
        self.prediction = Prediction(
            np.zeros((height, width), np.float32),
            np.zeros((height, width, 3), np.float32),
            np.zeros((height, width), np.float32),
        )


class RigidVolume:
    """A sparse signed distance that depth images with known poses are averaged into."""

    def __init__(
        self, voxel_m: float, truncation_m: float, noise: DepthNoise | None = None, farthest_m: float = 10.0
    ) -> None:
        """`noise` weighs near and far observations against each other (None: all alike); what lies beyond
        `farthest_m` bounds empty space and becomes no surface. Raises `InputError` for lengths that make no volume."""
        if not (voxel_m > 0.0 and truncation_m >= 2.0 * voxel_m and farthest_m > 0.0):
            raise InputError(
                f"voxels of {voxel_m * 1e3:g} mm with a truncation of {truncation_m * 1e3:g} mm: "
                "the truncation must be at least two voxels, and both positive"
            )
        self.voxel_m = float(voxel_m)
        self.truncation_m = float(truncation_m)
        self.noise = noise
        self.farthest_m = float(farthest_m)
        self.carve_weight = 0.1
        self.carve_every = 2
        """A block is told of empty space by one frame of so many, which then counts for all of them."""
        self.disparity_error: NDArray[np.float32] | None = None
        """The camera's lasting error [px], (H, W), taken off what is integrated; `refine` finds it."""
        self.frame_count = 0
        self.sparse = SparseVolume(voxel_m)
        self._verdicts = np.zeros(0, np.uint8)
        self._picture = _Picture(0, 0)

    @property
    def block_count(self) -> int:
        """Blocks of 8 x 8 x 8 voxels in use."""
        return self.sparse.block_count

    @property
    def memory_bytes(self) -> int:
        """Held by the volume's arrays."""
        return self.sparse.memory_bytes

    def clear(self) -> None:
        """Forget what was integrated; the memory is kept."""
        self.sparse.clear()
        self.frame_count = 0

    def integrate(
        self,
        depth: NDArray[np.float32],
        intrinsics: Intrinsics,
        T_wc: NDArray[np.float64],
        color: NDArray[np.uint8] | None = None,
        mask: NDArray | None = None,
    ) -> None:
        """Average a depth image [m] (H, W) float32, seen from `T_wc` (4, 4), into the volume.

        `color` (H, W, 3) uint8 sRGB on the same grid; where `mask` (H, W) is 0, a pixel shows no surface of interest
        but still bounds empty space. Raises `InputError` for shapes that do not fit, a pose that is none, and
        surfaces that span more than any room.
        """
        view = camera_view(intrinsics, T_wc)
        if color is not None and color.shape != (*depth.shape, 3):
            raise InputError(f"the colour picture is {color.shape}, the depth image {depth.shape}: align them first")
        self.prepare(depth, intrinsics, mask, self.disparity_error)
        picture = self._picture
        bound_tiles(picture.nearness, picture.trust, picture.tiles)
        rule = self.rule(intrinsics)
        sparse = self.sparse
        sparse.touch(picture.nearness, picture.tiles, view, self.truncation_m)
        grid = sparse.grid
        verdicts = self._verdicts_for(sparse.block_count)
        height, width = depth.shape
        turn = self.frame_count % self.carve_every, self.carve_every
        sort_blocks(grid, view, picture.tiles, height, width, self.truncation_m, turn, verdicts)
        integrate_volume(
            grid,
            view,
            (picture.nearness, picture.trust, picture.tiles),
            verdicts,
            rule,
            sparse.carved,
            sparse.distance,
            sparse.weight,
        )
        if color is not None:
            integrate_color(grid, view, picture.nearness, color, verdicts, rule, *sparse.color)
        self.frame_count += 1

    def prepare(
        self,
        depth: NDArray[np.float32],
        intrinsics: Intrinsics,
        mask: NDArray | None = None,
        disparity_error: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Nearness and trust (H, W) of a depth image, see `solver.kernels.nearness`, freed of the camera's lasting
        `disparity_error` [px] (H, W). Overwritten by the next call. Raises `InputError` for shapes that do not fit."""
        if depth.dtype != np.float32 or depth.shape != (intrinsics.height, intrinsics.width):
            raise InputError(
                f"the depth image is {depth.shape} {depth.dtype}: "
                f"({intrinsics.height}, {intrinsics.width}) float32 in metres is needed"
            )
        if mask is not None and mask.shape != depth.shape:
            raise InputError(f"the mask is {mask.shape}, the depth image {depth.shape}: they must be of one size")
        picture = self._picture_of(depth.shape)
        surfaces = NO_MASK if mask is None else np.ascontiguousarray(mask).astype(np.uint8, copy=False)
        error = NO_ERROR if disparity_error is None else disparity_error
        pixel = self.disparity_pixel(intrinsics)
        rule = NearnessRule(self.farthest_m, EDGE_PX * pixel, REACH_PX, FRINGE_TRUST, pixel)
        find_nearness(np.ascontiguousarray(depth), surfaces, error, rule, picture.nearness, picture.trust)
        return picture.nearness, picture.trust

    def raycast(self, intrinsics: Intrinsics, T_wc: NDArray[np.float64]) -> Prediction:
        """What a camera at `T_wc` (4, 4) would see. The arrays are overwritten by the next call."""
        view = camera_view(intrinsics, T_wc)
        picture = self._picture_of((int(intrinsics.height), int(intrinsics.width)))
        self._settle()
        grid = self.sparse.grid
        prediction = picture.prediction
        height, width = prediction.depth.shape
        bound_ranges(grid, view, height, width, picture.ranges)
        cast_rays(
            grid,
            view,
            self.sparse.distance,
            self.sparse.weight,
            picture.ranges,
            prediction.depth,
            prediction.normals,
            prediction.weight,
        )
        return prediction

    def mesh(self, least_weight: float = 1.0) -> VolumeSurface:
        """The surface where every voxel beside it was seen with at least `least_weight` in sum."""
        self._settle()
        distance = np.where(self.sparse.weight >= least_weight, self.sparse.distance, np.float32(np.nan))
        surface = extract_surface(self.sparse.grid, distance)
        colors = None
        if self.sparse.colored:
            colors = _surface_colors(surface, *self.sparse.color)
        return VolumeSurface(surface, surface.interpolate(self.sparse.weight), colors)

    def rule(self, intrinsics: Intrinsics) -> VolumeRule:
        """How observations of a camera count."""
        pixel = self.disparity_pixel(intrinsics)
        growth = 0.0 if self.noise is None else self.noise.disparity_sigma_px * pixel
        floor = 0.0 if self.noise is None else float(self.noise.floor_m)
        carve = self.carve_weight * self.carve_every
        return VolumeRule(self.truncation_m, carve, 1e6, CELL_PX * pixel, EDGE_TRUST, SIGMA_M, floor, growth)

    def disparity_pixel(self, intrinsics: Intrinsics) -> float:
        """Nearness [1/m] of a pixel of disparity."""
        return UNKNOWN_EDGE if self.noise is None else 1.0 / (float(intrinsics.fx) * self.noise.baseline_m)

    def _settle(self) -> None:
        settle_carved(
            VolumeRule(self.truncation_m, 0.0, 1e6, 0.0, 0.0, SIGMA_M, 0.0, 0.0),
            self.sparse.carved,
            self.sparse.distance,
            self.sparse.weight,
        )

    def _verdicts_for(self, count: int) -> NDArray[np.uint8]:
        if len(self._verdicts) < count:
            self._verdicts = np.zeros(count * 3 // 2, np.uint8)
        return self._verdicts[:count]

    def _picture_of(self, shape: tuple[int, ...]) -> _Picture:
        if self._picture.nearness.shape != shape:
            self._picture = _Picture(shape[0], shape[1])
        return self._picture


def camera_view(intrinsics: Intrinsics, T_wc: NDArray[np.float64]) -> CameraView:
    """A camera for kernels, from its pose `T_wc` (4, 4). Raises `InputError` where that is no rigid motion."""
    T = np.asarray(T_wc, np.float64)
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise InputError("a camera pose must be a 4 x 4 matrix of numbers, camera to world")
    R = T[:3, :3]
    if np.abs(R @ R.T - np.eye(3)).max() > 1e-3 or np.linalg.det(R) < 0.0:
        raise InputError("a camera pose must be a rotation and a shift, camera to world: this one stretches or mirrors")
    return CameraView(np.ascontiguousarray(R.T).ravel(), -R.T @ T[:3, 3], *(float(value) for value in intrinsics[2:]))


def _surface_colors(surface: Extraction, color: NDArray, weight: NDArray) -> NDArray[np.uint8]:
    """Colours of the vertices, from whichever of the two voxels beside each has one."""
    ends, share = surface.sources, np.stack([1.0 - surface.fractions, surface.fractions], 1)
    share = share * (weight[ends] > 0.0) + 1e-6 * (weight[ends] > 0.0)
    total = np.maximum(share.sum(1, keepdims=True), 1e-9)
    return np.rint(np.clip((share[:, :, None] * color[ends]).sum(1) / total, 0.0, 255.0)).astype(np.uint8)
