"""Whether all views of a turn show one body: the shape that each part of the turn alone would have.

At the common optimum each view still pulls at the shape. Of the views up to some moment and of those after it the
normal equations, poses eliminated, give the two shapes that they would rather have, each held by the prior to what it
can tell; what lies between the two is a likelihood-ratio change-point test in metres of surface (Page 1954 for the
question, Schur complement for the poses).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel

FEWEST_VIEWS = 4
"""Fewer say too little of a shape."""
EVERY = 7
"""Of so many vertices one is compared."""


@dataclass(frozen=True, slots=True)
class ShapeOpinion:
    """What one view says of the shape, its pose eliminated: it would rather have it `information^-1 pull` elsewhere."""

    information: NDArray[np.float64]
    """(K, K), without the prior."""
    pull: NDArray[np.float64]
    """(K,), at the common shape."""


def two_bodies_m(model: BodyModel, opinions: Sequence[ShapeOpinion], times: Sequence[float]) -> float:
    """How far apart the surfaces of two parts of the turn are [m, RMS], for the split in time that parts them most.

    `times` [s] are those of the views. 0 where there are too few views to compare.
    """
    order = np.argsort(np.asarray(times), kind="stable")
    if len(order) < 2 * FEWEST_VIEWS:
        return 0.0
    informations = np.cumsum([opinions[n].information for n in order], 0)
    pulls = np.cumsum([opinions[n].pull for n in order], 0)
    count = pulls.shape[1]
    basis = model.shape_basis[:count, ::EVERY].astype(np.float64).reshape(count, -1)
    metric = basis @ basis.T / (basis.shape[1] / 3)
    prior = np.eye(count)
    widest = 0.0
    for split in range(FEWEST_VIEWS - 1, len(order) - FEWEST_VIEWS):
        first, second = informations[split], informations[-1] - informations[split]
        before = np.linalg.solve(first + prior, pulls[split])
        after = np.linalg.solve(second + prior, pulls[-1] - pulls[split])
        apart = after - before
        widest = max(widest, float(apart @ metric @ apart))
    return float(np.sqrt(widest))
