"""Reads the pictures of RGB-D folders, precise about bits, units and what is missing."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.types import Intrinsics

MAX_SIDE_PX = 8192
"""Larger pictures are refused: no depth camera makes them, and they would eat the memory."""
NO_DEPTH = 65535
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


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
        encoded = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the folder") from error
    # Checked first: decoders print to the terminal, fill up with black, or chew on a false length for seconds.
    if not is_whole(encoded):
        raise InputError(f"{path}: the picture is truncated or damaged; copy the folder again")
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: not a readable picture; copy the folder again")
    return image


def is_whole(encoded: bytes) -> bool:
    """Whether all of a PNG is there and undamaged, a JPEG ends as it should, and neither is larger than allowed."""
    if encoded.startswith(PNG_SIGNATURE):
        return _is_whole_png(encoded)
    if encoded.startswith(b"\xff\xd8"):
        return b"\xff\xd9" in encoded[-1024:]
    return len(encoded) > 0


def _is_whole_png(encoded: bytes) -> bool:
    """Walks the chunks (length, type, content, CRC-32) from the header to the end mark."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(encoded):
        (length,) = struct.unpack_from(">I", encoded, at)
        kind = encoded[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(encoded):
            return False
        if zlib.crc32(memoryview(encoded)[at + 4 : end]) != struct.unpack_from(">I", encoded, end)[0]:
            return False
        if kind == b"IHDR" and max(struct.unpack_from(">II", encoded, at + 8)) > MAX_SIDE_PX:
            return False
        if kind == b"IEND":
            return True
        at = end + 4
    return False


def picture_size(path: Path) -> tuple[int, int]:
    """(width, height). Raises `InputError`."""
    height, width = _read(path, cv2.IMREAD_UNCHANGED).shape[:2]
    return width, height


def _check_size(path: Path, image: np.ndarray, intrinsics: Intrinsics) -> None:
    if image.shape[:2] != (intrinsics.height, intrinsics.width):
        size, wanted = f"{image.shape[1]}x{image.shape[0]}", f"{intrinsics.width}x{intrinsics.height}"
        cure = "register colour and depth to one grid and give its intrinsics"
        raise InputError(f"{path}: {size} does not match the intrinsics, which are for {wanted}; {cure}")
