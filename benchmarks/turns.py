"""Turns that are broken off, interrupted or spoilt: what the scan makes of them, what it claims and what it says.

python -m benchmarks.turns [--json] [--seeds FIRST LAST] [--cases NAME ...]

Shoppers of the tuning range (seeds 100 to 150) turn before a simulated d455; frames are left out, replaced or covered
as each case says, and `game.scan.Scanner` takes them. `replugged` goes through the live mirror's own stage, whose
camera is opened anew. A result is *false* where the surface that is said to be seen is wrong, or where measures lie
further from the truth than three of their standard errors allow, and no word is said about it.
"""

from __future__ import annotations

import argparse
import json as json_format
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.accuracy import canonical_vertices, true_body, true_measures
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from capture.source import EndOfRecording
from game.assets import POSE_LANDMARKER, load_body_model
from game.live.messages import Captured, Order, Task
from game.live.stages.track import Look, TrackStage
from game.scan import Evidence, Scan, Scanner, finish_scan
from game.scan_files import notes
from solver.body import BodyModel
from solver.errors import ChevalError
from solver.measures import Measurements
from solver.normals import NormalField
from solver.pieces import complete
from solver.types import Frame, read_only

FIRST_SEED, SHOPPERS = 126, 4
CAMERA = "camera=d455,visit=scan"
BEGUN_S = 1.0
"""When shoppers begin to turn."""
FRAME_RATE = 15
GAP_S = 2.0
BODY = ("trunk", *(f"{part}_{side}" for part in ("upper_arm", "lower_arm", "thigh", "calf") for side in "lr"))
SEEN = 0.5
WRONG_M = 0.012
"""Mean error of the surface from which a body is another one's: a full turn leaves 4 mm."""
WILD = 3.0
"""Standard errors."""
TABLE_M = 1.1


@dataclass(frozen=True, slots=True)
class Film:
    """A turn as it was filmed, and who was in it."""

    source: SimulatedSource
    frames: list[Frame]
    begun: int
    """Frame in which the turn begins."""
    ended: int

    def until(self, share: float) -> int:
        """The frame by which `share` of the turn is done."""
        return self.begun + round(share * (self.ended - self.begun))


@dataclass(frozen=True, slots=True)
class Case:
    """One way in which a turn may go."""

    options: str
    pick: Callable[[Film, Film], list[Frame]]
    """Frames of the shopper's film, and of someone else's, as the camera delivers them."""
    replugged: bool = False
    """The camera goes away on the way, for 1.5 s in which the shopper waits, and is opened anew."""
    honest: bool = False
    """The whole turn is there: a refusal is a failure."""


def _everything(film: Film, other: Film) -> list[Frame]:
    return film.frames


def _first(share: float) -> Callable[[Film, Film], list[Frame]]:
    return lambda film, other: film.frames[: film.until(share)]


def _with_gap(film: Film, other: Film) -> list[Frame]:
    gap = round(GAP_S * FRAME_RATE)
    middle = film.until(0.5) - gap // 2
    return film.frames[:middle] + film.frames[middle + gap :]


def _few(film: Film, other: Film) -> list[Frame]:
    return film.frames[film.begun - 8 : film.begun]


