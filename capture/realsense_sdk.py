"""Loads librealsense when it is needed, and turns its profiles into Cheval's types."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.kernels.align_color import BROWN, MODIFIED_BROWN, PINHOLE, ColorCamera
from solver.types import Intrinsics


@lru_cache(maxsize=1)
def load_sdk() -> ModuleType:
    """The module `pyrealsense2`. Raises `InputError` with the cure where it is not installed."""
    try:
        if sys.platform == "linux":
            # The wheel wants libusb-1.0, which not every machine has; the one of the package does as well.
            import libusb_package

            library = libusb_package.get_library_path()
            if library is not None:
                ctypes.CDLL(os.fspath(library), mode=ctypes.RTLD_GLOBAL)
        import pyrealsense2 as sdk
    except (ImportError, OSError) as error:
        cure = "pip install pyrealsense2 libusb-package"
        raise InputError(f"librealsense cannot be loaded ({error}): {cure}") from error
    sdk.log_to_console(sdk.log_severity.none)
    return sdk


def device_info(device: Any, field: Any) -> str:
    """A text that the device tells of itself; empty where it does not, or where it is damaged."""
    try:
        return str(device.get_info(field)) if device.supports(field) else ""
    except (RuntimeError, UnicodeDecodeError):
        return ""


def intrinsics_of(profile: Any) -> Intrinsics:
    """Of a video stream profile, its distortion left out (see `depth_undistortion`)."""
    i = profile.get_intrinsics()
    if not (i.width > 0 and i.height > 0 and np.isfinite([i.fx, i.fy, i.ppx, i.ppy]).all() and i.fx > 0 < i.fy):
        raise InputError(f"the camera reports impossible intrinsics ({i}): record again, or recalibrate the camera")
    return Intrinsics(i.width, i.height, *(as_written(value) for value in (i.fx, i.fy, i.ppx, i.ppy)))


def as_written(single: float) -> float:
    """The number that a value kept in single precision was meant to be: 0.001, not 0.0010000000474974513."""
    return float(f"{single:.7g}")


def depth_undistortion(profile: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Where the pixels of the undistorted depth image come from (cv2.remap's maps); None for a lens without distortion.

    Stereo depth is rectified and has none. Raises `InputError` for a lens model that cannot be undone.
    """
    sdk = load_sdk()
    i = profile.get_intrinsics()
    coefficients = np.array(i.coeffs, np.float64)
    if i.model == sdk.distortion.none or not coefficients.any():
        return None
    if i.model != sdk.distortion.brown_conrady:
        raise InputError(
            f"depth with lens distortion of the kind {i.model} is not supported: choose a rectified depth stream"
        )
    matrix = np.array([[i.fx, 0.0, i.ppx], [0.0, i.fy, i.ppy], [0.0, 0.0, 1.0]])
    size = (i.width, i.height)
    columns, rows = cv2.initUndistortRectifyMap(matrix, coefficients, np.eye(3), matrix, size, cv2.CV_32FC1)
    return np.asarray(columns, np.float32), np.asarray(rows, np.float32)


def color_camera(color_profile: Any, depth_profile: Any) -> ColorCamera | None:
    """The colour camera as the depth camera sees it; None where both are one and the same grid.

    Raises `InputError` for a lens model that cannot be projected to.
    """
    sdk = load_sdk()
    c = color_profile.get_intrinsics()
    try:
        extrinsics = depth_profile.get_extrinsics_to(color_profile)
        rotation = np.array(extrinsics.rotation, np.float64).reshape(3, 3).T  # librealsense stores columns
        translation = np.array(extrinsics.translation, np.float64)
    except RuntimeError:  # recordings need not have them; then the streams are taken to be registered
        rotation, translation = np.eye(3), np.zeros(3)
    coefficients = np.array(c.coeffs, np.float64)
    models = {
        sdk.distortion.none: PINHOLE,
        sdk.distortion.brown_conrady: BROWN,
        sdk.distortion.modified_brown_conrady: MODIFIED_BROWN,
        sdk.distortion.inverse_brown_conrady: MODIFIED_BROWN,
    }
    model = PINHOLE if not coefficients.any() else models.get(c.model)
    if model is None:
        raise InputError(
            f"colour with lens distortion of the kind {c.model} is not supported: choose another colour stream"
        )
    same_place = np.array_equal(rotation, np.eye(3)) and not translation.any()
    if same_place and model == PINHOLE and intrinsics_of(color_profile) == intrinsics_of(depth_profile):
        return None
    return ColorCamera(c.fx, c.fy, c.ppx, c.ppy, model, coefficients, rotation, translation)


def rgb_of(frame: Any) -> NDArray[np.uint8]:
    """A fresh RGB copy (H, W, 3) of a colour frame, whatever its format. Raises `InputError` for an exotic one."""
    sdk = load_sdk()
    profile = frame.get_profile().as_video_stream_profile()
    pixels = np.asanyarray(frame.get_data())
    shape = (profile.height(), profile.width())
    match profile.format():
        case sdk.format.rgb8:
            return np.array(pixels)
        case sdk.format.bgr8:
            return np.ascontiguousarray(pixels[..., ::-1])
        case sdk.format.rgba8:
            return np.ascontiguousarray(pixels[..., :3])
        case sdk.format.bgra8:
            return np.ascontiguousarray(pixels[..., 2::-1])
        case sdk.format.yuyv:
            return cv2.cvtColor(pixels.view(np.uint8).reshape(*shape, 2), cv2.COLOR_YUV2RGB_YUY2)  # pyright: ignore
        case sdk.format.uyvy:
            return cv2.cvtColor(pixels.view(np.uint8).reshape(*shape, 2), cv2.COLOR_YUV2RGB_UYVY)  # pyright: ignore
        case sdk.format.y8:
            return np.repeat(pixels.reshape(*shape, 1), 3, axis=2)
        case other:
            raise InputError(f"colour in the format {other} is not supported: record rgb8")


def attached_cameras() -> list[str]:
    """Names and serial numbers of the cameras attached now, without opening any."""
    sdk = load_sdk()
    devices = sdk.context().query_devices()
    return [f"{device_info(d, sdk.camera_info.name)} {device_info(d, sdk.camera_info.serial_number)}" for d in devices]
