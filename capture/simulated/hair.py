"""Hair of a simulated shopper: the scalp raised, and a curtain of long hair behind the face."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capture.simulated.person import Person
from capture.simulated.surface_fields import SurfaceSmoother, random_field, smoothstep

STYLES = ("bald", "shaved", "short", "medium", "long", "bun")
VOLUME_M = {"bald": 0.0, "shaved": 0.002, "short": 0.010, "medium": 0.020, "long": 0.016, "bun": 0.008}
"""Thickness at the sides; on the crown hair lies flatter."""
CROWN_SHARE = 0.5
COLORS = (
    (0.05, 0.04, 0.04), (0.11, 0.08, 0.07), (0.21, 0.14, 0.10), (0.33, 0.22, 0.14), (0.48, 0.35, 0.20),
    (0.68, 0.54, 0.34), (0.45, 0.20, 0.10), (0.55, 0.54, 0.53), (0.80, 0.79, 0.77),
)  # fmt: skip
COLOR_SHARES = (0.2, 0.2, 0.17, 0.13, 0.09, 0.06, 0.04, 0.07, 0.04)


class HairShell(NamedTuple):
    """Hair that is not part of the scalp: a mesh that moves with the head and, further down, with the back."""

    vertices: NDArray[np.float32]
    """At rest [m], shape (N, 3), frame b."""
    faces: NDArray[np.int32]
    """Seen from both sides, shape (F, 3)."""
    skin_joints: NDArray[np.int32]
    """Shape (N, 4)."""
    skin_weights: NDArray[np.float32]
    """Shape (N, 4)."""


def scalp_field(person: Person, smoother: SurfaceSmoother, style: str) -> NDArray[np.float32]:
    """Where hair grows: positive inside, about metres from the hairline, shape (V,)."""
    if style == "bald":
        return np.full(person.model.vertex_count, -1.0, np.float32)
    scalp = person.model.in_region("scalp")
    return ((smoother(scalp, 3) - 0.5) * 0.03).astype(np.float32)


def raise_scalp(
    person: Person, style: str, field: NDArray, surface: NDArray, normals: NDArray, rng: np.random.Generator
) -> NDArray[np.float32]:
    """`surface` (V, 3) with the hair's volume on the scalp."""
    crown = person.rest.vertices[person.model.landmarks["crown"], 2]
    on_top = smoothstep(1.0 - (crown - surface[:, 2]) / 0.07)
    tufts = 1.0 + 0.25 * random_field(surface, rng, (0.02, 0.05))
    volume = VOLUME_M[style] * (1.0 - (1.0 - CROWN_SHARE) * on_top) * np.maximum(tufts, 0.3)
    return (surface + (volume * smoothstep(field / 0.010))[:, None] * normals).astype(np.float32)


def grow_shell(person: Person, style: str, surface: NDArray, rng: np.random.Generator) -> HairShell | None:
    """The hair beyond the scalp, over the (clothed) `surface`; None for the styles that have none."""
    if style == "long":
        return _curtain(person, surface, rng)
    if style == "bun":
        return _bun(person, surface)
    return None


def _curtain(person: Person, surface: NDArray, rng: np.random.Generator) -> HairShell:
    model, at = person.model, person.model.landmarks
    crown, chin, c7 = surface[at["crown"]], surface[at["chin"]], surface[at["c7"]]
    axis = np.array([0.5 * (surface[at["ear_l"], 0] + surface[at["ear_r"], 0]), surface[at["ear_l"], 1]])
    upper = np.isin(model.part_labels, [model.part(name) for name in ("head", "neck", "trunk")])
    points = surface[upper & (surface[:, 2] > c7[2] - 0.35)]
    reach = points[:, :2] - axis
    around, away, level = np.arctan2(reach[:, 0], reach[:, 1]), np.hypot(*reach.T), points[:, 2]

    columns, rows = 33, 26
    angles = np.linspace(-np.deg2rad(112.0), np.deg2rad(112.0), columns)
    top = crown[2] - 0.05
    longest = c7[2] - rng.uniform(-0.02, 0.16)
    shoulder = c7[2] - 0.005
    side = smoothstep((np.abs(angles) - 0.6) / 0.7)
    ends = longest + np.maximum(shoulder - longest, 0.0) * side
    radius, heights = np.zeros((rows, columns)), np.zeros((rows, columns))
    for c, angle in enumerate(angles):
        heights[:, c] = np.linspace(top, ends[c], rows)
        near = np.abs(np.angle(np.exp(1j * (around - angle)))) < 0.22
        for r in range(rows):
            beside = near & (np.abs(level - heights[r, c]) < 0.02)
            own = away[beside].max() + VOLUME_M["long"] if beside.any() else 0.0
            # Hair falls from the head's widest place and lies on the shoulders; it never springs out by more than this.
            above = radius[r - 1, c] if r else own
            radius[r, c] = np.clip(own, 0.985 * above, above + 0.012) if r else own
    strands = random_field(np.stack([angles * 0.1, np.zeros(columns), np.zeros(columns)], 1), rng, (0.01, 0.03))
    radius += 0.003 * strands
    x = axis[0] + radius * np.sin(angles)
    y = axis[1] + radius * np.cos(angles)
    vertices = np.stack([x, y, heights], axis=-1).reshape(-1, 3)

    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    sheet = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    head_share = smoothstep((vertices[:, 2] - (shoulder - 0.05)) / max(float(chin[2] - shoulder), 0.04))
    return _bind(person, vertices, sheet, head_share)


def _bun(person: Person, surface: NDArray) -> HairShell:
    at = person.model.landmarks
    crown, occiput = surface[at["crown"]], surface[at["occiput"]]
    middle = 0.45 * crown + 0.55 * occiput + np.array([0.0, 0.035, 0.02])
    rings, segments = 12, 20
    polar = np.linspace(0.0, np.pi, rings + 1)[:, None]
    turn = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)[None, :]
    ball = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar) + 0.0 * turn], axis=-1)
    vertices = middle + ball.reshape(-1, 3) * np.array([0.042, 0.034, 0.038])
    index = np.arange((rings + 1) * segments).reshape(rings + 1, segments)
    after = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1].ravel(), after[:-1].ravel(), after[1:].ravel(), index[1:].ravel()
    faces = np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)])
    return _bind(person, vertices, faces, np.ones(len(vertices)))


def _bind(person: Person, vertices: NDArray, faces: NDArray, head_share: NDArray) -> HairShell:
    # Seen from both sides: the inside has vertices of its own, for their normals.
    faces = np.concatenate([faces, faces[:, ::-1] + len(vertices)])
    vertices, head_share = np.tile(vertices, (2, 1)), np.tile(head_share, 2)
    joints = np.zeros((len(vertices), 4), np.int32)
    joints[:, 0], joints[:, 1] = person.model.joint("head"), person.model.joint("spine_03")
    weights = np.zeros((len(vertices), 4), np.float32)
    weights[:, 0], weights[:, 1] = head_share, 1.0 - head_share
    return HairShell(vertices.astype(np.float32), np.ascontiguousarray(faces, np.int32), joints, weights)
