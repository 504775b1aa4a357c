"""Finds the source that a user means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from capture.source import FrameSource
from solver.body import BodyModel
from solver.errors import InputError, UsageError

RECORDINGS = (".db3", ".bag")
PHOTOS = (".jpg", ".jpeg", ".png", ".webp")
VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".webm")
FORMS = "sim:, realsense:, realsense:SERIAL, FILE.db3, FILE.bag or the folder of an RGB-D recording"


def open_source(spec: str, *, rotate: int = 0, load_body: Callable[[], BodyModel]) -> FrameSource:
    """Opens what `spec` names: a form of SOURCE of the command line.

    Pictures are turned clockwise by `rotate` degrees (0, 90, 180, 270). `load_body` is called for a simulated shopper
    only. What librealsense plays, live or recorded, runs in a child process. Raises `UsageError` for a form that does
    not exist, `InputError` for a recording that cannot be used, `DeviceLostError` where no such camera is attached.
    """
    from capture.rotation import TURNS, RotatedSource

    if rotate not in TURNS:
        raise UsageError(f"--rotate {rotate}: pictures turn by 0, 90, 180 or 270 degrees")
    source = _open(spec, load_body)
    return RotatedSource(source, rotate) if rotate else source


def _open(spec: str, load_body: Callable[[], BodyModel]) -> FrameSource:
    if spec == "sim" or spec.startswith("sim:"):
        from capture.simulated.source import SimulatedSource

        return SimulatedSource.from_spec(spec if ":" in spec else "sim:", load_body())
    if spec == "realsense" or spec.startswith("realsense:"):
        from capture.child_process import ChildProcessSource
        from capture.realsense_camera import RealSenseCamera

        return ChildProcessSource(partial(RealSenseCamera, spec.partition(":")[2]))
    if spec.startswith("webcam:"):
        raise UsageError(f"{spec}: webcams are not supported yet; sources are {FORMS}")
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
    if suffix in PHOTOS + VIDEOS:
        raise UsageError(f"{spec}: photos and films are not supported as a source yet; sources are {FORMS}")
    if not path.exists():
        raise InputError(f"{spec}: no such file or folder; sources are {FORMS}")
    raise UsageError(f"{spec}: no source is of this form; sources are {FORMS}")
