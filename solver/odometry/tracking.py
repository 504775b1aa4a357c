"""Following a camera through a static scene: each frame against the model's prediction, and a gate on the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solver.odometry import se3
from solver.odometry.alignment import Alignment, AlignmentSettings, RigidAligner
from solver.odometry.pyramid import Pyramid
from solver.types import DepthNoise, Intrinsics

MODEL_LEVEL = 1
"""Of the pyramid: the model is ray-cast at half the picture's size."""
BEYOND_DOUBT = 0.95
"""Agreement, as a share of the usual, above which no other start is tried."""
LEAST_AGREEMENT = 0.6
"""Whatever is usual."""
MEMORY = 0.05
"""Share of each frame in what is usual."""
MOST_GRAY_VARIANCE = 100.0
"""Grey values never count less than by this factor: where depth is flat they are all there is."""


class PredictedView(Protocol):
    """What a camera would see of the model."""

    @property
    def depth(self) -> NDArray[np.float32]:
        """[m], (H, W), 0.0 where no surface is."""
        ...

    @property
    def normals(self) -> NDArray[np.float32]:
        """Towards the camera, frame c, (H, W, 3), 0 where no surface is."""
        ...


class SurfaceModel(Protocol):
    """What frames are put into and predicted from; `solver.volume.RigidVolume` is one."""

    def clear(self) -> None:
        """Forget everything."""
        ...

    def integrate(
        self,
        depth: NDArray[np.float32],
        intrinsics: Intrinsics,
        T_wc: NDArray[np.float64],
        color: NDArray[np.uint8] | None = None,
    ) -> None:
        """Take in depth [m] (H, W) seen from `T_wc` (4, 4)."""
        ...

    def raycast(self, intrinsics: Intrinsics, T_wc: NDArray[np.float64]) -> PredictedView:
        """What a camera at `T_wc` (4, 4) would see; overwritten by the next call."""
        ...


@dataclass(frozen=True, slots=True)
class Gate:
    """When a motion is believed."""

    overlap: float = 0.25
    """Least share of the frame's depth that the reference has a counterpart for."""
    agreement: float = 0.87
    """Least share of those that lie within their noise, as a share of what is usual: a camera's lasting errors leave
    true motions at 0.97 in one room and 0.85 in another, and wrong ones, which slide along planes, well below that."""
    color_agreement: float = 0.35
    turn: float = 0.6
    """Most that the camera can have turned since the last frame [rad]."""
    shift_m: float = 0.5

    def objection(self, alignment: Alignment, T_lc: NDArray | None, usual: float = 0.95) -> str:
        """Why not to believe an alignment, empty if nothing speaks against it; T_lc (4, 4): motion since last frame."""
        agreement = max(LEAST_AGREEMENT, self.agreement * usual)
        if alignment.overlap < self.overlap:
            return "too little of what is in view was seen before"
        if alignment.agreement < agreement or alignment.color_agreement < self.color_agreement:
            return "what is in view does not fit what was seen before"
        if T_lc is not None and (se3.angle(T_lc) > self.turn or se3.distance(T_lc) > self.shift_m):
            return "the camera moved too fast"
        return ""


AGAIN = Gate(overlap=0.4, agreement=0.9, color_agreement=0.4)
"""For places known again: nothing but the pictures speaks for them."""


class RigidTracker:
    """Where the camera is, frame by frame. Knows one model and one keyframe; its buffers are used again."""

    def __init__(
        self, intrinsics: Intrinsics, noise: DepthNoise, has_color: bool, settings: AlignmentSettings | None = None
    ) -> None:
        self.current = Pyramid(intrinsics, noise, has_color)
        self.keyframe = Pyramid(intrinsics, noise, has_color)
        self._prediction = Pyramid(intrinsics, noise, False)
        self.aligner = RigidAligner(noise, intrinsics.height, settings)
        self.gate = Gate()
        self.T_wk = np.eye(4)
        """Where the keyframe was taken."""
        self.usual = 0.95
        """Agreement of the frames believed so far."""
        self._compared = 0
        """Frames whose grey values and depth could be held against each other."""

    def follow(
        self, model: SurfaceModel, starts: list[NDArray], T_wl: NDArray, gate: Gate | None = None
    ) -> tuple[NDArray[np.float64], Alignment, str]:
        """Pose of the current frame: from the first of `starts` (each `T_wc`) that leads to one beyond doubt, else the
        one that fits best.

        T_wl: the last frame's pose. Returns pose, alignment and the objection to the best one, empty if none.
        """
        gate = gate or self.gate
        best: tuple[NDArray[np.float64], Alignment, str] | None = None
        for start in starts:
            found = self.against_model(model, start)
            T_wc = start @ found.T_rc
            objection = gate.objection(found, se3.inverse(T_wl) @ T_wc, self.usual)
            if best is None or (not objection, found.agreement) > (not best[2], best[1].agreement):
                best = (T_wc, found, objection)
            if not objection and not self.doubtful(found):
                break
        assert best is not None
        return best

    def doubtful(self, found: Alignment) -> bool:
        """Whether another start is worth trying."""
        return found.agreement < BEYOND_DOUBT * self.usual

    def remember(self, found: Alignment) -> None:
        """Takes a believed alignment into what is usual."""
        self.usual += MEMORY * (found.agreement - self.usual)
        if found.contradiction is not None:
            self._compared += 1
            factor = self.aligner.gray_variance
            learnt = factor + max(MEMORY, 1.0 / (self._compared + 1)) * (found.contradiction - 1.0) * factor
            self.aligner.gray_variance = float(np.clip(learnt, 1.0, MOST_GRAY_VARIANCE))

    def against_model(self, model: SurfaceModel, T_wp: NDArray) -> Alignment:
        """The current frame against the model as seen from `T_wp`, and grey values against the keyframe's."""
        view = model.raycast(self.current.intrinsics[MODEL_LEVEL], T_wp)
        self._prediction.load_prediction(view.depth, view.normals, MODEL_LEVEL)
        T_kp = se3.inverse(self.T_wk) @ T_wp
        # A keyframe seen from far aside shows other surfaces, and its grey values others' light.
        gray = self.current.has_color and se3.angle(T_kp) < 0.7
        return self.aligner.align(
            self.current, self._prediction, np.eye(4), gray_reference=self.keyframe if gray else None, T_gr=T_kp
        )
