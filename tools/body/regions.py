"""What each vertex looks like: skin, scalp, brows, eyes, lips and so on, for those who colour the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.body.landmarks import Figure

REGION_NAMES = (
    "skin",
    "scalp",
    "brows",
    "eyes",
    "irises",
    "pupils",
    "lips",
    "mouth_inside",
    "nails",
    "areolae",
)
TONGUE, LEFT_EYE, RIGHT_EYE = 1, 2, 3


def label_regions(figure: Figure, landmarks: dict[str, int], brow_motion: NDArray) -> NDArray[np.uint8]:
    """Index into `REGION_NAMES` of each vertex, shape (V,).

    brow_motion (V,): how far the brow target moves each vertex [m].
    """
    v, masks = figure.vertices, figure.masks
    labels = np.zeros(len(v), np.uint8)

    def paint(name: str, where: NDArray) -> None:
        labels[where] = REGION_NAMES.index(name)

    paint("scalp", _scalp(figure, landmarks))
    paint("brows", _brows(figure, landmarks, brow_motion))
    paint("nails", masks["fingernails"] | masks["toenails"])
    paint("areolae", masks["areolae"])
    paint("mouth_inside", masks["mouth_inside"] | (figure.component == TONGUE))
    paint("lips", masks["lips"])
    for eye in (LEFT_EYE, RIGHT_EYE):
        ball = figure.component == eye
        middle = v[ball].mean(0)
        # The optical axis points straight ahead; the mesh has rings of vertices at the pupil's and the iris's edge.
        front = ball & (v[:, 1] < middle[1])
        centre = v[ball & (v[:, 1] < np.sort(v[ball, 1])[8])].mean(0)
        off_axis = np.hypot(v[:, 0] - centre[0], v[:, 2] - centre[2])
        paint("eyes", ball)
        paint("irises", front & (off_axis < 0.0085))
        paint("pupils", front & (off_axis < 0.0045))
    return labels


def _scalp(figure: Figure, landmarks: dict[str, int]) -> NDArray[np.bool_]:
    """Where hair grows: the head without face and ears, down to the lobes behind, to the ears' middle before them."""
    v, masks = figure.vertices, figure.masks
    ears = v[masks["ears"]]
    behind = v[:, 1] > ears[:, 1].mean()
    hairline = np.where(behind, ears[:, 2].min() - 0.012, ears[:, 2].mean() + 0.01)
    head = np.isin(figure.dominant, ("head", "neck_01")) & (figure.component == 0)
    inner = masks["mouth_inside"] | masks["eyelids"] | masks["lips"]
    deep = np.linalg.norm(v[:, :2] - v[landmarks["crown"], :2], axis=1) < 0.045
    below_crown = v[:, 2] < v[landmarks["crown"], 2] - 0.06
    return head & ~masks["face"] & ~masks["ears"] & ~inner & (v[:, 2] > hairline) & ~(deep & below_crown)


def _brows(figure: Figure, landmarks: dict[str, int], brow_motion: NDArray) -> NDArray[np.bool_]:
    v = figure.vertices
    eye_z, reach = v[landmarks["eye_l"], 2], np.abs(v[:, 0])
    inner, outer = v[landmarks["eye_inner_l"], 0], v[landmarks["eye_outer_l"], 0]
    above = (v[:, 2] > eye_z + 0.011) & (v[:, 2] < eye_z + 0.021)
    return above & (reach > inner - 0.006) & (reach < outer + 0.006) & (brow_motion > 0.3 * brow_motion.max())
