"""What live and recorded RealSense streams have in common: pairing, alignment, units, gravity.

Colour is brought to the grid of depth, not the other way: every depth sample stays as it was measured, with the noise
that `SourceInfo.noise` describes, where resampling depth would smear edges and correlate errors. The look-up is our own
(`solver.kernels.align_color`), since librealsense paints colour black wherever depth is missing, which is on hair and
in the shadow beside a person, where the landmarker needs to see.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.realsense_sdk import as_written, color_camera, depth_undistortion, intrinsics_of, load_sdk, rgb_of
from solver.errors import InputError
from solver.kernels.align_color import align_color
from solver.types import Intrinsics, read_only

NO_DEPTH = 65535
"""Raw depth that means overflow; 0 means missing."""
STANDARD_GRAVITY = 9.80665
GRAVITY_SAMPLES = 200
"""Accelerometer samples that gravity is averaged over: two seconds at 100 Hz."""
PAIRING_TOLERANCE = 0.6
"""Of the time between frames: colour that runs free of depth is never more than half of it away."""
UNPAIRED_LIMIT = 30
"""After so many misfits in a row the two clocks have nothing to do with each other, and any pair will do."""
FRAMES_KEPT = 4
"""Frames of a stream that wait for their partner; librealsense's own pool of 16 must not run dry."""
STOP_PATIENCE_S = 5.0
RECORD_AGAIN = "record it again, or play it in realsense-viewer to see what it holds"


class GravityAverage:
    """Mean of the accelerometer while it is at rest."""

    def __init__(self, rotation: NDArray[np.float64]) -> None:
        """`rotation` (3, 3) takes the accelerometer's axes to the depth camera's."""
        self._rotation = rotation
        self._mean = np.zeros(3)
        self.count = 0

    def add(self, sample: Any) -> None:
        """Takes one reading [m/s^2], unless the camera was being moved."""
        reading = np.array((sample.x, sample.y, sample.z), np.float64)
        if abs(np.linalg.norm(reading) - STANDARD_GRAVITY) < 0.1 * STANDARD_GRAVITY:
            self.count += 1
            self._mean += (reading - self._mean) / min(self.count, GRAVITY_SAMPLES)

    def direction(self) -> NDArray[np.float64] | None:
        """Unit vector of the pull of gravity in frame c, None before the first reading.

        At rest an accelerometer feels what holds it up, which is the opposite.
        """
        length = np.linalg.norm(self._mean)
        return None if length == 0.0 else read_only(self._rotation @ (-self._mean / length))


class RecentFrames:
    """The last few frames of one stream."""

    def __init__(self) -> None:
        """None so far."""
        self.waiting: list[Any] = []
        self._last_number: int | None = None

    def keep(self, frame: Any) -> bool:
        """Appends `frame` unless it is none, or the last one sent again. Tells whether it is new."""
        if not frame or frame.get_frame_number() == self._last_number:
            return False
        self._last_number = frame.get_frame_number()
        self.waiting.append(frame)
        del self.waiting[:-FRAMES_KEPT]
        return True

    def nearest(self, time_ms: float) -> tuple[float, Any | None]:
        """The frame nearest to `time_ms`, and how far it is from it [ms]."""
        apart = [abs(frame.get_timestamp() - time_ms) for frame in self.waiting]
        return min(zip(apart, self.waiting, strict=True), key=lambda item: item[0], default=(math.inf, None))


