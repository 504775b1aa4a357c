"""`cheval fuse SOURCE`: the recording of a static scene or object becomes one surface."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from capture.open import open_source
from capture.rotation import TURNS
from game.assets import load_body_model
from game.console import Progress, report
from game.export.ply import write_ply
from game.fuse import Fusion, Tracking, fuse_source
from solver.errors import UsageError

EXAMPLES = """examples:
  cheval fuse room/ --out room.ply                     an RGB-D folder, with its poses if it has them
  cheval fuse room.db3 --voxel 0.008 --out room.ply    a RealSense recording: the camera is tracked
  cheval fuse room/ --poses track --json --out room.ply"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `fuse`."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="of something that stands still: FILE.db3, FILE.bag or an RGB-D folder",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.ply", help="where to write the surface")
    parser.add_argument(
        "--poses",
        choices=("given", "track"),
        help="the recording's own camera poses, or track the camera (default: given where there are any)",
    )
    parser.add_argument(
        "--voxel", type=float, default=0.005, metavar="M", help="size of the voxels [m] (default 0.005)"
    )
    parser.add_argument(
        "--rotate", type=int, choices=TURNS, default=0, help="turn pictures clockwise by so many degrees"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random samples behind places known again")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Fuses and writes the surface; exit status 0."""
    if not 0.001 <= arguments.voxel <= 0.1:
        raise UsageError("--voxel lies between 0.001 and 0.1 m")
    out: Path = arguments.out
    if out.suffix.lower() != ".ply":
        raise UsageError(f"{out}: the surface is written as PLY; name it FILE.ply")
    open_frames = partial(open_source, arguments.source, rotate=arguments.rotate, load_body=load_body_model)
    with Progress("fuse") as progress:
        fusion = fuse_source(
            open_frames, arguments.voxel, arguments.poses, lambda what, share: progress(share, what), arguments.seed
        )
        progress(0.99, "writing")
        write_ply(out, *fusion.mesh, fusion.colors, comment="metres, world frame of the recording")
    report(as_json(fusion, out), arguments.json, summary(fusion, out))
    return 0


def as_json(fusion: Fusion, out: Path) -> dict[str, Any]:
    """What `--json` prints."""
    low, high = fusion.mesh.vertices.min(0), fusion.mesh.vertices.max(0)
    content: dict[str, Any] = {
        "file": str(out),
        "source": {"kind": fusion.source.kind, "name": fusion.source.name},
        "poses": "given" if fusion.tracking is None else "track",
        "frames": fusion.frame_count,
        "fused": fusion.fused_count,
        "vertices": len(fusion.mesh.vertices),
        "triangles": len(fusion.mesh.faces),
        "extent_mm": [round(1e3 * float(side), 1) for side in high - low],
    }
    if fusion.tracking is not None:
        content["tracking"] = tracking_json(fusion.tracking)
    return content


def tracking_json(tracking: Tracking) -> dict[str, Any]:
    """How the camera was followed, as numbers."""
    content: dict[str, Any] = {
        "tracked": len(tracking.poses),
        "lost": len(tracking.lost) - len(tracking.weak),
        "weak": len(tracking.weak),
        "found_again": tracking.found_again,
        "lost_at_end": tracking.lost_at_end,
        "closures": len(tracking.closures),
        "corrections": tracking.corrections,
        "path_mm": round(1e3 * tracking.path_m, 1),
        "drift_mm": None,
    }
    if tracking.closures:
        content["drift_mm"] = round(1e3 * drift_m(tracking), 1)
    if tracking.against_given is not None:
        content["against_given"] = {
            "ate_mm": round(1e3 * tracking.against_given.ate_m, 2),
            "rpe_mm": round(1e3 * tracking.against_given.rpe_m, 2),
            "rpe_deg": round(float(np.rad2deg(tracking.against_given.rpe_rad)), 3),
        }
    return content


def drift_m(tracking: Tracking) -> float:
    """RMS of how far apart tracking alone had put places seen twice [m]."""
    return float(np.sqrt(np.mean([closure.gap_m**2 for closure in tracking.closures])))


def summary(fusion: Fusion, out: Path) -> list[str]:
    """What a person wants to know."""
    low, high = fusion.mesh.vertices.min(0), fusion.mesh.vertices.max(0)
    size = " x ".join(f"{side:.2f}" for side in high - low)
    lines = []
    if fusion.tracking is None:
        lines.append(f"{fusion.frame_count} frames, {fusion.fused_count} with a pose of the recording's own, fused")
    else:
        lines += tracking_lines(fusion.tracking, fusion.frame_count)
    lines.append(f"{len(fusion.mesh.faces)} triangles, {size} m")
    lines.append(f"written to {out}")
    return lines


def tracking_lines(tracking: Tracking, frame_count: int) -> list[str]:
    """How the camera was followed, in words."""
    missing = len(tracking.lost)
    lines = [f"{frame_count} frames, {len(tracking.poses)} tracked over {tracking.path_m:.2f} m, {missing} not used"]
    if missing:
        first, reason = tracking.lost[0]
        lines.append(f"first not used: frame {first}: {reason}")
    if tracking.lost_at_end:
        last = max(tracking.poses)
        lines.append(f"lost after frame {last} and not found again: what is written was seen before that")
    elif tracking.found_again:
        lines.append(f"lost and found again {tracking.found_again} times")
    if tracking.closures:
        lines.append(
            f"{len(tracking.closures)} places seen again; tracking alone had put them {1e3 * drift_m(tracking):.0f} mm "
            f"apart (RMS); corrected {tracking.corrections} times"
        )
    else:
        lines.append("no place was seen again, so drift is not known")
    if tracking.against_given is not None:
        lines.append(f"{1e3 * tracking.against_given.ate_m:.1f} mm RMS from the recording's own poses")
    return lines
