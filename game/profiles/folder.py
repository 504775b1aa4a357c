"""Profiles from a scan's folder, and back into one."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from game.appearance import BodyPaint, paint_body
from game.export.glb import write_body_glb
from game.export.ply import write_ply
from game.files import write_json
from game.measurements import read_report, to_json
from game.profiles.body_glb import read_body_glb
from game.profiles.consent import Consent
from game.profiles.profile import Profile, topology_of
from solver.ambient import ambient_visibility
from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, skin
from solver.errors import InputError
from solver.fusion import outer_faces
from solver.types import read_only

FILES = ("body.glb", "body.ply", "measurements.json", "profile.json")


def read_scan_folder(folder: Path, model: BodyModel, consent: Consent, created_at: int, expires_at: int) -> Profile:
    """A profile from the body.glb and measurements.json that `cheval scan` or `profile open` wrote.

    Vertices at rest and measures are as scanned; colours as near as the texture has them. Raises `InputError`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give the one that `cheval scan` wrote")
    body = read_body_glb(folder / "body.glb", model)
    report = read_report(folder / "measurements.json")
    vertices = canonical_vertices(model, body.rest)
    return Profile(
        report,
        body.shape,
        body.rest,
        vertices,
        body.vertex_colors,
        body.atlas,
        consent,
        created_at,
        expires_at,
        topology_of(model),
    )


def canonical_vertices(model: BodyModel, rest: RestBody) -> np.ndarray:
    """`rest` in the canonical A-pose, soles at z = 0 [m], (V, 3) float32."""
    posed = skin(model, rest.vertices, joint_transforms(model, rest.joints, canonical_pose(model, rest.joints)))
    posed[:, 2] -= posed[outer_faces(model), 2].min()
    return read_only(posed)


def paint_profile(profile: Profile, model: BodyModel) -> BodyPaint:
    """The body's appearance, as a scan's."""
    ambient = ambient_visibility(profile.vertices, model.faces)
    return paint_body(model, profile.rest, scanned=profile.vertex_colors, ambient=ambient, atlas=profile.atlas)


def write_profile_folder(out: Path, profile: Profile, model: BodyModel) -> None:
    """Writes `FILES` into the folder `out` (made readable for its owner only), all or none.

    body.ply is the body model laid onto the scan: the fused surface itself is not kept. Raises `InputError`.
    """
    out = Path(out)
    profile.check_model(model)
    paint = paint_profile(profile, model)
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".profile-", dir=out))
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    try:
        write_ply(making / "body.ply", profile.vertices, model.faces, profile.vertex_colors)
        write_body_glb(making / "body.glb", model, profile.rest, paint, shape=profile.shape)
        write_json(making / "measurements.json", to_json(profile.measurements))
        write_json(making / "profile.json", profile.describe())
        for name in FILES:
            (making / name).replace(out / name)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
