"""Where hair may stand between the camera and the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel


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
