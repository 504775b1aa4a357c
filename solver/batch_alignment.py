"""One shape and the poses of all keyframes, fitted together to everything that was seen.

Every keyframe gives normal equations in its own pose and the shared shape (`solver.alignment`). The poses are
eliminated (Schur complement, as in bundle adjustment: Triggs et al. 2000, section 6.1), the shape is solved for, the
poses follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation, BodyAlignment, robust_weights, solved
from solver.body import BodyModel
from solver.body_fit import sole_vertices
from solver.hair import HairLook, HairZones, learn_hair
from solver.joint_ranges import LIMIT_SPREAD, joint_ranges
from solver.kernels.pixel_association import MATCHED, STICKS_OUT, PixelMatching, Pulls, Rendered, associate_pixels
from solver.keyframes import Keyframe
from solver.one_body import ShapeOpinion
from solver.person_region import PERSON, PersonRegion
from solver.rasterizer import Raster, Rasterizer
from solver.types import DepthNoise

SUBSETS = 3
GRID_WIDTH = 283
"""Pixels of the longer side that the alignment works on."""
PIXEL_INDEPENDENCE = 0.1
"""Neighbouring pixels err alike: each counts for so much of an independent measurement."""
PATCH_M = 0.0127
"""Pixels denser than that on the body see no more of it: what the model lacks, and clothes, is the same in all."""
OUTLINE_SIGMA_M = 0.04
"""A stereo camera's outlines are too fat by a share of its matching window, and say little beside the depth within."""
SCALP_SHARE = 0.2
"""What is seen where hair may be counts so much."""
HAIR_SHARE = 0.02
"""What is seen outside the body and looks like hair counts so much: hair lies on the body, never in it."""
HAIR_VIEWS = 12
"""From so many sides the person's colours are looked at."""
FLOOR_SIGMA_M = 0.01
NEIGHBOUR_SIGMA = np.deg2rad(6.0)
"""How much a joint turns between neighbouring keyframes."""


@dataclass(frozen=True, slots=True)
class AlignmentReport:
    """How well the model fits the keyframes."""

    residual_m: float
    """RMS of matched pixels along the normal, robust."""
    agreement: float
    """Share of the model's known pixels that depth agrees with."""
    agreements: NDArray[np.float64]
    """The same in each keyframe."""


class _View:
    """A keyframe on the working grid."""

    def __init__(self, model: BodyModel, keyframe: Keyframe, noise: DepthNoise) -> None:
        frame = keyframe.observation.frame
        stride = max(1, round(max(frame.intrinsics.width, frame.intrinsics.height) / GRID_WIDTH))
        self.stride = stride
        self.shape = (frame.intrinsics.height, frame.intrinsics.width)
        self.region = PersonRegion(frame.intrinsics, noise, stride)
        self.region.sample(keyframe.observation)
        self.color = None if frame.color is None else self.region.sampled(frame.color)
        self.T_wc = keyframe.T_wc
        self.T_cw = np.linalg.inv(keyframe.T_wc)
        self.nape_m = np.inf
        """Height of the seventh neck vertebra above the floor."""
        state = keyframe.state
        shape = np.zeros(model.shape_count)
        shape[: len(state.shape)] = state.shape
        self.state = Articulation(shape, np.array(state.pose), np.array(state.T_wb))


