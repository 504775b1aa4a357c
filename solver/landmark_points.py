"""Which points of the body model MediaPipe's pose landmarks are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.types import Landmarks

# Landmark of the wearer's left (or of the middle): name in the model (a joint, else a landmark vertex), spread [m] of
# the one about the other. MediaPipe numbers left and right odd and even, but for the eyes.
LEFT = {
    2: ("eye", 0.025),
    7: ("ear", 0.03),
    11: ("upperarm", 0.035),
    13: ("lowerarm", 0.03),
    15: ("hand", 0.03),
    17: ("pinky_knuckle", 0.05),
    19: ("index_knuckle", 0.05),
    23: ("thigh", 0.045),
    25: ("calf", 0.035),
    27: ("foot", 0.03),
    29: ("heel", 0.04),
    31: ("toe", 0.045),
}
RIGHT_OF = {2: 5} | {i: i + 1 for i in (7, 11, 13, 15, 17, 19, 23, 25, 27, 29, 31)}
MIDDLE = {0: ("nose_tip", 0.025)}
GROUPS = (range(11), range(11, 23), range(23, 33))
"""Face, arms, legs: MediaPipe swaps left and right in each of them by itself."""


@dataclass(frozen=True, slots=True)
class LandmarkPoints:
    """L landmarks and their points on the model."""

    indices: NDArray[np.int32]
    """MediaPipe's numbers, (L,)."""
    mirrored: NDArray[np.int32]
    """MediaPipe's number of the same landmark on the other side, (L,)."""
    points: NDArray[np.int32]
    """Points as `BodyAlignment` takes them, (L,)."""
    spread: NDArray[np.float64]
    """[m], (L,)."""
    group: NDArray[np.int32]
    """Index into `GROUPS`, (L,)."""


def landmark_points(model: BodyModel) -> LandmarkPoints:
    """The landmarks that `model` has points for."""
    rows = []
    for index, (name, spread) in MIDDLE.items():
        rows.append((index, index, name, spread))
    for index, (name, spread) in LEFT.items():
        other = RIGHT_OF[index]
        rows.append((index, other, f"{name}_l", spread))
        rows.append((other, index, f"{name}_r", spread))
    found = []
    for index, other, name, spread in rows:
        if name in model.joint_names:
            point = model.vertex_count + model.joint(name)
        elif name in model.landmarks:
            point = model.landmarks[name]
        else:
            continue
        group = next(g for g, members in enumerate(GROUPS) if index in members)
        found.append((index, other, point, spread, group))
    indices, mirrored, points, spreads, groups = zip(*found, strict=True)
    return LandmarkPoints(
        np.array(indices, np.int32),
        np.array(mirrored, np.int32),
        np.array(points, np.int32),
        np.array(spreads),
        np.array(groups, np.int32),
    )


def sort_sides(
    points: LandmarkPoints, seen: Landmarks, predicted: NDArray, sigma_px: NDArray, margin: float = 1.3
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Landmarks with left and right as the model's prediction says, whatever MediaPipe thought.

    `predicted` (L, 2) [px] are the model's own points, `sigma_px` (L,). Each group is tried as it is and swapped; a
    swap must fit better by the factor `margin` in robust cost. Returns pixels (L, 2), visibilities (L,) and whether
    each group was swapped (3,).
    """
    straight, mirrored = seen.image[points.indices], seen.image[points.mirrored]
    pixels = straight.astype(np.float64)
    visibility = seen.visibility[points.indices].astype(np.float64)
    swapped = np.zeros(len(GROUPS), bool)
    for group in range(len(GROUPS)):
        members = points.group == group
        sigma = sigma_px[members]
        weights = np.minimum(visibility[members], seen.visibility[points.mirrored[members]]) + 1e-3
        costs = []
        for candidate in (straight, mirrored):
            off = np.square((candidate[members] - predicted[members]) / sigma[:, None]).sum(1)
            costs.append(np.sum(weights * off / (1.0 + off / 9.0)))
        if costs[1] * margin < costs[0]:
            swapped[group] = True
            pixels[members] = mirrored[members]
            visibility[members] = seen.visibility[points.mirrored[members]]
    return pixels, visibility, swapped
