"""How much the depth of known cameras varies."""

from __future__ import annotations

import math

from solver.types import DepthNoise

STEREO_SIGMA_PX = 0.08
"""Disparity noise of RealSense stereo cameras on textured surfaces (librealsense issue 3904; the ideal is 0.03)."""

STEREO_BASELINES_M = {
    "d405": 0.018,
    "d410": 0.055,
    "d415": 0.055,
    "d421": 0.050,
    "d430": 0.050,
    "d435": 0.050,
    "d450": 0.095,
    "d455": 0.095,
    "d456": 0.095,
    "d457": 0.095,
    "d555": 0.095,
}

STRUCTURED_LIGHT = DepthNoise(baseline_m=0.075, disparity_sigma_px=0.062, floor_m=0.0005)
"""Kinect v1 and its like (f about 580 px): sigma = 1.425 mm z^2 (Khoshelham and Elberink 2012, eq. 11 and 12)."""


def stereo_noise(model: str, baseline_m: float | None, depth_unit_m: float) -> DepthNoise:
    """Noise of a stereo camera from the baseline that it reports, else from its `model` name, else that of a D435."""
    if not baseline_m or not 0.005 < baseline_m < 0.5:
        named = (baseline for name, baseline in STEREO_BASELINES_M.items() if name in model.lower())
        baseline_m = next(named, STEREO_BASELINES_M["d435"])
    return DepthNoise(baseline_m, STEREO_SIGMA_PX, depth_unit_m / math.sqrt(12.0))
