"""Least squares for the articulated body: pull the skinned model towards observations by Gauss-Newton.

    alignment = BodyAlignment(model, shape_count=20)            # pelvis motion, 19 joints, 20 shape coefficients
    state = Articulation.at_rest(model)
    for _ in range(5):
        alignment.linearise(state)                              # forgets the former sums
        alignment.add_point_to_plane(vertices, targets, normals, weights)
        alignment.add_pose_prior(state.pose, precision)
        alignment.add_shape_prior(0.0, 1.0)
        state = alignment.step()                                # solves and moves

Parameters are ordered root (6: rotation about the pelvis, translation, world axes), active joints (3 each), shape.
Joint increments are left-multiplicative in the axes of the joint's parent: R_j <- exp(delta_j) R_j; the root turns
by T_wb <- translate(t) rotate(exp(w) about the pelvis) T_wb. The pelvis joint is never active: T_wb is its motion.
A *point* of the body is a vertex, given by its index, a joint, given by `alignment.joint_point(j)`, or a
barycentric mixture of three of them. Every residual is r = direction . (v - target) with weight w = 1 / sigma^2
(times the robust weight), so that the whole is a negative log-likelihood and priors need no magic factors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike, NDArray

from solver.body import BodyModel, RestBody, as_float64, joint_transforms, rotation_matrices, shape_body, skin
from solver.kernels.body_alignment import ROOT_COUNT, LinearisedBody, accumulate_rows, pose_points, write_jacobian
from solver.kernels.kinematics import shift_joints
from solver.kernels.normal_equations import add_rotation_priors, convert_wrenches, solve_positive_definite
from solver.kernels.rotations import compose_rotations, write_inverse_left_jacobians, write_rotation_vectors
from solver.types import Intrinsics

SHARE_COUNT = 2
"""Parts of the sums that threads may work on at the same time."""
FINGERS = ("index_", "middle_", "ring_", "pinky_", "thumb_")
TOES = ("ball_",)


@dataclass(frozen=True, slots=True)
class Articulation:
    """Where a body is: what Gauss-Newton moves."""

    shape: NDArray[np.float64]
    """Coefficients, (K,)."""
    pose: NDArray[np.float64]
    """Rotation vectors [rad], (J, 3)."""
    T_wb: NDArray[np.float64]
    """Body to world, (4, 4)."""

    @classmethod
    def at_rest(cls, model: BodyModel) -> Self:
        """The mean body at rest at the world's origin."""
        return cls(np.zeros(model.shape_count), np.zeros((model.joint_count, 3)), np.eye(4))

    def vertices(self, model: BodyModel) -> NDArray[np.float32]:
        """Posed vertices [m], (V, 3), frame w."""
        rest = shape_body(model, self.shape)
        return skin(model, rest.vertices, joint_transforms(model, rest.joints, self.pose, self.T_wb))

    def joints(self, model: BodyModel) -> NDArray[np.float64]:
        """Posed joints [m], (J, 3), frame w."""
        rest = shape_joints(model, self.shape)
        transforms = joint_transforms(model, rest, self.pose, self.T_wb)
        return np.einsum("jab,jb->ja", transforms[:, :3, :3], rest) + transforms[:, :3, 3]


def shape_joints(model: BodyModel, coefficients: NDArray) -> NDArray[np.float64]:
    """Joints at rest [m], (J, 3), of shape `coefficients` (any length up to K)."""
    basis = model.joint_basis[: len(coefficients)]
    return model.joint_template + np.tensordot(np.asarray(coefficients, np.float64), basis, 1)


def rotation_vectors(matrices: NDArray) -> NDArray[np.float64]:
    """Rotation vectors [rad], (N, 3), of rotation `matrices` (N, 3, 3); angles from 0 to pi."""
    matrices = as_float64(matrices)
    out = np.empty((len(matrices), 3))
    write_rotation_vectors(matrices, out)
    return out


def composed_rotations(first: NDArray, second: NDArray) -> NDArray[np.float64]:
    """Rotation vectors [rad], (N, 3), of the turns `second` (N, 3) and then `first` (N, 3)."""
    first, second = as_float64(first), as_float64(second)
    out = np.empty_like(first)
    compose_rotations(first, second, out)
    return out


def inverse_left_jacobians(vectors: NDArray) -> NDArray[np.float64]:
    """d(rotation vector) / d(left increment), (N, 3, 3): log(exp(d) exp(v)) = v + J d (Sola 2018, eq. 146)."""
    vectors = as_float64(vectors)
    out = np.empty((len(vectors), 3, 3))
    write_inverse_left_jacobians(vectors, out)
    return out


