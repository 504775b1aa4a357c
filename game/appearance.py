"""What a body looks like: colours of its regions or of a scan, and how each region takes light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags

from game.materials import linear
from solver.atlas.layout import texture_coordinates
from solver.body import BodyModel, RestBody
from solver.clothing import cloth_likeness

SRGB = tuple[int, int, int]
BRIGHTEST_WHITE = 1.35
"""Of the eyes, times the face's brightness, sRGB: in a dim picture bright ones would stare."""
IRIS_LEVELS = 18.0, 150.0
"""Between which an iris' colour lies, of 255."""


@dataclass(frozen=True, slots=True)
class Look:
    """Colours (sRGB) of a body that no camera has seen."""

    skin: SRGB = (206, 160, 134)
    hair: SRGB = (52, 38, 30)
    iris: SRGB = (96, 66, 42)
    sclera: SRGB = (182, 173, 167)
    base_layer: SRGB = (92, 97, 104)
    """What a body without a garment wears: a close-fitting athletic suit to the thighs."""


class Eye(NamedTuple):
    """One eyeball at rest."""

    center: NDArray[np.float64]
    """[m], shape (3,), frame b."""
    gaze: NDArray[np.float64]
    """Unit vector to the pupil."""


class BodyPicture(NamedTuple):
    """Colours of the whole body as one picture."""

    color: NDArray[np.uint8]
    """sRGB, shape (N, N, 3), row 0 at the top."""
    uv: NDArray[np.float32]
    """Texture coordinates, v from the top, shape (T, 2)."""
    uv_faces: NDArray[np.int32]
    """Their indices at the corners of the body's triangles, shape (F, 3)."""


class BodyPaint(NamedTuple):
    """Per-vertex appearance, one row per vertex of the body model, and what the whole body shares."""

    color: NDArray[np.uint8]
    """sRGB and ambient visibility, shape (V, 4)."""
    surface: NDArray[np.uint8]
    """How much hair, cloth, wet, eye, shape (V, 4); cloth crosses 127 at the hem of the base layer."""
    hair_depth: NDArray[np.float32]
    """How far the hair stands off the scalp [m], shape (V,)."""
    eyes: tuple[Eye, Eye]
    """Left, right."""
    look: Look
    scanned: bool
    """The colours are a camera's: clothes as worn, no base layer."""
    picture: BodyPicture | None = None
    """The same colours in detail; None where there are only those of the vertices."""

    @property
    def inputs(self) -> dict[str, object]:
        """Uniforms of body.frag."""
        left, right = self.eyes
        return {
            "eye_left": tuple(map(float, left.center)),
            "eye_right": tuple(map(float, right.center)),
            "gaze_left": tuple(map(float, left.gaze)),
            "gaze_right": tuple(map(float, right.gaze)),
            "iris_color": linear(self.look.iris),
            "sclera_color": linear(self.look.sclera),
            "hair_color": linear(self.look.hair),
            "suit_color": linear(self.look.base_layer),
            "suit": 0.0 if self.scanned else 1.0,
        }


def paint_body(
    model: BodyModel,
    body: RestBody,
    look: Look | None = None,
    scanned: NDArray[np.uint8] | None = None,
    ambient: NDArray[np.float32] | None = None,
    atlas: NDArray[np.uint8] | None = None,
) -> BodyPaint:
    """Appearance of the body that is `body` at rest.

    `scanned` (V, 3) uint8 are colours that a camera saw, clothes as worn and all; without them `look` colours the
    regions and a base layer is worn. `atlas` (N, N, 3) uint8 holds them in detail, as `solver.atlas` lays it out.
    `ambient` (V,) 0..1 is the share of the surroundings each vertex sees.
    """
    if look is None:
        look = Look() if scanned is None or atlas is None else _eyes_as_seen(model, scanned, atlas)
    rest = body.vertices
    smooth = _neighbour_mean(model)
    hair = _soft(model.in_region("scalp"), smooth, 1)
    brows = _soft(model.in_region("brows"), smooth, 0)
    lips = _soft(model.in_region("lips"), smooth, 1)
    mouth = _soft(model.in_region("mouth_inside"), smooth, 0)
    nails = _soft(model.in_region("nails"), smooth, 0)
    eyes = model.in_region("eyes", "irises", "pupils")

    if scanned is None:
        color = _region_colors(look, len(rest), {"brows": brows, "lips": lips, "mouth": mouth, "nails": nails})
        cloth = np.clip(0.5 + _base_layer_depth(model, body) / 0.12, 0.0, 1.0)
    else:
        color = scanned.astype(np.float32)
        cloth = cloth_likeness(model, color)
    surface = np.stack((hair * (scanned is None), cloth, np.maximum(0.45 * lips, 0.7 * mouth), eyes), 1)
    open_ = np.ones(len(rest)) if ambient is None else ambient
    paint = np.column_stack((color, 255.0 * np.where(mouth > 0.5, 0.25 * open_, open_)))
    return BodyPaint(
        np.clip(paint + 0.5, 0, 255).astype(np.uint8),
        np.clip(255.0 * surface + 0.5, 0, 255).astype(np.uint8),
        (0.006 * hair * (scanned is None)).astype(np.float32),
        find_eyes(model, rest),
        look,
        scanned is not None,
        None if atlas is None else BodyPicture(atlas, texture_coordinates(model), model.uv_faces),
    )


