"""RealSense recordings (`.db3`, `.bag`), played by librealsense.

The sensors are played themselves and their frames paired here: librealsense's pipeline, meant for live use, drops a
frame now and then where the machine is busy, and its first ones where there is an accelerometer.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from capture.depth_noise import stereo_noise
from capture.device_clock import DeviceClock
from capture.realsense_sdk import device_info, load_sdk
from capture.realsense_streams import (
    GRAVITY_SAMPLES,
    RECORD_AGAIN,
    STOP_PATIENCE_S,
    GravityAverage,
    StreamConverter,
    depth_options,
    find_profiles,
    rotation_between,
    stop_patiently,
)
from capture.source import EndOfRecording, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError, InputError
from solver.types import Frame

QUEUE_FRAMES = 4
LAST_FRAMES_S = 1.0
"""How long a busy machine may take to bring the last frames of a recording."""
LEAST_READABLE = 0.9
"""Share of a recording's frames below which it counts as damaged; a camera drops some colour while it records."""
_log = logging.getLogger(__name__)


class RealSenseRecording:
    """A `.db3` or `.bag` of librealsense, played as fast as it is read, frame by frame and to the last one."""

    def __init__(self, path: Path) -> None:
        """Opens the recording. Raises `InputError` naming the file and the cure."""
        self._path = Path(path)
        frame_count = count_depth_frames(self._path)
        self._frames: queue.Queue[Any] = queue.Queue(QUEUE_FRAMES)
        self._stopping = threading.Event()
        self._sensors: list[Any] = []
        self._starting: threading.Thread | None = None
        self._state = "playing"
        try:
            self._open(load_sdk(), frame_count)
        except (RuntimeError, InputError) as error:
            self.close()
            if isinstance(error, InputError):
                raise InputError(f"{path}: {error}") from error
            reason = f"not a readable RealSense recording ({_reason(error)})"
            raise InputError(f"{path}: {reason}; {RECORD_AGAIN}") from error

    def _open(self, sdk: Any, frame_count: int | None) -> None:
        self._context = sdk.context()  # must outlive the device
        device = self._device = self._context.load_device(str(self._path))
        self._playback = device.as_playback()
        self._playback.set_real_time(False)
        profiles = find_profiles(device)
        if "depth" not in profiles:
            raise InputError("the recording has no depth stream; record depth and colour")
        depth_profile = profiles["depth"].as_video_stream_profile()
        color_profile = profiles["color"].as_video_stream_profile() if "color" in profiles else None
        self._converter = StreamConverter(depth_profile, color_profile)
        self._depth_stream = depth_profile.stream_type()
        self._hardware_clock = sdk.timestamp_domain.hardware_clock
        self._gravity = recorded_gravity(self._path)
        unit_m, baseline_m = depth_options(device)
        model = device_info(device, sdk.camera_info.name)
        frame_rate = float(depth_profile.fps() or 30)
        self._clock = DeviceClock(frame_rate)
        self._sequence = -1
        self._delivered = 0
        self._ready: deque[Frame] = deque()
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
        self._play([profile for profile in (depth_profile, color_profile) if profile is not None])

    def _play(self, wanted: list[Any]) -> None:
        """Starts all sensors while playback stands still, or the later ones would miss the beginning."""
        self._playback.pause()
        for sensor in self._device.query_sensors():
            own = {profile.unique_id() for profile in sensor.get_stream_profiles()}
            mine = [profile for profile in wanted if profile.unique_id() in own]
            if mine:
                sensor.open(mine)
                self._sensors.append(sensor)
                sensor.start(self._enqueue)
        # `resume` waits for callbacks, which wait for the reader once the queue is full: it needs a thread.
        self._starting = threading.Thread(target=self._playback.resume, daemon=True, name="realsense-resume")
        self._starting.start()

    def _enqueue(self, frame: Any) -> None:
        """Called by librealsense's threads; makes playback wait for the reader, but never for one that has left."""
        while not self._stopping.is_set():
            try:
                self._frames.put(frame, timeout=0.05)
                break
            except queue.Full:
                continue

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
            if self._ready:
                self._delivered += 1
                return self._ready.popleft()
            # "Stopped" says that the file is read; its last frames may still be on their way.
            stopped = "stopped" in str(self._playback.current_status())
            if stopped and self._delivered == self._info.frame_count:
                self._end()
                continue
            try:
                frame = self._frames.get(timeout=LAST_FRAMES_S if stopped else 0.05)
            except queue.Empty:
                if stopped:
                    self._end()
                elif time.monotonic() > deadline:
                    raise FrameTimeoutError(f"{self._path}: no frame within {timeout_s:g} s") from None
                continue
            is_depth = frame.get_profile().stream_type() == self._depth_stream
            pairs = self._converter.pairs(frame if is_depth else None, None if is_depth else frame)
            self._ready.extend(self._convert(*pair) for pair in pairs)

    def _convert(self, depth_frame: Any, color_frame: Any | None) -> Frame:
        number = depth_frame.get_frame_number()
        wraps = depth_frame.get_frame_timestamp_domain() == self._hardware_clock
        captured_at = self._clock.advance(depth_frame.get_timestamp() / 1000.0, wraps)
        try:
            depth = self._converter.depth(depth_frame.as_depth_frame())
            color = self._converter.color(color_frame.as_video_frame(), depth) if color_frame else None
        except (RuntimeError, InputError) as error:
            raise InputError(f"{self._path}: frame {number} is damaged ({_reason(error)}); {RECORD_AGAIN}") from error
        self._sequence = number if number > self._sequence else self._sequence + 1
        return Frame(self._sequence, captured_at, self._converter.intrinsics, color, depth, self._gravity)

    def _end(self) -> None:
        """Playback stops without a word at a damaged message: the count tells."""
        self._state = "ended"
        expected = self._info.frame_count
        self._stop()
        if self._delivered == 0:
            raise InputError(f"{self._path}: no frame with depth and colour can be read; {RECORD_AGAIN}")
        if expected is None or self._delivered >= expected:
            return
        lost = f"only {self._delivered} of {expected} frames can be read"
        if self._delivered < LEAST_READABLE * expected - 2:
            raise InputError(f"{self._path}: the recording is damaged, {lost}; {RECORD_AGAIN}")
        _log.warning("%s: %s", self._path, lost)

    def _stop(self) -> None:
        self._stopping.set()
        if self._starting is not None:
            self._starting.join(STOP_PATIENCE_S)
        for sensor in self._sensors:
            stop_patiently(sensor.stop)
            stop_patiently(sensor.close)
        self._sensors.clear()

    def close(self) -> None:
        """Stops the playback. Safe to call twice."""
        self._state = "closed"
        self._stop()

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


