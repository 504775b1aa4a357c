"""Depth cameras that can be simulated, and how they hang."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.types import DepthNoise, Intrinsics


@dataclass(frozen=True, slots=True)
class CameraModel:
    """A depth camera as its maker describes it, lying flat (landscape)."""

    name: str
    intrinsics: Intrinsics
    noise: DepthNoise
    stereo: bool
    """Stereo, else time of flight."""
    near_m: float
    far_m: float
    accelerometer: bool


def _centred(width: int, height: int, focal_px: float) -> Intrinsics:
    return Intrinsics(width, height, focal_px, focal_px, (width - 1) / 2.0, (height - 1) / 2.0)


DISPARITY_SIGMA_PX = 0.08
"""Of every RealSense stereo camera on a textured surface (Intel's tuning guide; Keselman et al. 2017)."""
FLIGHT_SIGMA_2M = 0.004
"""Noise of the Femto at 2 m on skin [m], well inside the 17 mm that its maker allows."""

D435 = CameraModel("d435", _centred(848, 480, 425.0), DepthNoise(0.050, DISPARITY_SIGMA_PX, 0.0), True, 0.2, 6.0, False)
D455 = CameraModel("d455", _centred(848, 480, 425.0), DepthNoise(0.095, DISPARITY_SIGMA_PX, 0.0), True, 0.4, 6.0, True)
FEMTO = CameraModel(
    "femto",
    _centred(640, 576, 504.0),
    DepthNoise(
        2.0**2 * DISPARITY_SIGMA_PX / (504.0 * np.sqrt(FLIGHT_SIGMA_2M**2 - 0.0015**2)), DISPARITY_SIGMA_PX, 0.0015
    ),
    False,
    0.25,
    5.0,
    True,
)
CAMERAS = {camera.name: camera for camera in (D435, D455, FEMTO)}


@dataclass(frozen=True, slots=True)
class Mount:
    """How a camera hangs. A portrait camera lies on its side; its pictures are delivered upright."""

    height_m: float
    """Of the lens above the floor."""
    tilt_rad: float
    """Above the horizon; negative looks down."""
    roll_rad: float
    """Clockwise as the camera looks."""
    portrait: bool

    def intrinsics(self, camera: CameraModel) -> Intrinsics:
        """Of the pictures as delivered."""
        width, height, fx, fy, cx, cy = camera.intrinsics
        return Intrinsics(height, width, fy, fx, cy, cx) if self.portrait else camera.intrinsics

    def T_wc(self) -> NDArray[np.float64]:
        """Camera to world, shape (4, 4): above the world's origin, the camera's x axis levelled being the world's x."""
        level = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
        ct, st = np.cos(self.tilt_rad), np.sin(self.tilt_rad)
        cr, sr = np.cos(self.roll_rad), np.sin(self.roll_rad)
        tilt = np.array([[1.0, 0.0, 0.0], [0.0, ct, -st], [0.0, st, ct]])
        roll = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
        rotation = level @ tilt @ roll
        x = rotation[:, 0]
        heading = np.hypot(x[0], x[1])
        c, s = x[0] / heading, x[1] / heading
        transform = np.eye(4)
        transform[:3, :3] = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) @ rotation
        transform[2, 3] = self.height_m
        return transform