def _eyes_as_seen(model: BodyModel, scanned: NDArray[np.uint8], atlas: NDArray[np.uint8]) -> Look:
    """Eyes are drawn, for a camera sees no more than a few pixels of them: in the colour that it saw of the irises, and
    the whites no brighter beside the face than they can be."""
    uv = texture_coordinates(model)
    irises = np.unique(model.uv_faces[model.in_region("irises")[model.faces]])
    texels = np.clip((uv[irises] * len(atlas)).astype(int), 0, len(atlas) - 1)
    seen = atlas[texels[:, 1], texels[:, 0]].astype(float)
    # Lids and whites are in the same pixels.
    seen = np.median(seen[np.argsort(seen.sum(1))[: len(seen) // 3]], axis=0)
    skin = model.in_region("skin") & (model.part_labels == model.part("head"))
    face = float(np.median(scanned[skin].astype(float).mean(1)))
    white = np.array(Look().sclera, float)
    white *= min(1.0, BRIGHTEST_WHITE * face / white.mean())
    red, green, blue = (int(level) for level in np.clip(seen, *IRIS_LEVELS))
    return Look(iris=(red, green, blue), sclera=(int(white[0]), int(white[1]), int(white[2])))


def _region_colors(look: Look, count: int, masks: dict[str, NDArray]) -> NDArray[np.float32]:
    skin = np.array(look.skin, np.float32)
    color = np.tile(skin, (count, 1))
    tones = {
        "lips": skin * (0.90, 0.74, 0.74),
        "mouth": skin * (0.52, 0.34, 0.33),
        "brows": 0.62 * np.array(look.hair) + 0.38 * skin,
        "nails": np.minimum(skin * (1.08, 1.04, 1.04) + 8.0, 255.0),
    }
    for name, tone in tones.items():
        color += masks[name][:, None] * (tone - color)
    return color


def _base_layer_depth(model: BodyModel, body: RestBody) -> NDArray[np.float64]:
    """How deep under the base layer each vertex lies [m], negative where it is bare: cut out at neck, shoulders and
    thighs."""
    rest = body.vertices
    shoulder, neck = body.joints[model.joint("upperarm_l")], body.joints[model.joint("neck_01")]
    crotch = rest[model.landmarks["crotch"], 2]
    knee = rest[model.landmarks["kneecap_l"], 2]
    # Beyond the strap and above the armpit it is cut away, with a round corner.
    round_m = 0.07
    strap = round_m + shoulder[0] - 0.035 - np.abs(rest[:, 0])
    armpit = round_m + shoulder[2] - 0.14 - rest[:, 2]
    armhole = np.hypot(np.maximum(strap, 0), np.maximum(armpit, 0)) + np.minimum(np.maximum(strap, armpit), 0) - round_m
    neckline = np.linalg.norm((rest - neck - (0.0, -0.05, 0.0)) / (1.0, 1.3, 1.0), axis=1) - 0.105
    collar = neck[2] + 0.01 - rest[:, 2]
    depth = np.minimum.reduce([armhole, neckline, collar, rest[:, 2] - (crotch + 0.62 * (knee - crotch))])
    arm = [model.part(n) for n in model.part_names if n.startswith(("upper_arm", "lower_arm", "hand"))]
    bare = np.isin(model.part_labels, arm) & (rest[:, 2] < shoulder[2] - 0.12)
    return np.where(bare | (model.part_labels == model.part("head")), np.minimum(depth, -0.06), depth)


def find_eyes(model: BodyModel, rest: NDArray[np.float32]) -> tuple[Eye, Eye]:
    """Spheres through the eyeballs (least squares), left and right, of the body at rest `rest` (V, 3)."""
    ball, pupils = model.in_region("eyes", "irises", "pupils"), model.in_region("pupils")
    eyes = []
    for side in (model.template[:, 0] > 0, model.template[:, 0] < 0):
        points = rest[ball & side].astype(np.float64)
        center = np.linalg.lstsq(np.c_[2 * points, np.ones(len(points))], (points**2).sum(1), rcond=None)[0][:3]
        gaze = rest[pupils & side].mean(0) - center
        eyes.append(Eye(center, gaze / np.linalg.norm(gaze)))
    return eyes[0], eyes[1]


def _neighbour_mean(model: BodyModel) -> csr_matrix:
    """The matrix that averages each vertex with its neighbours, shape (V, V)."""
    f = model.faces
    i = np.concatenate((f[:, 0], f[:, 1], f[:, 2], f[:, 1], f[:, 2], f[:, 0], np.arange(model.vertex_count)))
    j = np.concatenate((f[:, 1], f[:, 2], f[:, 0], f[:, 0], f[:, 1], f[:, 2], np.arange(model.vertex_count)))
    adjacency = coo_matrix((np.ones(len(i)), (i, j)), shape=(model.vertex_count,) * 2).tocsr()
    adjacency.data[:] = 1.0
    return csr_matrix(diags(1.0 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency)


def _soft(mask: NDArray[np.bool_], smooth: csr_matrix, steps: int) -> NDArray[np.float64]:
    values = mask.astype(np.float64)
    for _ in range(steps):
        values = smooth @ values
    return values