def recorded_gravity(path: Path) -> NDArray[np.float64] | None:
    """Gravity in frame c from the first accelerometer readings of a recording, None where there are none.

    A pass of its own: readings are many, and would hold up the pictures.
    """
    sdk = load_sdk()
    context = sdk.context()
    device = context.load_device(str(path))
    profiles = find_profiles(device)
    if "accel" not in profiles:
        return None
    average = GravityAverage(rotation_between(profiles["accel"], profiles["depth"]))
    enough = threading.Event()

    def collect(frame: Any) -> None:
        if average.count < GRAVITY_SAMPLES:
            average.add(frame.as_motion_frame().get_motion_data())
        else:
            enough.set()

    playback = device.as_playback()
    playback.set_real_time(False)
    accel = profiles["accel"].unique_id()
    for sensor in device.query_sensors():
        if accel in {profile.unique_id() for profile in sensor.get_stream_profiles()}:
            sensor.open(profiles["accel"])
            sensor.start(collect)
            deadline = time.monotonic() + 2.0
            while not enough.wait(0.02) and time.monotonic() < deadline:
                if "stopped" in str(playback.current_status()):
                    break
            stop_patiently(sensor.stop)
            stop_patiently(sensor.close)
    return average.direction()


def _reason(error: Exception) -> str:
    """The last clause of librealsense's chained messages, on one line."""
    text = " ".join(str(error).split())
    return text.rsplit("Reason: ", 1)[-1][:160].rstrip(". ") or type(error).__name__
