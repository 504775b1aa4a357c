"""Reads the pictures of RGB-D folders, precise about bits, units and what is missing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.types import Intrinsics

MAX_SIDE_PX = 8192
"""Larger pictures are refused: no depth camera makes them, and they would eat the memory."""
NO_DEPTH = 65535


def read_color(path: Path, intrinsics: Intrinsics) -> NDArray[np.uint8]:
    """RGB, shape (H, W, 3), as stored (no turning by EXIF). Raises `InputError`."""
    # OpenCV would turn the picture away from its depth image if a phone's EXIF said so.
    image = _read(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if image.dtype != np.uint8:
        raise InputError(f"{path}: colour of {image.dtype}; write it with 8 bits a channel")
    _check_size(path, image, intrinsics)
    return np.ascontiguousarray(image[..., ::-1])


def read_depth(path: Path, intrinsics: Intrinsics, depth_scale: float) -> NDArray[np.float32]:
    """Depth [m], shape (H, W), from a 16-bit picture of `depth_scale` counts a metre; 0 and 65535 become 0.0.

    Raises `InputError`.
    """
    image = _read(path, cv2.IMREAD_UNCHANGED)
    if image.dtype != np.uint16 or image.ndim != 2:
        kind = f"{8 * image.dtype.itemsize}-bit, {1 if image.ndim == 2 else image.shape[2]} channel(s)"
        raise InputError(
            f"{path}: depth must be a 16-bit picture of one channel, this one is {kind}; export the raw depth"
        )
    _check_size(path, image, intrinsics)
    depth = (image / np.float64(depth_scale)).astype(np.float32)
    depth[image == NO_DEPTH] = 0.0
    return depth


def _read(path: Path, flags: int) -> np.ndarray:
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the folder") from error
    try:
        image = cv2.imdecode(encoded, flags) if encoded.size else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: not a readable picture; it may be truncated, copy the folder again")
    if not is_complete(encoded.tobytes()):
        raise InputError(f"{path}: the picture is truncated; copy the folder again")
    if max(image.shape[:2]) > MAX_SIDE_PX:
        raise InputError(f"{path}: {image.shape[1]}x{image.shape[0]} is larger than any depth camera's picture")
    return image


def is_complete(encoded: bytes) -> bool:
    """Whether a PNG or JPEG ends as it should. OpenCV decodes half a file and leaves the rest black without a word."""
    if encoded.startswith(b"\x89PNG"):
        return b"IEND" in encoded[-64:]
    if encoded.startswith(b"\xff\xd8"):
        return b"\xff\xd9" in encoded[-1024:]
    return True


def _check_size(path: Path, image: np.ndarray, intrinsics: Intrinsics) -> None:
    if image.shape[:2] != (intrinsics.height, intrinsics.width):
        size, wanted = f"{image.shape[1]}x{image.shape[0]}", f"{intrinsics.width}x{intrinsics.height}"
        cure = "register colour and depth to one grid and give its intrinsics"
        raise InputError(f"{path}: {size} does not match the intrinsics, which are for {wanted}; {cure}")
