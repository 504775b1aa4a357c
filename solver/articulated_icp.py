"""Pose and shape of the body model on an upright surface by articulated ICP.

Many starts (which way it faces, how it holds its arms), then from the best of them matching and Gauss-Newton in turn:
point to plane, in both directions, trimmed (Besl and McKay 1992, Chen and Medioni 1992, Allen et al. 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from solver.alignment import Articulation, BodyAlignment
from solver.body import BodyModel, canonical_pose, joint_transforms, shape_body, skin
from solver.joint_ranges import LIMIT_SPREAD, joint_ranges
from solver.measures.body import topology_of
from solver.normals import NormalField
from solver.surface_points import SurfacePoints

STANCES = np.deg2rad([(12.0, 3.0), (45.0, 6.0), (70.0, 8.0), (90.0, 4.0)])
"""Starting angles of arms and legs from the vertical."""
YAW_COUNT = 12
START_COUNT = 3
START_POINTS = 700
COARSE_POINTS = 1200
FINE_POINTS = 3000
SLIDING_POINTS = 150
NORMAL_LENGTH_M = 0.08
"""Points match when near and facing alike: opposed normals count as this much distance each way."""
SIGMA_M = 0.004
"""How far a true surface may lie from the model when it fits."""
COARSE_GATES_M = (0.25, 0.06)
INNER_PARTS = ("hand_l", "hand_r")
NEAR_M = 0.03


@dataclass(frozen=True, slots=True)
class Fit:
    """The model laid over a surface before its vertices move by themselves."""

    state: Articulation
    near: float
    """Share of the surface within NEAR_M of the model."""
    covered: float
    """Share of the model's vertices within NEAR_M of the surface."""
    rmse_m: float
    """Root mean square distance of the near part."""


