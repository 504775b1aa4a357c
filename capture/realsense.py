"""RealSense depth cameras, live and recorded, through the pipeline of librealsense.

Colour is brought to the grid of depth, not the other way: every depth sample stays as it was measured, with the noise
that `SourceInfo.noise` describes, where resampling depth would smear edges and correlate errors. The look-up is our own
(`solver.kernels.align_color`), since librealsense paints colour black wherever depth is missing, which is on hair and
in the shadow beside a person, where the landmarker needs to see.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.depth_noise import stereo_noise
from capture.device_clock import DeviceClock
from capture.realsense_sdk import (
    as_written,
    color_camera,
    depth_undistortion,
    device_info,
    intrinsics_of,
    load_sdk,
    rgb_of,
)
from capture.source import EndOfRecording, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError, InputError
from solver.kernels.align_color import align_color
from solver.types import Frame, Intrinsics, read_only

NO_DEPTH = 65535
"""Raw depth that means overflow; 0 means missing."""
STANDARD_GRAVITY = 9.80665
GRAVITY_SAMPLES = 200
"""Accelerometer samples that gravity is averaged over: two seconds at 100 Hz."""
LIVE_PROFILES = ((848, 480, 30), (640, 480, 30), (848, 480, 15), (640, 480, 15), (480, 270, 15))
"""Depth and colour size and rate in order of preference; the last ones are what a USB 2 port carries."""
PAIRING_TOLERANCE = 0.6
"""Of the time between frames: colour that runs free of depth is never more than half of it away."""
UNPAIRED_LIMIT = 30
"""After so many misfits in a row the two clocks have nothing to do with each other, and any pair will do."""
STOP_PATIENCE_S = 5.0
LEAST_READABLE = 0.9
"""Share of a recording's frames below which it counts as damaged; a camera drops some colour while it records."""
RECORD_AGAIN = "record it again, or play it in realsense-viewer to see what it holds"
_log = logging.getLogger(__name__)


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
        self._depth_number: int | None = None
        self._unpaired = 0

    def pair(self, frames: Any) -> tuple[Any, Any | None] | None:
        """A new depth frame and the colour frame of the same moment, None where `frames` holds no such pair.

        The pipeline sends sets on as soon as one stream has something new, with what is left of the other.
        """
        depth, color = frames.get_depth_frame(), frames.get_color_frame() if self._has_color else None
        if not depth or (self._has_color and not color) or depth.get_frame_number() == self._depth_number:
            return None
        if color and color.get_frame_timestamp_domain() == depth.get_frame_timestamp_domain():
            apart_ms = abs(color.get_timestamp() - depth.get_timestamp())
            if apart_ms > self._tolerance_ms and self._unpaired < UNPAIRED_LIMIT:
                self._unpaired += 1
                return None
            if apart_ms <= self._tolerance_ms:
                self._unpaired = 0
        self._depth_number = depth.get_frame_number()
        return depth, color

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


def stop_pipeline(pipeline: Any) -> None:
    """Stops, and leaves behind a pipeline that never comes back from stopping."""

    def stop() -> None:
        try:
            pipeline.stop()
        except RuntimeError:  # was not started, or the device is gone: stopped it is
            return

    thread = threading.Thread(target=stop, daemon=True, name="realsense-stop")
    thread.start()
    thread.join(STOP_PATIENCE_S)


