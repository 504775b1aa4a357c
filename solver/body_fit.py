"""The terms of tracking's least squares: what a frame and what is known of people say about a body."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation, BodyAlignment, robust_weights
from solver.body import BodyModel, RestBody, joint_transforms, shape_body, skin
from solver.body_proxy import coarser_body
from solver.joint_ranges import LIMIT_SPREAD, joint_ranges
from solver.kernels.pixel_association import (
    PixelMatching,
    PixelRows,
    Pulls,
    Rendered,
    associate_pixels,
    weigh_pulls,
)
from solver.kernels.skinning import skin_vertices
from solver.landmark_points import landmark_points, sort_sides
from solver.person_region import PersonRegion
from solver.rasterizer import Raster, Rasterizer
from solver.types import DepthNoise, Ground, Intrinsics, Landmarks

GRID_WIDTH = 283
MAX_PULLS = 12000
MIN_PERSON_PIXELS = 60
HIDDEN_DEPTH_M = 0.14
"""Joints lie at most so deep below the skin."""
SURELY_VISIBLE = 0.3
"""Trust in a landmark from which it can contradict the model."""
HIDDEN_TRUST = 0.05
EVIDENCE_PIXELS = 25.0


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What may be tuned. Defaults hold for standing people 1 to 4 m away at 10 frames a second and more."""

    iterations: tuple[int, int] = (3, 8)
    """Gauss-Newton steps a frame, at least and at most; the model is drawn anew before each."""
    settled: float = np.deg2rad(0.7)
    """The root's turn below which a frame is done."""
    start_iterations: int = 14
    shape_count: int = 20
    """Coefficients that tracking estimates."""
    row_target: int = 3000
    """Matched pixels used a frame, about."""
    surface_sigma_m: float = 0.006
    outline_sigma_m: float = 0.03
    pixel_independence: float = 0.1
    """Neighbouring pixels err alike: each counts for so much of an independent measurement."""
    landmark_weight: float = 0.5
    """The same for landmarks, which the landmarker smooths over time."""
    damping: tuple[float, float] = (0.8, 0.4)
    """Share of the root's and of the joints' velocity that is expected to last from frame to frame."""
    root_spread: tuple[float, float] = (np.deg2rad(8.0), 0.03)
    """By how much a frame's turn [rad] and place [m] may differ from the prediction."""
    joint_spread: float = np.deg2rad(10.0)
    habit_spread: float = np.deg2rad(8.0)
    """By how much a hidden limb's joints differ from where they usually are."""
    habit_time_s: float = 4.0
    """How long it takes to get used to a posture."""
    floor_spread_m: float = 0.015
    shape_memory: float = 0.995
    """Share of what is known of the shape that is kept from frame to frame."""
    shape_every: int = 3
    """Frames between two updates of the shape."""
    frame_information: float = 0.05
    """Frames err alike too: one counts for so much of an independent one."""
    threads: int = 1
    """Threads of a frame's kernels (see `solver.thread_limit`)."""
    lost_confidence: float = 0.35
    lost_patience: int = 5
    """Frames of low confidence after which the person is searched for again."""
    lost_timeout_s: float = 3.0


@dataclass(slots=True)
class TrackerStatus:
    """How the last frame went, for people and for tests."""

    agreement: float = 0.0
    """Share of the model's known pixels that the depth agrees with."""
    coverage: float = 0.0
    """Share of the person's pixels that the model covers."""
    residual_m: float = 0.0
    """RMS of matched pixels along the normal."""
    misfit: float = 0.0
    """The same in standard deviations of sensor and model: about 1 where all is well."""
    swapped: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(3, bool))
    """Landmark groups (face, arms, legs) whose left and right were found swapped."""
    searching: bool = False
    """The person was lost and is being looked for."""


