"""`cheval doctor`: what works on this machine, what does not, and the cure."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from game.console import report
from game.protocol.engine import Graphics
from solver.errors import ChevalError

EXAMPLES = """examples:
  cheval doctor
  cheval doctor --json"""

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "mediapipe",
    "panda3d",
    "pyrealsense2",
    "trimesh",
    "pygltflib",
    "av",
    "cryptography",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    works: bool
    detail: str
    cure: str = ""
    essential: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Looks at everything Cheval stands on. Status 0 when all that is essential works, else 3."""
    checks = (_python, _packages, _opencv, _threads, _models, _film, _disk, _camera)
    findings = [finding for check in checks for finding in _guarded(check)]
    findings += _guarded(lambda: _graphics(arguments.open_graphics))
    well = all(finding.works for finding in findings if finding.essential)
    lines = []
    for finding in findings:
        mark = "works " if finding.works else ("BROKEN" if finding.essential else "absent")
        lines.append(f"{mark}  {finding.name:18s} {finding.detail}")
        if not finding.works and finding.cure:
            lines.append(f"        cure: {finding.cure}")
    report({"ok": well, "findings": [asdict(finding) for finding in findings]}, arguments.json, lines)
    return 0 if well else 3


def _guarded(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check that fails in an unforeseen way is a finding too."""
    try:
        return list(check())
    except Exception as error:
        name = getattr(check, "__name__", "check").strip("_<>")
        return [Finding(name, False, f"{type(error).__name__}: {error}", "reinstall: pip install --force-reinstall .")]


def _python() -> Iterator[Finding]:
    version = platform.python_version()
    yield Finding(
        "python",
        sys.version_info >= (3, 11),
        f"{version} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "use Python 3.11 or newer",
    )


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed", f"pip install {name}")


def _opencv() -> Iterator[Finding]:
    import cv2

    owners = {}
    for name in ("opencv-python", "opencv-contrib-python"):
        try:
            owners[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    same = len(set(owners.values())) == 1
    detail = f"cv2 {cv2.__version__} from " + ", ".join(f"{name} {version}" for name, version in owners.items())
    yield Finding("opencv", same, detail, "pip install --force-reinstall . (both packages own one cv2: same version)")


def _threads() -> Iterator[Finding]:
    import numba
    import numpy as np
    from numba.np.ufunc import threading_layer

    from solver.kernels.skinning import skin_vertices

    point, joint, weight = np.zeros((1, 3), np.float32), np.zeros((1, 4), np.int32), np.ones((1, 4), np.float32)
    skin_vertices(point, joint, weight, np.zeros((1, 3, 4), np.float32), np.empty_like(point))
    layer = threading_layer()
    yield Finding(
        "threading layer",
        layer in ("omp", "tbb"),
        f"{layer}, {numba.get_num_threads()} threads",
        "install the OpenMP runtime (libgomp) or `pip install tbb`",
    )


def _models() -> Iterator[Finding]:
    from game.assets import POSE_LANDMARKER, load_body_model

    try:
        model = load_body_model()
        detail = f"{model.vertex_count} vertices, {model.shape_count} shape components, {model.joint_count} joints"
        yield Finding("body model", True, detail)
    except ChevalError as error:
        yield Finding("body model", False, str(error), "pip install --force-reinstall .")
    size = POSE_LANDMARKER.stat().st_size if POSE_LANDMARKER.exists() else 0
    yield Finding("pose landmarker", size > 0, f"{size / 1e6:.1f} MB", "pip install --force-reinstall .")


def _film() -> Iterator[Finding]:
    import av

    found = "libx264" in av.codecs_available or "libopenh264" in av.codecs_available
    yield Finding("film", found, "H.264 encoder" if found else "no H.264 encoder", "pip install --force-reinstall av")


def _disk() -> Iterator[Finding]:
    with tempfile.TemporaryFile() as handle:
        handle.write(b"cheval")
    yield Finding("disk", True, f"temporary files go to {tempfile.gettempdir()}")


def _camera() -> Iterator[Finding]:
    from capture.realsense_sdk import attached_cameras

    cameras = attached_cameras()
    yield Finding(
        "camera",
        bool(cameras),
        ", ".join(cameras) if cameras else "no RealSense camera attached",
        "plug a RealSense camera into a USB 3 port; recordings and `sim:` work without one",
        essential=False,
    )


def _graphics(open_graphics: Callable[[], Graphics]) -> Iterator[Finding]:
    try:
        yield Finding("graphics", True, open_graphics().describe_driver())
    except ChevalError as error:
        yield Finding("graphics", False, str(error), "install an OpenGL 3.3 driver (Mesa is enough)")
