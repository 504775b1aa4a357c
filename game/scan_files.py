"""What a scan leaves behind: `body.ply`, `body.glb`, `measurements.json` and `report.png`, all of them or none."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from game.appearance import BodyPaint, paint_body
from game.export.glb import write_body_glb
from game.export.ply import write_ply
from game.export.report import write_report
from game.files import write_json
from game.measurements import MeasurementReport, make_report, to_json
from game.protocol.engine import Graphics
from game.scan import Scan
from game.turn import LARGEST_GAP
from solver.ambient import ambient_visibility
from solver.atlas.sampling import colors_near
from solver.body import BodyModel
from solver.errors import InputError

SIDES = ("from the front", "from the right", "from behind", "from the left")
"""What the camera sees of a body that has turned by so many right angles to its left."""


def write_scan(out: Path, scan: Scan, model: BodyModel, graphics: Graphics) -> dict[str, Any]:
    """Writes the four files into the folder `out` and returns the content of measurements.json.

    They are made in a folder beside and moved when all are there. Raises `InputError` where `out` cannot be written.
    """
    out = Path(out)
    body = scan.reconstruction
    surface = body.surface
    assert surface is not None, "a scan that is written is made with `RefinementSettings.surface`"
    paint = paint_scan(scan, model)
    content = to_json(scan_report(scan))
    colors = None
    if body.atlas is not None:
        colors = colors_near(model, body.vertices, body.atlas.color, surface.vertices)
    try:
        out.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".scan-", dir=out))
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    try:
        write_ply(making / "body.ply", surface.vertices, surface.faces, colors)
        write_body_glb(making / "body.glb", model, body.rest, paint, shape=body.shape)
        write_json(making / "measurements.json", content)
        views = graphics.portraits(model.faces, body.rest.vertices, paint, body.vertices)
        write_report(
            making / "report.png",
            views,
            body.vertices,
            model.faces,
            scan.measurements,
            scan.measurements.missing,
            body.coverage,
            notes(scan),
        )
        for file in sorted(making.iterdir()):
            file.replace(out / file.name)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return content


def scan_report(scan: Scan) -> MeasurementReport:
    """What measurements.json says of a scan."""
    body, source = scan.reconstruction, scan.source
    return make_report(
        scan.measurements,
        "A",
        float(np.mean(body.coverage)),
        1e3 * body.rmse_m,
        {
            "kind": source.kind,
            "name": source.name,
            "frames": scan.frame_count,
            "seconds": round(scan.duration_s, 2),
            **({"remarks": said} if (said := remarks(scan)) else {}),
        },
    )


def paint_scan(scan: Scan, model: BodyModel) -> BodyPaint:
    """The body in the colours that the camera saw, shaded where it hides itself from the light."""
    body = scan.reconstruction
    ambient = ambient_visibility(body.vertices, model.faces)
    atlas = None if body.atlas is None else body.atlas.color
    return paint_body(model, body.rest, scanned=body.vertex_colors, ambient=ambient, atlas=atlas)


def notes(scan: Scan) -> list[str]:
    """What the report says below the pictures."""
    return [f"{scan.source.name}: {scan.frame_count} frames in {scan.duration_s:.1f} s.", *remarks(scan)]


def remarks(scan: Scan) -> list[str]:
    """What whoever uses the scan ought to know: sides that were not seen, a floor that was not in view."""
    lines = list[str]()
    middle, width = scan.reconstruction.unseen_turn
    if width > LARGEST_GAP:
        side = SIDES[round(2.0 * middle / np.pi) % 4]
        lines.append(
            f"Not seen {side}, over {np.rad2deg(width):.0f} of the turn's 360 degrees; what was not seen is inferred."
            " Turn once, whole, for a better body."
        )
    if scan.ground.inlier_fraction == 0.0:
        lines.append("No floor was in view; heights are left out.")
    return lines
