"""From what is there to what a camera delivers. Each camera has lasting errors, drawn from its serial number."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.simulated.camera import CameraModel
from solver.kernels.color_sensor import develop_color
from solver.kernels.counter_noise import window_noise
from solver.kernels.depth_sensor import (
    FlightSensor,
    StereoSensor,
    find_half_occluded,
    sense_flight,
    sense_stereo,
)

MATCHING_WINDOW_PX = 7
FOOTPRINT_PX = 3
"""Window over which a time-of-flight camera's own filter correlates the noise."""
DISPARITY_STEP_PX = 1.0 / 32.0
SCALE_SIGMA = 0.002
"""Spread of the calibrated focal length times baseline between stereo cameras."""
FIELD_SIGMA_PX = 0.04
"""Spread of the lasting smooth disparity error between places of one picture."""
FLIGHT_SCALE = 0.001
FLIGHT_FIELD_M = 0.003
FLIGHT_WIGGLE_M = 0.0025
"""With the field within the 11 mm + 0.1 % that the maker allows."""
FIELD_KNOTS = (6, 8)

READ_NOISE = 0.004
SHOT_NOISE = 0.00025
"""Of the colour imager at full scale 1; a grey wall varies by about one and a half of 255."""


class DepthSensor:
    """One physical depth camera. `seed` drives what changes from frame to frame, `serial` what does not."""

    def __init__(self, camera: CameraModel, portrait: bool, serial: str, seed: int) -> None:
        shape = (camera.intrinsics.height, camera.intrinsics.width)
        own = np.random.default_rng(zlib.crc32(f"{camera.name} {serial}".encode()))
        knots = own.standard_normal(FIELD_KNOTS).astype(np.float32)
        field = cv2.resize(knots, shape[::-1], interpolation=cv2.INTER_CUBIC)
        scale_error = float(np.clip(own.standard_normal(), -2.5, 2.5))
        phase = float(own.uniform(0.0, 2.0 * np.pi))
        self._camera = camera
        self._portrait = portrait
        self._seed = np.uint64(seed) << np.uint64(32)
        if camera.stereo:
            self._stereo = StereoSensor(
                focal_baseline=camera.intrinsics.fx * camera.noise.baseline_m,
                sigma=camera.noise.disparity_sigma_px,
                scale=1.0 + SCALE_SIGMA * scale_error,
                step=DISPARITY_STEP_PX,
                near=camera.near_m,
                far=camera.far_m,
            )
            field *= FIELD_SIGMA_PX
            self._window = MATCHING_WINDOW_PX
        else:
            noise = camera.noise
            self._flight = FlightSensor(
                floor=noise.floor_m,
                growth=noise.disparity_sigma_px / (camera.intrinsics.fx * noise.baseline_m),
                largest=0.017,
                scale=1.0 + FLIGHT_SCALE * scale_error / 2.5,
                wiggle=FLIGHT_WIGGLE_M,
                wiggle_phase=phase,
                wiggle_period=1.5,
                step=0.001,
                near=camera.near_m,
                far=camera.far_m,
            )
            field *= FLIGHT_FIELD_M
            self._window = FOOTPRINT_PX
        # The picture is delivered upright: the sensor's right-hand edge is its lower edge.
        self.field: NDArray[np.float32] = np.ascontiguousarray(np.rot90(field, -1) if portrait else field)
        """Lasting error, shape (H, W): disparity [px] of a stereo camera, depth [m] of time of flight."""
        self._noise = np.empty_like(self.field)
        self._luck = np.empty_like(self.field)
        self._scratch = np.empty((self.field.shape[0] + self._window - 1, self.field.shape[1]), np.float32)
        self._occluded = np.empty(self.field.shape, np.bool_)

    def without_lasting_errors(self) -> None:
        """As if this one camera were perfectly calibrated: only what changes from frame to frame remains."""
        self.field[:] = 0.0
        if self._camera.stereo:
            self._stereo = self._stereo._replace(scale=1.0)
        else:
            self._flight = self._flight._replace(scale=1.0, wiggle=0.0)

    def measure(self, depth: NDArray[np.float32], surface: NDArray[np.float32], sequence: int) -> NDArray[np.float32]:
        """Depth as delivered [m], shape (H, W), a new array, from true depth and `surface` of `shade_surface`."""
        key = self._seed + np.uint64(2 * sequence)
        window_noise(key, self._window, self._scratch, self._noise)
        window_noise(key + np.uint64(1), self._window, self._scratch, self._luck)
        out = np.empty_like(depth)
        if self._camera.stereo:
            # The baseline of a camera that lies on its side runs down the picture.
            along = (depth.T, self._occluded.T) if self._portrait else (depth, self._occluded)
            find_half_occluded(along[0], self._stereo.focal_baseline, along[1])
            sense_stereo(depth, surface, self._occluded, self._noise, self._luck, self.field, self._stereo, out)
        else:
            sense_flight(depth, surface, self._noise, self._luck, self.field, self._flight, out)
        return out


class ColorSensor:
    """One physical colour imager: white balance a little off, photon and read noise."""

    def __init__(self, serial: str, seed: int, exposure: float = 1.0) -> None:
        own = np.random.default_rng(zlib.crc32(f"colour {serial}".encode()))
        self._gains = (exposure * (1.0 + own.normal(0.0, 0.02, 3))).astype(np.float32)
        self._seed = np.uint64(seed) << np.uint64(32)
        linear = np.linspace(0.0, 1.0, 4096)
        srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        self._tone = np.rint(255.0 * srgb).astype(np.uint8)

    def develop(self, light: NDArray[np.float32], sequence: int) -> NDArray[np.uint8]:
        """sRGB picture (H, W, 3), a new array, of linear `light`."""
        out = np.empty(light.shape, np.uint8)
        key = self._seed + np.uint64(sequence) + np.uint64(1 << 31)
        develop_color(light, self._gains, SHOT_NOISE, READ_NOISE, key, self._tone, out)
        return out
