"""Draws the measures of adults as they really occur: ANSUR II (soldiers, 93 measures) widened by NHANES (everybody).

Half of the bodies follow ANSUR II: log-normal per sex with its means and correlations. The other half takes stature,
weight, waist and hip of a random adult of NHANES 2017-2020 (jittered) and draws the rest from ANSUR II's distribution
given those four.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED = ("stature", "weightkg", "waistcircumference", "buttockcircumference")
"""What both surveys measure, in NHANES as height, weight, waist and hip."""
BODY_MASS_INDEX_RANGE = (16.5, 45.0)
STATURE_RANGE = (1.42, 2.05)
NHANES_COLUMNS = ("BMXHT", "BMXWT", "BMXWAIST", "BMXHIP")
# ANSUR II measures the arm flexed; at rest it is thinner (NHANES: 0.93 of ANSUR II at the same weight and stature).
AT_REST = {"bicepscircumferenceflexed": 0.93, "forearmcircumferenceflexed": 0.95}
TENTHS_OF_MM = ("interpupillarybreadth",)


@dataclass(frozen=True)
class Population:
    """Log-normal distribution of one sex's measures [m, kg]."""

    names: tuple[str, ...]
    mean: NDArray
    """Of the logarithms, shape (M,)."""
    covariance: NDArray
    """Of the logarithms, shape (M, M)."""
    survey: NDArray
    """ANSUR II itself, shape (S, M)."""
    civilians: NDArray
    """NHANES, columns as `SHARED`, shape (C, 4)."""


def read_population(folder: Path, sex: str, names: list[str]) -> Population:
    """Read both surveys of `sex` ("male" or "female"). Raises `SystemExit` where the files are missing."""
    ansur = folder / f"ANSUR_II_{sex.upper()}_Public.csv"
    nhanes = folder / f"nhanes_adult_{sex}_bmx_2020.csv"
    if not (ansur.is_file() and nhanes.is_file()):
        raise SystemExit(f"{folder}: {ansur.name} and {nhanes.name} are needed to sample bodies (give --anthropometry)")
    columns = (*names, "weightkg")
    with ansur.open(encoding="latin-1") as file:
        survey = np.array([[float(row[name]) for name in columns] for row in csv.DictReader(file)])
    survey *= [1e-4 if name in TENTHS_OF_MM else 1e-1 if name == "weightkg" else 1e-3 for name in columns]
    survey *= [AT_REST.get(name, 1.0) for name in columns]
    survey = survey[np.all(survey > 0.0, axis=1)]
    with nhanes.open(encoding="latin-1") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        values = [[row[name] for name in NHANES_COLUMNS] for row in rows]
    civilians = np.array([[float(v) for v in row] for row in values if all(row)])
    civilians = civilians[np.all(np.isfinite(civilians) & (civilians > 0.0), axis=1)] * (0.01, 1.0, 0.01, 0.01)
    logs = np.log(survey)
    return Population(columns, logs.mean(0), np.cov(logs.T), survey, civilians)


def draw_measures(population: Population, count: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """`count` measure vectors [m, kg], shape (count, M), and which follow NHANES, booleans (count,)."""
    drawn = np.empty((0, len(population.names)))
    civilian = np.empty(0, bool)
    while len(drawn) < count:
        soldiers = np.exp(rng.multivariate_normal(population.mean, population.covariance, count))
        others = _draw_civilians(population, count, rng)
        both = np.stack([soldiers, others], 1).reshape(-1, len(population.names))
        origin = np.tile([False, True], count)
        good = _plausible(both, population.names)
        drawn, civilian = np.concatenate([drawn, both[good]]), np.concatenate([civilian, origin[good]])
    return drawn[:count], civilian[:count]


def _draw_civilians(population: Population, count: int, rng: np.random.Generator) -> NDArray:
    shared = [population.names.index(name) for name in SHARED]
    rest = [i for i in range(len(population.names)) if i not in shared]
    picked = np.log(population.civilians[rng.integers(len(population.civilians), size=count)])
    picked += rng.normal(0.0, (0.006, 0.02, 0.012, 0.01), picked.shape)
    own = population.covariance[np.ix_(shared, shared)]
    gain = np.linalg.solve(own, population.covariance[np.ix_(shared, rest)]).T
    spread = population.covariance[np.ix_(rest, rest)] - gain @ population.covariance[np.ix_(shared, rest)]
    logs = np.empty((count, len(population.names)))
    logs[:, shared] = picked
    logs[:, rest] = population.mean[rest] + (picked - population.mean[shared]) @ gain.T
    logs[:, rest] += rng.multivariate_normal(np.zeros(len(rest)), spread, count)
    return np.exp(logs)


def _plausible(measures: NDArray, names: tuple[str, ...]) -> NDArray[np.bool_]:
    stature, weight = measures[:, names.index("stature")], measures[:, names.index("weightkg")]
    index = weight / stature**2
    low, high = BODY_MASS_INDEX_RANGE
    return (index > low) & (index < high) & (stature > STATURE_RANGE[0]) & (stature < STATURE_RANGE[1])
