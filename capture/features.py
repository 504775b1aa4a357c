"""Corners of a picture that are known again: ORB (Rublee et al. 2011)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from solver.odometry.places import Features


class OrbDetector:
    """Finds up to `count` corners, spread over the picture."""

    def __init__(self, count: int = 800) -> None:
        self._orb = cv2.ORB_create(count, scaleFactor=1.3, nlevels=6, fastThreshold=10)

    def __call__(self, intensity: NDArray[np.float32]) -> Features:
        """The corners of a grey picture (H, W), 0 to 255."""
        points, descriptors = self._orb.detectAndCompute(np.clip(intensity, 0, 255).astype(np.uint8), None)
        if descriptors is None:
            return Features(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
        return Features(np.array([point.pt for point in points], np.float32), descriptors)
