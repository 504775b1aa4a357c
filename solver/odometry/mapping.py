"""A camera's whole way through a static scene: followed, lost and found again, loops closed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from solver.odometry import se3
from solver.odometry.alignment import Alignment
from solver.odometry.keyframe import Keyframe, keep
from solver.odometry.loops import LoopFinder, edge_information
from solver.odometry.places import Features, PlaceFeatures, agree_on_motion, with_depth
from solver.odometry.pose_graph import REFUSED, Edge, optimise
from solver.odometry.tracking import AGAIN, RigidTracker, SurfaceModel
from solver.types import DepthNoise, Frame, Intrinsics

LEAST_DEPTH = 0.05
"""Share of a picture with depth below which nothing can be told."""
WEAK_FRAMES = 10
"""So many frames in a row may leave the motion partly unseen before tracking counts as lost."""
KEYFRAME_TURN = np.deg2rad(10.0)
KEYFRAME_SHIFT = 0.12
"""Of the scene's median depth."""
KEYFRAME_OVERLAP = 0.6
KEYFRAME_COLOR = 0.7
"""Grey values that agree less than this with the keyframe's have changed with the view or the exposure."""
MOVED_M, MOVED_RAD = 0.004, np.deg2rad(0.15)
"""Corrections below this leave the model as it is."""
STEADY_S = 0.2
"""Motion is expected to go on over a gap of this long; over a longer one nothing is expected."""


class Status(Enum):
    """What became of a frame."""

    TRACKED = "tracked"
    WEAK = "too little shape in view"
    LOST = "lost"
    FOUND = "found again"


@dataclass(frozen=True, slots=True)
class Step:
    """One frame's outcome."""

    sequence: int
    status: Status
    T_wc: NDArray[np.float64] | None
    """(4, 4), None while lost."""
    reason: str
    """Why a frame is weak or lost, empty otherwise."""


@dataclass(frozen=True, slots=True)
class Closure:
    """A place seen again."""

    first: int
    second: int
    """Sequence numbers of the two frames."""
    gap_m: float
    """How far apart tracking alone had put what is one place."""
    gap_rad: float
    path_m: float
    """Way between the two frames [m]."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A frame's pose, told relative to its keyframe, with which it moves."""

    sequence: int
    keyframe: int
    T_kc: NDArray[np.float64]