class BatchAlignment:
    """Holds the keyframes' poses and the common shape; `align` improves them."""

    def __init__(
        self, model: BodyModel, keyframes: Sequence[Keyframe], noise: DepthNoise, on_floor: bool = True
    ) -> None:
        """`on_floor`: z = 0 of the world is the floor that the person stands on."""
        self._views = [_View(model, keyframe, noise) for keyframe in keyframes]
        self._on_floor = on_floor
        self._step = 0
        self.opinions: tuple[ShapeOpinion, ...] = ()
        """What each keyframe said of the shape in the last `align`."""
        self._ranges = joint_ranges(model)
        self._hair_zones = HairZones.of(model)
        self.hair: HairLook | None = None
        """What the person's hair looks like, once poses are known; None where none is seen."""
        self._soles = sole_vertices(model)
        self._rasterizers: dict[tuple, Rasterizer] = {}
        self._vertices_c = np.empty((model.vertex_count, 3), np.float32)
        intrinsics = keyframes[0].observation.frame.intrinsics
        self._disparity_noise = noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m)
        self._depth_floor = noise.floor_m
        self._pulls = Pulls(
            np.empty(0, np.uint8), np.empty(0, np.int32), np.empty((0, 3)), np.empty((0, 3)), np.empty(0), np.empty(0)
        )
        mean_shape = np.mean([view.state.shape for view in self._views], axis=0)
        self.set_model(model, mean_shape)

    def set_model(self, model: BodyModel, shape: NDArray) -> None:
        """Go on with `shape` of `model`: its topology and joints are the same, its template may be a person's own."""
        self.model = model
        self.shape = np.array(shape, np.float64)
        self._alignments: dict[int, BodyAlignment] = {}
        for view in self._views:
            view.state = replace(view.state, shape=self.shape)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forgets the keyframes that are not `kept` (keyframes,)."""
        self._views = [view for view, wanted in zip(self._views, kept, strict=True) if wanted]

    @property
    def states(self) -> list[Articulation]:
        """Pose and shape of each keyframe."""
        return [view.state for view in self._views]

    def person_masks(self, with_hair: bool) -> Iterator[NDArray[np.uint8]]:
        """Where each keyframe shows the person, (H, W) of the full picture, as the last `align` found it.

        Without hair what looks like it, from the upper trunk up, is left out.
        """
        nape = float(np.mean([view.nape_m for view in self._views]))
        for view in self._views:
            person = view.region.labels == PERSON
            if not with_hair and self.hair is not None and view.color is not None:
                high = view.region.heights(view.T_wc) > nape - self.hair.reach_m
                person &= ~(high & (self.hair.likeness(view.color) > 0.5))
            labels = person.view(np.uint8)
            stride, (height, width) = view.stride, view.shape
            rows, columns = (
                np.minimum(np.arange(side) // stride, count - 1)
                for side, count in zip((height, width), labels.shape, strict=True)
            )
            yield np.ascontiguousarray(labels[rows[:, None], columns])

    def align(self, shape_count: int, gate_m: float, surface_sigma_m: float) -> AlignmentReport:
        """One Gauss-Newton step of all poses and the first `shape_count` coefficients (0: poses only).

        Pixels farther than `gate_m` from the model are not matched; `surface_sigma_m` is how far the model's surface
        may be from the person's beside the sensor's noise.
        """
        alignment = self._alignments.setdefault(shape_count, BodyAlignment(self.model, shape_count=shape_count))
        split = alignment.shape_column
        self._step += 1
        reduced = np.eye(shape_count)
        right = self.shape[:shape_count].copy()
        eliminated, squares, agreements, said = [], [], [], []
        for n in range(len(self._views)):
            residual, agreement = self._add_view(alignment, n, gate_m, surface_sigma_m)
            squares.append(residual)
            agreements.append(agreement)
            hessian, gradient = alignment.normal_equations()
            hessian[np.diag_indices_from(hessian)] += 1e-6 * np.diagonal(hessian) + 1e-6
            both = np.column_stack([gradient[:split], hessian[:split, split:]])
            gain = solved(hessian[:split, :split].copy(), both)
            eliminated.append(gain)
            information = hessian[split:, split:] - hessian[split:, :split] @ gain[:, 1:]
            pull = gradient[split:] - hessian[split:, :split] @ gain[:, 0]
            reduced += information
            right += pull
            said.append((information, pull))
        change = -np.linalg.solve(reduced, right) if shape_count else np.zeros(0)
        for view, gain in zip(self._views, eliminated, strict=True):
            alignment.linearise(view.state)
            view.state = alignment.moved(np.concatenate([-gain[:, 0] - gain[:, 1:] @ change, change]))
        self.shape[:shape_count] += change
        self.opinions = tuple(ShapeOpinion(h, -g - h @ change) for h, g in said)
        if self.hair is None:
            self.hair = self._find_hair(alignment)
        return AlignmentReport(float(np.sqrt(np.mean(squares))), float(np.mean(agreements)), np.array(agreements))

    def _add_view(self, alignment: BodyAlignment, n: int, gate: float, surface_sigma: float) -> tuple[float, float]:
        """All terms of one keyframe; returns the mean square of matched residuals [m^2] and the agreement."""
        view = self._views[n]
        alignment.linearise(view.state)
        raster = self._draw(view, alignment)
        view.nape_m = float(alignment.vertices[self.model.landmarks["c7"], 2])
        pelvis = alignment.joints[0]
        view.region.label(view.T_wc, pelvis, raster.depth)
        square, agreement = self._add_pixels(alignment, view, raster, gate, surface_sigma)
        ranges = self._ranges
        alignment.add_pose_prior(np.zeros_like(view.state.pose), ranges.precision)
        alignment.add_joint_limits(ranges.lower, ranges.upper, 1.0 / LIMIT_SPREAD**2, ranges.axes)
        for side in (n - 1, n + 1):
            neighbour = self._views[side % len(self._views)]
            alignment.add_pose_prior(neighbour.state.pose, 1.0 / NEIGHBOUR_SIGMA**2)
        if self._on_floor:
            self._add_floor(alignment)
        return square, agreement

    def _draw(self, view: _View, alignment: BodyAlignment) -> Raster:
        vertices = alignment.vertices
        np.matmul(vertices, view.T_cw[:3, :3].T.astype(np.float32), out=self._vertices_c)
        self._vertices_c += view.T_cw[:3, 3].astype(np.float32)
        intrinsics = view.region.intrinsics
        rasterizer = self._rasterizers.setdefault(intrinsics, Rasterizer(intrinsics))
        return rasterizer.render(self._vertices_c, self.model.faces)

    def _add_pixels(
        self, alignment: BodyAlignment, view: _View, raster: Raster, gate: float, surface_sigma: float
    ) -> tuple[float, float]:
        region = view.region
        matching = PixelMatching(
            gate=gate,
            surface_sigma=surface_sigma,
            outline_sigma=max(OUTLINE_SIGMA_M, 6.0 * surface_sigma),
            reach=10,
            outline_stride=2,
            disparity_noise=self._disparity_noise,
            depth_floor=self._depth_floor,
        )
        rendered = Rendered(raster.depth, raster.triangle, self.model.faces, self._vertices_c)
        count, known, agreeing, _, _ = associate_pixels(
            rendered,
            region.depth,
            region.labels,
            region.nearest,
            region.intrinsics,
            matching,
            self._room_for(region.depth.size),
        )
        pulls = self._pulls
        matched = pulls.kinds[:count] == MATCHED
        offsets, sigmas = pulls.offsets[:count], pulls.sigmas[:count]
        scale = np.where(matched, np.maximum(2.0 * sigmas, 0.2 * gate), 3.0 * sigmas)
        robust = robust_weights(offsets, scale, "geman_mcclure")
        pixels = pulls.pixels[:count]
        corners = self.model.faces[raster.triangle.reshape(-1)[pixels]]
        weights = PIXEL_INDEPENDENCE * self._patch_share(view, alignment) * robust / np.square(sigmas)
        weights *= self._without_hair(view, corners[:, 0], count)
        if alignment.shape_count:
            # Rows with the shape are dear: every step takes another third of the matched pixels (ordered subsets).
            weights[matched] *= SUBSETS * (np.arange(int(matched.sum())) % SUBSETS == self._step % SUBSETS)
        second_third = raster.barycentric.reshape(-1, 2)[pixels].astype(np.float64)
        barycentric = np.column_stack([1.0 - second_third.sum(1), second_third])
        alignment.add_rows(corners, pulls.directions[:count] @ view.T_cw[:3, :3], offsets, weights, barycentric)
        share = robust[matched]
        square = float((share * np.square(offsets[matched])).sum() / max(share.sum(), 1e-9))
        return square, agreeing / max(known, 1)

    def _patch_share(self, view: _View, alignment: BodyAlignment) -> float:
        """How much of a patch of `PATCH_M` a pixel shows at the person's distance, at most 1."""
        distance = float(view.T_cw[2, :3] @ alignment.joints[0] + view.T_cw[2, 3])
        return min(1.0, (distance / (view.region.intrinsics.fx * PATCH_M)) ** 2)

    def _without_hair(self, view: _View, vertices: NDArray[np.int32], count: int) -> NDArray[np.float64]:
        """How much each of the `count` pulls, on `vertices` (count,), says of the body and not of hair, 0..1.

        Hair makes the outline larger, never smaller: where the camera looks past the head, the head ends.
        """
        pulls = self._pulls
        outside = pulls.kinds[:count] != STICKS_OUT
        share = np.where(self._hair_zones.scalp[vertices] & outside, SCALP_SHARE, 1.0)
        if self.hair is None or view.color is None:
            return share
        # Along a matched pixel's ray the measured point lies outside the body where it lies nearer.
        outside &= (pulls.kinds[:count] != MATCHED) | (pulls.offsets[:count] < 0.0)
        chosen = np.flatnonzero(outside & self.hair.zone[vertices])
        grid = view.region.intrinsics
        x, y, z = pulls.targets[chosen].T
        columns = np.clip(np.rint(grid.fx * x / z + grid.cx).astype(int), 0, grid.width - 1)
        rows = np.clip(np.rint(grid.fy * y / z + grid.cy).astype(int), 0, grid.height - 1)
        hair = self.hair.likeness(view.color[rows, columns])
        share[chosen] *= 1.0 - (1.0 - HAIR_SHARE) * hair
        return share

    def _find_hair(self, alignment: BodyAlignment) -> HairLook | None:
        """Looks at the colours that the keyframes show of head and chest."""
        vertices, colors = [], []
        for view in self._views[:: max(1, len(self._views) // HAIR_VIEWS)]:
            if view.color is None:
                continue
            alignment.linearise(view.state)
            raster = self._draw(view, alignment)
            shown = (raster.triangle >= 0) & (view.region.labels == PERSON)
            vertices.append(self.model.faces[raster.triangle[shown], 0])
            colors.append(view.color[shown])
        if not vertices:
            return None
        return learn_hair(self._hair_zones, np.concatenate(vertices), np.concatenate(colors))

    def _room_for(self, count: int) -> Pulls:
        if len(self._pulls.kinds) < count:
            self._pulls = Pulls(
                np.empty(count, np.uint8),
                np.empty(count, np.int32),
                np.empty((count, 3)),
                np.empty((count, 3)),
                np.empty(count),
                np.empty(count),
            )
        return self._pulls

    def _add_floor(self, alignment: BodyAlignment) -> None:
        """Both feet stand on the floor or above it; the lower one touches it."""
        heights = alignment.positions(self._soles)[:, 2]
        per_foot = heights.reshape(2, -1)
        standing = np.zeros(per_foot.shape, bool)
        foot = int(np.argmin(per_foot.min(1)))
        if per_foot[foot].min() < 0.12:
            standing[foot, np.argsort(per_foot[foot])[:2]] = True
        weights = np.where((heights < 0.0) | standing.ravel(), 1.0 / FLOOR_SIGMA_M**2, 0.0)
        alignment.add_rows(self._soles, np.tile((0.0, 0.0, 1.0), (len(heights), 1)), heights, weights)
