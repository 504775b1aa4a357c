"""What a camera without depth can know of a body: how tall and how broad it is. The rest is average for such people.

With shape coefficients in standard deviations of the population, the likeliest shape for a given stature and breadth
lies in the plane spanned by their two gradients: that plane is all that a colour picture may move.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel

STIFFNESS = 1e4
"""Precision of the directions that cannot be seen: they stay at the average."""


def visible_directions(model: BodyModel, count: int, with_stature: bool) -> NDArray[np.float64]:
    """Orthonormal directions among the first `count` shape coefficients, rows, (1 or 2, count).

    Breadth of the trunk as seen from the front, and with `with_stature` stature before it.
    """
    basis = model.shape_basis[:count].astype(np.float64)
    crown, sole = np.argmax(model.template[:, 2]), np.argmin(model.template[:, 2])
    stature = basis[:, crown, 2] - basis[:, sole, 2]
    stature /= np.linalg.norm(stature)
    trunk = np.flatnonzero(model.part_labels == model.part("trunk"))
    breadth = (basis[:, trunk, 0] * np.sign(model.template[trunk, 0])).mean(1)
    # Tall people are broad: only what is broad beside that is a direction of its own.
    breadth -= (breadth @ stature) * stature
    breadth /= np.linalg.norm(breadth)
    return np.stack([stature, breadth] if with_stature else [breadth])


def average_prior(directions: NDArray) -> NDArray[np.float64]:
    """Precision (count, count) that keeps a shape in the span of orthonormal `directions` (n, count)."""
    return STIFFNESS * (np.eye(directions.shape[1]) - directions.T @ directions)
