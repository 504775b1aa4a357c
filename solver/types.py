"""What flows from stage to stage. All are frozen; arrays are read-only once published.

Frames: `c` camera as in OpenCV (x right, y down, z forward); `w` world (x right, y forward, z up, floor z = 0);
`b` body (origin on the floor below the pelvis, z up, facing -y, the wearer's left at +x). `T_wc` maps c to w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Intrinsics(NamedTuple):
    """A pinhole camera without distortion, pixel centres at integer coordinates. Accepted by kernels as it is."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


class DepthNoise(NamedTuple):
    """How a depth camera errs: sigma_z(z) = sqrt(floor_m^2 + (z^2 * disparity_sigma_px / (fx * baseline_m))^2).

    For time-of-flight cameras `baseline_m` is chosen so that the formula gives their sigma at 2 m.
    """

    baseline_m: float
    disparity_sigma_px: float
    floor_m: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One moment as the camera saw it. Colour is aligned to the depth grid: one set of intrinsics for both."""

    sequence: int
    captured_at: float
    """Monotonic time [s]; the origin is arbitrary."""
    intrinsics: Intrinsics
    color: NDArray[np.uint8] | None
    """sRGB, shape (H, W, 3), RGB order."""
    depth: NDArray[np.float32] | None
    """Depth along the optical axis [m], shape (H, W), 0.0 where missing."""
    gravity: NDArray[np.float64] | None = None
    """Unit vector of the pull of gravity, shape (3,), frame c, where the camera has an accelerometer."""
    T_wc: NDArray[np.float64] | None = None
    """The recording's own camera pose, shape (4, 4), where it has one. World = the recording's world."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """The 33 MediaPipe pose landmarks, in MediaPipe's order."""

    image: NDArray[np.float32]
    """Pixel positions, shape (33, 2)."""
    visibility: NDArray[np.float32]
    """Probability of being visible, shape (33,), 0 to 1."""
    world: NDArray[np.float32]
    """Positions [m], shape (33, 3), about the hips' middle, axes of frame c."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A frame and what was seen in it."""

    frame: Frame
    mask: NDArray[np.float32] | None
    """Probability that a pixel is the person, shape (H, W), 0 to 1."""
    landmarks: Landmarks | None


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the floor is: world z = 0. The world's x is the camera's x levelled, its origin lies below the camera."""

    T_wc: NDArray[np.float64]
    """Camera to world, shape (4, 4)."""
    rms_m: float
    """Spread of the floor points about the plane [m]."""
    inlier_fraction: float
    """Share of the pixels below the horizon that lie on the floor."""


@dataclass(frozen=True, slots=True)
class BodyState:
    """The tracked body at one moment."""

    sequence: int
    captured_at: float
    shape: NDArray[np.float64]
    """Shape coefficients, (K,), in standard deviations of the population."""
    pose: NDArray[np.float64]
    """Joint rotation vectors [rad] relative to the parent, in the axes of frame b at rest, shape (J, 3)."""
    T_wb: NDArray[np.float64]
    """Body to world, shape (4, 4)."""
    vertices: NDArray[np.float32]
    """Posed model vertices [m], shape (V, 3), frame w."""
    confidence: float
    """0 lost .. 1 sure: the share of the visible model that the depth image agrees with."""


class Mesh(NamedTuple):
    """A triangle mesh."""

    vertices: NDArray[np.float32]
    """Positions [m], shape (V, 3)."""
    faces: NDArray[np.int32]
    """Vertex indices, counter-clockwise seen from outside, shape (F, 3)."""


def read_only(array: NDArray) -> NDArray:
    """Mark `array` read-only and return it: what a stage publishes nobody may change."""
    array.flags.writeable = False
    return array