class RealSenseRecording:
    """A `.db3` or `.bag` of librealsense, played as fast as it is read, frame by frame and to the last one."""

    def __init__(self, path: Path) -> None:
        """Opens the recording. Raises `InputError` naming the file and the cure."""
        self._path = Path(path)
        frame_count = count_depth_frames(self._path)
        sdk = load_sdk()
        self._pipeline: Any = sdk.pipeline()
        try:
            self._open(sdk, frame_count)
        except RuntimeError as error:
            self._abandon()
            raise InputError(
                f"{path}: not a readable RealSense recording ({_reason(error)}); {RECORD_AGAIN}"
            ) from error
        except InputError as error:
            self._abandon()
            raise InputError(f"{path}: {error}") from error

    def _open(self, sdk: Any, frame_count: int | None) -> None:
        # The accelerometer is read first and by itself: with it, the pipeline drops the frames before its first sample.
        device = sdk.context().load_device(str(self._path))
        profiles = find_profiles(device)
        if "depth" not in profiles:
            raise InputError("the recording has no depth stream; record depth and colour")
        self._gravity = None
        if "accel" in profiles:
            self._gravity = recorded_gravity(
                device, profiles["accel"], rotation_between(profiles["accel"], profiles["depth"])
            )
        has_color = "color" in profiles
        del device, profiles
        config = sdk.config()
        config.enable_device_from_file(str(self._path), repeat_playback=False)
        config.enable_stream(sdk.stream.depth)
        if has_color:
            config.enable_stream(sdk.stream.color)
        # Real time must be off before the start, or the first frames run away.
        config.resolve(sdk.pipeline_wrapper(self._pipeline)).get_device().as_playback().set_real_time(False)
        profile = self._pipeline.start(config)
        device = profile.get_device()
        self._playback = device.as_playback()
        depth_profile = profile.get_stream(sdk.stream.depth).as_video_stream_profile()
        color_profile = profile.get_stream(sdk.stream.color).as_video_stream_profile() if has_color else None
        self._converter = StreamConverter(depth_profile, color_profile)
        self._hardware_clock = sdk.timestamp_domain.hardware_clock
        unit_m, baseline_m = depth_options(device)
        model = device_info(device, sdk.camera_info.name)
        frame_rate = float(depth_profile.fps() or 30)
        self._clock = DeviceClock(frame_rate)
        self._sequence = -1
        self._delivered = 0
        self._state = "playing"
        self._info = SourceInfo(
            kind="realsense-recording",
            name=self._path.name,
            serial=device_info(device, sdk.camera_info.serial_number),
            intrinsics=self._converter.intrinsics,
            noise=stereo_noise(model, baseline_m, unit_m),
            frame_rate=frame_rate,
            live=False,
            frame_count=frame_count,
        )

    @property
    def info(self) -> SourceInfo:
        """What is known of the recording; `frame_count` for `.db3` only."""
        return self._info

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame.

        Raises `EndOfRecording` after the last, `InputError` where the recording is damaged, `FrameTimeoutError`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self._state == "closed":
                raise DeviceLostError(f"{self._path}: the recording was closed")
            if self._state == "ended":
                raise EndOfRecording(f"{self._path}: end of the recording")
            stopped = "stopped" in str(self._playback.current_status())
            arrived, frames = self._pipeline.try_wait_for_frames(50)
            if arrived:
                frame = self._convert(frames)
                if frame is not None:
                    return frame
            elif stopped:  # before the wait, so that nothing can have been on its way
                self._end()
            elif time.monotonic() > deadline:
                raise FrameTimeoutError(f"{self._path}: no frame within {timeout_s:g} s")

    def _convert(self, frames: Any) -> Frame | None:
        pair = self._converter.pair(frames)
        if pair is None:
            return None
        depth_frame, color_frame = pair
        number = depth_frame.get_frame_number()
        wraps = depth_frame.get_frame_timestamp_domain() == self._hardware_clock
        captured_at = self._clock.advance(depth_frame.get_timestamp() / 1000.0, wraps)
        try:
            depth = self._converter.depth(depth_frame)
            color = self._converter.color(color_frame, depth) if color_frame else None
        except (RuntimeError, InputError) as error:
            raise InputError(f"{self._path}: frame {number} is damaged ({_reason(error)}); {RECORD_AGAIN}") from error
        self._sequence = number if number > self._sequence else self._sequence + 1
        self._delivered += 1
        return Frame(self._sequence, captured_at, self._converter.intrinsics, color, depth, self._gravity)

    def _end(self) -> None:
        """Playback stops without a word at a damaged message: the count tells."""
        self._state = "ended"
        expected = self._info.frame_count
        stop_pipeline(self._pipeline)
        if self._delivered == 0:
            raise InputError(f"{self._path}: no frame with depth and colour can be read; {RECORD_AGAIN}")
        if expected is None or self._delivered >= expected:
            return
        lost = f"only {self._delivered} of {expected} frames can be read"
        if self._delivered < LEAST_READABLE * expected - 2:
            raise InputError(f"{self._path}: the recording is damaged, {lost}; {RECORD_AGAIN}")
        _log.warning("%s: %s", self._path, lost)

    def _abandon(self) -> None:
        self._state = "closed"
        stop_pipeline(self._pipeline)

    def close(self) -> None:
        """Stops the playback. Safe to call twice."""
        if self._state != "closed":
            self._abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def count_depth_frames(path: Path) -> int | None:
    """Depth images in a `.db3` (an SQLite file of ROS 2 messages), None for the older `.bag`.

    Raises `InputError` for what is missing, empty, or no database; librealsense would create the missing one.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    if path.is_dir() or size == 0:
        raise InputError(
            f"{path}: {'a folder' if path.is_dir() else 'empty'}, not a RealSense recording; {RECORD_AGAIN}"
        )
    if path.suffix.lower() == ".bag":
        return None
    query = "SELECT count(*) FROM messages JOIN topics ON topics.id = topic_id WHERE name LIKE '%/Depth_%/image/data%'"
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            (count,) = database.execute(query).fetchone()
        finally:
            database.close()
    except sqlite3.Error as error:
        raise InputError(f"{path}: not a readable RealSense recording ({error}); {RECORD_AGAIN}") from error
    return count


def recorded_gravity(device: Any, profile: Any, rotation: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Gravity from the first accelerometer readings of a recording, None where there are none."""
    average = GravityAverage(rotation)
    playback = device.as_playback()
    playback.set_real_time(False)
    enough = threading.Event()

    def collect(frame: Any) -> None:
        if average.count < GRAVITY_SAMPLES:
            average.add(frame.as_motion_frame().get_motion_data())
        else:
            enough.set()

    for sensor in device.query_sensors():
        if any(p.stream_type() == profile.stream_type() for p in sensor.get_stream_profiles()):
            sensor.open(profile)
            sensor.start(collect)
            deadline = time.monotonic() + 2.0
            while not enough.wait(0.01) and time.monotonic() < deadline:
                if "stopped" in str(playback.current_status()):
                    break
            sensor.stop()
            sensor.close()
            break
    return average.direction()


def _reason(error: Exception) -> str:
    """The last clause of librealsense's chained messages, on one line."""
    text = " ".join(str(error).split())
    return text.rsplit("Reason: ", 1)[-1][:160].rstrip(". ") or type(error).__name__
