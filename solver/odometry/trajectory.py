"""How good a trajectory is (Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", 2012)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.odometry import se3
from solver.odometry.places import rigid_fit


class TrajectoryError(NamedTuple):
    """Over the frames that both trajectories have; root mean squares unless said."""

    ate_m: float
    """Of the distance between positions after the best rigid alignment."""
    rpe_m: float
    """Of the shift of the motion from frame to frame."""
    rpe_rad: float
    """Of its turn."""
    largest_m: float
    """Largest distance between positions."""
    rpe_median_m: float
    """Median of the shift from frame to frame, which a jump in the truth does not rule."""


def trajectory_error(found: NDArray, true: NDArray) -> TrajectoryError:
    """Compares camera poses `found` (N, 4, 4) with `true` (N, 4, 4), in whichever world each."""
    fit = rigid_fit(found[:, :3, 3], true[:, :3, 3])
    off = np.linalg.norm(found[:, :3, 3] @ fit[:3, :3].T + fit[:3, 3] - true[:, :3, 3], axis=1)
    steps = [se3.inverse(poses[:-1]) @ poses[1:] for poses in (found, true)]
    twists = se3.log(se3.inverse(steps[1]) @ steps[0])
    squares = np.square(twists[:, :3]).sum(1)
    shifts = np.square((se3.inverse(steps[1]) @ steps[0])[:, :3, 3]).sum(1)
    return TrajectoryError(
        float(np.sqrt(np.mean(off**2))),
        float(np.sqrt(np.mean(shifts))),
        float(np.sqrt(np.mean(squares))),
        float(off.max()),
        float(np.sqrt(np.median(shifts))),
    )
