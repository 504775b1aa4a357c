"""Conjugate gradients on the normal equations of weighted least squares, A^T W A x = A^T W b.

Hestenes and Stiefel 1952, in the form of Bjoerck (Numerical Methods for Least Squares Problems, 1996). The fastest way
down in the residual, but it knows no limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import UsageError
from solver.kernels.float64_sums import combine, dot
from solver.tomography.problem import Problem


@dataclass(frozen=True, slots=True)
class Cgls:
    """Conjugate gradients; the number of iterations is what regularises."""

    iterations: int = 20

    def run(self, problem: Problem, volume: NDArray[np.float32]) -> Iterator[float]:
        """See `Method.run`; the residual is that after the iteration. Raises UsageError where there are limits."""
        if problem.limited:
            raise UsageError("CGLS cannot hold voxels to limits; take OsSart or FistaTv, or leave the limits out")
        projector, views = problem.projector, problem.projector.all_views
        mask = problem.mask.astype(np.float32)
        root = np.sqrt(problem.weights)
        residual, moved = projector.stack(), projector.stack()
        gradient, direction = np.empty_like(volume), np.zeros_like(volume)
        partial = np.empty(max(volume.size, residual.size) // 4096 + 1)
        projector.project(volume, views, residual)
        np.subtract(problem.measured, residual, out=residual)
        residual *= root
        before = 1.0
        for n in range(self.iterations):
            np.multiply(root, residual, out=moved)
            projector.back_project(moved, views, gradient)
            gradient *= mask
            slope = dot(gradient.reshape(-1), gradient.reshape(-1), partial)
            combine(1.0, gradient.reshape(-1), slope / before if n and before > 0.0 else 0.0, direction.reshape(-1))
            before = slope
            projector.project(direction, views, moved)
            moved *= root
            curvature = dot(moved.reshape(-1), moved.reshape(-1), partial)
            if curvature > 0.0:
                combine(slope / curvature, direction.reshape(-1), 1.0, volume.reshape(-1))
                combine(-slope / curvature, moved.reshape(-1), 1.0, residual.reshape(-1))
            yield float(np.sqrt(dot(residual.reshape(-1), residual.reshape(-1), partial)))
