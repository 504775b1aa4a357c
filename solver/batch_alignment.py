"""One shape and the poses of all keyframes, fitted together to everything that was seen.

Every keyframe gives normal equations in its own pose and the shared shape (`solver.alignment`). The poses are
eliminated (Schur complement, as in bundle adjustment: Triggs et al. 2000, section 6.1), the shape is solved for, the
poses follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import NDArray

from solver.alignment import Articulation, BodyAlignment
from solver.body import BodyModel
from solver.body_fit import sole_vertices
from solver.hair import HairLook, HairZones, learn_hair
from solver.joint_ranges import LIMIT_SPREAD, joint_ranges
from solver.kernels.keyframe_rows import HairPlaces, KeyframeWeights, weigh_keyframe
from solver.kernels.normal_equations import eliminate_pose
from solver.kernels.pixel_association import PixelMatching, PixelRows, Pulls, Rendered, associate_pixels
from solver.keyframes import Keyframe
from solver.one_body import ShapeOpinion
from solver.person_region import PERSON, PersonRegion
from solver.rasterizer import Raster, Rasterizer
from solver.team import Team
from solver.types import DepthNoise, Intrinsics

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
        self.region = PersonRegion(frame.intrinsics, noise, stride)
        self.region.sample(keyframe.observation)
        self.color = None if frame.color is None else self.region.sampled(frame.color)
        # Which pixel of the grid stands for each of the picture.
        height, width = self.region.depth.shape
        self.rows = np.minimum(np.arange(frame.intrinsics.height) // stride, height - 1)
        self.columns = np.minimum(np.arange(frame.intrinsics.width) // stride, width - 1)
        self.T_wc = keyframe.T_wc
        self.T_cw = np.linalg.inv(keyframe.T_wc)
        self.R_wc = np.ascontiguousarray(self.T_cw[:3, :3].T)
        self.nape_m = np.inf
        """Height of the seventh neck vertebra above the floor."""
        self.likeness = np.zeros((0, 0), np.float32)
        """To hair, (h, w), once that is known."""
        self.hair_m = np.zeros((0, 0), np.float32)
        """Height above the floor of what looks like hair, (h, w), -inf elsewhere."""
        state = keyframe.state
        shape = np.zeros(model.shape_count)
        shape[: len(state.shape)] = state.shape
        self.state = Articulation(shape, np.array(state.pose), np.array(state.T_wb))

    def look_for_hair(self, hair: HairLook) -> None:
        """Where it may be."""
        if self.color is not None:
            self.likeness = hair.likeness_where(self.color, self.region.depth)
            self.hair_m = np.where(self.likeness > 0.5, self.region.heights(self.T_wc), np.float32(-np.inf))


class _Scratch:
    """What one hand of a team works with."""

    def __init__(self, vertex_count: int) -> None:
        self.rasterizers: dict[Intrinsics, Rasterizer] = {}
        self.alignments: dict[int, BodyAlignment] = {}
        self.vertices_c = np.empty((vertex_count, 3), np.float32)
        self.make_room(0)

    def make_room(self, count: int) -> None:
        """For so many pulls."""
        places, numbers = np.empty((count, 3)), np.empty(count)
        self.pulls = Pulls(
            np.empty(count, np.uint8), np.empty(count, np.int32), places, places.copy(), numbers, numbers.copy()
        )
        self.rows = PixelRows(
            np.empty((count, 3), np.int32), places.copy(), places.copy(), numbers.copy(), numbers.copy()
        )


@dataclass(frozen=True, slots=True)
class _Eliminated:
    """What a view says of the shape once its pose is taken out, and of its pose."""

    gain: NDArray[np.float64]
    reduced: NDArray[np.float64]
    right: NDArray[np.float64]
    square: float
    """Mean square of matched residuals [m^2]."""
    agreement: float
    pelvis: NDArray[np.float64]


class BatchAlignment:
    """Holds the keyframes' poses and the common shape; `align` improves them."""

    def __init__(
        self,
        model: BodyModel,
        keyframes: Sequence[Keyframe],
        noise: DepthNoise,
        on_floor: bool = True,
        team: Team | None = None,
    ) -> None:
        """`on_floor`: z = 0 of the world is the floor that the person stands on; `team` shares the views out."""
        self._team = team or Team(1)
        self._views = [_View(model, keyframe, noise) for keyframe in keyframes]
        self._on_floor = on_floor
        self._step = 0
        self.opinions: tuple[ShapeOpinion, ...] = ()
        """What each keyframe said of the shape in the last `align`."""
        self._ranges = joint_ranges(model)
        self._hair_zones = HairZones.of(model)
        self.hair: HairLook | None = None
        """What the person's hair looks like, once poses are known; None where none is seen."""
        self._scalp = self._hair_zones.scalp.view(np.uint8)
        self._soles = sole_vertices(model)
        self._nape = np.array([model.landmarks["c7"]])
        self._scratch = [_Scratch(model.vertex_count) for _ in range(self._team.size)]
        intrinsics = keyframes[0].observation.frame.intrinsics
        self._disparity_noise = noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m)
        self._depth_floor = noise.floor_m
        mean_shape = np.mean([view.state.shape for view in self._views], axis=0)
        self.set_model(model, mean_shape)

    def set_model(self, model: BodyModel, shape: NDArray) -> None:
        """Go on with `shape` of `model`: its topology and joints are the same, its template may be a person's own."""
        self.model = model
        self.shape = np.array(shape, np.float64)
        for scratch in self._scratch:
            scratch.alignments.clear()
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
        """`person_mask` of all keyframes."""
        return (self.person_mask(n, with_hair) for n in range(len(self._views)))

    def person_mask(self, n: int, with_hair: bool) -> NDArray[np.uint8]:
        """Where keyframe `n` shows the person, (H, W) of the full picture, as the last `align` found it.

        Without hair what looks like it, from the upper trunk up, is left out.
        """
        view = self._views[n]
        person = view.region.labels == PERSON
        if not with_hair and self.hair is not None and view.hair_m.size:
            nape = float(np.mean([view.nape_m for view in self._views]))
            person &= ~(view.hair_m > nape - self.hair.reach_m)
        return person.view(np.uint8).take(view.rows, 0).take(view.columns, 1)

    def align(self, shape_count: int, gate_m: float, surface_sigma_m: float) -> AlignmentReport:
        """One Gauss-Newton step of all poses and the first `shape_count` coefficients (0: poses only).

        Pixels farther than `gate_m` from the model are not matched; `surface_sigma_m` is how far the model's surface
        may be from the person's beside the sensor's noise.
        """
        self._step += 1
        found: list[_Eliminated] = [None] * len(self._views)  # type: ignore[list-item]

        def look(n: int, hand: int) -> None:
            found[n] = self._add_view(self._scratch[hand], n, shape_count, gate_m, surface_sigma_m)

        self._team.each(look, len(self._views))
        reduced = np.eye(shape_count) + sum(view.reduced for view in found)
        right = self.shape[:shape_count] + sum(view.right for view in found)
        change = -np.linalg.solve(reduced, right) if shape_count else np.zeros(0)
        alignment = self._alignment(self._scratch[0], shape_count)
        for view, said in zip(self._views, found, strict=True):
            increment = np.concatenate([-said.gain[:, 0] - said.gain[:, 1:] @ change, change])
            view.state = alignment.moved_from(view.state, said.pelvis, increment)
        self.shape[:shape_count] += change
        self.opinions = tuple(ShapeOpinion(view.reduced, -view.right - view.reduced @ change) for view in found)
        if self.hair is None:
            self.hair = self._find_hair(alignment)
        squares, agreements = zip(*((view.square, view.agreement) for view in found), strict=True)
        return AlignmentReport(float(np.sqrt(np.mean(squares))), float(np.mean(agreements)), np.array(agreements))

    def _alignment(self, scratch: _Scratch, shape_count: int) -> BodyAlignment:
        if shape_count not in scratch.alignments:
            scratch.alignments[shape_count] = BodyAlignment(self.model, shape_count=shape_count)
        return scratch.alignments[shape_count]

    def _add_view(self, scratch: _Scratch, n: int, shape_count: int, gate: float, surface_sigma: float) -> _Eliminated:
        """All terms of one keyframe, its pose taken out."""
        view = self._views[n]
        alignment = self._alignment(scratch, shape_count)
        alignment.linearise(view.state)
        raster = self._draw(scratch, view, alignment)
        pelvis = alignment.joints[0].copy()
        view.nape_m = float(alignment.positions(self._nape)[0, 2])
        view.region.label(view.T_wc, pelvis, raster.depth)
        square, agreement = self._add_pixels(scratch, alignment, view, raster, gate, surface_sigma)
        ranges = self._ranges
        alignment.add_pose_prior(np.zeros_like(view.state.pose), ranges.precision)
        alignment.add_joint_limits(ranges.lower, ranges.upper, 1.0 / LIMIT_SPREAD**2, ranges.axes)
        for side in (n - 1, n + 1):
            neighbour = self._views[side % len(self._views)]
            alignment.add_pose_prior(neighbour.state.pose, 1.0 / NEIGHBOUR_SIGMA**2)
        if self._on_floor:
            self._add_floor(alignment)
        hessian, gradient = alignment.normal_equations()
        hessian[np.diag_indices_from(hessian)] += 1e-6 * np.diagonal(hessian) + 1e-6
        split = alignment.shape_column
        gain = np.empty((split, 1 + shape_count))
        reduced, right = np.empty((shape_count, shape_count)), np.empty(shape_count)
        if not eliminate_pose(hessian, gradient, split, gain, reduced, right):
            raise LinAlgError("the normal equations are not positive definite")
        return _Eliminated(gain, reduced, right, square, agreement, pelvis)

    def _draw(self, scratch: _Scratch, view: _View, alignment: BodyAlignment) -> Raster:
        alignment.vertices_in(view.T_cw, scratch.vertices_c)
        intrinsics = view.region.intrinsics
        if intrinsics not in scratch.rasterizers:
            scratch.rasterizers[intrinsics] = Rasterizer(intrinsics)
        return scratch.rasterizers[intrinsics].render(scratch.vertices_c, self.model.faces)

    def _add_pixels(
        self,
        scratch: _Scratch,
        alignment: BodyAlignment,
        view: _View,
        raster: Raster,
        gate: float,
        surface_sigma: float,
    ) -> tuple[float, float]:
        """Returns the mean square of matched residuals [m^2] and the agreement."""
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
        if len(scratch.pulls.kinds) < region.depth.size:
            scratch.make_room(region.depth.size)
        faces, intrinsics, rows = self.model.faces, region.intrinsics, scratch.rows
        count, known, agreeing, _, _ = associate_pixels(
            Rendered(raster.depth, raster.triangle, faces, scratch.vertices_c),
            region.depth,
            region.labels,
            region.nearest,
            intrinsics,
            matching,
            scratch.pulls,
        )
        # Rows with the shape are dear: every step takes another third of the matched pixels (ordered subsets).
        subsets = SUBSETS if alignment.shape_count else 1
        independence = PIXEL_INDEPENDENCE * self._patch_share(view, alignment)
        zone = self._scalp if self.hair is None else self.hair.zone.view(np.uint8)
        row_count, mass, square = weigh_keyframe(
            scratch.pulls,
            count,
            raster.triangle,
            raster.barycentric,
            faces,
            view.R_wc,
            intrinsics,
            HairPlaces(self._scalp, zone, view.likeness),
            KeyframeWeights(gate, independence, subsets, self._step % subsets, SCALP_SHARE, HAIR_SHARE),
            rows,
        )
        corners, barycentric, directions, offsets, weights = (array[:row_count] for array in rows)
        alignment.add_rows(corners, directions, offsets, weights, barycentric)
        return square / max(mass, 1e-9), agreeing / max(known, 1)

    def _patch_share(self, view: _View, alignment: BodyAlignment) -> float:
        """How much of a patch of `PATCH_M` a pixel shows at the person's distance, at most 1."""
        distance = float(view.T_cw[2, :3] @ alignment.joints[0] + view.T_cw[2, 3])
        return min(1.0, (distance / (view.region.intrinsics.fx * PATCH_M)) ** 2)

    def _find_hair(self, alignment: BodyAlignment) -> HairLook | None:
        """Looks at the colours that the keyframes show of head and chest."""
        vertices, colors = [], []
        for view in self._views[:: max(1, len(self._views) // HAIR_VIEWS)]:
            if view.color is None:
                continue
            alignment.linearise(view.state)
            raster = self._draw(self._scratch[0], view, alignment)
            shown = (raster.triangle >= 0) & (view.region.labels == PERSON)
            vertices.append(self.model.faces[raster.triangle[shown], 0])
            colors.append(view.color[shown])
        if not vertices:
            return None
        hair = learn_hair(self._hair_zones, np.concatenate(vertices), np.concatenate(colors))
        if hair is not None:
            self._team.each(lambda n, _: self._views[n].look_for_hair(hair), len(self._views))
        return hair

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
