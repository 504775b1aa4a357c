"""What is to be solved: A x = b, which rays count how much, and what is known about x."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from solver.tomography.projector import Projector


@dataclass(frozen=True, slots=True)
class Problem:
    """Checked input of every method. Stacks are (V, columns, rows), as the projector keeps them."""

    projector: Projector
    measured: NDArray[np.float32]
    """Line integrals b."""
    weights: NDArray[np.float32]
    """How much each ray counts, 0 or more."""
    mask: NDArray[np.uint8]
    """1 where a voxel is to be found, (X, Y, Z); the others keep their first value."""
    limits: NDArray[np.float32]
    """Least and greatest value of a voxel, (2,)."""

    @property
    def limited(self) -> bool:
        """Whether a voxel may not have any value."""
        return bool(np.isfinite(self.limits).any())

    def measured_length(self) -> float:
        """Root of the weighted sum of squares of b."""
        return float(np.sqrt(np.sum(self.weights * np.square(self.measured, dtype=np.float64))))


class Method(Protocol):
    """A way to solve a problem."""

    @property
    def iterations(self) -> int:
        """How often it goes over the data at most."""
        ...

    def run(self, problem: Problem, volume: NDArray[np.float32]) -> Iterator[float]:
        """Improves `volume` in place; yields after each iteration the length of b - A x as it met it, weighted."""
        ...
