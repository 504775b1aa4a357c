"""Places known again: binary features of a keyframe, which keyframes share them, and the motion that they agree on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.kernels.match_descriptors import match_descriptors
from solver.types import Intrinsics

LARGEST_DISTANCE = 64
"""Of 256 bits: ORB descriptors of one point seen twice differ by less (Rublee et al. 2011)."""
RATIO = 0.85
"""The nearest descriptor must be nearer than this share of the second (Lowe 2004)."""
HYPOTHESES = 300
TABLES, BITS = 8, 12
"""Hashing by so many random choices of so many bits (Indyk and Motwani 1998)."""


class Features(NamedTuple):
    """Corners of a picture."""

    pixels: NDArray[np.float32]
    """(N, 2)."""
    descriptors: NDArray[np.uint8]
    """256 bits, (N, 32)."""


class PlaceFeatures(NamedTuple):
    """Corners that have depth."""

    points: NDArray[np.float64]
    """[m], frame c, (N, 3)."""
    descriptors: NDArray[np.uint64]
    """(N, 4)."""


def with_depth(features: Features, depth: NDArray[np.float32], intrinsics: Intrinsics) -> PlaceFeatures:
    """The features whose pixel and its neighbours lie on one surface of `depth` (H, W) [m]."""
    u, v = np.rint(features.pixels).astype(int).T if len(features.pixels) else (np.zeros(0, int), np.zeros(0, int))
    inside = (u >= 1) & (v >= 1) & (u < intrinsics.width - 1) & (v < intrinsics.height - 1)
    u, v = u[inside], v[inside]
    around = np.stack([depth[v + j, u + i] for j in (-1, 0, 1) for i in (-1, 0, 1)], 1)
    seen = around > 0.0
    count = seen.sum(1)
    z = np.where(count > 0, np.where(seen, around, 0.0).sum(1) / np.maximum(count, 1), 0.0)
    spread = np.where(seen, np.abs(around - z[:, None]), 0.0).max(1, initial=0.0)
    good = (count >= 5) & (spread < 0.02 * z * np.maximum(z, 1.0))
    u, v, z = u[good], v[good], z[good].astype(np.float64)
    points = np.stack([(u - intrinsics.cx) / intrinsics.fx * z, (v - intrinsics.cy) / intrinsics.fy * z, z], 1)
    descriptors = np.ascontiguousarray(features.descriptors[inside][good]).view(np.uint64).reshape(-1, 4)
    return PlaceFeatures(points, descriptors)


def match(first: PlaceFeatures, second: PlaceFeatures) -> NDArray[np.int64]:
    """Pairs (N, 2) of features that are each other's nearest, and by far."""
    if not len(first.points) or len(second.points) < 2:
        return np.zeros((0, 2), np.int64)
    found = []
    for a, b in ((first, second), (second, first)):
        results = tuple(np.empty(len(a.points), np.int32) for _ in range(3))
        match_descriptors(a.descriptors, b.descriptors, *results)
        found.append(results)
    (there, distance, runner_up), (back, _, _) = found
    index = np.arange(len(first.points))
    good = (distance <= LARGEST_DISTANCE) & (distance < RATIO * runner_up) & (back[there] == index)
    return np.stack([index[good], there[good]], 1)


def rigid_fit(source: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Motions (..., 4, 4) that take `source` (..., N, 3) to `target` in the least-squares sense (Kabsch 1976)."""
    middle_s, middle_t = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    u, _, vt = np.linalg.svd(np.swapaxes(target - middle_t, -1, -2) @ (source - middle_s))
    flip = np.ones(u.shape[:-1])
    flip[..., 2] = np.linalg.det(u @ vt)
    out = np.zeros((*source.shape[:-2], 4, 4))
    out[..., :3, :3] = (u * flip[..., None, :]) @ vt
    out[..., :3, 3] = (middle_t - middle_s @ np.swapaxes(out[..., :3, :3], -1, -2))[..., 0, :]
    out[..., 3, 3] = 1.0
    return out


def agree_on_motion(
    first: PlaceFeatures, second: PlaceFeatures, rng: np.random.Generator, least: int = 12
) -> tuple[NDArray[np.float64], int] | None:
    """The motion from frame `first` to frame `second` that most matches agree on, and how many; None for too few.

    Three matches make a hypothesis (Fischler and Bolles 1981), drawn from `rng`.
    """
    pairs = match(first, second)
    if len(pairs) < least:
        return None
    p, q = first.points[pairs[:, 0]], second.points[pairs[:, 1]]
    tolerance = 0.02 + 0.01 * np.maximum(p[:, 2], q[:, 2]) ** 2
    chosen = rng.integers(0, len(pairs), (HYPOTHESES, 3))
    a, b = p[chosen], q[chosen]
    sides_a, sides_b = np.linalg.norm(a - np.roll(a, 1, 1), axis=2), np.linalg.norm(b - np.roll(b, 1, 1), axis=2)
    plausible = (sides_a.min(1) > 0.05) & (np.abs(sides_a - sides_b) < 2.0 * tolerance[chosen]).all(1)
    if not plausible.any():
        return None
    motions = rigid_fit(a[plausible], b[plausible])
    off = np.linalg.norm(p @ np.swapaxes(motions[:, :3, :3], 1, 2) + motions[:, None, :3, 3] - q, axis=2)
    inliers = off < tolerance
    best = inliers[np.argmax(inliers.sum(1))]
    if best.sum() < least:
        return None
    for _ in range(3):
        motion = rigid_fit(p[best], q[best])
        best = np.linalg.norm(p @ motion[:3, :3].T + motion[:3, 3] - q, axis=1) < tolerance
        if best.sum() < least:
            return None
    return motion, int(best.sum())


class PlaceIndex:
    """Which places share features with a new one: a bag of words that random bits of descriptors make."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._bits = np.stack([rng.choice(256, BITS, replace=False) for _ in range(TABLES)])
        self._words: list[NDArray[np.bool_]] = []

    def __len__(self) -> int:
        return len(self._words)

    def words(self, features: PlaceFeatures) -> NDArray[np.bool_]:
        """Which words occur, (TABLES * 2^BITS,)."""
        out = np.zeros((TABLES, 1 << BITS), np.bool_)
        if len(features.descriptors):
            bits = np.unpackbits(features.descriptors.view(np.uint8), axis=1)
            for table, chosen in enumerate(self._bits):
                out[table, bits[:, chosen].astype(np.int64) @ (1 << np.arange(BITS))] = True
        return out.ravel()

    def add(self, features: PlaceFeatures) -> None:
        """Enters the next place."""
        self._words.append(self.words(features))

    def rank(self, features: PlaceFeatures, before: int) -> NDArray[np.int64]:
        """The places entered before number `before`, most alike first: shared words, rare ones counting more."""
        known = np.array(self._words[:before])
        if not len(known):
            return np.zeros(0, np.int64)
        rarity = np.log((1.0 + len(known)) / (1.0 + known.sum(0)))
        new = self.words(features) * (rarity + 1e-3)
        score = (known @ new) / np.sqrt(np.maximum(known.sum(1), 1.0))
        return np.argsort(-score, kind="stable")
