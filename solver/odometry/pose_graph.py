"""Poses that agree best with measured motions between them: Levenberg-Marquardt on SE(3), doubtful edges switched off.

Edges between neighbours are held to; closures get a switch by dynamic covariance scaling (Agarwal et al. 2013), so
that a wrong one loses its say in place of bending the rest. After much drift a right one looks wrong as well: switches
begin loose and tighten (graduated non-convexity, Yang et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, identity
from scipy.sparse.linalg import splu

from solver.odometry import se3

SWITCH = 12.6
"""Squared error beyond which a closure fades: 95 % of chi-square with six degrees of freedom."""
REFUSED = 0.1
"""A closure that counts less than this was not believed."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A measured motion between two poses."""

    first: int
    second: int
    T_fs: NDArray[np.float64]
    """Second to first camera, (4, 4)."""
    information: NDArray[np.float64]
    """Inverse covariance of its twist, in the second camera's frame, (6, 6)."""
    closure: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Poses after the adjustment."""

    poses: NDArray[np.float64]
    """`T_wc`, (N, 4, 4)."""
    shares: NDArray[np.float64]
    """How much each edge counted, (E,), 0 to 1."""
    cost: float


def optimise(poses: NDArray, edges: list[Edge], iterations: int = 30) -> Graph:
    """Adjusts `poses` (N, 4, 4) to `edges`, with at most so many iterations at each tightness; the first pose stays."""
    poses = np.array(poses, np.float64)
    first, second = (np.array([getattr(edge, end) for edge in edges], int) for end in ("first", "second"))
    measured = se3.inverse(np.array([edge.T_fs for edge in edges]))
    information = np.array([edge.information for edge in edges])
    closure = np.array([edge.closure for edge in edges], bool)
    residuals = _residuals(poses, first, second, measured)
    squares = np.where(closure, _squares(residuals, information), 0.0)
    switch = max(SWITCH, float(squares.max(initial=0.0)))
    while True:
        poses, shares, cost = _descend(poses, first, second, measured, information, closure, switch, iterations)
        if switch == SWITCH:
            return Graph(np.array([se3.orthonormal(pose) for pose in poses]), shares, cost)
        switch = max(SWITCH, 0.2 * switch)


def _descend(
    poses, first, second, measured, information, closure, switch: float, iterations: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Poses, shares of the edges and cost at the minimum nearest to `poses`."""
    damping = 1e-6
    residuals = _residuals(poses, first, second, measured)
    shares = _shares(residuals, information, closure, switch)
    cost = _cost(residuals, information, closure, switch)
    for _ in range(iterations):
        step = _solve(poses, residuals, first, second, information * shares[:, None, None] ** 2, damping)
        moved = poses.copy()
        moved[1:] = poses[1:] @ se3.exp(step)
        new = _residuals(moved, first, second, measured)
        new_cost = _cost(new, information, closure, switch)
        if new_cost > cost * (1.0 + 1e-12):
            damping *= 10.0
            if damping > 1e6:
                break
            continue
        done = cost - new_cost < 1e-6 * cost + 1e-12
        poses, residuals, cost = moved, new, new_cost
        shares = _shares(residuals, information, closure, switch)
        damping = max(0.1 * damping, 1e-9)
        if done:
            break
    return poses, shares, cost


def _residuals(poses: NDArray, first: NDArray, second: NDArray, measured: NDArray) -> NDArray[np.float64]:
    return se3.log(measured @ se3.inverse(poses[first]) @ poses[second])


def _squares(residuals: NDArray, information: NDArray) -> NDArray[np.float64]:
    return np.einsum("ei,eij,ej->e", residuals, information, residuals)


def _shares(residuals: NDArray, information: NDArray, closure: NDArray, switch: float) -> NDArray[np.float64]:
    scaled = np.minimum(1.0, 2.0 * switch / (switch + _squares(residuals, information)))
    return np.where(closure, scaled, 1.0)


def _cost(residuals: NDArray, information: NDArray, closure: NDArray, switch: float) -> float:
    """With each switch at its best: s^2 e^2 + switch (1 - s)^2."""
    shares = _shares(residuals, information, closure, switch)
    return float((shares**2 * _squares(residuals, information) + switch * (1.0 - shares) ** 2).sum())


def _solve(poses, residuals, first, second, information, damping: float) -> NDArray[np.float64]:
    """The twists (N - 1, 6) of all poses but the first, in their own frames."""
    count = len(poses)
    # d log(exp(e) exp(x)) is x + ad(e) x / 2 + ..., and the first pose's twist crosses to the second's frame.
    curl = np.zeros((len(residuals), 6, 6))
    cross_omega, cross_v = se3.hat(residuals[:, :3]), se3.hat(residuals[:, 3:])
    curl[:, :3, :3] = curl[:, 3:, 3:] = cross_omega
    curl[:, 3:, :3] = cross_v
    by_second = np.eye(6) + 0.5 * curl
    by_first = -by_second @ se3.adjoint(se3.inverse(poses[second]) @ poses[first])
    rows, columns, values = [], [], []
    gradient = np.zeros((count, 6))
    jacobians = ((first, by_first), (second, by_second))
    for a, ja in jacobians:
        weighted = np.swapaxes(ja, 1, 2) @ information
        np.add.at(gradient, a, (weighted @ residuals[..., None])[..., 0])
        for b, jb in jacobians:
            block = weighted @ jb
            rows.append((6 * a[:, None, None] + np.arange(6)[:, None] + np.zeros((1, 6), int)).ravel())
            columns.append((6 * b[:, None, None] + np.arange(6) + np.zeros((6, 1), int)).ravel())
            values.append(block.ravel())
    size = 6 * count
    hessian = coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)
    ).tocsc()[6:, 6:]
    scale = hessian.diagonal().mean()
    step = splu((hessian + damping * scale * identity(size - 6, format="csc")).tocsc()).solve(-gradient[1:].ravel())
    return step.reshape(-1, 6)
