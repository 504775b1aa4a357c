"""Motions between keyframes that see one place at different times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.odometry import se3
from solver.odometry.alignment import Alignment, AlignmentSettings, RigidAligner
from solver.odometry.keyframe import Keyframe
from solver.odometry.places import PlaceFeatures, PlaceIndex, agree_on_motion
from solver.odometry.pose_graph import Edge
from solver.odometry.pyramid import Pyramid
from solver.odometry.tracking import AGAIN
from solver.types import DepthNoise, Intrinsics

RECENT = 6
"""A keyframe's own neighbours are no closure."""
CANDIDATES = 3
FLOOR = np.repeat([np.deg2rad(0.15), 0.003], 3)
"""What a measured motion is never better than, whatever its pixels claim: lasting errors of the camera [rad, m]."""


def edge_information(information: NDArray) -> NDArray[np.float64]:
    """Information (6, 6) of an edge: what the alignment claims, and `FLOOR`."""
    # Directions that no pixel holds would be infinitely uncertain: a metre is enough.
    covariance = np.linalg.inv(information + np.eye(6))
    out: NDArray[np.float64] = np.linalg.inv(covariance + np.diag(FLOOR**2)).astype(np.float64)
    return out


class LoopFinder:
    """Knows keyframes again by their features and measures the motion between them by depth and grey values."""

    def __init__(self, intrinsics: Intrinsics, noise: DepthNoise, has_color: bool, rng: np.random.Generator) -> None:
        self._index = PlaceIndex()
        self._rng = rng
        self._first = Pyramid(intrinsics, noise, has_color)
        self._second = Pyramid(intrinsics, noise, has_color)
        self._aligner = RigidAligner(noise, intrinsics.height, AlignmentSettings(reference_share=1.0))

    def add(self, keyframe: Keyframe) -> None:
        """Enters a keyframe."""
        self._index.add(keyframe.features)

    def rank(self, features: PlaceFeatures, before: int) -> NDArray[np.int64]:
        """Numbers of the keyframes before `before`, most alike first."""
        return self._index.rank(features, before)

    def candidates(self, keyframe: Keyframe, keyframes: list[Keyframe], before: int) -> list[Keyframe]:
        """The keyframes before number `before` most likely to show the same place."""
        alike = [int(k) for k in self._index.rank(keyframe.features, before)[:CANDIDATES]]
        near = [
            (se3.distance(motion) + se3.angle(motion), other.number)
            for other in keyframes[:before]
            if se3.angle(motion := se3.inverse(other.T_wc) @ keyframe.T_wc) < 0.5 and se3.distance(motion) < 0.5
        ]
        alike += [number for _, number in sorted(near)[:2]]
        return [keyframes[number] for number in dict.fromkeys(alike)]

    def close(self, keyframe: Keyframe, keyframes: list[Keyframe], gray_variance: float = 1.0) -> list[Edge]:
        """Edges from old keyframes to `keyframe`, entered last, that both features and depth speak for.

        `gray_variance`: of `RigidAligner`, as tracking has found it.
        """
        self._aligner.gray_variance = gray_variance
        before = max(0, keyframe.number - RECENT)
        edges = []
        if not before:
            return edges
        keyframe.load_into(self._second)
        for other in self.candidates(keyframe, keyframes, before):
            agreed = agree_on_motion(keyframe.features, other.features, self._rng)
            starts = [agreed[0]] if agreed is not None else []
            # Where there is nothing to know a place by, the pose tracked so far is a start, if it is near.
            expected = se3.inverse(other.T_wc) @ keyframe.T_wc
            if not starts and se3.angle(expected) < 0.35 and se3.distance(expected) < 0.3:
                starts = [expected]
            for start in starts:
                found = self.measure(other, start)
                if found is not None:
                    edges.append(Edge(other.number, keyframe.number, found.T_rc, self._own_frame(found), closure=True))
                    break
        return edges

    def measure(self, other: Keyframe, start: NDArray) -> Alignment | None:
        """The motion of the keyframe loaded last relative to `other`, from `start` (4, 4), if it can be believed."""
        other.load_into(self._first)
        gray = self._first if self._first.has_color else None
        found = self._aligner.align(self._second, self._first, start, gray_reference=gray, T_gr=np.eye(4), hold=False)
        moved = se3.inverse(start) @ found.T_rc
        if AGAIN.objection(found, moved) or len(found.unseen) or se3.distance(moved) > 0.2 or se3.angle(moved) > 0.2:
            return None
        return found

    @staticmethod
    def _own_frame(found: Alignment) -> NDArray[np.float64]:
        turned = se3.adjoint(found.T_rc)
        return edge_information(turned.T @ found.information @ turned)
