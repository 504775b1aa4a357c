"""Whether all views of a turn show one body: how much better two would explain them.

At the common optimum each view still pulls at the shape. The views up to some moment and those after it have, by their
normal equations with the poses eliminated, shapes that they would rather have; that both have theirs makes the sum of
squares smaller by g^T (H + 1)^-1 g each, with H and g summed over the views and the unit prior of the shape. For one
body that is about chi-square with as many degrees of freedom as the shape has coefficients; the moment is the one where
it is greatest (likelihood ratio for a change at an unknown place, Csorgo and Horvath 1997).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_VIEWS = 4
"""Fewer say too little of a shape."""


@dataclass(frozen=True, slots=True)
class ShapeOpinion:
    """What one view says of the shape, its pose eliminated: it would rather have it `information^-1 pull` elsewhere."""

    information: NDArray[np.float64]
    """(K, K), without the prior."""
    pull: NDArray[np.float64]
    """(K,), at the common shape."""


def two_body_gain(opinions: Sequence[ShapeOpinion], times: Sequence[float]) -> float:
    """By how much two bodies, one before and one after some moment, make the sum of squares smaller, at most.

    `times` [s] are those of the views. 0 where there are too few views to compare.
    """
    order = np.argsort(np.asarray(times), kind="stable")
    if len(order) < 2 * FEWEST_VIEWS:
        return 0.0
    informations = np.cumsum([opinions[n].information for n in order], 0)
    pulls = np.cumsum([opinions[n].pull for n in order], 0)
    prior = np.eye(pulls.shape[1])
    most = 0.0
    for split in range(FEWEST_VIEWS - 1, len(order) - FEWEST_VIEWS):
        parts = (
            (informations[split], pulls[split]),
            (informations[-1] - informations[split], pulls[-1] - pulls[split]),
        )
        most = max(most, sum(float(pull @ np.linalg.solve(seen + prior, pull)) for seen, pull in parts))
    return most
