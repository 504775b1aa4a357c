"""Finds the person in a frame: MediaPipe's pose landmarker (BlazePose GHUM, Bazarevsky et al. 2020; Tasks API)."""

from __future__ import annotations

import contextlib
import weakref
from pathlib import Path
from typing import Self

import numpy as np

from capture.native_log import quiet_native_log
from solver.errors import ChevalError, InputError
from solver.types import Frame, Landmarks, Observation, read_only

LANDMARK_COUNT = 33
RESTART_GAP_MS = 33  # between the last frame of one clock and the first of the next


class LandmarkerError(ChevalError):
    """The landmarker failed on a frame, or was used after `close`."""


class PoseLandmarker:
    """Landmarks and mask of the one person in a stream of frames.

    The landmarker follows the person from frame to frame and smooths over time (that needs one person at most), so
    every stream wants its own, fed in order from one thread. Close it before the interpreter exits; it closes itself
    when it is collected or at exit, if that was forgotten.
    """

    def __init__(self, model: Path, *, confidence: float = 0.5) -> None:
        """Loads the bundle at `model`. `confidence`, 0 to 1, is what it takes to find and to go on following someone.

        Raises `InputError` when the bundle is missing or not a pose landmarker.
        """
        self._landmarker = load_landmarker(model, "VIDEO", 1, confidence, masks=True)
        self._close = weakref.finalize(self, close_quietly, self._landmarker)
        self._settled = False
        self._timestamp_ms = 0
        self._clock_origin_s: float | None = None
        self._captured_at = 0.0

    @property
    def alone(self) -> bool:
        """True: it knows of one person at most."""
        return True

    def glance(self, frame: Frame) -> None:
        """Nothing: there is nobody else to look for."""

    def observe(self, frame: Frame) -> Observation:
        """What is seen in `frame`; landmarks and mask are None when nobody is found.

        Raises `InputError` for a frame without colour, `LandmarkerError` when the native graph fails or after `close`.
        """
        if not self._close.alive:
            raise LandmarkerError("the pose landmarker is closed: open another one")
        if frame.color is None:
            raise InputError(f"frame {frame.sequence} has no colour image, which finding a person needs")
        from mediapipe import Image, ImageFormat

        # The first frame with a person in it is the last at which the native code has something to remark.
        with contextlib.nullcontext() if self._settled else quiet_native_log():
            try:
                image = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(frame.color))
                result = self._landmarker.detect_for_video(image, self._next_timestamp_ms(frame.captured_at))
            except (RuntimeError, ValueError) as error:
                message = f"the pose landmarker failed on frame {frame.sequence}: {_first_line(error)}"
                raise LandmarkerError(message) from error
        if not result.pose_landmarks or not result.segmentation_masks:
            return Observation(frame, None, None)
        self._settled = True
        height, width = frame.color.shape[:2]
        landmarks = landmarks_of(result, 0, width, height)
        mask = np.empty((height, width), np.float32)
        mask[...] = result.segmentation_masks[0].numpy_view().reshape(height, width)
        return Observation(frame, read_only(mask), landmarks)

    def _next_timestamp_ms(self, captured_at: float) -> int:
        """Milliseconds for MediaPipe, which refuses a time that does not rise."""
        if self._clock_origin_s is None or captured_at < self._captured_at:
            self._clock_origin_s = captured_at - (self._timestamp_ms + RESTART_GAP_MS) / 1000.0
        self._captured_at = captured_at
        self._timestamp_ms = max(self._timestamp_ms + 1, round((captured_at - self._clock_origin_s) * 1000.0))
        return self._timestamp_ms

    def close(self) -> None:
        """Frees the native graph. Safe to call twice."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def load_landmarker(model: Path, mode: str, people: int, confidence: float, masks: bool):
    """MediaPipe's landmarker in running `mode` (VIDEO, IMAGE) for so many `people`. Raises `InputError`."""
    from mediapipe.tasks.python import BaseOptions, vision

    try:
        content = Path(model).read_bytes()
    except OSError as error:
        cure = "reinstall cheval, or run tools/build_pose_landmarker.py"
        raise InputError(f"{model}: the pose model cannot be read ({error.strerror}); {cure}") from error
    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=content),
        running_mode=vision.RunningMode[mode],
        num_poses=people,
        min_pose_detection_confidence=confidence,
        min_pose_presence_confidence=confidence,
        min_tracking_confidence=confidence,
        output_segmentation_masks=masks,
    )
    try:
        with quiet_native_log():
            return vision.PoseLandmarker.create_from_options(options)
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(f"{model}: not a MediaPipe pose landmarker bundle ({_first_line(error)})") from error


def landmarks_of(result, person: int, width: int, height: int) -> Landmarks:
    """The landmarks of one person in MediaPipe's result for a picture of that size."""
    points = result.pose_landmarks[person]
    return Landmarks(
        # MediaPipe measures from the image's corner; pixel centres are whole numbers here.
        image=read_only(np.array([(p.x * width - 0.5, p.y * height - 0.5) for p in points], np.float32)),
        visibility=read_only(np.clip(np.array([p.visibility for p in points], np.float32), 0.0, 1.0)),
        world=read_only(np.array([(p.x, p.y, p.z) for p in result.pose_world_landmarks[person]], np.float32)),
    )


def close_quietly(landmarker) -> None:
    """Closes a native landmarker without its remarks."""
    with quiet_native_log():
        landmarker.close()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