def _sparse(film: Film, other: Film) -> list[Frame]:
    return film.frames[:3] + film.frames[3 :: max(1, len(film.frames) // 12)]


def _replaced(film: Film, other: Film) -> list[Frame]:
    middle = film.until(0.5)
    return film.frames[:middle] + other.frames[middle:]


def _behind_a_table(film: Film, other: Film) -> list[Frame]:
    return [_covered(frame, film.source) for frame in film.frames]


def _passed(film: Film, other: Film) -> list[Frame]:
    """A third of the turn happens behind a board that someone holds before the camera."""
    first, last = film.until(0.4), film.until(0.7)
    rows = film.source.info.intrinsics.height
    covered = [_covered(frame, film.source, rows // 6) for frame in film.frames[first:last]]
    return film.frames[:first] + covered + film.frames[last:]


def _covered(frame: Frame, source: SimulatedSource, first_row: int | None = None) -> Frame:
    """`frame` with something in front of the shopper: everything below hip height, or below `first_row`."""
    assert frame.depth is not None
    assert frame.color is not None
    camera, noise = frame.intrinsics, source.info.noise
    assert noise is not None
    if first_row is None:
        hips_c = np.linalg.inv(source.T_wc) @ (0.0, source.options.distance, 0.9, 1.0)
        first_row = int(camera.fy * hips_c[1] / hips_c[2] + camera.cy)
    depth, color = frame.depth.copy(), frame.color.copy()
    sigma = noise.disparity_sigma_px * TABLE_M**2 / (camera.fx * noise.baseline_m)
    part = np.s_[first_row:, camera.width // 5 : -camera.width // 5]
    depth[part] = TABLE_M + np.random.default_rng(frame.sequence).normal(0.0, sigma, depth[part].shape)
    color[part] = 120, 84, 50
    return replace(frame, depth=read_only(depth), color=read_only(color))


CASES = {
    "whole, 6 s": Case("seconds=6", _everything, honest=True),
    "whole, 12 s": Case("seconds=12", _everything, honest=True),
    "half": Case("seconds=6", _first(0.5)),
    "quarter": Case("seconds=6", _first(0.25)),
    "gap of 2 s": Case("seconds=6", _with_gap),
    "replugged": Case("seconds=6", _everything, replugged=True),
    "eight frames": Case("seconds=6", _few),
    "sparse": Case("seconds=6", _sparse),
    "replaced": Case("seconds=6", _replaced),
    "too near": Case("seconds=6,distance=1.0", _everything),
    "cut by the edge": Case("seconds=6,fault=cut", _everything),
    "behind a table": Case("seconds=6", _behind_a_table),
    "board before it": Case("seconds=6", _passed),
}


def run(json: bool = False, seeds: range | None = None, names: list[str] | None = None) -> dict[str, Any]:
    """Goes through all cases with the shoppers `seeds` and prints a table unless `json`."""
    model = load_body_model()
    seeds = seeds or range(FIRST_SEED, FIRST_SEED + SHOPPERS)
    rows = []
    for seed in seeds:
        films: dict[tuple[int, str], Film] = {}
        for name in names or CASES:
            case = CASES[name]
            mine, theirs = ((number, case.options) for number in (seed, seed + 1))
            if mine not in films:
                films = {key: film for key, film in films.items() if key[1] == case.options}
                films[mine] = _filmed(model, *mine)
            if case.pick is _replaced and theirs not in films:
                films[theirs] = _filmed(model, *theirs)
            row = {"case": name, "seed": seed} | _outcome(model, case, films[mine], films.get(theirs, films[mine]))
            rows.append(row)
            if not json:
                print(_line(row), flush=True)
    if not json:
        print(_summary(rows))
    return {"rows": rows}


def _filmed(model: BodyModel, seed: int, options: str) -> Film:
    source = SimulatedSource.from_spec(f"sim:seed={seed},serial={seed},fps={FRAME_RATE},{CAMERA},{options}", model)
    frames = []
    while True:
        try:
            frames.append(source.read())
        except EndOfRecording:
            break
    begun = round(BEGUN_S * FRAME_RATE)
    return Film(source, frames, begun, begun + round(source.options.seconds * FRAME_RATE))


def _outcome(model: BodyModel, case: Case, film: Film, other: Film) -> dict[str, Any]:
    begin = time.process_time()
    frames = case.pick(film, other)
    try:
        evidence = _replugged(model, film) if case.replugged else _scanned(model, film, frames)
        scan = complete(finish_scan(model, evidence))
    except ChevalError as error:
        return {"refused": str(error), "false": case.honest, "cpu_s": time.process_time() - begin}
    said = notes(scan)[1:]
    # Either of two people may be the one who was scanned; a mixture is neither.
    present = (film, other) if case.pick is _replaced else (film,)
    row = min((_errors(model, one.source, scan) for one in present), key=lambda errors: errors["mean_mm"]) | {
        "said": " ".join(said),
        "missing": len(scan.measurements.missing),
        "turned_deg": float(np.rad2deg(abs(scan.turned))),
        "turn_seen": scan.reconstruction.turn_seen,
        "keyframes": scan.reconstruction.keyframe_count,
        "rmse_mm": 1e3 * scan.reconstruction.rmse_m,
        "shape_rms": float(np.sqrt(np.mean(np.square(scan.reconstruction.shape)))),
        "shape_most": float(np.abs(scan.reconstruction.shape).max()),
        "coverage": float(np.mean(scan.reconstruction.coverage)),
        "cpu_s": time.process_time() - begin,
    }
    row["false"] = bool(row["mean_mm"] > 1e3 * WRONG_M or row["wild"] > 0.1)
    return row


def _scanned(model: BodyModel, film: Film, frames: list[Frame]) -> Evidence:
    with ShopperLandmarker(POSE_LANDMARKER) as landmarker:
        scanner = Scanner(model, film.source.info, landmarker)
        for frame in frames:
            scanner.step(frame)
            if scanner.complete:
                break
        return scanner.evidence()


def _replugged(model: BodyModel, film: Film) -> Evidence:
    """What the live mirror keeps where the camera is opened anew on the way."""
    stage = TrackStage(model, lambda: ShopperLandmarker(POSE_LANDMARKER))
    evidence = None
    try:
        for frame, connection in _with_the_plug_pulled(film):
            look = Look(Order(task=Task.SCAN), Captured(frame, film.source.info, connection))
            news = stage.step(look).turn
            evidence = None if news is None else news.evidence
            if evidence is not None:
                return evidence
    finally:
        stage.close()
    raise ChevalError("the turn did not become complete: the mirror waits for it")


def _with_the_plug_pulled(film: Film) -> Iterator[tuple[Frame, int]]:
    # Each shopper at a side of their own.
    middle = film.until(0.2 + 0.1 * (film.source.options.seed % 7))
    for n, frame in enumerate(film.frames):
        late = 1.5 if n >= middle else 0.0
        yield replace(frame, captured_at=frame.captured_at + late), 1 + (n >= middle)


def _errors(model: BodyModel, source: SimulatedSource, scan: Scan) -> dict[str, Any]:
    """Of what is said to be seen of trunk and limbs, mm, and of the measures in standard errors."""
    true = canonical_vertices(model, true_body(model, source))
    normals = NormalField(model.faces, model.vertex_count)(true)
    body = scan.reconstruction
    known = np.isin(model.part_labels, [model.part(name) for name in BODY])
    seen = known & (body.coverage > SEEN)
    off = _off_surface(body.vertices, true, normals, known)
    distance = np.abs(off[seen[known]]) if seen.any() else np.zeros(1)
    truth = true_measures(model, source)
    ratios, worst = _ratios(scan.measurements, truth)
    return {
        "seen": float(seen.sum() / known.sum()),
        "mean_mm": float(1e3 * distance.mean()),
        "p95_mm": float(1e3 * np.percentile(distance, 95)),
        "within_2": float(np.mean(ratios <= 2.0)) if len(ratios) else 1.0,
        "wild": float(np.mean(ratios > WILD)) if len(ratios) else 0.0,
        "worst": worst,
        "girths_mm": {
            key: round(scan.measurements[key].value_mm - truth[key].value_mm, 1)
            for key in ("height", "chest_girth", "waist_girth", "hip_girth")
            if key in scan.measurements and key in truth
        },
    }


def _off_surface(vertices: NDArray, true: NDArray, normals: NDArray, known: NDArray) -> NDArray:
    """How far the `known` of `vertices` are off the true surface along its normals [m], all shifted onto it."""
    found, tree = vertices[known].astype(np.float64), cKDTree(true)
    for _ in range(5):
        nearest = tree.query(found)[1]
        n = normals[nearest].astype(np.float64)
        offset = np.einsum("vi,vi->v", found - true[nearest], n)
        found = found - np.linalg.lstsq(n, offset, rcond=None)[0]
    nearest = tree.query(found)[1]
    return np.einsum("vi,vi->v", found - true[nearest], normals[nearest])


def _ratios(found: Measurements, truth: Measurements) -> tuple[NDArray, str]:
    ratios = {
        key: abs(measured.value_mm - truth[key].value_mm) / max(measured.std_mm, 1e-9)
        for key, measured in found.items()
        if key in truth
    }
    if not ratios:
        return np.zeros(0), ""
    worst = max(ratios, key=lambda key: ratios[key])
    off = found[worst].value_mm - truth[worst].value_mm
    return np.array(list(ratios.values())), f"{worst} {off:+.0f} mm, {ratios[worst]:.1f} std"


def _line(row: dict[str, Any]) -> str:
    head = f"{row['case']:16s} {row['seed']}  {'FALSE' if row['false'] else '     '}"
    if "refused" in row:
        return f"{head} refused: {row['refused']}"
    return (
        f"{head} {row['mean_mm']:5.1f} {row['p95_mm']:6.1f} mm of {row['seen']:4.0%} seen, rmse {row['rmse_mm']:.1f},"
        f" within 2 std {row['within_2']:4.0%}, beyond 3 {row['wild']:4.0%}, {row['missing']} missing,"
        f" turned {row['turned_deg']:.0f} ({row['turn_seen']:.0%}, {row['keyframes']} views),"
        f" shape {row['shape_rms']:.2f}/{row['shape_most']:.1f}; {row['girths_mm']};"
        f" worst {row['worst']}; {row['said']}"
    )


def _summary(rows: list[dict[str, Any]]) -> str:
    heads = ("turns", "refused", "false", "mean", "p95", "within 2 std")
    lines = [f"\n{'case':16s} " + " ".join(f"{head:>{max(5, len(head))}s}" for head in heads)]
    for name in dict.fromkeys(row["case"] for row in rows):
        mine = [row for row in rows if row["case"] == name]
        made = [row for row in mine if "refused" not in row]
        numbers = [np.mean([row[key] for row in made]) if made else np.nan for key in ("mean_mm", "p95_mm", "within_2")]
        lines.append(
            f"{name:16s} {len(mine):5d} {len(mine) - len(made):7d} {sum(row['false'] for row in mine):5d}"
            f" {numbers[0]:5.1f} {numbers[1]:5.1f} {numbers[2]:12.0%}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seeds", type=int, nargs=2, default=(FIRST_SEED, FIRST_SEED + SHOPPERS - 1))
    parser.add_argument("--cases", nargs="+", choices=list(CASES), metavar="NAME")
    arguments = parser.parse_args()
    first, last = arguments.seeds
    found = run(arguments.json, range(first, last + 1), arguments.cases)
    if arguments.json:
        print(json_format.dumps(found))
