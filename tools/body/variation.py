"""How bodies may differ that no sample shows: every segment of the skeleton longer, thicker or set off, by a little.

A sample knows only the ways in which its source lets bodies differ. Its covariance is therefore widened by a generic
one, as in Gaussian process morphable models (Luethi et al. 2018): each segment is strained on its own, what hangs on it
moves along, and the strains blend over the skin by the skin weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.body.basis import MIRROR
from tools.body.sample import ASYMMETRY
from tools.body.source import Source

LENGTH_SPREAD = 0.03
"""Standard deviation of a segment's length, relative."""
GIRTH_SPREAD = 0.04
"""Of its width and of its depth."""
SIDEWAYS_SPREAD = 0.014
"""Of how far its end lies to the side and to the front, relative to its length."""
UPRIGHT = ("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head")
"""Segments whose length runs up, whatever way their joints lie."""
FEET = ("foot", "ball")
"""Segments whose length runs level and whose end is not set off upwards."""
LEVEL_TOLERANCE = 0.0005
"""How far a displacement of one standard deviation may lift or sink a part of the soles [m]: both feet stand."""
UP, FORWARD = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Variation:
    """Independent displacements, one standard deviation each; all are symmetric or antisymmetric."""

    vertices: NDArray[np.float32]
    """[m], shape (G, V, 3)."""
    joints: NDArray
    """[m], shape (G, J, 3)."""


def generic_variation(source: Source, template: NDArray, joints: NDArray, mirror: NDArray, floor: NDArray) -> Variation:
    """Strains of all segments of a symmetric body `template` (V, 3) with `joints` (J, 3); `floor` are its soles."""
    other = source.joint_mirror
    moved, hinged = [], []
    for segment, name in enumerate(source.joint_names):
        if name.endswith("_r"):
            continue
        for gradient in _strains(source, template, joints, segment):
            vertices, ends = _displace(source, template, joints, segment, gradient)
            offset = np.array([ends[0, 0], ends[0, 1], vertices[floor, 2].mean()])
            vertices, ends = vertices - offset, ends - offset
            both, both_ends = vertices[mirror] * MIRROR, ends[other] * MIRROR
            share = 0.5 if other[segment] == segment else 1.0
            for spread, sign in ((share, 1.0), (share * ASYMMETRY, -1.0)):
                displacement = spread * (vertices + sign * both)
                if np.abs(displacement[floor, 2]).max() < LEVEL_TOLERANCE:
                    moved.append(displacement)
                    hinged.append(spread * (ends + sign * both_ends))
    return Variation(np.array(moved, np.float32), np.array(hinged))


def _strains(source: Source, template: NDArray, joints: NDArray, segment: int) -> list[NDArray]:
    """Displacement gradients (3, 3) of one standard deviation: length, depth, width, end sideways, end forward."""
    along = _direction(source, template, joints, segment)
    front = FORWARD if abs(along @ FORWARD) < 0.95 else UP
    front = front - along * (along @ front)
    front /= np.linalg.norm(front)
    side = np.cross(along, front)
    strains = [
        LENGTH_SPREAD * np.outer(along, along),
        GIRTH_SPREAD * np.outer(front, front),
        GIRTH_SPREAD * np.outer(side, side),
        SIDEWAYS_SPREAD * np.outer(side, along),
    ]
    if not _in_foot(source, segment):
        strains.append(SIDEWAYS_SPREAD * np.outer(front, along))
    return strains


def _direction(source: Source, template: NDArray, joints: NDArray, segment: int) -> NDArray:
    """Unit vector from the segment's joint towards its end."""
    if source.joint_names[segment] in UPRIGHT:
        return UP
    children = np.flatnonzero(source.joint_parents == segment)
    end = joints[children] if len(children) else template[source.skin_weights.argmax(1) == segment]
    direction = end.mean(0) - joints[segment]
    if _in_foot(source, segment):
        direction = direction * (1.0, 1.0, 0.0)
    return direction / np.linalg.norm(direction)


def _in_foot(source: Source, segment: int) -> bool:
    return source.joint_names[segment].startswith(FEET)


def _displace(
    source: Source, template: NDArray, joints: NDArray, segment: int, gradient: NDArray
) -> tuple[NDArray, NDArray]:
    """Displacements of the vertices (V, 3) and the joints (J, 3) when one segment is strained by `gradient`."""
    ends = np.zeros_like(joints)
    for child, parent in enumerate(source.joint_parents):
        if parent >= 0:
            ends[child] = ends[parent]
            if parent == segment:
                ends[child] += gradient @ (joints[child] - joints[parent])
    own = source.skin_weights[:, segment, None] * ((template - joints[segment]) @ gradient.T)
    return own + source.skin_weights @ ends, ends
