"""Follows one person: the body model, moved by Gauss-Newton until its picture is the camera's picture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation, BodyAlignment, robust_weights, rotation_vectors
from solver.body import BodyModel, RestBody, joint_transforms, rotation_matrices, shape_body, skin
from solver.errors import NotAPersonError, TrackingLostError
from solver.ground import point_at
from solver.joint_ranges import LIMIT_SPREAD, joint_ranges
from solver.kernels.pixel_association import MATCHED, STICKS_OUT, PixelMatching, Pulls, Rendered, associate_pixels
from solver.landmark_points import landmark_points, sort_sides
from solver.person_region import PersonRegion
from solver.rasterizer import Raster, Rasterizer
from solver.thread_limit import thread_limit
from solver.types import BodyState, DepthNoise, Ground, Intrinsics, Landmarks, Observation, read_only

GRID_WIDTH = 283
MAX_PULLS = 12000
HIDDEN_DEPTH_M = 0.14
"""Joints lie at most so deep below the skin."""
HIDDEN_TRUST = 0.05
HIDDEN_HOLD = 20.0
"""How much more steadily a limb is expected to stay where it is while it is hidden."""
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
    habit_time_s: float = 1.5
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
    swapped: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(3, bool))
    """Landmark groups (face, arms, legs) whose left and right were found swapped."""
    searching: bool = False
    """The person was lost and is being looked for."""


@dataclass(slots=True)
class _Motion:
    """Velocities between the last two frames, per second."""

    turn: NDArray[np.float64]
    shift: NDArray[np.float64]
    joints: NDArray[np.float64]


class BodyTracker:
    """One person before one camera. `start` finds the person, `track` follows; both want frames in order."""

    def __init__(
        self, model: BodyModel, intrinsics: Intrinsics, noise: DepthNoise, settings: TrackerSettings | None = None
    ):
        """A tracker of `model` in pictures with `intrinsics`, whose depth errs like `noise`."""
        self.model = model
        self.settings = settings or TrackerSettings()
        self.status = TrackerStatus()
        self._intrinsics = intrinsics
        stride = max(1, round(max(intrinsics.width, intrinsics.height) / GRID_WIDTH))
        self._region = PersonRegion(intrinsics, noise, stride)
        self._grid = self._region.intrinsics
        self._rasterizer = Rasterizer(self._grid)
        self._pose = BodyAlignment(model)
        self._whole = BodyAlignment(model, shape_count=min(self.settings.shape_count, model.shape_count))
        self._ranges = joint_ranges(model)
        self._landmarks = landmark_points(model)
        self._soles = _sole_vertices(model)
        self._face_parts = model.part_labels[model.faces[:, 0]].astype(np.int64)
        self._joint_parts = _parts_below(model)
        self._evidence = np.ones(model.joint_count)
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
        self._vertices_c = np.empty((model.vertex_count, 3), np.float32)
        self._vertices_w = np.empty((model.vertex_count, 3), np.float32)
        self._rest: RestBody | None = None
        self._rest_shape = np.zeros(0)
        self._state: Articulation | None = None
        self._habit = np.zeros((model.joint_count, 3))
        self._motion = _still(model)
        self._captured_at = 0.0
        self._last_seen_at = 0.0
        self._doubts = 0
        self._frames = 0
        self._shape_information = np.zeros((self._whole.shape_count, self._whole.shape_count))
        self._shape_vector = np.zeros(self._whole.shape_count)

    # ---------------------------------------------------------------- start

    def start(self, observation: Observation, ground: Ground) -> BodyState:
        """Find the person and begin to follow. Raises `NotAPersonError` when nobody is in view, or no person."""
        with thread_limit(self.settings.threads):
            return self._start(observation, ground)

    def _start(self, observation: Observation, ground: Ground) -> BodyState:
        self._T_wc = ground.T_wc
        self._T_cw = np.linalg.inv(ground.T_wc)
        self._floor_known = ground.inlier_fraction > 0.0
        self._shape_information[:] = 0.0
        self._shape_vector[:] = 0.0
        state = self._found(observation)
        self._update_shape(state, memory=0.0, share=1.0)
        return self._publish(observation, self._state or state, self._confidence())

    def _found(self, observation: Observation) -> Articulation:
        """The person in `observation`, fitted from landmarks and depth without any past."""
        frame, landmarks = observation.frame, observation.landmarks
        if landmarks is None:
            raise NotAPersonError("nobody is in view: stand before the camera, whole in its picture")
        if frame.depth is None:
            raise NotAPersonError(f"frame {frame.sequence} has no depth: tracking needs a depth camera")
        self._region.sample(observation)
        anchor = self._trunk_position(observation)
        if anchor is None:
            raise NotAPersonError("the person has no depth: stand between 0.8 and 4 m from the camera")
        best: tuple[float, Articulation, TrackerStatus] | None = None
        for flipped in (False, True):
            state = self._from_landmarks(landmarks, anchor, flipped)
            state = self._settled(state, landmarks, flipped)
            # The landmarker is more often right about front and back than not.
            merit = self.status.agreement + self.status.coverage - self.status.residual_m / 0.05 - 0.1 * flipped
            if best is None or merit > best[0]:
                best = merit, state, replace(self.status)
        assert best is not None
        _, state, self.status = best
        if not self._is_plausible(state):
            raise NotAPersonError("what is in view is not a person standing upright: clear the space before the camera")
        self._state, self._motion, self._doubts = state, _still(self.model), 0
        self._habit = state.pose.copy()
        self._captured_at = self._last_seen_at = frame.captured_at
        return state

    def _is_plausible(self, state: Articulation) -> bool:
        """Whether what was fitted is a person: most of the model and of the pixels explain each other, closely, and
        the body is one that people have (a mean square of 1 standard deviation is usual; 2.5 nobody's)."""
        status = self.status
        oddness = float(np.mean(np.square(state.shape[: self._whole.shape_count])))
        return min(status.agreement, status.coverage) > 0.6 and status.residual_m < 0.025 and oddness < 2.5

    def _trunk_position(self, observation: Observation) -> NDArray[np.float64] | None:
        """Middle of the hips (or shoulders), inside the body, frame w; None without depth there."""
        frame, landmarks = observation.frame, observation.landmarks
        assert frame.depth is not None
        assert landmarks is not None
        for left, right, lift in ((23, 24, 0.0), (11, 12, -0.5)):
            middle = 0.5 * (landmarks.image[left] + landmarks.image[right])
            point = point_at(frame.depth, frame.intrinsics, middle, reach=6)
            if point is not None:
                point *= 1.0 + 0.1 / np.linalg.norm(point)
                return self._T_wc[:3, :3] @ point + self._T_wc[:3, 3] + (0.0, 0.0, lift)
        return None

    def _from_landmarks(self, landmarks: Landmarks, anchor: NDArray, flipped: bool) -> Articulation:
        """Pose, place and stature that put the model's landmarks on the seen ones."""
        points = self._landmarks
        order = points.mirrored if flipped else points.indices
        world = landmarks.world[order].astype(np.float64) @ self._T_wc[:3, :3].T
        if flipped:
            # A left for a right is a picture from behind: the landmarker's depths point the wrong way.
            view = anchor - self._T_wc[:3, 3]
            view[2] = 0.0
            view /= np.linalg.norm(view)
            world -= 2.0 * np.outer(world @ view, view)
        sides = {
            name: world[points.points == self._pose.joint_point(self.model.joint(name))][0]
            for name in HIPS_AND_SHOULDERS
        }
        left = sides["thigh_l"] + sides["upperarm_l"] - sides["thigh_r"] - sides["upperarm_r"]
        yaw = np.arctan2(left[1], left[0])
        state = Articulation.at_rest(self.model)
        state.T_wb[:3, :3] = rotation_matrices(np.array([[0.0, 0.0, yaw]]))[0]
        state.T_wb[:2, 3] = anchor[:2]
        if not self._floor_known:
            state.T_wb[2, 3] = 0.0
        alignment = self._whole
        visible = landmarks.visibility[order].astype(np.float64)
        hips = 0.5 * (sides["thigh_l"] + sides["thigh_r"])
        for _ in range(self.settings.start_iterations):
            alignment.linearise(state)
            place = 0.5 * (
                alignment.joints[self.model.joint("thigh_l")] + alignment.joints[self.model.joint("thigh_r")]
            )
            weights = 0.3 * visible / np.square(points.spread + 0.06)
            alignment.add_point_to_point(points.points, place + world - hips, weights)
            self._add_landmarks(alignment, landmarks.image[order].astype(np.float64), visible)
            trunk = np.array([alignment.joint_point(0)])
            alignment.add_rows(trunk, np.array([[0.0, 1.0, 0.0]]), place[1:2] - anchor[1], np.array([1.0 / 0.05**2]))
            self._add_priors(alignment, upright=True)
            alignment.add_shape_prior(0.0, 4.0)
            state = alignment.step(1e-3)
        return state

    def _settled(self, state: Articulation, landmarks: Landmarks, flipped: bool) -> Articulation:
        """Fit the depth image too, from far to near, pose and shape together."""
        order = self._landmarks.mirrored if flipped else self._landmarks.indices
        pixels, visible = landmarks.image[order].astype(np.float64), landmarks.visibility[order].astype(np.float64)
        count = self.settings.start_iterations
        for i in range(count):
            gate = 0.30 + (0.12 - 0.30) * i / (count - 1)
            raster = self._draw(state)
            pelvis = self._place_of(state)
            self._region.label(
                self._T_wc, pelvis, raster.depth if i >= 3 else None if self._region.mask is not None else raster.depth
            )
            alignment = self._whole
            alignment.linearise(state)
            self._add_pixels(alignment, raster, gate)
            self._add_landmarks(alignment, pixels, visible)
            self._add_priors(alignment, upright=False)
            alignment.add_shape_prior(0.0, 1.0)
            state = alignment.step(1e-3)
        return state

    # ---------------------------------------------------------------- track

    def track(self, observation: Observation) -> BodyState:
        """The body in the next frame.

        While the person is lost the last state is returned with confidence 0, and the person is searched for in every
        frame that has landmarks. Raises `TrackingLostError` after `lost_timeout_s` of searching in vain.
        """
        with thread_limit(self.settings.threads):
            return self._track(observation)

    def _track(self, observation: Observation) -> BodyState:
        if self._state is None:
            raise TrackingLostError("nobody is followed: call start first")
        frame = observation.frame
        if self.status.searching:
            return self._search(observation)
        elapsed = float(np.clip(frame.captured_at - self._captured_at, 1e-3, 0.5))
        predicted = self._predicted(elapsed)
        self._region.sample(observation)
        state = predicted
        self.status.swapped = np.zeros(3, bool)
        seen = None
        least, most = self.settings.iterations
        for i in range(most):
            raster = self._draw(state)
            if i == 0:
                self._weigh_evidence(raster)
                self._region.label(self._T_wc, self._place_of(state), raster.depth)
            alignment = self._pose
            alignment.linearise(state)
            self._add_pixels(alignment, raster, gate=0.16 if i == 0 else 0.10)
            if observation.landmarks is not None:
                if seen is None:
                    seen = self._sorted_landmarks(alignment, observation.landmarks)
                self._add_landmarks(alignment, *seen, raster.depth)
            self._add_priors(alignment, upright=False)
            self._add_temporal_prior(alignment, predicted, elapsed)
            increment = alignment.solve(1e-4)
            state = alignment.moved(increment)
            if i + 1 >= least and np.linalg.norm(increment[:3]) < self.settings.settled:
                break
        confidence = self._confidence()
        self._frames += 1
        if confidence < self.settings.lost_confidence:
            self._doubts += 1
        else:
            self._doubts = 0
            self._last_seen_at = frame.captured_at
        self._learn_motion(state, elapsed)
        self._state, self._captured_at = state, frame.captured_at
        if confidence > 0.6 and self._frames % self.settings.shape_every == 0:
            self._update_shape(state, self.settings.shape_memory, self.settings.frame_information)
        if self._doubts >= self.settings.lost_patience:
            self.status.searching = True
        return self._publish(observation, self._state, confidence)

    def _search(self, observation: Observation) -> BodyState:
        frame = observation.frame
        last_seen = self._last_seen_at
        assert self._state is not None
        try:
            state = self._found(observation)
        except NotAPersonError as error:
            if frame.captured_at - last_seen > self.settings.lost_timeout_s:
                raise TrackingLostError("the person was lost: step back before the camera and start again") from error
            self.status.searching = True
            return self._publish(observation, self._state, 0.0)
        self.status.searching = False
        return self._publish(observation, state, self._confidence())

    def _predicted(self, elapsed: float) -> Articulation:
        """Constant velocity, damped."""
        assert self._state is not None
        state, motion = self._state, self._motion
        time, joint_time = (elapsed * share for share in self.settings.damping)
        pose = state.pose.copy()
        active = self._pose.active_joints
        turns = rotation_matrices(motion.joints[active] * joint_time)
        pose[active] = rotation_vectors(turns @ rotation_matrices(pose[active]))
        pelvis = self._place_of(state)
        turn = rotation_matrices((motion.turn * time)[None])[0]
        T_wb = state.T_wb.copy()
        T_wb[:3, :3] = turn @ state.T_wb[:3, :3]
        T_wb[:3, 3] = turn @ (state.T_wb[:3, 3] - pelvis) + pelvis + motion.shift * time
        return replace(state, pose=pose, T_wb=T_wb)

    def _learn_motion(self, state: Articulation, elapsed: float) -> None:
        last = self._state
        assert last is not None
        turn = rotation_vectors((state.T_wb[:3, :3] @ last.T_wb[:3, :3].T)[None])[0]
        joints = np.zeros_like(state.pose)
        active = self._pose.active_joints
        before, now = rotation_matrices(last.pose[active]), rotation_matrices(state.pose[active])
        joints[active] = rotation_vectors(now @ before.transpose(0, 2, 1))
        self._motion = _Motion(
            turn / elapsed, (self._place_of(state) - self._place_of(last)) / elapsed, joints / elapsed
        )

    # ---------------------------------------------------------------- terms

    def _draw(self, state: Articulation) -> Raster:
        vertices = self._posed(state)
        R, t = self._T_cw[:3, :3].astype(np.float32), self._T_cw[:3, 3].astype(np.float32)
        np.matmul(vertices, R.T, out=self._vertices_c)
        self._vertices_c += t
        return self._rasterizer.render(self._vertices_c, self.model.faces)

    def _add_pixels(self, alignment: BodyAlignment, raster: Raster, gate: float) -> None:
        """Surface and outline pulls; also brings the status up to date."""
        rendered = Rendered(raster.depth, raster.triangle, self.model.faces, self._vertices_c)
        matching = self._matching._replace(gate=gate)
        count, known, agreeing, person, covered = associate_pixels(
            rendered, self._region.depth, self._region.labels, self._region.nearest, self._grid, matching, self._pulls
        )
        self.status.agreement = agreeing / max(known, 1)
        self.status.coverage = covered / max(person, 1)
        self._person_pixels = person
        pulls = self._pulls
        kinds, pixels, directions = pulls.kinds[:count], pulls.pixels[:count], pulls.directions[:count]
        offsets, sigmas = pulls.offsets[:count], pulls.sigmas[:count]
        matched = kinds == MATCHED
        self.status.residual_m = float(np.sqrt(np.mean(np.square(offsets[matched])))) if matched.any() else np.inf
        scale = np.where(matched, np.maximum(3.0 * sigmas, 0.25 * gate), 3.0 * sigmas)
        weights = self.settings.pixel_independence * robust_weights(offsets, scale, "geman_mcclure") / np.square(sigmas)
        # Where the camera looks through the model there is no doubt, however far it sticks out.
        through = kinds == STICKS_OUT
        weights[through] = robust_weights(offsets[through], sigmas[through], "huber") / np.square(sigmas[through])
        weights[through] *= self.settings.pixel_independence
        excess = matched.sum() / self.settings.row_target
        if excess > 1.0:
            keep = ~matched | (np.arange(count) % int(np.ceil(excess)) == 0)
            weights[matched] *= np.ceil(excess)
            kinds, pixels, offsets, weights = kinds[keep], pixels[keep], offsets[keep], weights[keep]
            directions = directions[keep]
        triangles = raster.triangle.reshape(-1)[pixels]
        second_third = raster.barycentric.reshape(-1, 2)[pixels].astype(np.float64)
        barycentric = np.column_stack([1.0 - second_third.sum(1), second_third])
        alignment.add_rows(self.model.faces[triangles], directions @ self._T_cw[:3, :3], offsets, weights, barycentric)

    def _sorted_landmarks(self, alignment: BodyAlignment, landmarks: Landmarks) -> tuple[NDArray, NDArray]:
        pixels, sigma, _ = self._project_landmarks(alignment)
        seen, visibility, self.status.swapped = sort_sides(self._landmarks, landmarks, pixels, sigma)
        return seen, visibility

    def _project_landmarks(self, alignment: BodyAlignment) -> tuple[NDArray, NDArray, NDArray]:
        """Pixels (L, 2), their spread [px] (L,) and depths (L,) of the model's landmarks."""
        positions = alignment.positions(self._landmarks.points) @ self._T_cw[:3, :3].T + self._T_cw[:3, 3]
        z = np.maximum(positions[:, 2], 0.1)
        camera = self._intrinsics
        pixels = np.stack([camera.fx * positions[:, 0] / z + camera.cx, camera.fy * positions[:, 1] / z + camera.cy], 1)
        return pixels, camera.fx * self._landmarks.spread / z, z

    def _add_landmarks(
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
        alignment.add_reprojection(self._landmarks.points, pixels, weights, self._intrinsics, self._T_cw)

    def _weigh_evidence(self, raster: Raster) -> None:
        """How much of what each joint moves is drawn: 0 nothing .. 1 a good deal. Hidden limbs keep still."""
        triangles = raster.triangle[raster.triangle >= 0]
        seen = np.bincount(self._face_parts[triangles], minlength=len(self.model.part_names))
        self._evidence = np.clip(self._joint_parts @ seen / EVIDENCE_PIXELS, 0.0, 1.0)

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
        view = alignment.joints[self.model.joint("head")] - self._T_wc[:3, 3]
        if head @ view > -0.2 * np.linalg.norm(view):
            trust = np.where(self._landmarks.group == 0, 0.0, trust)
        inside = (
            (pixels > 0.0).all(1) & (pixels[:, 0] < self._intrinsics.width) & (pixels[:, 1] < self._intrinsics.height)
        )
        return trust * inside

    def _add_priors(self, alignment: BodyAlignment, upright: bool) -> None:
        ranges = self._ranges
        alignment.add_pose_prior(np.zeros_like(alignment.state.pose), ranges.precision)
        alignment.add_joint_limits(ranges.lower, ranges.upper, 1.0 / LIMIT_SPREAD**2, ranges.axes)
        if upright:
            yaw_only = alignment.state.T_wb.copy()
            forward = yaw_only[:2, 1] / np.linalg.norm(yaw_only[:2, 1])
            yaw_only[:3, :3] = np.array([[forward[1], forward[0], 0], [-forward[0], forward[1], 0], [0, 0, 1.0]])
            alignment.add_root_prior(yaw_only, (1.0 / 0.2**2, 1.0 / 0.2**2, 0.0), 0.0)
        if self._floor_known:
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

    def _add_temporal_prior(self, alignment: BodyAlignment, predicted: Articulation, elapsed: float) -> None:
        slack = max(1.0, elapsed * 20.0)
        unseen = (1.0 - self._evidence)[:, None]
        alignment.add_pose_prior(self._habit, unseen / self.settings.habit_spread**2)
        precision = 1.0 + HIDDEN_HOLD * unseen
        alignment.add_pose_prior(predicted.pose, precision / (self.settings.joint_spread * slack) ** 2)
        turn, shift = self.settings.root_spread
        alignment.add_root_prior(predicted.T_wb, 1.0 / (turn * slack) ** 2, 1.0 / (shift * slack) ** 2)

    # ---------------------------------------------------------------- shape

    def _update_shape(self, state: Articulation, memory: float, share: float) -> None:
        """Information filter: what this frame says of the shape, with the pose marginalised out (Schur complement)."""
        alignment = self._whole
        raster = self._draw(state)
        alignment.linearise(state)
        self._add_pixels(alignment, raster, gate=0.08)
        self._add_priors(alignment, upright=False)
        hessian, gradient = alignment.normal_equations()
        hessian[np.diag_indices_from(hessian)] += 1e-6 * np.diagonal(hessian) + 1e-6
        split = alignment.shape_column
        pose_part, cross = hessian[:split, :split], hessian[:split, split:]
        gain = np.linalg.solve(pose_part, np.column_stack([cross, gradient[:split]]))
        information = hessian[split:, split:] - cross.T @ gain[:, :-1]
        pull = -(gradient[split:] - cross.T @ gain[:, -1])
        count = alignment.shape_count
        self._shape_information = memory * self._shape_information + share * information
        self._shape_vector = memory * self._shape_vector + share * (information @ state.shape[:count] + pull)
        shape = np.linalg.solve(self._shape_information + np.eye(count), self._shape_vector)
        change = shape - state.shape[:count]
        moved = alignment.moved(np.concatenate([-gain[:, -1] - gain[:, :-1] @ change, change]))
        self._state = moved

    # ---------------------------------------------------------------- the body as it stands

    def _posed(self, state: Articulation) -> NDArray[np.float32]:
        """Vertices (V, 3), frame w, in a buffer that the next call overwrites."""
        if self._rest is None or not np.array_equal(self._rest_shape, state.shape):
            self._rest, self._rest_shape = shape_body(self.model, state.shape), state.shape.copy()
        transforms = joint_transforms(self.model, self._rest.joints, state.pose, state.T_wb)
        return skin(self.model, self._rest.vertices, transforms, self._vertices_w)

    def _place_of(self, state: Articulation) -> NDArray[np.float64]:
        """The pelvis, frame w."""
        joint = self.model.joint_template[0] + np.tensordot(
            state.shape, self.model.joint_basis[: len(state.shape), 0], 1
        )
        return state.T_wb[:3, :3] @ joint + state.T_wb[:3, 3]

    def _confidence(self) -> float:
        if self._person_pixels < 60:
            return 0.0
        return float(np.clip(min(self.status.agreement, self.status.coverage), 0.0, 1.0))

    def _publish(self, observation: Observation, state: Articulation, confidence: float) -> BodyState:
        return BodyState(
            observation.frame.sequence,
            observation.frame.captured_at,
            read_only(state.shape.copy()),
            read_only(state.pose.copy()),
            read_only(state.T_wb.copy()),
            read_only(self._posed(state).copy()),
            confidence,
        )


HIPS_AND_SHOULDERS = ("thigh_l", "thigh_r", "upperarm_l", "upperarm_r")


def _still(model: BodyModel) -> _Motion:
    return _Motion(np.zeros(3), np.zeros(3), np.zeros((model.joint_count, 3)))


def _parts_below(model: BodyModel) -> NDArray[np.float64]:
    """Whether a joint (or one below it) moves most of a part, (J, parts)."""
    owners = np.zeros((model.joint_count, len(model.part_names)))
    leading = model.skin_joints[np.arange(model.vertex_count), np.argmax(model.skin_weights, axis=1)]
    for part in range(len(model.part_names)):
        owners[np.bincount(leading[model.part_labels == part]).argmax(), part] = 1.0
    for j in range(model.joint_count - 1, 0, -1):
        owners[model.joint_parents[j]] += owners[j]
    return (owners > 0.0).astype(np.float64)


def _sole_vertices(model: BodyModel, per_foot: int = 12) -> NDArray[np.int32]:
    """Vertices under the feet, spread from heel to toe, left foot first, (2 * per_foot,)."""
    soles = []
    for side in "lr":
        foot = np.flatnonzero(model.part_labels == model.part(f"foot_{side}"))
        low = foot[model.template[foot, 2] < model.template[foot, 2].min() + 0.015]
        order = low[np.argsort(model.template[low, 1])]
        soles.append(order[np.linspace(0, len(order) - 1, per_foot).astype(int)])
    return np.concatenate(soles).astype(np.int32)
