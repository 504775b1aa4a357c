"""The few frames of a turn that the reconstruction is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation
from solver.body import BodyModel, canonical_pose, rotation_matrices
from solver.types import BodyState, Observation

WITHOUT_OUTLINE = 0.5
"""How much a frame is worth in which only depth tells the person from the room."""


@dataclass(frozen=True, slots=True)
class Keyframe:
    """What was seen at one moment, the camera that saw it, and the body as tracked."""

    observation: Observation
    """Its frame has depth."""
    T_wc: NDArray[np.float64]
    """Camera to world, shape (4, 4)."""
    state: BodyState


def facing_angle(state: Articulation | BodyState) -> float:
    """Where the body faces [rad], counter-clockwise from above, 0 towards -y of the world."""
    return float(np.arctan2(state.T_wb[1, 0], state.T_wb[0, 0]))


def widest_gap(states: Sequence[Articulation | BodyState]) -> tuple[float, float]:
    """The largest part of the circle in which none of `states` faces: where its middle is and how wide it is [rad]."""
    angles = np.sort([facing_angle(state) for state in states])
    if len(angles) == 0:
        return 0.0, 2.0 * np.pi
    gaps = np.diff(angles, append=angles[0] + 2.0 * np.pi)
    n = int(np.argmax(gaps))
    middle = float(angles[n] + 0.5 * gaps[n])
    return float(np.angle(np.exp(1j * middle))), float(gaps[n])


class KeyframeSelector:
    """Keeps the best frame of every sector of the turn: memory does not grow with the length of the scan.

    The best is the one that the tracker was surest of, that moved least, and whose pose is near the A-pose, in which
    the trunk is in full view.
    """

    def __init__(self, model: BodyModel, sectors: int = 36, least_confidence: float = 0.5) -> None:
        """`sectors` equal parts of the full turn; frames below `least_confidence` are never taken."""
        self._model = model
        self._least_confidence = least_confidence
        self._best: list[Keyframe | None] = [None] * sectors
        self._merit = np.zeros(sectors)
        self._last: BodyState | None = None

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """Those kept, by sector."""
        return tuple(keyframe for keyframe in self._best if keyframe is not None)

    @property
    def turn_seen(self) -> float:
        """Share of the full turn that has a frame, 0 to 1."""
        return sum(keyframe is not None for keyframe in self._best) / len(self._best)

    def offer(self, observation: Observation, T_wc: NDArray, state: BodyState) -> bool:
        """Consider a tracked frame; True where it was kept."""
        last, self._last = self._last, state
        if observation.frame.depth is None or state.confidence < self._least_confidence:
            return False
        merit = state.confidence * self._stillness(last, state) * self._likeness(state)
        if observation.mask is None:
            merit *= WITHOUT_OUTLINE
        sector = int(np.floor(facing_angle(state) / (2.0 * np.pi) * len(self._best))) % len(self._best)
        if merit <= self._merit[sector]:
            return False
        self._best[sector] = Keyframe(observation, np.asarray(T_wc, np.float64), state)
        self._merit[sector] = merit
        return True

    def _stillness(self, last: BodyState | None, state: BodyState) -> float:
        """1 at rest, 1/2 where the surface moves by 0.5 m/s: what moves is blurred and its depth late."""
        if last is None or state.captured_at <= last.captured_at:
            return 0.5
        step = state.vertices[::37] - last.vertices[::37]
        speed = np.sqrt(np.square(step).sum(1).mean()) / (state.captured_at - last.captured_at)
        return float(1.0 / (1.0 + np.square(speed / 0.5)))

    def _likeness(self, state: BodyState) -> float:
        """1 in the canonical pose, 1/2 at 30 degrees from it on average over the limbs' joints."""
        wanted = rotation_matrices(canonical_pose(self._model, self._model.joint_template))
        turned = rotation_matrices(state.pose)
        cosine = (np.einsum("jab,jab->j", wanted, turned) - 1.0) / 2.0
        limbs = [
            j
            for j, name in enumerate(self._model.joint_names)
            if name.startswith(("upperarm", "lowerarm", "thigh", "calf"))
        ]
        angle = np.arccos(np.clip(cosine[limbs], -1.0, 1.0)).mean()
        return float(1.0 / (1.0 + np.square(angle / np.deg2rad(30.0))))