def solved(matrix: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The solution (M, C) of `matrix` (M, M) x = `right` (M, C); `matrix`, positive definite, is overwritten.

    Raises `LinAlgError` where it is not positive definite.
    """
    out = right.copy()
    if not solve_positive_definite(matrix, out):
        raise LinAlgError("the normal equations are not positive definite")
    return out


def robust_weights(
    residuals: NDArray, scale: ArrayLike, kind: Literal["huber", "tukey", "geman_mcclure"]
) -> NDArray[np.float64]:
    """IRLS weights, 0 to 1, of `residuals` in units of their `scale` (Zhang 1997, table 1).

    Huber turns linear at 1.345 scales, Tukey rejects beyond 4.685, Geman-McClure halves the pull at about 0.64.
    """
    x = np.abs(np.asarray(residuals, np.float64) / np.asarray(scale, np.float64))
    if kind == "huber":
        return 1.345 / np.maximum(x, 1.345)
    if kind == "tukey":
        return np.square(np.maximum(0.0, 1.0 - np.square(x / 4.685)))
    return 1.0 / np.square(1.0 + np.square(x))


class BodyAlignment:
    """Normal equations of one body: `linearise`, `add_...`, `solve` or `step`. See the module's docstring."""

    def __init__(self, model: BodyModel, active_joints: list[int] | None = None, shape_count: int = 0):
        """`active_joints` may turn (default: all but pelvis, fingers and toes); the first `shape_count` coefficients
        may change."""
        if active_joints is None:
            idle = FINGERS + TOES
            active_joints = [j for j, name in enumerate(model.joint_names) if j > 0 and not name.startswith(idle)]
        self.model = model
        self.active_joints = np.array(sorted(active_joints), np.int32)
        self.shape_count = shape_count
        self.shape_column = ROOT_COUNT + 3 * len(self.active_joints)
        self.parameter_count = self.shape_column + shape_count
        self.columns = np.full(model.joint_count, -1, np.int32)
        self.columns[self.active_joints] = ROOT_COUNT + 3 * np.arange(len(self.active_joints))
        self._chains = self._active_chains()
        self._owners = self._wrench_owners()
        parents = model.joint_parents[self.active_joints]
        self._owner_parents = np.concatenate([[-1], self._owners[parents]]).astype(np.int32)

        joint_skin = np.zeros((model.joint_count, 4), np.int32)
        joint_skin[:, 0] = np.arange(model.joint_count)
        joint_weights = np.zeros((model.joint_count, 4), np.float32)
        joint_weights[:, 0] = 1.0
        self._skin_joints = np.concatenate([model.skin_joints, joint_skin])
        self._skin_weights = np.concatenate([model.skin_weights, joint_weights])
        basis = np.concatenate([model.shape_basis[:shape_count], model.joint_basis[:shape_count]], axis=1)
        self._basis = np.ascontiguousarray(basis.transpose(1, 2, 0), np.float32)
        self._joint_basis = np.ascontiguousarray(model.joint_basis[:shape_count].transpose(1, 2, 0), np.float64)
        self._joint_motion, self._shifts = np.zeros_like(self._joint_basis), np.zeros_like(self._joint_basis)
        self._rest = np.empty((model.vertex_count + model.joint_count, 3), np.float32)
        self._rest_shape: NDArray | None = None
        size = 6 * (1 + len(self.active_joints)) + shape_count
        self._products = np.zeros((SHARE_COUNT, size, size))
        self._pulls = np.zeros((SHARE_COUNT, size))
        self._own_axes = np.tile(np.eye(3), (len(self.active_joints), 1, 1))
        self._prior_hessian = np.zeros((self.parameter_count, self.parameter_count))
        self._prior_gradient = np.zeros(self.parameter_count)

    def _active_chains(self) -> NDArray[np.int32]:
        chains = []
        for j in range(self.model.joint_count):
            chain, a = [], j
            while a >= 0:
                if self.columns[a] >= 0:
                    chain.append(a)
                a = int(self.model.joint_parents[a])
            chains.append(chain)
        depth = max(1, *(len(chain) for chain in chains))
        return np.array([chain + [-1] * (depth - len(chain)) for chain in chains], np.int32)

    def _wrench_owners(self) -> NDArray[np.int32]:
        """The nearest active joint up the chain, numbered from 1; 0 where only the root moves the joint, (J,)."""
        owners = np.zeros(self.model.joint_count, np.int32)
        for j in range(1, self.model.joint_count):
            active = self.columns[j] >= 0
            owners[j] = 1 + np.searchsorted(self.active_joints, j) if active else owners[self.model.joint_parents[j]]
        return owners

    def joint_point(self, joint):
        """Index that makes `joint` a point in the `add_...` calls."""
        return self.model.vertex_count + joint

    def linearise(self, state: Articulation, rest: RestBody | None = None) -> None:
        """Set the body to `state` and empty the sums. Who has it already may hand in the `rest` body of its shape."""
        model = self.model
        self.state = state
        if self._rest_shape is None or not np.array_equal(self._rest_shape, state.shape):
            body = shape_body(model, state.shape) if rest is None else rest
            self._rest[: model.vertex_count] = body.vertices
            self._joints_rest = body.joints
            self._rest[model.vertex_count :] = body.joints
            self._rest_shape = state.shape.copy()
        transforms = joint_transforms(model, self._joints_rest, state.pose, state.T_wb)
        self._transforms = transforms
        rotations = transforms[:, :3, :3]
        centres = np.einsum("jab,jb->ja", rotations, self._joints_rest) + transforms[:, :3, 3]
        self._parent_axes = np.where(
            (model.joint_parents >= 0)[:, None, None], rotations[model.joint_parents], state.T_wb[:3, :3]
        )
        self.body = LinearisedBody(
            self._rest,
            self._skin_joints,
            self._skin_weights,
            np.ascontiguousarray(transforms[:, :3, :]),
            centres,
            self._chains,
            self._owners,
            self.columns,
            self._basis,
            self._joint_shifts(rotations, state.T_wb[:3, :3]),
        )
        self._pose_jacobians = inverse_left_jacobians(state.pose[self.active_joints])
        self._products[:] = 0.0
        self._pulls[:] = 0.0
        self._prior_hessian[:] = 0.0
        self._prior_gradient[:] = 0.0

    def _joint_shifts(self, rotations: NDArray, R_wb: NDArray) -> NDArray[np.float64]:
        """How far shape moves each joint's transform, (J, 3, K)."""
        if self.shape_count:
            shift_joints(
                self.model.joint_parents,
                np.ascontiguousarray(rotations),
                as_float64(R_wb),
                self._joint_basis,
                self._joint_motion,
                self._shifts,
            )
        return self._shifts

    @property
    def vertices(self) -> NDArray[np.float32]:
        """Posed vertices [m] at the linearisation, (V, 3), frame w."""
        return skin(self.model, self._rest[: self.model.vertex_count], self._transforms)

    def vertices_in(self, T_cw: NDArray, out: NDArray[np.float32]) -> None:
        """The same in frame c, into `out` (V, 3)."""
        skin(self.model, self._rest[: self.model.vertex_count], T_cw @ self._transforms, out)

    @property
    def joints(self) -> NDArray[np.float64]:
        """Posed joints [m] at the linearisation, (J, 3), frame w."""
        return self.body.centres

    def positions(self, points: NDArray, barycentric: NDArray | None = None) -> NDArray[np.float64]:
        """World positions [m], (N, 3), of `points`: indices (N,), or (N, 3) with `barycentric` (N, 3)."""
        corners, barycentric = _as_corners(points, barycentric)
        out = np.empty((len(corners), 3))
        pose_points(self.body, corners, barycentric, out)
        return out

    def add_rows(
        self,
        points: NDArray,
        directions: NDArray,
        residuals: NDArray,
        weights: NDArray,
        barycentric: NDArray | None = None,
    ) -> None:
        """Residuals r whose derivative is `directions` . dv: directions (N, 3) frame w, residuals and weights (N,)."""
        corners, barycentric = _as_corners(points, barycentric)
        accumulate_rows(
            self.body,
            corners,
            barycentric,
            np.ascontiguousarray(directions, np.float64),
            np.ascontiguousarray(residuals, np.float64),
            np.ascontiguousarray(weights, np.float64),
            self._products,
            self._pulls,
        )

    def add_point_to_plane(
        self,
        points: NDArray,
        targets: NDArray,
        normals: NDArray,
        weights: NDArray,
        barycentric: NDArray | None = None,
        robust: tuple[Literal["huber", "tukey", "geman_mcclure"], float] | None = None,
    ) -> NDArray[np.float64]:
        """Pull points onto planes through `targets` (N, 3) square to `normals` (N, 3), frame w; weights 1/m^2, (N,).

        `robust` = (kind, scale in sigmas) re-weights by the present residuals. Returns the residuals [m], (N,).
        """
        residuals = np.einsum("ni,ni->n", normals, self.positions(points, barycentric) - targets)
        if robust is not None:
            sigma = robust[1] / np.sqrt(np.maximum(weights, 1e-12))
            weights = weights * robust_weights(residuals, sigma, robust[0])
        self.add_rows(points, normals, residuals, weights, barycentric)
        return residuals

    def add_point_to_point(
        self, points: NDArray, targets: NDArray, weights: NDArray, barycentric: NDArray | None = None
    ) -> NDArray[np.float64]:
        """Pull points to `targets` (N, 3), frame w; weights 1/m^2, (N,). Returns v - target, (N, 3)."""
        offsets = self.positions(points, barycentric) - targets
        for axis in range(3):
            directions = np.zeros((len(offsets), 3))
            directions[:, axis] = 1.0
            self.add_rows(points, directions, offsets[:, axis], weights, barycentric)
        return offsets

    def add_reprojection(
        self,
        points: NDArray,
        pixels: NDArray,
        weights: NDArray,
        intrinsics: Intrinsics,
        T_cw: NDArray,
        barycentric: NDArray | None = None,
    ) -> NDArray[np.float64]:
        """Pull the projections of points to `pixels` (N, 2); weights 1/px^2, (N,). Returns residuals [px], (N, 2).

        Points nearer to the camera's plane than 5 cm are left out.
        """
        positions = self.positions(points, barycentric) @ T_cw[:3, :3].T + T_cw[:3, 3]
        weights = np.where(positions[:, 2] > 0.05, weights, 0.0)
        z = np.maximum(positions[:, 2], 0.05)
        x, y = positions[:, 0] / z, positions[:, 1] / z
        zero = np.zeros_like(z)
        residuals = np.stack([intrinsics.fx * x + intrinsics.cx, intrinsics.fy * y + intrinsics.cy], 1) - pixels
        across = np.stack([intrinsics.fx / z, zero, -intrinsics.fx * x / z], 1) @ T_cw[:3, :3]
        down = np.stack([zero, intrinsics.fy / z, -intrinsics.fy * y / z], 1) @ T_cw[:3, :3]
        corners, mixture = _as_corners(points, barycentric)
        self.add_rows(
            np.concatenate([corners, corners]),
            np.concatenate([across, down]),
            residuals.T.ravel(),
            np.tile(weights, 2),
            np.concatenate([mixture, mixture]),
        )
        return residuals

    def add_pose_prior(self, mean: NDArray, precision: ArrayLike) -> None:
        """Rotation vectors of active joints are near `mean` (J, 3) [rad]; `precision` 1/rad^2, broadcast to (J, 3)."""
        precision = np.broadcast_to(np.asarray(precision, np.float64), mean.shape)[self.active_joints]
        residuals = self.state.pose[self.active_joints] - mean[self.active_joints]
        self._add_rotation_rows(residuals, precision, self._own_axes)

    def add_joint_limits(
        self, lower: NDArray, upper: NDArray, precision: ArrayLike, axes: NDArray | None = None
    ) -> None:
        """One-sided springs of `precision` 1/rad^2 where rotation vectors leave [lower, upper] (J, 3) [rad].

        `axes` (J, 3, 3): rows are the axes on which the limits are measured (default: those of frame b).
        """
        joints = self.active_joints
        frames = self._own_axes if axes is None else axes[joints]
        angles = np.einsum("jab,jb->ja", frames, self.state.pose[joints])
        excess = np.maximum(angles - upper[joints], 0.0) + np.minimum(angles - lower[joints], 0.0)
        active = np.broadcast_to(np.asarray(precision, np.float64), excess.shape) * (excess != 0.0)
        self._add_rotation_rows(excess, active, frames)

    def _add_rotation_rows(self, residuals: NDArray, precision: NDArray, frames: NDArray) -> None:
        add_rotation_priors(
            self._pose_jacobians,
            as_float64(residuals),
            as_float64(precision),
            as_float64(frames),
            self.columns[self.active_joints],
            self._prior_hessian,
            self._prior_gradient,
        )

    def add_shape_prior(self, mean: ArrayLike, precision: ArrayLike) -> None:
        """Coefficients are near `mean` with `precision`: a scalar, (shape_count,), or a full matrix."""
        count = self.shape_count
        offset = self.state.shape[:count] - np.broadcast_to(np.asarray(mean, np.float64), (count,))
        matrix = np.asarray(precision, np.float64)
        if matrix.ndim < 2:
            matrix = np.diag(np.broadcast_to(matrix, (count,)))
        self._prior_hessian[self.shape_column :, self.shape_column :] += matrix
        self._prior_gradient[self.shape_column :] += matrix @ offset

    def add_root_prior(self, T_wb: NDArray, rotation_precision: ArrayLike, translation_precision: ArrayLike) -> None:
        """The root is near `T_wb` (4, 4): the turn between them in world axes, 1/rad^2, and the pelvis, 1/m^2."""
        turn = rotation_vectors((self.state.T_wb[:3, :3] @ T_wb[:3, :3].T)[None])
        jacobian = inverse_left_jacobians(turn)[0]
        rotation = jacobian.T @ np.diag(np.broadcast_to(np.asarray(rotation_precision, np.float64), (3,)))
        self._prior_hessian[:3, :3] += rotation @ jacobian
        self._prior_gradient[:3] += rotation @ turn[0]
        pelvis = T_wb[:3, :3] @ self._joints_rest[0] + T_wb[:3, 3]
        rows = np.zeros((3, self.parameter_count))
        rows[:, 3:6] = np.eye(3)
        rows[:, self.shape_column :] = (self.state.T_wb[:3, :3] - T_wb[:3, :3]) @ self._joint_basis[0]
        weighted = rows.T * np.broadcast_to(np.asarray(translation_precision, np.float64), (3,))
        self._prior_hessian += weighted @ rows
        self._prior_gradient += weighted @ (self.body.centres[0] - pelvis)

    def normal_equations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """J^T W J (M, M) and J^T W r (M,) of everything added, in the documented parameters."""
        hessian, gradient = self._prior_hessian.copy(), self._prior_gradient.copy()
        owned = np.concatenate([[0], self.active_joints])
        convert_wrenches(
            self._products,
            self._pulls,
            self._owner_parents,
            self.body.centres[owned],
            self._parent_axes[owned],
            hessian,
            gradient,
        )
        return hessian, gradient

    def jacobian(self, points: NDArray, directions: NDArray, barycentric: NDArray | None = None) -> NDArray[np.float64]:
        """d(directions . v) / d(parameters), (N, M)."""
        corners, barycentric = _as_corners(points, barycentric)
        out = np.empty((len(corners), self.parameter_count))
        write_jacobian(self.body, corners, barycentric, np.ascontiguousarray(directions, np.float64), out)
        axes = self._parent_axes[self.active_joints]
        part = slice(ROOT_COUNT, self.shape_column)
        turns = out[:, part].reshape(len(out), len(axes), 3)
        out[:, part] = np.einsum("njb,jba->nja", turns, axes).reshape(len(out), -1)
        return out

    def solve(self, damping: float = 1e-6) -> NDArray[np.float64]:
        """The Gauss-Newton increment (M,). `damping` is relative to each parameter's own curvature (Marquardt)."""
        hessian, gradient = self.normal_equations()
        diagonal = np.diagonal(hessian)
        # A parameter nothing was said about keeps its place.
        floor = 1e-9 * max(float(diagonal.max(initial=0.0)), 1e-12)
        hessian[np.diag_indices_from(hessian)] += damping * diagonal + floor
        return -solved(hessian, gradient[:, None])[:, 0]

    def moved(self, increment: NDArray) -> Articulation:
        """The linearised state after `increment` (M,)."""
        return self.moved_from(self.state, self.body.centres[0], increment)

    def moved_from(self, state: Articulation, pelvis: NDArray, increment: NDArray) -> Articulation:
        """The same from any `state`, whose pelvis lies at `pelvis` (3,) [m] in frame w."""
        joints = self.active_joints
        pose = state.pose.copy()
        pose[joints] = composed_rotations(increment[ROOT_COUNT : self.shape_column].reshape(-1, 3), pose[joints])
        shape = state.shape.copy()
        shape[: self.shape_count] += increment[self.shape_column :]
        turn = rotation_matrices(increment[None, :3])[0]
        T_wb = state.T_wb.copy()
        T_wb[:3, :3] = turn @ state.T_wb[:3, :3]
        T_wb[:3, 3] = turn @ (state.T_wb[:3, 3] - pelvis) + pelvis + increment[3:6]
        return replace(state, shape=shape, pose=pose, T_wb=T_wb)

    def step(self, damping: float = 1e-6) -> Articulation:
        """Solve, and return the state moved by the solution."""
        return self.moved(self.solve(damping))


def _as_corners(points: NDArray, barycentric: NDArray | None) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    if barycentric is not None:
        return np.ascontiguousarray(points, np.int32), np.ascontiguousarray(barycentric, np.float64)
    corners = np.zeros((len(points), 3), np.int32)
    corners[:, 0] = points
    weights = np.zeros((len(points), 3))
    weights[:, 0] = 1.0
    return corners, weights
