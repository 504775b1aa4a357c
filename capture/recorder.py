"""Writes frames as a RealSense recording (`.db3`), which this project and RealSense's own tools play back.

Depth goes in as 16-bit counts of 0.1 mm (of 1 mm where the first frame looks farther than 6 m), losslessly packed, so
that no depth is off by more than half a count; colour is lossless too. Gravity becomes an accelerometer stream. Poses
(`Frame.T_wc`) have no place in the format and are left out.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np

from capture.depth_noise import STEREO_SIGMA_PX
from capture.realsense import count_depth_frames
from capture.realsense_sdk import load_sdk
from capture.realsense_streams import STANDARD_GRAVITY
from capture.source import SourceInfo
from solver.errors import ChevalError, InputError, UsageError
from solver.types import Frame

FINE_UNIT_M, COARSE_UNIT_M = 0.0001, 0.001
FINE_RANGE_M = 6.0
"""Farther than this at the start, and counts of 0.1 mm (6.5535 m at most) are too few."""
FLUSH_EVERY = 32
"""Frames between waits for the disk. librealsense keeps 1 GB waiting and then drops frames without a word."""


class RecordingError(ChevalError):
    """A recording could not be written whole."""


class RealSenseRecorder:
    """Writes one recording. It appears under its name when `close` succeeds, and not at all after an error.

    All frames must have the size of `info.intrinsics`; whether they have colour and gravity the first one decides.
    """

    def __init__(self, path: Path, info: SourceInfo) -> None:
        """Raises `UsageError` for another suffix than `.db3`, `InputError` where the folder cannot be written."""
        self._path = Path(path)
        if self._path.suffix.lower() != ".db3":
            raise UsageError(f"{path}: RealSense recordings are written as .db3; name the file so")
        if info.noise is None:
            raise UsageError(f"{info.name} has no depth; a RealSense recording needs depth")
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self._path.stem}.", suffix=".db3", dir=self._path.parent)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error
        os.close(handle)
        os.unlink(name)  # librealsense wants to make the file itself
        self._temporary = Path(name)
        self._info = info
        self._recorder: Any = None
        self._recording_sensors: Any = None
        self._device: Any = None
        self._sensors: dict[str, tuple[Any, Any]] = {}
        self._unit_m = FINE_UNIT_M
        self.frame_count = 0
        """Frames written so far."""
        self.clipped_pixels = 0
        """Depth samples too far away for the 16 bits, written as missing."""

    def write(self, frame: Frame) -> None:
        """Appends `frame`. Raises `InputError` for a frame that does not fit the recording."""
        if frame.depth is None:
            raise InputError(f"frame {frame.sequence} has no depth")
        if not self._sensors:
            self._start(frame)
        shape = (self._info.intrinsics.height, self._info.intrinsics.width)
        # librealsense reads as many bytes as the stream promised, wherever the array ends.
        if frame.depth.shape != shape or (
            "color" in self._sensors and (frame.color is None or frame.color.shape[:2] != shape)
        ):
            raise InputError(
                f"frame {frame.sequence} is not of the recording's size, {shape[1]}x{shape[0]} with colour"
            )
        self._put("depth", frame, self._counts(frame.depth))
        if "color" in self._sensors:
            self._put("color", frame, np.ascontiguousarray(frame.color))
        if "accel" in self._sensors and frame.gravity is not None:
            self._put_gravity(frame)
        self.frame_count += 1
        if self.frame_count % FLUSH_EVERY == 0:
            self._recorder.pause()
            self._recorder.resume()

    def _counts(self, depth: np.ndarray) -> np.ndarray:
        counts = np.rint(depth / np.float64(self._unit_m))
        too_far = counts >= 65535
        self.clipped_pixels += int(np.count_nonzero(too_far))
        counts[too_far] = 0
        return counts.astype(np.uint16)

    def _start(self, frame: Frame) -> None:
        """Makes a device of software that has the streams of `frame`, and a recorder that listens to it."""
        sdk = load_sdk()
        assert frame.depth is not None
        assert self._info.noise is not None
        self._unit_m = FINE_UNIT_M if frame.depth.max() < FINE_RANGE_M else COARSE_UNIT_M
        device = sdk.software_device()
        device.register_info(sdk.camera_info.name, f"Cheval {self._info.name}")
        device.register_info(sdk.camera_info.serial_number, self._info.serial or "none")
        stereo = device.add_sensor("Stereo Module")
        stereo.add_read_only_option(sdk.option.depth_units, self._unit_m)
        # The baseline with which the reader's own noise formula gives this source's noise.
        baseline_m = self._info.noise.baseline_m * STEREO_SIGMA_PX / self._info.noise.disparity_sigma_px
        stereo.add_read_only_option(sdk.option.stereo_baseline, baseline_m * 1000.0)
        depth = stereo.add_video_stream(self._video_stream(sdk.stream.depth, sdk.format.z16, 2, 0))
        self._sensors["depth"] = (stereo, depth.as_video_stream_profile())
        here = sdk.extrinsics()
        here.rotation, here.translation = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0]
        if frame.color is not None:
            camera = device.add_sensor("RGB Camera")
            color = camera.add_video_stream(self._video_stream(sdk.stream.color, sdk.format.rgb8, 3, 1))
            depth.register_extrinsics_to(color, here)
            self._sensors["color"] = (camera, color.as_video_stream_profile())
        if frame.gravity is not None:
            imu = device.add_sensor("Motion Module")
            stream = sdk.motion_stream()
            stream.type, stream.index, stream.uid = sdk.stream.accel, 0, 2
            stream.fps, stream.fmt = round(self._info.frame_rate), sdk.format.motion_xyz32f
            stream.intrinsics = sdk.motion_device_intrinsic()
            accel = imu.add_motion_stream(stream)
            accel.register_extrinsics_to(depth, here)
            self._sensors["accel"] = (imu, accel.as_motion_stream_profile())
        self._device = device
        self._recorder = sdk.recorder(str(self._temporary), device)
        self._recording_sensors = self._recorder.query_sensors()
        for sensor, (_, profile) in zip(self._recording_sensors, self._sensors.values(), strict=True):
            sensor.open(profile)
            sensor.start(lambda _frame: None)

    def _video_stream(self, kind: Any, pixel_format: Any, bytes_per_pixel: int, uid: int) -> Any:
        sdk = load_sdk()
        stream, intrinsics = sdk.video_stream(), sdk.intrinsics()
        intrinsics.width, intrinsics.height, intrinsics.fx, intrinsics.fy = self._info.intrinsics[:4]
        intrinsics.ppx, intrinsics.ppy = self._info.intrinsics[4:]
        intrinsics.model, intrinsics.coeffs = sdk.distortion.none, [0.0] * 5
        stream.type, stream.index, stream.uid, stream.fmt, stream.bpp = kind, 0, uid, pixel_format, bytes_per_pixel
        stream.width, stream.height, stream.fps = *self._info.intrinsics[:2], round(self._info.frame_rate)
        stream.intrinsics = intrinsics
        return stream

    def _put(self, name: str, frame: Frame, pixels: np.ndarray) -> None:
        sdk = load_sdk()
        sensor, profile = self._sensors[name]
        image = sdk.software_video_frame()  # a fresh one each time: librealsense owns the pixels of the last
        image.pixels = pixels
        image.bpp = pixels.itemsize * (pixels.shape[2] if pixels.ndim == 3 else 1)
        image.stride = image.bpp * pixels.shape[1]
        image.timestamp, image.domain = frame.captured_at * 1000.0, sdk.timestamp_domain.system_time
        image.frame_number, image.profile = frame.sequence, profile
        if name == "depth":
            image.depth_units = self._unit_m
        sensor.on_video_frame(image)

    def _put_gravity(self, frame: Frame) -> None:
        sdk = load_sdk()
        sensor, profile = self._sensors["accel"]
        felt = sdk.vector()
        assert frame.gravity is not None
        felt.x, felt.y, felt.z = (float(-STANDARD_GRAVITY * g) for g in frame.gravity)
        motion = sdk.software_motion_frame()
        motion.data, motion.profile, motion.frame_number = felt, profile, frame.sequence
        motion.timestamp, motion.domain = frame.captured_at * 1000.0, sdk.timestamp_domain.system_time
        sensor.on_motion_frame(motion)

    def close(self) -> None:
        """Finishes the recording, counts what is in it, and gives it its name.

        Raises `InputError` when nothing was written, `RecordingError` when frames are missing on disk.
        """
        self._stop()
        try:
            if self.frame_count == 0:
                raise InputError(f"{self._path}: nothing was recorded, the source gave no frame")
            on_disk = count_depth_frames(self._temporary)
            if on_disk != self.frame_count:
                raise RecordingError(
                    f"{self._path}: {on_disk} of {self.frame_count} frames reached the disk; is it full?"
                )
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror}); choose another folder") from error
        finally:
            self._temporary.unlink(missing_ok=True)

    def discard(self) -> None:
        """Stops and leaves nothing behind."""
        self._stop()
        self._temporary.unlink(missing_ok=True)

    def _stop(self) -> None:
        if self._recorder is None:
            return
        self._recorder.pause()  # waits until all is written
        for sensor in self._recording_sensors:
            sensor.stop()
            sensor.close()
        self._sensors.clear()
        self._recording_sensors = self._device = self._recorder = None  # dropping the recorder closes the file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