class RigidMapper:
    """Takes frames one after the other. Fusion of what they show goes into `model`, which tracking needs."""

    def __init__(
        self,
        intrinsics: Intrinsics,
        noise: DepthNoise,
        model: SurfaceModel,
        detect: Callable[[NDArray[np.float32]], Features] | None,
        *,
        T_wc: NDArray | None = None,
        seed: int = 0,
    ) -> None:
        """`detect` finds corners in a grey picture (None: depth alone); `T_wc` (4, 4): where the first frame is."""
        self._intrinsics = intrinsics
        self._detect = detect
        self._model = model
        self._rng = np.random.default_rng(seed)
        self._tracker = RigidTracker(intrinsics, noise, detect is not None)
        self._loops = LoopFinder(intrinsics, noise, detect is not None, self._rng)
        self._T_wl = np.eye(4) if T_wc is None else np.array(T_wc, np.float64)
        self._twist = np.zeros(6)
        """Per second, frame of the last camera."""
        self._last_at: float | None = None
        self._lost = True
        self._weak = 0
        self._places: list[_Place] = []
        self._edges: list[Edge] = []
        self._way = [0.0]
        """Length of the way to each keyframe [m]."""
        self.keyframes: list[Keyframe] = []
        self.closures: list[Closure] = []
        self.corrections = 0
        """How often closures moved the map."""

    @property
    def lost(self) -> bool:
        """Whether the camera's place is unknown."""
        return self._lost

    def step(self, frame: Frame) -> Step:
        """Finds where `frame` was taken and adds what it shows to the model."""
        depth = frame.depth
        if depth is None or np.count_nonzero(depth) < LEAST_DEPTH * depth.size:
            self._lost = bool(self.keyframes) or self._lost
            self._last_at = None
            return Step(frame.sequence, Status.LOST, None, "there is almost no depth in the picture")
        self._tracker.current.load(depth, frame.color)
        if not self.keyframes:
            return self._begin(frame, depth)
        return self._find_again(frame, depth) if self._lost else self._follow(frame, depth)

    def poses(self) -> dict[int, NDArray[np.float64]]:
        """`T_wc` of every frame that was placed, by sequence number, after all corrections.

        What closures changed between two keyframes is spread over the frames between them: none of them steps.
        """
        bends = {
            edge.first: (edge, se3.log(self._between(edge) @ se3.inverse(edge.T_fs)))
            for edge in self._edges
            if not edge.closure and edge.second == edge.first + 1
        }
        found = {}
        for place in self._places:
            keyframe, moved = self.keyframes[place.keyframe], place.T_kc
            if place.keyframe in bends:
                edge, bend = bends[place.keyframe]
                span = self.keyframes[edge.second].sequence - keyframe.sequence
                moved = se3.exp(bend * (place.sequence - keyframe.sequence) / span) @ moved
            found[place.sequence] = se3.orthonormal(keyframe.T_wc @ moved)
        return found

    def _between(self, edge: Edge) -> NDArray[np.float64]:
        """An edge's motion as the keyframes have it now."""
        motion: NDArray[np.float64] = se3.inverse(self.keyframes[edge.first].T_wc) @ self.keyframes[edge.second].T_wc
        return motion

    def _begin(self, frame: Frame, depth: NDArray[np.float32]) -> Step:
        self._model.integrate(depth, self._intrinsics, self._T_wl)
        self._add_keyframe(frame, None)
        self._settle(frame, self._T_wl)
        return Step(frame.sequence, Status.TRACKED, self._T_wl.copy(), "")

    def _follow(self, frame: Frame, depth: NDArray[np.float32]) -> Step:
        tracker = self._tracker
        ahead = 0.0 if self._last_at is None else frame.captured_at - self._last_at
        expected = self._T_wl @ se3.exp(self._twist * ahead) if 0.0 < ahead <= STEADY_S else self._T_wl
        T_wc, found, objection = tracker.follow(self._model, [expected, self._T_wl], self._T_wl)
        jumped = False
        if (objection or tracker.doubtful(found)) and (
            start := self._start_from_features(self.keyframes[-1:])
        ) is not None:
            again = tracker.follow(self._model, [start], self._T_wl)
            if (not again[2], again[1].agreement) > (not objection, found.agreement):
                T_wc, found, objection = again
                jumped = True
        if objection:
            self._lost = True
            return Step(frame.sequence, Status.LOST, None, objection)
        if len(found.unseen):
            self._weak += 1
            reason = "too flat and plain a view to tell how the camera moved: show it more than one surface"
            if self._weak > WEAK_FRAMES:
                self._lost = True
                return Step(frame.sequence, Status.LOST, None, reason)
            # Where the camera is remains a guess: nothing is fused, and the guess is not taken for its speed.
            self._T_wl, self._last_at = T_wc, frame.captured_at
            return Step(frame.sequence, Status.WEAK, T_wc.copy(), reason)
        self._weak = 0
        if jumped or not 0.0 < ahead <= STEADY_S:
            # What no steady motion led to is no speed to go on with.
            self._twist = np.zeros(6)
        else:
            self._twist = se3.log(se3.inverse(self._T_wl) @ T_wc) / ahead
        self._accept(frame, depth, T_wc, found)
        return Step(frame.sequence, Status.TRACKED, self._T_wl.copy(), "")

    def _find_again(self, frame: Frame, depth: NDArray[np.float32]) -> Step:
        """Knows a keyframe's place again, by features or by being about where one was."""
        tracker = self._tracker
        for number in self._alike():
            keyframe = self.keyframes[number]
            starts = [keyframe.T_wc]
            if (start := self._start_from_features([keyframe])) is not None:
                starts.insert(0, start)
            keyframe.load_into(tracker.keyframe)
            tracker.T_wk = keyframe.T_wc
            T_wc, found, objection = tracker.follow(self._model, starts, keyframe.T_wc, AGAIN)
            if not objection and not len(found.unseen):
                self._lost, self._weak, self._twist = False, 0, np.zeros(6)
                self._last_at = None
                self._accept(frame, depth, T_wc, found, keyframe)
                return Step(frame.sequence, Status.FOUND, self._T_wl.copy(), "")
        return Step(frame.sequence, Status.LOST, None, "the place is not known again yet")

    def _alike(self) -> list[int]:
        """Numbers of keyframes to try when lost: the last, and those that look alike."""
        tried = [len(self.keyframes) - 1]
        tried += [int(k) for k in self._loops.rank(self._features(), len(self.keyframes))[:3]]
        return list(dict.fromkeys(tried))

    def _start_from_features(self, keyframes: list[Keyframe]) -> NDArray[np.float64] | None:
        features = self._features()
        for keyframe in keyframes:
            agreed = agree_on_motion(features, keyframe.features, self._rng)
            if agreed is not None:
                return keyframe.T_wc @ agreed[0]
        return None

    def _features(self) -> PlaceFeatures:
        if self._detect is None:
            return PlaceFeatures(np.zeros((0, 3)), np.zeros((0, 4), np.uint64))
        finest = self._tracker.current.levels[0]
        return with_depth(self._detect(finest.intensity), finest.depth, self._intrinsics)

    def _accept(
        self,
        frame: Frame,
        depth: NDArray[np.float32],
        T_wc: NDArray[np.float64],
        found: Alignment,
        anchor: Keyframe | None = None,
    ) -> None:
        self._tracker.remember(found)
        self._model.integrate(depth, self._intrinsics, T_wc)
        self._T_wl = T_wc
        anchor = anchor or self.keyframes[-1]
        moved = se3.inverse(anchor.T_wc) @ T_wc
        middle = float(np.median(depth[::8, ::8][depth[::8, ::8] > 0.0]))
        if (
            anchor is not self.keyframes[-1]
            or se3.angle(moved) > KEYFRAME_TURN
            or se3.distance(moved) > KEYFRAME_SHIFT * middle
            or found.overlap < KEYFRAME_OVERLAP
            or found.color_agreement < KEYFRAME_COLOR
        ):
            self._add_keyframe(
                frame, Edge(anchor.number, len(self.keyframes), moved, edge_information(found.information))
            )
            self._close_loops()
        self._settle(frame, self._T_wl)

    def _settle(self, frame: Frame, T_wc: NDArray[np.float64]) -> None:
        last = self.keyframes[-1]
        self._places.append(_Place(frame.sequence, last.number, se3.inverse(last.T_wc) @ T_wc))
        self._last_at = frame.captured_at

    def _add_keyframe(self, frame: Frame, edge: Edge | None) -> None:
        features = self._features()
        keyframe = keep(len(self.keyframes), frame.sequence, self._T_wl, self._tracker.current, features)
        if edge is not None:
            self._edges.append(edge)
            self._way.append(self._way[-1] + se3.distance(edge.T_fs))
        self.keyframes.append(keyframe)
        self._loops.add(keyframe)
        self._tracker.keyframe.copy_from(self._tracker.current)
        self._tracker.T_wk = keyframe.T_wc
        self._lost = False

    def _close_loops(self) -> None:
        """Measures where the newest keyframe sees old places; if the map has drifted, adjusts and rebuilds it."""
        newest = self.keyframes[-1]
        found = self._loops.close(newest, self.keyframes, self._tracker.aligner.gray_variance)
        if not found:
            return
        before = np.array([keyframe.T_wc for keyframe in self.keyframes])
        graph = optimise(before, [*self._edges, *found])
        shares = graph.shares[len(self._edges) :]
        believed = [edge for edge, share in zip(found, shares, strict=True) if share > REFUSED]
        for edge in believed:
            tracked = se3.inverse(before[edge.first]) @ before[edge.second]
            gap = se3.inverse(edge.T_fs) @ tracked
            self.closures.append(
                Closure(
                    self.keyframes[edge.first].sequence,
                    newest.sequence,
                    se3.distance(gap),
                    se3.angle(gap),
                    self._way[edge.second] - self._way[edge.first],
                )
            )
        self._edges += believed
        moved = se3.log(se3.inverse(before) @ graph.poses)
        if not believed or (np.abs(moved[:, 3:]).max() < MOVED_M and np.abs(moved[:, :3]).max() < MOVED_RAD):
            return
        self.corrections += 1
        self._model.clear()
        for keyframe, pose in zip(self.keyframes, graph.poses, strict=True):
            keyframe.T_wc = pose
            self._model.integrate(keyframe.metres(), self._intrinsics, pose)
        self._tracker.T_wk = newest.T_wc
        self._T_wl = newest.T_wc.copy()