class BodyFitter:
    """Fits the model to one surface that stands upright (z up, any heading), metres."""

    def __init__(self, model: BodyModel, surface: SurfacePoints, rng: np.random.Generator):
        self.model = model
        self.surface = surface.subset(4 * FINE_POINTS, rng)
        self.rng = rng
        self.normals = NormalField(model.faces, model.vertex_count)
        self.ranges = joint_ranges(model)
        self.weight = NORMAL_LENGTH_M if surface.outward else 0.0
        self.tree = cKDTree(_features(self.surface.points, self.surface.normals, self.weight))
        self.outer = np.flatnonzero(topology_of(model).skin)
        self.height = float(np.ptp(np.percentile(self.surface.points[:, 2], (0.02, 99.98))))

    def starts(self) -> list[tuple[float, Articulation]]:
        """The most promising of all headings and stances, best first, each with its cost [m]."""
        model = self.model
        shape = shape_for_height(model, self.height)
        rest = shape_body(model, shape)
        points = self.surface.subset(START_POINTS, self.rng)
        chosen = self.rng.choice(self.outer, START_POINTS)
        low = float(np.percentile(self.surface.points[:, 2], 0.02))
        middle = np.append(
            0.5 * (np.percentile(points.points[:, :2], 2, 0) + np.percentile(points.points[:, :2], 98, 0)), 0
        )
        ranked = []
        for arms, legs in STANCES:
            pose = canonical_pose(model, rest.joints, arms, legs)
            body = skin(model, rest.vertices, joint_transforms(model, rest.joints, pose))
            normals = self.normals(body).astype(np.float64)
            tree = cKDTree(_features(body[self.outer], normals[self.outer], self.weight))
            centre = 0.5 * (body.min(0) + body.max(0)) * (1.0, 1.0, 0.0)
            lift = np.array([0.0, 0.0, low - float(body[:, 2].min())])
            for yaw in np.arange(YAW_COUNT) * 2.0 * np.pi / YAW_COUNT:
                turn = _turn_about_z(yaw)
                T_wb = np.eye(4)
                T_wb[:3, :3] = turn
                T_wb[:3, 3] = middle - turn @ centre + lift
                there = _features(body[chosen] @ turn.T + T_wb[:3, 3], normals[chosen] @ turn.T, self.weight)
                back = _features((points.points - T_wb[:3, 3]) @ turn, points.normals @ turn, self.weight)
                far = [self.tree.query(there)[0], tree.query(back)[0]]
                cost = sum(float(np.mean(np.minimum(distance, 0.3))) for distance in far)
                ranked.append((cost, Articulation(shape, pose, T_wb)))
        return sorted(ranked, key=lambda entry: entry[0])[:START_COUNT]

    def fit(self, starts: list[Articulation]) -> Fit:
        """The best of what `starts` lead to."""
        coarse = [self.refine(start, shape_count=12, point_count=COARSE_POINTS, rounds=12) for start in starts]
        best = min(coarse, key=self.cost)
        whole = self.model.shape_count
        return self.judge(self.refine(best, whole, FINE_POINTS, rounds=14, gates=(0.1, 0.03)))

    def refine(
        self,
        state: Articulation,
        shape_count: int,
        point_count: int,
        rounds: int,
        gates: tuple[float, float] = COARSE_GATES_M,
    ) -> Articulation:
        """Articulated ICP: `rounds` of matching and Gauss-Newton while the gate closes from gates[0] to gates[1]."""
        model = self.model
        alignment = BodyAlignment(model, shape_count=shape_count)
        movable = self.outer[~np.isin(model.part_labels[self.outer], [model.part(name) for name in INNER_PARTS])]
        prior = state.pose
        for gate in np.geomspace(*gates, rounds):
            alignment.linearise(state)
            vertices = alignment.vertices
            normals = self.normals(vertices).astype(np.float64)
            points = self.surface.subset(point_count, self.rng)
            tree = cKDTree(_features(vertices[self.outer], normals[self.outer], self.weight))
            distance, nearest = tree.query(_features(points.points, points.normals, self.weight))
            self._pull(alignment, self.outer[nearest], points.points, points.normals, distance, gate)
            chosen = movable if len(movable) <= point_count else self.rng.choice(movable, point_count, replace=False)
            distance, nearest = self.tree.query(_features(vertices[chosen], normals[chosen], self.weight))
            targets, facing = self.surface.points[nearest], self.surface.normals[nearest]
            self._pull(alignment, chosen, targets, facing, distance, gate)
            alignment.add_pose_prior(prior, 0.2 * self.ranges.precision)
            alignment.add_joint_limits(self.ranges.lower, self.ranges.upper, 1.0 / LIMIT_SPREAD**2, self.ranges.axes)
            alignment.add_shape_prior(0.0, 1.0)
            state = alignment.step(damping=1e-4)
        return state

    def _pull(
        self,
        alignment: BodyAlignment,
        vertices: NDArray,
        targets: NDArray,
        normals: NDArray,
        distance: NDArray,
        gate: float,
    ) -> None:
        """Rows of matched points, weighted by how well they match (Geman and McClure at a third of the gate)."""
        trust = 1.0 / np.square(1.0 + np.square(3.0 * distance / gate))
        trust[distance > gate] = 0.0
        # Neighbouring rows repeat each other: together they weigh as much as a few hundred independent ones.
        weight = trust * min(1.0, 800.0 / max(len(vertices), 1)) / np.square(max(SIGMA_M, gate / 8.0))
        alignment.add_point_to_plane(vertices, targets, normals, weight)
        # A little point to point keeps limbs from sliding along themselves out of the surface.
        few = self.rng.choice(len(vertices), min(SLIDING_POINTS, len(vertices)), replace=False)
        alignment.add_point_to_point(vertices[few], targets[few], 0.05 * len(vertices) / len(few) * weight[few])

    def distances(self, state: Articulation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the surface's points from the model and of the model's vertices from the surface [m]."""
        vertices = state.vertices(self.model)
        normals = self.normals(vertices).astype(np.float64)
        tree = cKDTree(_features(vertices[self.outer], normals[self.outer], 0.25 * self.weight))
        points = self.surface.subset(FINE_POINTS, np.random.default_rng(0))
        there = tree.query(_features(points.points, points.normals, 0.25 * self.weight))[0]
        tree = cKDTree(_features(self.surface.points, self.surface.normals, 0.25 * self.weight))
        back = tree.query(_features(vertices[self.outer], normals[self.outer], 0.25 * self.weight))[0]
        return there, back

    def cost(self, state: Articulation) -> float:
        """Robust two-way distance [m]."""
        there, back = self.distances(state)
        return float(np.mean(np.minimum(there, 0.1)) + np.mean(np.minimum(back, 0.1)))

    def judge(self, state: Articulation) -> Fit:
        """How human the surface is."""
        there, back = self.distances(state)
        near = there < NEAR_M
        rmse = float(np.sqrt(np.mean(np.square(there[near])))) if near.any() else np.inf
        return Fit(state, float(near.mean()), float((back < NEAR_M).mean()), rmse)


def shape_for_height(model: BodyModel, height_m: float) -> NDArray[np.float64]:
    """The likeliest shape (K,) of a person `height_m` tall, not more than 3 standard deviations from the mean."""
    crown, sole = model.landmarks["crown"], int(np.argmin(model.template[:, 2]))
    mean = float(model.template[crown, 2] - model.template[sole, 2])
    gain = (model.shape_basis[:, crown, 2] - model.shape_basis[:, sole, 2]).astype(np.float64)
    shape = gain * (height_m - mean) / (gain @ gain)
    return shape * min(1.0, 3.0 / max(float(np.linalg.norm(shape)), 1e-12))


def _features(points: NDArray, normals: NDArray, weight: float) -> NDArray[np.float64]:
    points = np.asarray(points, np.float64)
    return points if weight == 0.0 else np.concatenate([points, weight * np.asarray(normals, np.float64)], 1)


def _turn_about_z(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
