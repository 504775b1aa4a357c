"""Writes frames as an RGB-D folder in Open3D's layout, readable by Open3D and by `capture.rgbd_folder`.

Depth is a 16-bit PNG in 0.1 mm (1 mm where the first frame looks farther than 6 m), colour a lossless PNG. Beside what
Open3D knows, `intrinsic.json` keeps frame rate, noise, gravity and serial number, and `timestamps.txt` the moments.
Poses (`Frame.T_wc`) have no place in the layout and are left out.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from capture.recorder import COARSE_UNIT_M, FINE_RANGE_M, FINE_UNIT_M, RecordingError
from capture.source import SourceInfo
from solver.errors import InputError, UsageError
from solver.types import Frame


class RgbdFolderWriter:
    """Writes one folder. It appears under its name when `close` succeeds, and not at all after an error."""

    def __init__(self, folder: Path, info: SourceInfo) -> None:
        """Raises `UsageError` where the folder has content already, `InputError` where it cannot be written."""
        self._folder = Path(folder)
        if info.noise is None:
            raise UsageError(f"{info.name} has no depth; an RGB-D folder needs depth")
        if self._folder.exists() and (not self._folder.is_dir() or next(self._folder.iterdir(), None) is not None):
            raise UsageError(f"{folder}: exists already; choose another name, or remove it")
        self._info = info
        self._unit_m = FINE_UNIT_M
        self._times: list[str] = []
        self._gravity: np.ndarray | None = None
        self.frame_count = 0
        """Frames written so far."""
        self.clipped_pixels = 0
        """Depth samples too far away for the 16 bits, written as missing."""
        try:
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            self._temporary = Path(tempfile.mkdtemp(prefix=f".{self._folder.name}.", dir=self._folder.parent))
            (self._temporary / "color").mkdir()
            (self._temporary / "depth").mkdir()
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error

    def write(self, frame: Frame) -> None:
        """Appends `frame`. Raises `InputError` for a frame without colour or depth, `RecordingError` on a full disk."""
        if frame.depth is None or frame.color is None:
            raise InputError(f"frame {frame.sequence} has no colour or no depth; an RGB-D folder needs both")
        if self.frame_count == 0:
            self._unit_m = FINE_UNIT_M if frame.depth.max() < FINE_RANGE_M else COARSE_UNIT_M
            self._gravity = frame.gravity
        counts = np.rint(frame.depth / np.float64(self._unit_m))
        too_far = counts >= 65535
        self.clipped_pixels += int(np.count_nonzero(too_far))
        counts[too_far] = 0
        name = f"{self.frame_count:06d}"
        pictures = {"depth": counts.astype(np.uint16), "color": np.ascontiguousarray(frame.color[..., ::-1])}
        for kind, picture in pictures.items():
            encoded, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            try:
                if not encoded:
                    raise OSError(0, "the picture could not be packed")
                (self._temporary / kind / f"{name}.png").write_bytes(data.tobytes())
            except OSError as error:
                raise RecordingError(f"{self._folder}: frame {name} cannot be written ({error.strerror})") from error
        self._times.append(f"{name} {frame.captured_at!r}\n")
        self.frame_count += 1

    def close(self) -> None:
        """Finishes the folder and gives it its name. Raises `InputError` when nothing was written."""
        try:
            if self.frame_count == 0:
                raise InputError(f"{self._folder}: nothing was recorded, the source gave no frame")
            (self._temporary / "intrinsic.json").write_text(
                json.dumps(self._camera(), indent=2) + "\n", encoding="utf-8"
            )
            (self._temporary / "timestamps.txt").write_text("".join(self._times), encoding="utf-8")
            os.chmod(self._temporary, 0o755)
            if self._folder.is_dir():
                self._folder.rmdir()
            os.replace(self._temporary, self._folder)
        except OSError as error:
            raise InputError(f"{self._folder}: cannot be written ({error.strerror}); choose another folder") from error
        finally:
            self.discard()

    def _camera(self) -> dict:
        width, height, fx, fy, cx, cy = self._info.intrinsics
        assert self._info.noise is not None
        camera = {
            "width": width,
            "height": height,
            "intrinsic_matrix": [fx, 0.0, 0.0, 0.0, fy, 0.0, cx, cy, 1.0],
            "depth_scale": round(1.0 / self._unit_m),
            "frame_rate": self._info.frame_rate,
            "serial": self._info.serial,
            "depth_noise": {name: float(value) for name, value in self._info.noise._asdict().items()},
        }
        if self._gravity is not None:
            camera["gravity"] = [float(g) for g in self._gravity]
        return camera

    def discard(self) -> None:
        """Leaves nothing behind."""
        shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
