"""Finds the source that a user means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from capture.field_of_view import describe_field, pinhole_of_field, split_field
from capture.hot_plug import HotPlugSource, attached_realsense, attached_webcam, in_child
from capture.rotation import TURNS, RotatedSource, rotate_intrinsics
from capture.source import FrameSource, SourceInfo
from solver.body import BodyModel
from solver.errors import ChevalError, InputError, UsageError
from solver.types import DepthNoise, Intrinsics

RECORDINGS = (".db3", ".bag")
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm")
FORMS = (
    "sim:, realsense:, realsense:SERIAL, webcam:0, FILE.db3, FILE.bag, FILE.mp4 (mov, avi, mkv, webm) or the folder of "
    "an RGB-D recording"
)
REALSENSE_EXPECTED = SourceInfo(
    "realsense", "RealSense", "", Intrinsics(848, 480, 425.0, 425.0, 423.5, 239.5), DepthNoise(0.05, 0.08, 0.0), 30.0,
    True, None,
)  # fmt: skip


def open_source(spec: str, *, rotate: int = 0, load_body: Callable[[], BodyModel]) -> FrameSource:
    """Opens what `spec` names: a form of SOURCE of the command line.

    Pictures are turned clockwise by `rotate` degrees (0, 90, 180, 270). `load_body` is called for a simulated shopper
    only. Cameras, and what librealsense plays, run in a child process. Raises `UsageError` for a form that does
    not exist, `InputError` for a recording that cannot be used, `DeviceLostError` where no such camera is attached.
    """
    _check_turn(rotate)
    source = _open(spec, load_body)
    return RotatedSource(source, rotate) if rotate else source


def open_live(spec: str, *, rotate: int = 0, load_body: Callable[[], BodyModel]) -> FrameSource:
    """As `open_source`, but cameras may come later, go, and come back (`open_hot_plug`)."""
    if _is_realsense(spec) or spec.startswith("webcam:"):
        return open_hot_plug(spec, rotate=rotate)
    return open_source(spec, rotate=rotate, load_body=load_body)


def find_source() -> str:
    """What is looked through where nobody said: a RealSense camera that is attached, else a simulated shopper."""
    from capture.realsense_sdk import attached_cameras

    try:
        return "realsense:" if attached_cameras() else "sim:"
    except ChevalError:
        return "sim:"


def open_hot_plug(spec: str, *, rotate: int = 0) -> HotPlugSource:
    """Opens `realsense:`, `realsense:SERIAL` or `webcam:N` whether it is attached now or comes later.

    Frames are turned as in `open_source`. Raises `UsageError` for what is no camera.
    """
    _check_turn(rotate)
    if _is_realsense(spec):
        attached = partial(attached_realsense, spec.partition(":")[2])
        expected = REALSENSE_EXPECTED
    elif spec.startswith("webcam:"):
        index, field_deg = _webcam(spec)
        attached = partial(attached_webcam, index, field_deg)
        name = f"webcam {index} ({describe_field(field_deg)})"
        expected = SourceInfo("webcam", name, "", pinhole_of_field(1280, 720, field_deg), None, 30.0, True, None)
    else:
        raise UsageError(f"{spec}: only realsense: and webcam: are plugged in; open other sources as they are")
    expected = replace(expected, intrinsics=rotate_intrinsics(expected.intrinsics, rotate))

    def open_camera(given_up: Callable[[], bool]) -> FrameSource:
        camera = in_child(attached, given_up)
        return RotatedSource(camera, rotate) if rotate else camera

    return HotPlugSource(open_camera, expected)


def _check_turn(rotate: int) -> None:
    if rotate not in TURNS:
        raise UsageError(f"--rotate {rotate}: pictures turn by 0, 90, 180 or 270 degrees")


def _open(spec: str, load_body: Callable[[], BodyModel]) -> FrameSource:
    if spec == "sim" or spec.startswith("sim:"):
        from capture.simulated.source import SimulatedSource

        return SimulatedSource.from_spec(spec if ":" in spec else "sim:", load_body())
    if _is_realsense(spec):
        from capture.child_process import ChildProcessSource
        from capture.realsense_camera import RealSenseCamera

        return ChildProcessSource(partial(RealSenseCamera, spec.partition(":")[2]))
    if spec.startswith("webcam:"):
        from capture.child_process import ChildProcessSource
        from capture.webcam import Webcam

        return ChildProcessSource(partial(Webcam, *_webcam(spec)))
    path = Path(spec)
    if path.is_dir():
        from capture.rgbd_folder import RgbdFolder

        return RgbdFolder(path)
    suffix = path.suffix.lower()
    if suffix in RECORDINGS:
        # Some damaged recordings make librealsense loop for ever or crash, which only another process survives.
        from capture.child_process import ChildProcessSource, recording_failed
        from capture.realsense import RealSenseRecording

        failed = partial(recording_failed, path)
        return ChildProcessSource(partial(RealSenseRecording, path), failed=failed, lost_after_s=10.0)
    stem, field_deg = split_field(spec)
    if Path(stem).suffix.lower() in VIDEOS:
        from capture.video import VideoFile

        return VideoFile(Path(stem), field_deg)
    if suffix in PHOTOS:
        raise UsageError(f"{spec}: photos are not supported as a source yet; sources are {FORMS}")
    if not path.exists():
        raise InputError(f"{spec}: no such file or folder; sources are {FORMS}")
    raise UsageError(f"{spec}: no source is of this form; sources are {FORMS}")


def _is_realsense(spec: str) -> bool:
    return spec == "realsense" or spec.startswith("realsense:")


def _webcam(spec: str) -> tuple[int, float | None]:
    """Number and field of view in `webcam:0` or `webcam:0,fov=78`."""
    stem, field_deg = split_field(spec)
    number = stem.partition(":")[2] or "0"
    if not number.isdecimal():
        raise UsageError(f"{spec}: webcams have numbers: webcam:0, or webcam:0,fov=78 with its diagonal field of view")
    if field_deg is not None:
        pinhole_of_field(1, 1, field_deg)
    return int(number), field_deg
