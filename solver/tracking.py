"""Follows one person: the body model, moved by Gauss-Newton until its picture is the camera's picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation, BodyAlignment, composed_rotations, rotation_vectors, solved
from solver.body import BodyModel, rotation_matrices
from solver.body_fit import BodyFit, TrackerSettings, TrackerStatus
from solver.errors import NotAPersonError, TrackingLostError
from solver.ground import point_at
from solver.thread_limit import thread_limit
from solver.types import BodyState, DepthNoise, Ground, Intrinsics, Landmarks, Observation, read_only

SAME_MOMENT_S = 0.005
"""Frames nearer in time say nothing about velocity."""
MIN_EXPLAINED = 0.6
"""Share of the model that agrees with the depth, times share of the pixels that it covers, below which it is no person;
people have 0.8 and more."""
MAX_MISFIT = 1.5
"""People have 0.7 to 1, chairs 2."""
MAX_ODDNESS = 2.5
"""Mean square of the shape in standard deviations; most people have less than 1."""
HIDDEN_HOLD = 20.0
"""How much more steadily a limb is expected to stay where it is while it is hidden."""
HIPS_AND_SHOULDERS = ("thigh_l", "thigh_r", "upperarm_l", "upperarm_r")


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
        self._fit = BodyFit(model, intrinsics, noise, self.settings)
        self._pose = BodyAlignment(model)
        self._whole = BodyAlignment(model, shape_count=min(self.settings.shape_count, model.shape_count))
        self._state: Articulation | None = None
        self._habit = np.zeros((model.joint_count, 3))
        self._motion = _still(model)
        self._captured_at = 0.0
        self._last_seen_at = 0.0
        self._doubts = 0
        self._frames = 0
        self._shape_information = np.zeros((self._whole.shape_count, self._whole.shape_count))
        self._shape_vector = np.zeros(self._whole.shape_count)
        self._known_shape: NDArray[np.float64] | None = None

    def know_shape(self, shape: NDArray[np.float64]) -> None:
        """From now on the person's shape is `shape` (K,), as a scan found it, and no longer estimated."""
        if self._known_shape is not shape:
            self._known_shape = shape
            if self._state is not None:
                self._state = replace(self._state, shape=shape)

    @property
    def articulation(self) -> Articulation | None:
        """Shape and pose in the last frame; None while the person is searched for."""
        return None if self._fit.status.searching else self._state

    def disagreement(self, state: Articulation, landmarks: Landmarks) -> float:
        """How far the farthest of `landmarks` lies from those of the model in `state`, which was tracked in the same
        frame, among those that are well visible; in standard deviations. Above three a limb was lost."""
        self._pose.linearise(state, self._fit.rest_of(state))
        seen = self._fit.sorted_landmarks(self._pose, landmarks)
        return self._fit.farthest_landmark(self._pose, *seen)

    @property
    def status(self) -> TrackerStatus:
        """How the last frame went."""
        return self._fit.status

    def start(self, observation: Observation, ground: Ground) -> BodyState:
        """Find the person and begin to follow. Raises `NotAPersonError` when nobody is in view, or no person."""
        with thread_limit(self.settings.threads):
            return self._start(observation, ground)

    def _start(self, observation: Observation, ground: Ground) -> BodyState:
        self._fit.set_ground(ground)
        self._shape_information[:] = 0.0
        self._shape_vector[:] = 0.0
        state = self._found(observation)
        if self._known_shape is None:
            self._update_shape(state, memory=0.0, share=1.0)
        return self._publish(observation, self._state or state, self._fit.confidence())

    def _found(self, observation: Observation) -> Articulation:
        """The person in `observation`, fitted from landmarks and depth without any past."""
        frame, landmarks = observation.frame, observation.landmarks
        if landmarks is None:
            raise NotAPersonError("nobody is in view: stand before the camera, whole in its picture")
        if frame.depth is None:
            raise NotAPersonError(f"frame {frame.sequence} has no depth: tracking needs a depth camera")
        self._fit.region.sample(observation)
        anchor = self._trunk_position(observation)
        if anchor is None:
            raise NotAPersonError("the person has no depth: stand between 0.8 and 4 m from the camera")
        best: tuple[float, Articulation, TrackerStatus] | None = None
        for flipped in (False, True):
            state = self._from_landmarks(landmarks, anchor, flipped)
            state = self._settled(state, landmarks, flipped)
            # The landmarker is more often right about front and back than not.
            merit = (
                self._fit.status.agreement
                + self._fit.status.coverage
                - self._fit.status.residual_m / 0.05
                - 0.1 * flipped
            )
            if best is None or merit > best[0]:
                best = merit, state, replace(self._fit.status)
        assert best is not None
        _, state, self._fit.status = best
        if not self._is_plausible(state):
            raise NotAPersonError("what is in view is not a person standing upright: clear the space before the camera")
        if self._known_shape is not None:
            state = replace(state, shape=self._known_shape)
        self._state, self._motion, self._doubts = state, _still(self.model), 0
        self._habit = state.pose.copy()
        self._captured_at = self._last_seen_at = frame.captured_at
        return state

    def _is_plausible(self, state: Articulation) -> bool:
        """Whether what was fitted is a person: model and pixels explain each other, closely, and people have such
        bodies."""
        status = self._fit.status
        oddness = float(np.mean(np.square(state.shape[: self._whole.shape_count])))
        explained = status.agreement * status.coverage
        return explained > MIN_EXPLAINED and status.misfit < MAX_MISFIT and oddness < MAX_ODDNESS

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
                return self._fit.T_wc[:3, :3] @ point + self._fit.T_wc[:3, 3] + (0.0, 0.0, lift)
        return None

    def _from_landmarks(self, landmarks: Landmarks, anchor: NDArray, flipped: bool) -> Articulation:
        """Pose, place and stature that put the model's landmarks on the seen ones."""
        points = self._fit.landmarks
        order = points.mirrored if flipped else points.indices
        world = landmarks.world[order].astype(np.float64) @ self._fit.T_wc[:3, :3].T
        if flipped:
            # A left for a right is a picture from behind: the landmarker's depths point the wrong way.
            view = anchor - self._fit.T_wc[:3, 3]
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
        if not self._fit.floor_known:
            state.T_wb[2, 3] = 0.0
        alignment = self._whole
        visible = landmarks.visibility[order].astype(np.float64)
        hips = 0.5 * (sides["thigh_l"] + sides["thigh_r"])
        for _ in range(self.settings.start_iterations):
            alignment.linearise(state, self._fit.rest_of(state))
            place = 0.5 * (
                alignment.joints[self.model.joint("thigh_l")] + alignment.joints[self.model.joint("thigh_r")]
            )
            weights = 0.3 * visible / np.square(points.spread + 0.06)
            alignment.add_point_to_point(points.points, place + world - hips, weights)
            self._fit.add_landmarks(alignment, landmarks.image[order].astype(np.float64), visible)
            trunk = np.array([alignment.joint_point(0)])
            alignment.add_rows(trunk, np.array([[0.0, 1.0, 0.0]]), place[1:2] - anchor[1], np.array([1.0 / 0.05**2]))
            self._fit.add_priors(alignment, upright=True)
            alignment.add_shape_prior(0.0, 4.0)
            state = alignment.step(1e-3)
        return state

    def _settled(self, state: Articulation, landmarks: Landmarks, flipped: bool) -> Articulation:
        """Fit the depth image too, from far to near, pose and shape together."""
        order = self._fit.landmarks.mirrored if flipped else self._fit.landmarks.indices
        pixels, visible = landmarks.image[order].astype(np.float64), landmarks.visibility[order].astype(np.float64)
        count = self.settings.start_iterations
        for i in range(count):
            gate = 0.30 + (0.12 - 0.30) * i / (count - 1)
            raster = self._fit.draw(state)
            pelvis = self._fit.pelvis_of(state)
            self._fit.region.label(
                self._fit.T_wc,
                pelvis,
                raster.depth if i >= 3 else None if self._fit.region.mask is not None else raster.depth,
            )
            alignment = self._whole
            alignment.linearise(state, self._fit.rest_of(state))
            self._fit.add_pixels(alignment, raster, gate)
            self._fit.add_landmarks(alignment, pixels, visible)
            self._fit.add_priors(alignment, upright=False)
            alignment.add_shape_prior(0.0, 1.0)
            state = alignment.step(1e-3)
        return state

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
        if self._fit.status.searching:
            return self._search(observation)
        elapsed = float(np.clip(frame.captured_at - self._captured_at, 1e-3, 0.5))
        predicted = self._predicted(elapsed)
        self._fit.region.sample(observation)
        state = predicted
        self._fit.status.swapped = np.zeros(3, bool)
        seen = None
        least, most = self.settings.iterations
        for i in range(most):
            raster = self._fit.draw(state)
            if i == 0:
                self._fit.weigh_evidence(raster)
                self._fit.region.label(self._fit.T_wc, self._fit.pelvis_of(state), raster.depth)
            alignment = self._pose
            alignment.linearise(state, self._fit.rest_of(state))
            self._fit.add_pixels(alignment, raster, gate=0.16 if i == 0 else 0.10)
            if observation.landmarks is not None:
                if seen is None:
                    seen = self._fit.sorted_landmarks(alignment, observation.landmarks)
                self._fit.add_landmarks(alignment, *seen, raster.depth)
            self._fit.add_priors(alignment, upright=False)
            self._add_temporal_prior(alignment, predicted, elapsed)
            increment = alignment.solve(1e-4)
            state = alignment.moved(increment)
            if i + 1 >= least and np.linalg.norm(increment[:3]) < self.settings.settled:
                break
        confidence = self._fit.confidence()
        self._frames += 1
        if confidence < self.settings.lost_confidence:
            self._doubts += 1
        else:
            self._doubts = 0
            self._last_seen_at = frame.captured_at
        self._learn_motion(state, elapsed)
        self._state, self._captured_at = state, frame.captured_at
        due = self._known_shape is None and self._frames % self.settings.shape_every == 0
        if due and confidence > 0.6:
            self._update_shape(state, self.settings.shape_memory, self.settings.frame_information)
        if self._doubts >= self.settings.lost_patience:
            self._fit.status.searching = True
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
            self._fit.status.searching = True
            return self._publish(observation, self._state, 0.0)
        self._fit.status.searching = False
        return self._publish(observation, state, self._fit.confidence())

    def _predicted(self, elapsed: float) -> Articulation:
        """Constant velocity, damped."""
        assert self._state is not None
        state, motion = self._state, self._motion
        time, joint_time = (elapsed * share for share in self.settings.damping)
        pose = state.pose.copy()
        active = self._pose.active_joints
        pose[active] = composed_rotations(motion.joints[active] * joint_time, pose[active])
        pelvis = self._fit.pelvis_of(state)
        turn = rotation_matrices((motion.turn * time)[None])[0]
        T_wb = state.T_wb.copy()
        T_wb[:3, :3] = turn @ state.T_wb[:3, :3]
        T_wb[:3, 3] = turn @ (state.T_wb[:3, 3] - pelvis) + pelvis + motion.shift * time
        return replace(state, pose=pose, T_wb=T_wb)

    def _learn_motion(self, state: Articulation, elapsed: float) -> None:
        last = self._state
        assert last is not None
        if elapsed < SAME_MOMENT_S:
            return
        turn = rotation_vectors((state.T_wb[:3, :3] @ last.T_wb[:3, :3].T)[None])[0]
        joints = np.zeros_like(state.pose)
        active = self._pose.active_joints
        joints[active] = composed_rotations(state.pose[active], -last.pose[active])
        rate = np.clip(elapsed / self.settings.habit_time_s * self._fit.evidence, 0.0, 1.0)[:, None]
        self._habit += rate * (state.pose - self._habit)
        self._motion = _Motion(
            turn / elapsed, (self._fit.pelvis_of(state) - self._fit.pelvis_of(last)) / elapsed, joints / elapsed
        )

    def _add_temporal_prior(self, alignment: BodyAlignment, predicted: Articulation, elapsed: float) -> None:
        slack = max(1.0, elapsed * 20.0)
        unseen = (1.0 - self._fit.evidence)[:, None]
        alignment.add_pose_prior(self._habit, unseen / self.settings.habit_spread**2)
        precision = 1.0 + HIDDEN_HOLD * unseen
        alignment.add_pose_prior(predicted.pose, precision / (self.settings.joint_spread * slack) ** 2)
        turn, shift = self.settings.root_spread
        alignment.add_root_prior(predicted.T_wb, 1.0 / (turn * slack) ** 2, 1.0 / (shift * slack) ** 2)

    def _update_shape(self, state: Articulation, memory: float, share: float) -> None:
        """Information filter: what this frame says of the shape, with the pose marginalised out (Schur complement)."""
        alignment = self._whole
        raster = self._fit.draw(state)
        alignment.linearise(state, self._fit.rest_of(state))
        self._fit.add_pixels(alignment, raster, gate=0.08)
        self._fit.add_priors(alignment, upright=False)
        hessian, gradient = alignment.normal_equations()
        hessian[np.diag_indices_from(hessian)] += 1e-6 * np.diagonal(hessian) + 1e-6
        split = alignment.shape_column
        pose_part, cross = hessian[:split, :split], hessian[:split, split:]
        gain = solved(pose_part.copy(), np.column_stack([cross, gradient[:split]]))
        information = hessian[split:, split:] - cross.T @ gain[:, :-1]
        pull = -(gradient[split:] - cross.T @ gain[:, -1])
        count = alignment.shape_count
        self._shape_information = memory * self._shape_information + share * information
        self._shape_vector = memory * self._shape_vector + share * (information @ state.shape[:count] + pull)
        shape = solved(self._shape_information + np.eye(count), self._shape_vector[:, None])[:, 0]
        change = shape - state.shape[:count]
        moved = alignment.moved(np.concatenate([-gain[:, -1] - gain[:, :-1] @ change, change]))
        self._state = moved

    def _publish(self, observation: Observation, state: Articulation, confidence: float) -> BodyState:
        return BodyState(
            observation.frame.sequence,
            observation.frame.captured_at,
            read_only(state.shape.copy()),
            read_only(state.pose.copy()),
            read_only(state.T_wb.copy()),
            read_only(self._fit.posed(state)),
            confidence,
        )


def _still(model: BodyModel) -> _Motion:
    return _Motion(np.zeros(3), np.zeros(3), np.zeros((model.joint_count, 3)))
