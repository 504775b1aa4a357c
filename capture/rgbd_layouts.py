"""The layouts of RGB-D folders (Open3D, TUM RGB-D, 7-Scenes), told apart by content."""

from __future__ import annotations

import itertools
import logging
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.depth_image import picture_size
from capture.intrinsics_file import FolderCamera, read_matrix_camera, read_numbers, read_open3d_camera
from solver.errors import InputError
from solver.types import Intrinsics, read_only

COLOR_SUFFIXES = (".png", ".jpg", ".jpeg")
DEPTH_SUFFIXES = (".png", ".pgm", ".tif", ".tiff")
FRAME_RATE = 30.0
ASSOCIATION_S = 0.02
"""Colour and depth of TUM recordings this far apart, at most, are one frame (the tolerance of TUM's own tools)."""
POSE_GAP_S = 0.05
"""A TUM pose farther than this from a frame is not taken for its pose."""
TUM_DEPTH_SCALE = 5000.0
TUM_INTRINSICS = Intrinsics(640, 480, 525.0, 525.0, 319.5, 239.5)
"""What TUM recommends for its registered pictures where a folder has no intrinsics of its own."""
LAYOUTS = (
    "Open3D (color/, depth/, intrinsic.json), TUM (rgb.txt, depth.txt) or "
    "7-Scenes (frame-000000.color.png, .depth.png, camera-intrinsics.txt)"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame of a folder, not read yet."""

    captured_at: float
    color: Path
    depth: Path
    T_wc: NDArray[np.float64] | None = None


def read_layout(folder: Path) -> tuple[FolderCamera, list[Entry]]:
    """Camera and frames of a folder in whichever layout. Raises `InputError`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check the name")
    if any((folder / name).is_file() for name in ("rgb.txt", "depth.txt", "associations.txt")):
        return read_tum_layout(folder)
    if (folder / "color").is_dir() or (folder / "intrinsic.json").is_file():
        return read_open3d_layout(folder)
    if next(folder.glob("frame-*.depth.png"), None) or (folder / "camera-intrinsics.txt").is_file():
        return read_seven_scenes_layout(folder)
    what = "an empty folder" if next(folder.iterdir(), None) is None else "not an RGB-D folder"
    raise InputError(f"{folder}: {what}; expected the layout of {LAYOUTS}")


def read_open3d_layout(folder: Path) -> tuple[FolderCamera, list[Entry]]:
    """`color/`, `depth/` and `intrinsic.json`; pictures pair by name, or by the number that their names begin with.

    `timestamps.txt` (name, seconds), which our own writer adds, tells the times; else `frame_rate` (30 if not given).
    """
    if not (folder / "intrinsic.json").is_file():
        raise InputError(f"{folder / 'intrinsic.json'}: missing; write the camera's intrinsics there")
    camera = read_open3d_camera(folder / "intrinsic.json")
    colors = pictures_by_name(folder / "color", COLOR_SUFFIXES)
    depths = pictures_by_name(folder / "depth", DEPTH_SUFFIXES)
    if not colors.keys() & depths.keys():  # names with a time stamp behind the number differ between the two
        colors, depths = by_leading_number(colors), by_leading_number(depths)
    names = sorted(colors.keys() & depths.keys())
    if not names:
        raise InputError(f"{folder}: no colour picture has a depth picture of the same name; name pairs alike")
    tell_unpaired(folder, len(colors.keys() ^ depths.keys()))
    times = {name: i / camera.frame_rate for i, name in enumerate(names)}
    if (folder / "timestamps.txt").is_file():
        times |= {
            row[0]: number(row[1], folder / "timestamps.txt")
            for row in read_rows(folder / "timestamps.txt", 2, "name time")
        }
    entries = [Entry(times[name], colors[name], depths[name]) for name in names]
    if any(later.captured_at < entry.captured_at for entry, later in itertools.pairwise(entries)):
        raise InputError(
            f"{folder / 'timestamps.txt'}: times fall from one picture to the next; remove the file or mend it"
        )
    return camera, entries


def read_seven_scenes_layout(folder: Path) -> tuple[FolderCamera, list[Entry]]:
    """`frame-NNNNNN.color.png|jpg`, `.depth.png` [mm], `.pose.txt` (camera to world) and `camera-intrinsics.txt`."""
    if not (folder / "camera-intrinsics.txt").is_file():
        raise InputError(f"{folder / 'camera-intrinsics.txt'}: missing; write the rows fx 0 cx / 0 fy cy / 0 0 1")
    depths = {path.name.removesuffix(".depth.png"): path for path in folder.glob("frame-*.depth.png")}
    colors = {
        path.name.removesuffix(f".color{path.suffix}"): path
        for path in sorted(folder.glob("frame-*.color.*"))
        if path.suffix.lower() in COLOR_SUFFIXES
    }
    names = sorted(colors.keys() & depths.keys())
    if not names:
        raise InputError(
            f"{folder}: no pair of frame-NNNNNN.color.png and frame-NNNNNN.depth.png; copy the folder again"
        )
    tell_unpaired(folder, len(colors.keys() ^ depths.keys()))
    width, height = picture_size(depths[names[0]])
    camera = read_matrix_camera(folder / "camera-intrinsics.txt", width, height, 1000.0)
    return camera, [
        Entry(i / FRAME_RATE, colors[name], depths[name], read_pose(folder / f"{name}.pose.txt"))
        for i, name in enumerate(names)
    ]


def read_tum_layout(folder: Path) -> tuple[FolderCamera, list[Entry]]:
    """`rgb.txt` and `depth.txt` (time and file), or `associations.txt`; `groundtruth.txt` (time, t, q) if there."""
    if (folder / "associations.txt").is_file():
        pairs = read_associations(folder)
    else:
        pairs = associate(read_file_list(folder, "rgb.txt"), read_file_list(folder, "depth.txt"))
    if not pairs:
        raise InputError(
            f"{folder}: no colour picture within {ASSOCIATION_S} s of a depth picture; check rgb.txt and depth.txt"
        )
    width, height = picture_size(pairs[0][2])
    if (folder / "intrinsic.json").is_file():
        camera = read_open3d_camera(folder / "intrinsic.json")
    elif (folder / "camera-intrinsics.txt").is_file():
        camera = read_matrix_camera(folder / "camera-intrinsics.txt", width, height, TUM_DEPTH_SCALE)
    elif (width, height) == TUM_INTRINSICS[:2]:
        camera = FolderCamera(TUM_INTRINSICS, TUM_DEPTH_SCALE)
    else:
        cure = "write camera-intrinsics.txt with the rows fx 0 cx / 0 fy cy / 0 0 1"
        raise InputError(f"{folder}: no intrinsics for {width}x{height} pictures; {cure}")
    poses = read_trajectory(folder / "groundtruth.txt") if (folder / "groundtruth.txt").is_file() else []
    return camera, [Entry(time, color, depth, nearest_pose(poses, time)) for time, color, depth in pairs]


def pictures_by_name(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Pictures of a folder by their names without suffix. Raises `InputError` for none."""
    found = sorted(
        path for path in folder.glob("*") if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )
    if not found:
        raise InputError(f"{folder}: no pictures ({', '.join(suffixes)}); check the folder")
    return {path.stem: path for path in found}


def by_leading_number(pictures: dict[str, Path]) -> dict[str, Path]:
    """The pictures whose names begin with a number, by that number (padded, so that text sorts as numbers do)."""
    numbered = {name: re.match(r"\d+", name) for name in pictures}
    return {match.group().zfill(20): pictures[name] for name, match in numbered.items() if match}


def tell_unpaired(folder: Path, count: int) -> None:
    """Says in the log what was left out."""
    if count:
        _log.warning("%s: %d pictures have no partner and are left out", folder, count)


def read_pose(path: Path) -> NDArray[np.float64] | None:
    """A camera-to-world matrix; None where there is no file, or where tracking was lost (numbers not finite).

    Raises `InputError` for what is no rigid motion.
    """
    if not path.is_file():
        return None
    pose = read_numbers(path, (4, 4), "4 rows of 4 numbers, camera to world")
    if not np.isfinite(pose).all():
        return None
    return rigid(pose, path)


def rigid(pose: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """`pose`, read-only, if it is a rotation and a translation. Raises `InputError`."""
    rotation = pose[:3, :3]
    off = np.abs(rotation @ rotation.T - np.eye(3)).max()
    if off > 1e-2 or np.linalg.det(rotation) < 0 or not np.allclose(pose[3], (0.0, 0.0, 0.0, 1.0), atol=1e-6):
        raise InputError(f"{path}: not a rigid camera-to-world pose; export the poses again")
    return read_only(np.ascontiguousarray(pose))


def read_rows(path: Path, columns: int, form: str) -> list[list[str]]:
    """The words of the lines that are no comments. Raises `InputError` for a line with fewer than `columns`."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text; it should hold lines of {form}") from error
    rows = []
    for number, line in enumerate(lines, 1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < columns:
            raise InputError(f"{path}, line {number}: expected {form}")
        rows.append(words)
    return rows


def read_file_list(folder: Path, name: str) -> list[tuple[float, Path]]:
    """(time [s], picture) of TUM's `rgb.txt` or `depth.txt`, in order of time. Raises `InputError`."""
    path = folder / name
    if not path.is_file():
        raise InputError(f"{path}: missing; a TUM folder has rgb.txt and depth.txt, or associations.txt")
    return sorted((number(row[0], path), inside(folder, row[1], path)) for row in read_rows(path, 2, "time file"))


def read_associations(folder: Path) -> list[tuple[float, Path, Path]]:
    """(time of the depth [s], colour, depth) of `associations.txt`, which may name either first."""
    path = folder / "associations.txt"
    pairs = []
    for row in read_rows(path, 4, "time file time file"):
        first, second = (
            (number(row[0], path), inside(folder, row[1], path)),
            (number(row[2], path), inside(folder, row[3], path)),
        )
        color, depth = (second, first) if row[1].startswith("depth") else (first, second)
        pairs.append((depth[0], color[1], depth[1]))
    return sorted(pairs)


def associate(colors: list[tuple[float, Path]], depths: list[tuple[float, Path]]) -> list[tuple[float, Path, Path]]:
    """Pairs each picture at most once, nearest in time first, `ASSOCIATION_S` apart at most; by time of the depth."""
    color_times = np.array([time for time, _ in colors])
    candidates = []
    for j, (time, _) in enumerate(depths):
        low, high = np.searchsorted(color_times, (time - ASSOCIATION_S, time + ASSOCIATION_S))
        candidates += [(abs(color_times[i] - time), i, j) for i in range(low, high)]
    used_colors, used_depths, pairs = set(), set(), []
    for _, i, j in sorted(candidates):
        if i not in used_colors and j not in used_depths:
            used_colors.add(i)
            used_depths.add(j)
            pairs.append((depths[j][0], colors[i][1], depths[j][1]))
    return sorted(pairs)


def inside(folder: Path, name: str, listed_in: Path) -> Path:
    """The file called `name` in `folder`. Raises `InputError` for one that lies elsewhere."""
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"{listed_in}: {name} lies outside the folder; list files relative to it")
    return path


def number(word: str, path: Path) -> float:
    """A finite number. Raises `InputError`."""
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}: {word} is not a number")
    return value


def read_trajectory(path: Path) -> list[tuple[float, NDArray[np.float64]]]:
    """(time, camera to world) of lines `time tx ty tz qx qy qz qw`, in order of time. Raises `InputError`."""
    poses = []
    for row in read_rows(path, 8, "time tx ty tz qx qy qz qw"):
        time, *values = (number(word, path) for word in row[:8])
        x, y, z, w = values[3:]
        length = math.sqrt(x * x + y * y + z * z + w * w)
        if not 0.9 < length < 1.1:
            raise InputError(f"{path}: at time {row[0]} the quaternion has the length {length:.3g}, not 1")
        x, y, z, w = x / length, y / length, z / length, w / length
        pose = np.eye(4)
        pose[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        pose[:3, 3] = values[:3]
        poses.append((time, read_only(pose)))
    return sorted(poses, key=lambda item: item[0])


def nearest_pose(poses: list[tuple[float, NDArray[np.float64]]], time: float) -> NDArray[np.float64] | None:
    """The pose nearest in time, None where it is farther than `POSE_GAP_S`."""
    nearest = min(poses, key=lambda item: abs(item[0] - time), default=None)
    return nearest[1] if nearest is not None and abs(nearest[0] - time) <= POSE_GAP_S else None
