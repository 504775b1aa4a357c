"""Whether something grows: a line through what was seen, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student


class Trend(NamedTuple):
    """A slope with its 95 % confidence interval, and the mean."""

    slope: float
    lower: float
    upper: float
    level: float


def fit_trend(times: Sequence[float], values: Sequence[float]) -> Trend:
    """A line by least squares through at least three `values` at `times`; the slope is per unit of time.

    Neighbours resemble each other, so there are fewer independent values than values: as many as first-order
    autocorrelation of the residuals leaves (Bayley and Hammersley 1946).
    """
    x, y = np.asarray(times, np.float64), np.asarray(values, np.float64)
    count, centred = len(x), x - x.mean()
    spread = float(centred @ centred)
    slope = float(centred @ y) / spread
    residuals = y - y.mean() - slope * centred
    squares = float(residuals @ residuals)
    r = max(float(residuals[1:] @ residuals[:-1]) / squares, 0.0) if squares > 0.0 else 0.0
    independent = max(count * (1.0 - r) / (1.0 + r), 3.0)
    # The residuals' variance, and what is known of the slope, both from so many values only.
    sigma2 = squares / max(count - 2, 1) * count / independent
    half = float(student.ppf(0.975, max(independent - 2.0, 1.0))) * math.sqrt(sigma2 / spread)
    return Trend(slope, slope - half, slope + half, float(y.mean()))