class BodyFit:
    """Draws the model, compares it with a frame and adds what it finds to a `BodyAlignment`. Owns all buffers."""

    def __init__(self, model: BodyModel, intrinsics: Intrinsics, noise: DepthNoise, settings: TrackerSettings):
        """For pictures with `intrinsics` whose depth errs like `noise`."""
        self.model = model
        self.settings = settings
        self.status = TrackerStatus()
        self._intrinsics = intrinsics
        stride = max(1, round(max(intrinsics.width, intrinsics.height) / GRID_WIDTH))
        self.region = PersonRegion(intrinsics, noise, stride)
        self._grid = self.region.intrinsics
        self._rasterizer = Rasterizer(self._grid)
        self._ranges = joint_ranges(model)
        self.landmarks = landmark_points(model)
        self._soles = sole_vertices(model)
        self._proxy = coarser_body(model)
        self._face_parts = model.part_labels[self._proxy.model_faces[:, 0]].astype(np.int64)
        self._joint_parts = _parts_below(model)
        self.evidence = np.ones(model.joint_count)
        """How much of what each joint moves was drawn last: 0 nothing .. 1 a good deal, (J,)."""
        self._matching = PixelMatching(
            gate=0.12,
            surface_sigma=self.settings.surface_sigma_m,
            outline_sigma=self.settings.outline_sigma_m,
            reach=10,
            outline_stride=2,
            disparity_noise=noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m),
            depth_floor=noise.floor_m,
        )
        self._pulls = Pulls(
            np.empty(MAX_PULLS, np.uint8),
            np.empty(MAX_PULLS, np.int32),
            np.empty((MAX_PULLS, 3)),
            np.empty((MAX_PULLS, 3)),
            np.empty(MAX_PULLS),
            np.empty(MAX_PULLS),
        )
        self._rows = PixelRows(
            np.empty((MAX_PULLS, 3), np.int32),
            np.empty((MAX_PULLS, 3)),
            np.empty((MAX_PULLS, 3)),
            np.empty(MAX_PULLS),
            np.empty(MAX_PULLS),
        )
        self._vertices_c = np.empty((len(self._proxy.vertices), 3), np.float32)
        self._proxy_rest = np.empty((len(self._proxy.vertices), 3), np.float32)
        self._rest: RestBody | None = None
        self._rest_shape = np.zeros(0)
        self._person_pixels = 0

    def set_ground(self, ground: Ground) -> None:
        """Where the camera stands."""
        self.T_wc = ground.T_wc
        self._T_cw = np.linalg.inv(ground.T_wc)
        self._R_wc = np.ascontiguousarray(self._T_cw[:3, :3].T)
        self.floor_known = ground.inlier_fraction > 0.0

    def draw(self, state: Articulation) -> Raster:
        """The model's picture on the grid, in buffers that the next call overwrites."""
        rest = self.rest_of(state)
        transforms = joint_transforms(self.model, rest.joints, state.pose, self._T_cw @ state.T_wb)
        matrices = transforms[:, :3, :].astype(np.float32)
        proxy = self._proxy
        skin_vertices(self._proxy_rest, proxy.skin_joints, proxy.skin_weights, matrices, self._vertices_c)
        return self._rasterizer.render(self._vertices_c, proxy.faces)

    def add_pixels(self, alignment: BodyAlignment, raster: Raster, gate: float) -> None:
        """Surface and outline pulls; also brings the status up to date."""
        rendered = Rendered(raster.depth, raster.triangle, self._proxy.faces, self._vertices_c)
        matching = self._matching._replace(gate=float(gate))
        count, known, agreeing, person, covered = associate_pixels(
            rendered, self.region.depth, self.region.labels, self.region.nearest, self._grid, matching, self._pulls
        )
        self.status.agreement = agreeing / max(known, 1)
        self.status.coverage = covered / max(person, 1)
        self._person_pixels = person
        row_count, matches, square, misfit = weigh_pulls(
            self._pulls,
            count,
            raster.triangle,
            raster.barycentric,
            self._proxy.model_faces,
            self._R_wc,
            float(gate),
            self.settings.pixel_independence,
            self.settings.row_target,
            self._rows,
        )
        self.status.residual_m = float(np.sqrt(square / matches)) if matches else np.inf
        self.status.misfit = float(np.sqrt(misfit / matches)) if matches else np.inf
        corners, barycentric, directions, offsets, weights = (part[:row_count] for part in self._rows)
        alignment.add_rows(corners, directions, offsets, weights, barycentric)

    def sorted_landmarks(self, alignment: BodyAlignment, landmarks: Landmarks) -> tuple[NDArray, NDArray]:
        """Pixels (L, 2) and visibilities (L,) of `landmarks`, with left and right as the linearised model has them."""
        pixels, sigma, _ = self._project_landmarks(alignment)
        seen, visibility, self.status.swapped = sort_sides(self.landmarks, landmarks, pixels, sigma)
        return seen, visibility

    def farthest_landmark(self, alignment: BodyAlignment, pixels: NDArray, visibility: NDArray) -> float:
        """Greatest distance of `pixels` (L, 2) from the linearised model's landmarks, among those that are well
        visible, in standard deviations."""
        predicted, sigma, _ = self._project_landmarks(alignment)
        sure = self._trusted(alignment, visibility, pixels) > SURELY_VISIBLE
        return float((np.linalg.norm(pixels - predicted, axis=1)[sure] / sigma[sure]).max(initial=0.0))

    def _project_landmarks(self, alignment: BodyAlignment) -> tuple[NDArray, NDArray, NDArray]:
        """Pixels (L, 2), their spread [px] (L,) and depths (L,) of the model's landmarks."""
        positions = alignment.positions(self.landmarks.points) @ self._T_cw[:3, :3].T + self._T_cw[:3, 3]
        z = np.maximum(positions[:, 2], 0.1)
        camera = self._intrinsics
        pixels = np.stack([camera.fx * positions[:, 0] / z + camera.cx, camera.fy * positions[:, 1] / z + camera.cy], 1)
        return pixels, camera.fx * self.landmarks.spread / z, z

    def add_landmarks(
        self,
        alignment: BodyAlignment,
        pixels: NDArray,
        visibility: NDArray,
        model_depth: NDArray[np.float32] | None = None,
    ) -> None:
        """Reprojection of landmarks; those that `model_depth`, the model's own picture, hides count for little."""
        predicted, sigma, depths = self._project_landmarks(alignment)
        off = np.linalg.norm(pixels - predicted, axis=1)
        weights = robust_weights(off, 2.0 * sigma, "huber") * self.settings.landmark_weight
        weights *= self._trusted(alignment, visibility, pixels) / np.square(sigma)
        if model_depth is not None:
            weights[self._hidden(pixels, depths, model_depth)] *= HIDDEN_TRUST
        alignment.add_reprojection(self.landmarks.points, pixels, weights, self._intrinsics, self._T_cw)

    def weigh_evidence(self, raster: Raster) -> None:
        """How much of what each joint moves is drawn: 0 nothing .. 1 a good deal. Hidden limbs keep still."""
        triangles = raster.triangle[raster.triangle >= 0]
        seen = np.bincount(self._face_parts[triangles], minlength=len(self.model.part_names))
        self.evidence = np.clip(self._joint_parts @ seen / EVIDENCE_PIXELS, 0.0, 1.0)

    def _hidden(self, pixels: NDArray, depths: NDArray, model_depth: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which landmarks (L,), at `depths` by the model, are seen where another part of it is in front of them."""
        grid = self._grid
        u = np.clip(pixels[:, 0] * grid.width / self._intrinsics.width, 0, grid.width - 1).astype(int)
        v = np.clip(pixels[:, 1] * grid.height / self._intrinsics.height, 0, grid.height - 1).astype(int)
        front = model_depth[v, u]
        return (front > 0.0) & (front < depths - HIDDEN_DEPTH_M)

    def _trusted(self, alignment: BodyAlignment, visibility: NDArray, pixels: NDArray) -> NDArray[np.float64]:
        """Visibility, but nothing for a face that looks away or for points outside the picture."""
        trust = np.square(visibility)
        head = alignment.body.transforms[self.model.joint("head"), :, :3] @ (0.0, -1.0, 0.0)
        view = alignment.joints[self.model.joint("head")] - self.T_wc[:3, 3]
        if head @ view > -0.2 * np.linalg.norm(view):
            trust = np.where(self.landmarks.group == 0, 0.0, trust)
        inside = (
            (pixels > 0.0).all(1) & (pixels[:, 0] < self._intrinsics.width) & (pixels[:, 1] < self._intrinsics.height)
        )
        return trust * inside

    def add_priors(self, alignment: BodyAlignment, upright: bool) -> None:
        """Rest pose, joint limits and floor; with `upright` also a root that only turns about the vertical."""
        ranges = self._ranges
        alignment.add_pose_prior(np.zeros_like(alignment.state.pose), ranges.precision)
        alignment.add_joint_limits(ranges.lower, ranges.upper, 1.0 / LIMIT_SPREAD**2, ranges.axes)
        if upright:
            yaw_only = alignment.state.T_wb.copy()
            forward = yaw_only[:2, 1] / np.linalg.norm(yaw_only[:2, 1])
            yaw_only[:3, :3] = np.array([[forward[1], forward[0], 0], [-forward[0], forward[1], 0], [0, 0, 1.0]])
            alignment.add_root_prior(yaw_only, (1.0 / 0.2**2, 1.0 / 0.2**2, 0.0), 0.0)
        if self.floor_known:
            self._add_floor(alignment)

    def _add_floor(self, alignment: BodyAlignment) -> None:
        """Soles do not sink into the floor, and the lower one stands on it."""
        heights = alignment.positions(self._soles)[:, 2]
        sinking = heights < 0.0
        per_foot = heights.reshape(2, -1)
        standing = np.zeros(per_foot.shape, bool)
        foot = int(np.argmin(per_foot.min(1)))
        if per_foot[foot].min() < 0.12:
            standing[foot, np.argsort(per_foot[foot])[:2]] = True
        weights = np.where(sinking | standing.ravel(), 1.0 / self.settings.floor_spread_m**2, 0.0)
        alignment.add_rows(self._soles, np.tile((0.0, 0.0, 1.0), (len(heights), 1)), heights, weights)

    def rest_of(self, state: Articulation) -> RestBody:
        """The body at rest; shaped anew only where the shape is not that of the last call."""
        if self._rest is None or not np.array_equal(self._rest_shape, state.shape):
            self._rest, self._rest_shape = shape_body(self.model, state.shape), state.shape.copy()
            np.take(self._rest.vertices, self._proxy.vertices, axis=0, out=self._proxy_rest)
        return self._rest

    def posed(self, state: Articulation) -> NDArray[np.float32]:
        """Vertices (V, 3), frame w, of their own."""
        rest = self.rest_of(state)
        return skin(self.model, rest.vertices, joint_transforms(self.model, rest.joints, state.pose, state.T_wb))

    def pelvis_of(self, state: Articulation) -> NDArray[np.float64]:
        """The pelvis, frame w."""
        joint = self.model.joint_template[0] + np.tensordot(
            state.shape, self.model.joint_basis[: len(state.shape), 0], 1
        )
        return state.T_wb[:3, :3] @ joint + state.T_wb[:3, 3]

    def confidence(self) -> float:
        """0 nobody .. 1 the last comparison left nothing unexplained."""
        if self._person_pixels < MIN_PERSON_PIXELS:
            return 0.0
        return float(np.clip(min(self.status.agreement, self.status.coverage), 0.0, 1.0))


def _parts_below(model: BodyModel) -> NDArray[np.float64]:
    """Whether a joint (or one below it) moves most of a part, (J, parts)."""
    owners = np.zeros((model.joint_count, len(model.part_names)))
    leading = model.skin_joints[np.arange(model.vertex_count), np.argmax(model.skin_weights, axis=1)]
    for part in range(len(model.part_names)):
        owners[np.bincount(leading[model.part_labels == part]).argmax(), part] = 1.0
    for j in range(model.joint_count - 1, 0, -1):
        owners[model.joint_parents[j]] += owners[j]
    return (owners > 0.0).astype(np.float64)


def sole_vertices(model: BodyModel, per_foot: int = 12) -> NDArray[np.int32]:
    """Vertices under the feet, spread from heel to toe, left foot first, (2 * per_foot,)."""
    soles = []
    for side in "lr":
        foot = np.flatnonzero(model.part_labels == model.part(f"foot_{side}"))
        low = foot[model.template[foot, 2] < model.template[foot, 2].min() + 0.015]
        order = low[np.argsort(model.template[low, 1])]
        soles.append(order[np.linspace(0, len(order) - 1, per_foot).astype(int)])
    return np.concatenate(soles).astype(np.int32)
