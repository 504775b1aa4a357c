"""Depth images of a moving person averaged into one signed distance in the canonical A-pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.block_grid import lay_band, voxel_centres
from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, skin
from solver.kernels.integrate_depth import IntegrationRule, View, WarpedVoxels, integrate_depth
from solver.kernels.sample_grid import sample_grid
from solver.kernels.voxel_warp import blend_skin_weights, unskin_points
from solver.rasterizer import Rasterizer
from solver.surface import (
    Extraction,
    close_holes,
    extract_surface,
    face_components,
    largest_component,
    outside_vertices,
    vertex_normals,
)
from solver.types import DepthNoise, Intrinsics

SIGMA_M = 0.005
"""Depth error of an observation that counts as weight 1."""


@dataclass(frozen=True, slots=True)
class FusedSurface:
    """The surface in the canonical pose and how well it is known."""

    surface: Extraction
    weight: NDArray[np.float32]
    """Sum of the observations' weights at each vertex, one for a depth error of `SIGMA_M`, shape (N,)."""
    nearest: NDArray[np.int32]
    """Model vertex nearest to each vertex's voxel, shape (N,)."""


class CanonicalVolume:
    """Signed distance in a band around one person's model in the canonical pose (x left, z up, facing -y).

    Every voxel is moved by the skinning weights of the model's nearest point and keeps its own rest position, so the
    warp takes the model's vertices exactly where `solver.body.skin` takes them.
    """

    def __init__(
        self,
        model: BodyModel,
        rest_body: RestBody,
        voxel_m: float = 0.005,
        truncation_m: float = 0.03,
        band_m: float = 0.04,
    ) -> None:
        """`rest_body` is the best present guess; the surface is found within `band_m` of it."""
        self.model = model
        self.rest_body = rest_body
        self._band_m = band_m
        self.canonical_transforms = joint_transforms(model, rest_body.joints, canonical_pose(model, rest_body.joints))
        self.canonical_vertices = skin(model, rest_body.vertices, self.canonical_transforms)
        self.skin_faces, closed = _skin_of(model)
        band = lay_band(self.canonical_vertices, closed, voxel_m, band_m)
        self._closed_faces = closed
        self.grid = band.grid
        self.slots = np.flatnonzero(np.isfinite(band.distance))
        self._model_distance = band.distance
        self._nearest = band.nearest
        self._barycentric = band.barycentric
        corners = np.ascontiguousarray(closed[band.nearest[self.slots]])
        barycentric = np.ascontiguousarray(band.barycentric[self.slots])
        count = len(self.slots)
        joints, weights = np.empty((count, 4), np.uint8), np.empty((count, 4), np.float32)
        blend_skin_weights(corners, barycentric, model.skin_joints, model.skin_weights, joints, weights)
        canonical = voxel_centres(self.grid, self.slots)
        rest = np.empty((count, 3), np.float32)
        unskin_points(canonical, joints, weights, np.ascontiguousarray(self.canonical_transforms[:, :3]), rest)
        normals = self._outward(rest, corners, barycentric, band.distance[self.slots])
        self._voxels = WarpedVoxels(rest, joints, weights, np.round(127.0 * normals).astype(np.int8), canonical)
        self.rule = IntegrationRule(
            truncation_m=truncation_m,
            least_cosine=0.25,
            edge_jump_m=0.03,
            reach_m=0.12,
            carve_weight=0.1,
            weight_limit=1e6,
            sigma_m=SIGMA_M,
        )
        self._distance = np.zeros(count, np.float32)
        self._weight = np.zeros(count, np.float32)
        self._rasterizer: Rasterizer | None = None
        self._seen_vertex = np.empty((0, 0), np.int32)
        self._everywhere = np.empty((0, 0), np.uint8)
        self._vertex_of_triangle = np.append(model.faces[:, 0], np.int32(-1))

    def _outward(self, rest: NDArray, corners: NDArray, barycentric: NDArray, distance: NDArray) -> NDArray[np.float32]:
        """Where at rest the distance grows, (N, 3): near the surface along its normal, beyond along the way from it."""
        normals = vertex_normals(self.rest_body.vertices, self.skin_faces)
        shares = np.column_stack([1.0 - barycentric.sum(1), barycentric])
        outward = np.zeros_like(rest)
        foot = np.zeros_like(rest)
        for c in range(3):
            outward += shares[:, c, None] * normals[corners[:, c]]
            foot += shares[:, c, None] * self.rest_body.vertices[corners[:, c]]
        outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
        away = (rest - foot) * np.sign(distance)[:, None]
        # Within a voxel of the surface the way from it is noise.
        outward += away / self.grid.voxel_m
        return outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)

    def clear(self) -> None:
        """Forget what was integrated."""
        self._distance[:] = 0.0
        self._weight[:] = 0.0

    def integrate(
        self,
        depth: NDArray[np.float32],
        intrinsics: Intrinsics,
        T_cw: NDArray,
        joint_transforms: NDArray,
        noise: DepthNoise,
        person: NDArray[np.uint8] | None = None,
    ) -> None:
        """Average a depth image [m] (H, W) in. `joint_transforms` (J, 4, 4): rest to world; `T_cw` (4, 4): world to c.

        `person` (H, W) is 1 where a pixel may be the person (default: everywhere); pixels behind a voxel count as
        empty space whoever they show.
        """
        transforms = (T_cw @ joint_transforms)[:, :3]
        if self._rasterizer is None or self._rasterizer.intrinsics != intrinsics:
            self._rasterizer = Rasterizer(intrinsics)
            self._seen_vertex = np.empty(depth.shape, np.int32)
            self._everywhere = np.ones(depth.shape, np.uint8)
        posed = skin(self.model, self.rest_body.vertices, T_cw @ joint_transforms)
        raster = self._rasterizer.render(posed, self.model.faces)
        # Index -1, no triangle, finds the -1 that stands last.
        np.take(self._vertex_of_triangle, raster.triangle, out=self._seen_vertex, mode="wrap")
        if person is None:
            person = self._everywhere
        view = View(
            depth, person, self._seen_vertex, self.canonical_vertices, np.ascontiguousarray(transforms, np.float32)
        )
        integrate_depth(self._voxels, view, intrinsics, noise, self.rule, self._distance, self._weight)

    def distance(self, fill_weight: float = 0.5) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Signed distance [m] and weight of all slots of `grid`; the model fills in.

        It counts `fill_weight` where nothing was seen, and less and less the more was.
        """
        distance = self._model_distance.copy()
        weight = np.zeros_like(distance)
        # The model fades where there is something to see: it would pull the surface to its own guess.
        fill = fill_weight / (1.0 + np.square(self._weight / fill_weight))
        total = self._weight + fill
        prior = np.clip(distance[self.slots], -self.rule.truncation_m, self.rule.truncation_m)
        fused = (self._weight * self._distance + fill * prior) / total
        # The surface stays inside the band, so it is closed.
        reach = self._band_m - 2.0 * self.grid.voxel_m
        distance[self.slots] = np.clip(fused, distance[self.slots] - reach, distance[self.slots] + reach)
        weight[self.slots] = self._weight
        return distance, weight

    def surface(self, fill_weight: float = 0.5) -> FusedSurface:
        """The closed surface: what was seen, and the model where nothing was."""
        distance, weight = self.distance(fill_weight)
        surface = largest_component(extract_surface(self.grid, distance))
        source = surface.sources[:, 0]
        corner = np.argmax(
            np.concatenate([1.0 - self._barycentric[source].sum(1, keepdims=True), self._barycentric[source]], 1), 1
        )
        nearest = self._closed_faces[self._nearest[source], corner]
        return FusedSurface(surface, surface.interpolate(weight), nearest)


_skins: dict[int, tuple[BodyModel, NDArray[np.int32], NDArray[np.int32]]] = {}


def outer_faces(model: BodyModel) -> NDArray[np.int32]:
    """The faces of the skin that can be seen from outside: without eyes, teeth and the inside of the mouth, which would
    make a hollow in the head. Found once for a model: it takes half a second."""
    return _skin_of(model)[0]


def _skin_of(model: BodyModel) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The outer faces, and the same with all holes closed, so that every voxel is inside or outside."""
    known = _skins.get(id(model))
    if known is None or known[0] is not model:
        component = face_components(model.faces, model.vertex_count)
        faces = model.faces[component == np.bincount(component).argmax()]
        faces = np.ascontiguousarray(faces[outside_vertices(model.template, faces)[faces].all(1)])
        _skins.clear()
        known = _skins[id(model)] = (model, faces, close_holes(faces))
    return known[1], known[2]


def sample(grid, values: NDArray[np.float32], points: NDArray) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Value (N,) and gradient (N, 3) of `values` (slots,) at `points` (N, 3) [m]; NaN outside the band."""
    points = np.ascontiguousarray(points, np.float64)
    sampled, gradients = np.empty(len(points), np.float32), np.empty((len(points), 3), np.float32)
    sample_grid(grid, values, points, sampled, gradients)
    return sampled, gradients
