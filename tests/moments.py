"""Moments of a visit for the screens: a real body of the model, a real draped T-shirt, frames of the simulated camera.

Made once (half a minute) and kept in `tests/cache`, which git ignores; delete that folder to make them anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from capture.simulated.source import SimulatedSource
from game.appearance import paint_body
from game.assets import load_body_model
from game.fabrics import load_fabric
from game.materials import Print, PrintKind
from game.profiles.consent import SAVING_NOTICE
from game.protocol.snapshot import (
    CameraMoment,
    Choice,
    ClothMesh,
    Dressed,
    Guidance,
    Keeping,
    RackItem,
    ScanProgress,
    Screen,
    SeeAs,
    Shopper,
    Snapshot,
    Worn,
)
from solver.body import RestBody, canonical_pose, joint_transforms, skin
from solver.cloth.dressing import dress
from solver.measures import Measurements, SurfaceError, measure_body
from solver.normals import NormalField
from solver.pattern.tshirt import draft_tshirt
from solver.types import BodyState, Frame, Ground, Mesh, read_only

CACHE = Path(__file__).parent / "cache"
SPEC = "sim:seed=9,fps=15"
MIRROR_FRAMES = 24
"""Consecutive frames of the shopper moving at the mirror."""
TURN_FRAMES = 8
"""Frames spread over the turn."""


@dataclass(frozen=True)
class Visit:
    """What the moments are made of."""

    shopper: Shopper
    cloth: ClothMesh
    draped: np.ndarray
    """On the canonical body [m], (P, 3)."""
    turn: tuple[CameraMoment, ...]
    mirror: tuple[CameraMoment, ...]
    garments: tuple[np.ndarray, ...]
    """Particles at each moment of `mirror` [m], (P, 3), frame w."""
    empty: CameraMoment


@cache
def visit() -> Visit:
    """The visit, from the cache where it lies there."""
    path = CACHE / f"visit-{_digest()}.npz"
    if not path.is_file():
        CACHE.mkdir(exist_ok=True)
        for old in CACHE.glob("visit*.npz"):
            old.unlink()
        np.savez(path, **_record())
    model = load_body_model()
    with np.load(path) as data:
        kept = {name: read_only(data[name]) for name in data.files}
    source = SimulatedSource.from_spec(SPEC, model)
    rest = RestBody(kept["rest"], kept["joints"])
    # The shopper's hair is no part of the body model: here it lies on the scalp.
    colors = np.where(model.in_region("scalp")[:, None], np.array([26, 22, 20], np.uint8), kept["colors"])
    paint = paint_body(model, rest, scanned=colors)
    error = SurfaceError(noise_m=0.0015, offset_m=0.0015, scale=0.002, landmark_m=0.004)
    measurements = measure_body(model, kept["canonical"], error=error)
    coverage = dict.fromkeys(model.part_names, 0.97) | {"hand_l": 0.61, "hand_r": 0.58}
    shopper = Shopper(rest, kept["canonical"], np.zeros(3), paint, measurements, coverage)
    cloth = ClothMesh(1, kept["triangles"], kept["uv"], kept["uv_triangles"])
    ground = Ground(source.T_wc, 0.002, 0.9)
    intrinsics = source.info.intrinsics

    def moments(name: str) -> tuple[CameraMoment, ...]:
        made = []
        for i, at in enumerate(kept[f"{name}_at"]):
            frame = Frame(i, float(at), intrinsics, kept[f"{name}_color"][i], kept[f"{name}_depth"][i])
            state = BodyState(
                i,
                float(at),
                np.zeros(3),
                kept[f"{name}_pose"][i],
                kept[f"{name}_T_wb"][i],
                kept[f"{name}_body"][i],
                0.9,
            )
            made.append(CameraMoment(frame, ground, kept[f"{name}_person"][i], state))
        return tuple(made)

    empty = Frame(0, 0.0, intrinsics, kept["empty_color"], kept["empty_depth"])
    return Visit(
        shopper, cloth, kept["draped"], moments("turn"), moments("mirror"), tuple(kept["garments"]),
        CameraMoment(empty, ground, None, None),
    )  # fmt: skip


def _digest() -> str:
    """Of all that makes a recording: older code drapes otherwise than the pictures show that it is held against."""
    root = CACHE.parent.parent
    made_by = [
        Path(__file__),
        *(path for place in ("solver", "capture/simulated") for path in (root / place).rglob("*.py")),
    ]
    contents = b"".join(path.read_bytes() for path in sorted(made_by))
    return sha256(contents).hexdigest()[:16]


def _record() -> dict[str, np.ndarray]:
    model = load_body_model()
    source = SimulatedSource.from_spec(SPEC, model)
    spans = {span.name: span for span in source.phases}
    fps = source.options.fps
    rest = source.person.rest
    canonical = _standing(skin(model, rest.vertices, _canonical_transforms(model, rest)))
    measures = {key: m.value_mm for key, m in measure_body(model, canonical).items()}
    garment = dress(draft_tshirt(measures), model, canonical, load_fabric("jersey"))
    kept = {
        "rest": rest.vertices, "joints": rest.joints, "canonical": canonical,
        "draped": garment.simulation.positions.astype(np.float32), "triangles": garment.mesh.triangles,
        "uv": garment.mesh.uv.astype(np.float32), "uv_triangles": garment.mesh.faces,
    }  # fmt: skip
    turn = spans["turn"]
    turn_at = np.linspace(turn.begin, turn.end, TURN_FRAMES, endpoint=False)
    begin = spans["mirror"].begin + 2.0
    mirror_at = begin + np.arange(MIRROR_FRAMES) / fps
    seen = np.zeros(model.vertex_count)
    total = np.zeros((model.vertex_count, 3))
    field = NormalField(model.faces, model.vertex_count)
    for name, times in (("turn", turn_at), ("mirror", mirror_at)):
        columns: dict[str, list] = {key: [] for key in ("at", "color", "depth", "person", "body", "pose", "T_wb")}
        worn = []
        for at in times:
            number = round(at * fps)
            frame, person = _look(source, number)
            truth = source.truth(number)
            values = (at, frame.color, frame.depth, person, truth.naked, truth.pose, truth.T_wb)
            for key, value in zip(columns, values, strict=True):
                columns[key].append(value)
            if name == "turn":
                _gather_colors(frame, source.T_wc, truth.naked, field(truth.naked), total, seen)
            else:
                for _ in range(60 if not worn else 4):
                    garment.follow(truth.naked)
                worn.append(garment.simulation.positions.astype(np.float32))
        kept |= {f"{name}_{key}": np.array(values) for key, values in columns.items()}
        if worn:
            kept["garments"] = np.array(worn)
    empty = SimulatedSource.from_spec("sim:seed=9,fault=nobody", model).read()
    assert empty.color is not None
    assert empty.depth is not None
    kept |= {"empty_color": empty.color, "empty_depth": empty.depth}
    mean = total.sum(0) / max(seen.sum(), 1)
    kept["colors"] = np.where(seen[:, None] > 0, total / np.maximum(seen, 1e-9)[:, None], mean).astype(np.uint8)
    return kept


def _look(source: SimulatedSource, number: int) -> tuple[Frame, np.ndarray]:
    """Frame `number` and where the person is in it."""
    source._sequence = number
    frame = source.read()
    person = source.clean_picture(number).person.triangle >= 0
    return frame, np.where(person, 255, 0).astype(np.uint8)


def _gather_colors(frame, T_wc, vertices, normals, total, seen):
    T_cw = np.linalg.inv(T_wc)
    local = vertices @ T_cw[:3, :3].T + T_cw[:3, 3]
    k = frame.intrinsics
    column = np.clip(np.rint(k.fx * local[:, 0] / local[:, 2] + k.cx).astype(int), 0, k.width - 1)
    row = np.clip(np.rint(k.fy * local[:, 1] / local[:, 2] + k.cy).astype(int), 0, k.height - 1)
    toward = -local / np.linalg.norm(local, axis=1, keepdims=True)
    facing = np.einsum("vi,vi->v", normals @ T_cw[:3, :3].T, toward)
    near = np.abs(frame.depth[row, column] - local[:, 2]) < 0.07
    weight = np.where(near & (facing > 0.25), facing, 0.0)
    total += weight[:, None] * frame.color[row, column]
    seen += weight


def _canonical_transforms(model, rest):
    return joint_transforms(model, rest.joints, canonical_pose(model, rest.joints))


def _standing(vertices):
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices


# ---------------------------------------------------------------- what the session would say

PRINTS = (
    ("Plain", Print()),
    ("Breton", Print(PrintKind.STRIPES, (240, 238, 231), (38, 54, 92), 0.026, 0.38)),
    ("Pinstripe", Print(PrintKind.PINSTRIPES, (236, 234, 228), (90, 104, 132), 0.018, 0.12)),
    ("Check", Print(PrintKind.CHECKS, (238, 230, 220), (150, 60, 56), 0.05, 0.5)),
    ("Dots", Print(PrintKind.DOTS, (30, 44, 74), (238, 236, 230), 0.03, 0.34)),
)
COLORS = (
    ("Chalk", (238, 236, 230)), ("Sand", (214, 196, 168)), ("Rose", (196, 132, 126)), ("Sage", (146, 160, 136)),
    ("Sky", (142, 168, 192)), ("Navy", (38, 54, 92)), ("Coal", (44, 44, 46)),
)  # fmt: skip
RACK = (
    RackItem("tshirt", "T-shirt", Worn("tshirt")),
    RackItem("breton", "Breton top", Worn("tshirt", {}, "jersey", PRINTS[1][1])),
    RackItem("rose", "Rose tee", Worn("tshirt", {"sleeve": 0.04}, "jersey", Print(ground=(196, 132, 126)))),
    RackItem("linen", "Linen shirt", Worn("tshirt", {}, "linen", Print(ground=(214, 196, 168)))),
    RackItem("silk", "Silk top", Worn("tshirt", {}, "silk", Print(ground=(146, 160, 136)))),
)
KEEPING = Keeping("5f0c6f2e-8d3b-4c1a-9e07-b6a2d94f13c8", "7K3M-Q9TX-2WDB-VH84-N5RC-0FPE-YJ6A")
NOTICE = SAVING_NOTICE.format(day="27 November 2027")
CHOICES = (
    Choice("sleeve", "Sleeve", 0.02, -0.08, 0.30, 0.0, "m"),
    Choice("hem", "Length", 0.0, -0.10, 0.15, 0.0, "m"),
    Choice("ease", "Ease", 0.08, 0.0, 0.24, 0.08, "m"),
)


def without(measurements: Measurements) -> Measurements:
    """The same with one measure that could not be had."""
    values = {key: measurements[key] for key in measurements if key != "wrist_girth"}
    return Measurements(values, {"wrist_girth": "the hands were not seen well enough"})


def moment(screen: Screen, index: int = 0, **changes) -> Snapshot:
    """A snapshot of `screen`; `index` counts the moments before the mirror. `changes` are fields of `Snapshot`."""
    past = visit()
    i = index % MIRROR_FRAMES
    now = 100.0 + index / 15.0
    snapshot = Snapshot(
        sequence=index + 1, now=now, screen=screen, screen_since=98.0, camera=past.mirror[i], can_keep=True,
        keep_notice=NOTICE if screen is Screen.KEEP else "",
    )  # fmt: skip
    if screen in (Screen.ATTRACT,):
        snapshot = replace(snapshot, camera=past.empty if index == 0 else past.mirror[i])
    if screen == Screen.SCAN:
        turned = 2.0 * np.pi * 0.62
        snapshot = replace(
            snapshot, camera=past.turn[5], scan=ScanProgress(Guidance.KEEP_TURNING, turned, 0.62, None, *grown(0.62))
        )
    if screen in (Screen.REVEAL, Screen.MIRROR, Screen.KEEP):
        snapshot = replace(
            snapshot,
            shopper=past.shopper,
            see_as=SeeAs.AVATAR,
            dressed=Dressed(
                4 * index, now, now - 0.04, past.mirror[i].body.vertices, ((past.cloth, past.garments[i]),)
            ),
            worn=(Worn("tshirt", {}, "jersey", PRINTS[1][1]),),
            rack=RACK,
            chosen=1,
            choices=CHOICES,
            fabrics=("jersey", "poplin", "linen", "silk"),
            prints=PRINTS,
            colors=COLORS,
            can_undo=True,
        )
    if screen == Screen.KEEP:
        snapshot = replace(snapshot, keeping=KEEPING)
    if screen == Screen.MAINTENANCE:
        snapshot = replace(
            snapshot, camera=None, camera_problem="The camera is unplugged", maintenance="camera: no frames"
        )
    return replace(snapshot, **changes)


def grown(share: float) -> tuple[Mesh, np.ndarray]:
    """The part of the canonical surface that cameras round a turn of `share` have seen."""
    model = load_body_model()
    vertices = visit().shopper.canonical
    normals = NormalField(model.faces, model.vertex_count)(np.ascontiguousarray(vertices))
    angles = np.linspace(0.0, 2 * np.pi * share, 9)
    views = np.stack((np.sin(angles), -np.cos(angles), np.zeros(9)), 1)
    seen = np.clip(2.0 * (normals @ views.T).max(1), 0.0, 1.0).astype(np.float32)
    kept = model.faces[(seen[model.faces] > 0.15).all(1)]
    used, index = np.unique(kept, return_inverse=True)
    return Mesh(np.ascontiguousarray(vertices[used]), index.reshape(-1, 3).astype(np.int32)), seen[used]
