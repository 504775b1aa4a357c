"""A RealSense camera that is attached to this machine. Run it in a child process: its driver is known to hang."""

from __future__ import annotations

import time
from typing import Any, Self

from capture.depth_noise import stereo_noise
from capture.realsense_sdk import device_info, load_sdk
from capture.realsense_streams import (
    GravityAverage,
    StreamConverter,
    depth_options,
    find_profiles,
    rotation_between,
    stop_patiently,
)
from capture.source import CameraAbsentError, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError, InputError
from solver.types import Frame

LIVE_PROFILES = ((848, 480, 30), (640, 480, 30), (848, 480, 15), (640, 480, 15), (480, 270, 15))
"""Depth and colour size and rate in order of preference; the last ones are what a USB 2 port carries."""
REPLUG = "plug it out and in again (a USB 3 port, its own cable)"


class RealSenseCamera:
    """Depth with colour on its grid, 848x480 at 30 frames/s where camera and cable can; stamped on arrival here."""

    def __init__(self, serial: str = "", context: Any = None) -> None:
        """Starts the camera with that serial number, or the first one found.

        `context` is librealsense's own, a new one if None. Raises `DeviceLostError` where there is no such camera or
        it does not start, `InputError` where librealsense is not installed.
        """
        sdk = load_sdk()
        self._context = context or sdk.context()  # must outlive the pipeline
        device, self._serial = self._find(sdk, serial)
        profiles = find_profiles(device)
        if "depth" not in profiles:
            raise DeviceLostError(
                f"RealSense {self._serial} has no depth stream; attach a depth camera of the D400 family"
            )
        self._has_color = "color" in profiles
        self._pipeline: Any = sdk.pipeline(self._context)
        profile = self._start(sdk, "accel" in profiles)
        # Profiles of a device die with it: from here on, only what the pipeline itself holds is asked.
        device = profile.get_device()
        depth_profile = profile.get_stream(sdk.stream.depth).as_video_stream_profile()
        try:
            color_profile = profile.get_stream(sdk.stream.color).as_video_stream_profile() if self._has_color else None
            self._converter = StreamConverter(depth_profile, color_profile)
        except (InputError, RuntimeError) as error:
            stop_patiently(self._pipeline.stop)
            raise DeviceLostError(f"RealSense {self._serial}: {error}") from error
        self._gravity: GravityAverage | None = None
        started = {stream.stream_type(): stream for stream in profile.get_streams()}
        if sdk.stream.accel in started:
            self._gravity = GravityAverage(rotation_between(started[sdk.stream.accel], depth_profile))
        unit_m, baseline_m = depth_options(device)
        model = device_info(device, sdk.camera_info.name)
        self._sequence = -1
        self._captured_at = 0.0
        self._closed = False
        self._info = SourceInfo(
            kind="realsense",
            name=model or "RealSense",
            serial=self._serial,
            intrinsics=self._converter.intrinsics,
            noise=stereo_noise(model, baseline_m, unit_m),
            frame_rate=float(depth_profile.fps() or 30),
            live=True,
            frame_count=None,
        )

    def _find(self, sdk: Any, serial: str) -> tuple[Any, str]:
        try:
            devices = {
                device_info(device, sdk.camera_info.serial_number): device for device in self._context.query_devices()
            }
        except RuntimeError as error:
            raise DeviceLostError(f"cannot look for RealSense cameras ({error}); {REPLUG}") from error
        if not devices:
            cure = "plug one into a USB 3 port, or use a recording or sim:"
            raise CameraAbsentError(f"no RealSense camera is attached to this machine; {cure}")
        if serial and serial not in devices:
            raise CameraAbsentError(f"no RealSense camera {serial} is attached; found: {', '.join(sorted(devices))}")
        found = serial or next(iter(devices))
        return devices[found], found

    def _start(self, sdk: Any, with_accelerometer: bool) -> Any:
        """Starts the best streams that camera and cable carry."""
        reason = ""
        for accelerometer in (True, False) if with_accelerometer else (False,):
            for size in LIVE_PROFILES:
                config = sdk.config()
                config.enable_device(self._serial)
                config.enable_stream(sdk.stream.depth, size[0], size[1], sdk.format.z16, size[2])
                if self._has_color:
                    config.enable_stream(sdk.stream.color, size[0], size[1], sdk.format.rgb8, size[2])
                if accelerometer:
                    config.enable_stream(sdk.stream.accel)
                try:
                    if config.can_resolve(sdk.pipeline_wrapper(self._pipeline)):
                        return self._pipeline.start(config)
                except RuntimeError as error:  # busy, no permission, or gone since
                    reason = f" ({error})"
        cure = "close other programs that use it, check the udev rules, or " + REPLUG
        raise DeviceLostError(f"RealSense {self._serial} does not start{reason}; {cure}")

    @property
    def info(self) -> SourceInfo:
        """What is known of the camera."""
        return self._info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The newest frame. Raises `FrameTimeoutError` when none arrives, `DeviceLostError` when the camera is gone."""
        deadline = time.monotonic() + timeout_s
        while True:
            if self._closed:
                raise DeviceLostError(f"RealSense {self._serial} was closed; open it again")
            left_ms = max(1, int(1000 * (deadline - time.monotonic())))
            try:
                arrived, frames = self._pipeline.try_wait_for_frames(left_ms)
                frame = self._convert(frames) if arrived else None
            except (RuntimeError, InputError) as error:
                raise DeviceLostError(f"RealSense {self._serial} failed ({error}); {REPLUG}") from error
            if frame is not None:
                return frame
            if time.monotonic() >= deadline:
                if not self._attached():
                    raise DeviceLostError(f"RealSense {self._serial} was unplugged; {REPLUG}")
                raise FrameTimeoutError(f"RealSense {self._serial}: no frame within {timeout_s:g} s")

    def _attached(self) -> bool:
        sdk = load_sdk()
        try:
            serials = [device_info(device, sdk.camera_info.serial_number) for device in self._context.query_devices()]
        except RuntimeError:
            return False
        return self._serial in serials

    def _convert(self, frames: Any) -> Frame | None:
        arrived_at = time.monotonic()
        sdk = load_sdk()
        if self._gravity is not None:
            sample = frames.first_or_default(sdk.stream.accel)
            if sample:
                self._gravity.add(sample.as_motion_frame().get_motion_data())
        color_frame = frames.get_color_frame() if self._has_color else None
        pairs = self._converter.pairs(frames.get_depth_frame(), color_frame)
        if not pairs:
            return None
        depth_frame, color_frame = pairs[-1]
        depth = self._converter.depth(depth_frame)
        color = self._converter.color(color_frame, depth) if color_frame else None
        number = depth_frame.get_frame_number()
        self._sequence = number if number > self._sequence else self._sequence + 1
        self._captured_at = max(self._captured_at, arrived_at)
        gravity = self._gravity.direction() if self._gravity else None
        return Frame(self._sequence, self._captured_at, self._converter.intrinsics, color, depth, gravity)

    def close(self) -> None:
        """Stops the camera. Safe to call twice."""
        if not self._closed:
            self._closed = True
            stop_patiently(self._pipeline.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
