"""Hair: where it may stand between the camera and the body, and telling it by its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.kernels.hair_likeness import hair_likeness

REACH_BELOW_NAPE_M = 0.35
"""How far down the trunk hair is looked for."""
CHROMA_GAIN = 12.0
"""How much a difference of chromaticity counts against the same difference of the logarithm of brightness: shading
changes brightness only."""
LEAST_CONTRAST = 0.35
"""Between hair and skin; less is a bald head, or as good as one."""
SOFTNESS = 0.15
LEAST_SAMPLES = 60
SAME_AS_CLOTHES = 0.3
"""Share of the clothes on the chest that look like hair above which hair is not looked for on the trunk."""


def scalp_vertices(model: BodyModel) -> NDArray[np.bool_]:
    """Vertices of the head that hair grows on or hangs over, (V,): above the brow and behind the cheeks.

    What is seen there may be centimetres off the skin, so it says little about the body's shape.
    """
    at, rest = model.landmarks, model.template
    head = model.part_labels == model.part("head")
    brow = rest[at["glabella"], 2] + 0.035
    ears = 0.5 * (rest[at["ear_l"], 1] + rest[at["ear_r"], 1])
    face = 0.5 * (rest[at["nose_tip"], 1] + ears)
    return head & ((rest[:, 2] > brow) | (rest[:, 1] > face))


@dataclass(frozen=True, slots=True)
class HairZones:
    """Vertices by what hair has to do with them, (V,) each."""

    scalp: NDArray[np.bool_]
    face: NDArray[np.bool_]
    chest: NDArray[np.bool_]
    """The trunk's front, where clothes are seen and long hair seldom is."""
    covered: NDArray[np.bool_]
    """Where hair may hang: head, neck and the trunk's upper part."""
    neck_up: NDArray[np.bool_]
    """The same without the trunk."""

    @classmethod
    def of(cls, model: BodyModel) -> HairZones:
        """The zones of all bodies of `model`."""
        rest, at = model.template, model.landmarks
        head, neck, trunk = (model.part_labels == model.part(name) for name in ("head", "neck", "trunk"))
        scalp = scalp_vertices(model)
        nape = rest[at["c7"], 2]
        front = rest[:, 1] < rest[at["c7"], 1] - 0.1
        below = nape - rest[:, 2]
        return cls(
            scalp=scalp,
            face=head & ~scalp & model.in_region("skin"),
            chest=trunk & front & (below > 0.15) & (below < 0.45),
            covered=head | neck | (trunk & (below < REACH_BELOW_NAPE_M)),
            neck_up=head | neck,
        )


@dataclass(frozen=True, slots=True)
class HairLook:
    """What one person's hair looks like beside their skin."""

    skin: NDArray[np.float64]
    hair: NDArray[np.float64]
    """Features (3,) of `_features`."""
    zone: NDArray[np.bool_]
    """Vertices that hair may cover, (V,)."""
    reach_m: float
    """How far below the nape hair is looked for."""

    def likeness(self, colors: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """0 skin .. 1 hair for sRGB `colors` (..., 3), shape (...)."""
        feature = _features(colors)
        to_skin = np.linalg.norm(feature - self.skin, axis=-1)
        to_hair = np.linalg.norm(feature - self.hair, axis=-1)
        return (1.0 / (1.0 + np.exp((to_hair - to_skin) / SOFTNESS))).astype(np.float32)

    def likeness_where(self, colors: NDArray[np.uint8], depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of a picture (H, W, 3) where it has `depth` (H, W), elsewhere 0."""
        out = np.empty(depth.shape, np.float32)
        hair_likeness(np.ascontiguousarray(colors), depth, self.skin, self.hair, CHROMA_GAIN, SOFTNESS, out)
        return out


def learn_hair(
    zones: HairZones, vertices: NDArray[np.int32], colors: NDArray[np.uint8] | NDArray[np.float32]
) -> HairLook | None:
    """What hair looks like, from sRGB `colors` (N, 3) seen at the model's `vertices` (N,); None where there is none.

    Hair is what the scalp's pixels have and the face's have not.
    """
    scalp, face = zones.scalp[vertices], zones.face[vertices]
    if min(np.count_nonzero(scalp), np.count_nonzero(face)) < LEAST_SAMPLES:
        return None
    feature = _features(colors)
    skin, hair = np.median(feature[face], axis=0), np.median(feature[scalp], axis=0)
    if np.linalg.norm(skin - hair) < LEAST_CONTRAST:
        return None
    look = HairLook(skin, hair, zones.covered, REACH_BELOW_NAPE_M)
    worn = zones.chest[vertices]
    if worn.any() and np.mean(look.likeness(colors[worn]) > 0.5) > SAME_AS_CLOTHES:
        return HairLook(skin, hair, zones.neck_up, 0.0)
    return look


def _features(colors: NDArray) -> NDArray[np.float64]:
    """Chromaticity and logarithm of brightness of sRGB colours (..., 3)."""
    color = np.asarray(colors, np.float64) + 4.0
    total = color.sum(-1, keepdims=True)
    return np.concatenate([CHROMA_GAIN * color[..., :2] / total, np.log(total)], axis=-1)