class StreamConverter:
    """librealsense's frames to ours, for one started pipeline."""

    def __init__(self, depth_profile: Any, color_profile: Any | None) -> None:
        """Takes the video stream profiles. Raises `InputError` for streams that cannot be used."""
        self.intrinsics: Intrinsics = intrinsics_of(depth_profile)
        self._maps = depth_undistortion(depth_profile)
        self._has_color = color_profile is not None
        self._camera = None if color_profile is None else color_camera(color_profile, depth_profile)
        self._filled_row = np.empty(self.intrinsics.width, np.float32)
        self._tolerance_ms = PAIRING_TOLERANCE * 1000.0 / (depth_profile.fps() or 30)
        self._depths = RecentFrames()
        self._colors = RecentFrames()
        self._unpaired = 0

    def pairs(self, depth: Any | None, color: Any | None) -> list[tuple[Any, Any | None]]:
        """Depth frames and the colour frames of the same moments that these two complete, in order.

        Either may be None, or one that was seen before: the two streams do not keep step, and librealsense's pipeline
        sends a set on as soon as one of them has something new, with what is left of the other. A few frames of
        either are kept until their partner comes.
        """
        is_new = self._depths.keep(depth)
        if not self._has_color:
            self._depths.waiting.clear()
            return [(depth, None)] if is_new else []
        is_new |= self._colors.keep(color)
        found = []
        for place, waiting in enumerate(self._depths.waiting):
            apart_ms, partner = self._colors.nearest(waiting.get_timestamp())
            if apart_ms <= self._tolerance_ms:
                found.append((place, waiting, partner))
        if found:
            self._unpaired = 0
            del self._depths.waiting[: found[-1][0] + 1]
            return [(waiting, partner) for _, waiting, partner in found]
        self._unpaired += is_new
        if self._unpaired > UNPAIRED_LIMIT and self._depths.waiting and self._colors.waiting:
            return [(self._depths.waiting.pop(), self._colors.waiting[-1])]
        return []

    def depth(self, frame: Any) -> NDArray[np.float32]:
        """A fresh depth image [m], shape (H, W)."""
        raw = np.array(np.asanyarray(frame.get_data()))
        if raw.shape != (self.intrinsics.height, self.intrinsics.width) or raw.dtype != np.uint16:
            raise InputError(
                f"depth comes as {raw.dtype}{raw.shape}, the stream promised {self.intrinsics[:2]}: {RECORD_AGAIN}"
            )
        raw[raw == NO_DEPTH] = 0
        depth = (raw * as_written(frame.get_units())).astype(np.float32)
        if self._maps is not None:
            depth = cv2.remap(depth, *self._maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        return read_only(depth)

    def color(self, frame: Any, depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Colour on the grid of `depth`, shape (H, W, 3)."""
        rgb = rgb_of(frame)
        if self._camera is not None:
            aligned = np.empty((*depth.shape, 3), np.uint8)
            align_color(depth, self.intrinsics, read_only(rgb), self._camera, self._filled_row, aligned)
            rgb = aligned
        return read_only(rgb)


def find_profiles(device: Any) -> dict[str, Any]:
    """The first profile of each of the streams `depth`, `color` and `accel` that the device has."""
    sdk = load_sdk()
    wanted = {sdk.stream.depth: "depth", sdk.stream.color: "color", sdk.stream.accel: "accel"}
    found: dict[str, Any] = {}
    for sensor in device.query_sensors():
        for profile in sensor.get_stream_profiles():
            if profile.stream_type() in wanted:
                found.setdefault(wanted[profile.stream_type()], profile)
    return found


def depth_options(device: Any) -> tuple[float, float | None]:
    """(depth unit [m], stereo baseline [m] or None) of the device's depth sensor."""
    sdk = load_sdk()
    unit_m, baseline_m = 0.001, None
    for sensor in device.query_sensors():
        if sensor.supports(sdk.option.depth_units):
            unit_m = as_written(sensor.get_option(sdk.option.depth_units))
        if sensor.supports(sdk.option.stereo_baseline):
            baseline_m = as_written(abs(sensor.get_option(sdk.option.stereo_baseline))) / 1000.0
    return unit_m, baseline_m


def rotation_between(profile: Any, other: Any) -> NDArray[np.float64]:
    """Turns axes of one stream into those of another, identity where the device does not tell. Shape (3, 3)."""
    try:
        return np.array(profile.get_extrinsics_to(other).rotation, np.float64).reshape(3, 3).T
    except RuntimeError:
        return np.eye(3)


def stop_patiently(stop: Callable[[], object]) -> None:
    """Calls `stop`, and leaves behind what never comes back from stopping."""

    def run() -> None:
        with contextlib.suppress(RuntimeError):  # was not started, or the device is gone: stopped it is
            stop()

    thread = threading.Thread(target=run, daemon=True, name="realsense-stop")
    thread.start()
    thread.join(STOP_PATIENCE_S)
