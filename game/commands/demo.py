"""`cheval demo`: one whole visit through the mirror's own screens, unattended, with or without a screen."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.rotation import TURNS
from game.assets import load_body_model
from game.attendant import Attendant, Tastes
from game.compilation import compilation_seconds
from game.console import Progress, report
from game.designs import design_named, measures_to_cut
from game.export.film import Film
from game.export.glb import Garment as DrapedGarment
from game.export.glb import write_outfit_glb
from game.fabrics import load_fabric
from game.files import whole_file
from game.protocol.engine import Graphics
from game.protocol.snapshot import Screen, SeeAs, Shopper, Snapshot, Worn
from game.scan_files import write_scan
from solver.body import BodyModel
from solver.cloth.dressing import dress
from solver.errors import ChevalError, InputError, TrackingLostError

SHOPPER = "sim:seed={seed},fps=15"
SIZE = (540, 960)
RATE = 24
TASTES = Tastes(admire_s=2.2, reveal_s=3.5, keep_s=2.0)
STORE = "profiles.db"
LONGEST_S = 240.0
"""Of a visit, on its own clock: who has not turned by then does not come to it."""
BLIND_S = 5.0
"""Without a picture for so long there will be none: a recording is over."""
SCREEN_SHARES = {
    Screen.ATTRACT: 0.0, Screen.CONSENT: 0.03, Screen.SCAN: 0.06, Screen.REVEAL: 0.55, Screen.MIRROR: 0.65,
    Screen.KEEP: 0.92, Screen.GOODBYE: 0.97,
}  # fmt: skip
"""How far the demonstration is when a screen begins."""
HEADLINES = ("height", "chest_girth", "waist_girth", "hip_girth")

EXAMPLES = """examples:
  cheval demo
  cheval demo --seed 7 --out visit7
  cheval demo --source visit.db3        the same way from a recording"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `demo`."""
    parser.add_argument(
        "--out", type=Path, default=Path("visit"), metavar="DIR", help="where to write (default: visit)"
    )
    parser.add_argument("--source", metavar="SOURCE", help="who visits (default: the simulated shopper)")
    parser.add_argument(
        "--rotate", type=int, choices=TURNS, default=0, help="turn pictures clockwise by so many degrees"
    )
    parser.add_argument("--seed", type=int, default=12, metavar="N", help="which simulated shopper comes (default: 12)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Runs the visit and says what it left and how long it took."""
    begin = time.perf_counter()
    out: Path = arguments.out
    spec = arguments.source or SHOPPER.format(seed=arguments.seed)
    with (
        _folder(out),
        closing(
            arguments.open_session(
                spec,
                threaded=False,
                seed=arguments.seed,
                rotate=arguments.rotate,
                store=str(out / STORE),
                for_files=True,
            )
        ) as session,
        closing(arguments.open_mirror(session, SIZE, True, False, "auto")) as mirror,
        Progress("welcome") as progress,
    ):
        with Film(out / "visit.mp4", SIZE, RATE) as film:
            witness = _Witness(out, mirror.graphics, lambda what, share: progress(share, what))
            mirror.run(
                lockstep_fps=RATE,
                on_picture=lambda picture: (film.add(picture), witness.see(session.latest(), picture)),
                until=witness.is_over,
                visitor=Attendant(TASTES),
            )
        witness.write_stills()
    seconds = time.perf_counter() - begin
    result, lines = _summary(arguments, witness, seconds)
    report(result, arguments.json, lines)
    return 0


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """Makes the folder; where the visit fails and left nothing in it, takes it away again."""
    made = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another folder with --out") from error
    try:
        yield
    except BaseException:
        if made:
            with suppress(OSError):
                out.rmdir()
        raise


def _summary(arguments: argparse.Namespace, witness: _Witness, seconds: float) -> tuple[dict[str, Any], list[str]]:
    compiling = compilation_seconds()
    files = sorted(path.name for path in arguments.out.iterdir() if not path.name.startswith("."))
    measured = witness.measurements["measurements"]
    result = {
        "out": str(arguments.out),
        "files": files,
        "seconds": round(seconds, 1),
        "compiling_s": round(compiling, 1),
        "stages_s": {name: round(value, 2) for name, value in witness.seconds.items()},
        "profile": witness.profile_id,
        "measurements": measured,
    }
    lines = [
        f"{key:14s} {measured[key]['value'] / 10:6.1f} cm ± {measured[key]['std'] / 10:.1f}"
        for key in HEADLINES
        if key in measured
    ]
    lines.append(f"{seconds:.0f} s, of which {compiling:.0f} s compiled kernels (none the next time)")
    lines.append("  ".join(f"{name} {value:.1f} s" for name, value in witness.seconds.items()))
    lines.append(
        f"profile {witness.profile_id}, encrypted in {arguments.out / STORE}; its secret was shown once, on 'keep'"
    )
    lines.append(f"{arguments.out}: " + ", ".join(files))
    return result, lines


class _Witness:
    """Watches the visit: writes what the shopper would be given, keeps one still of everything shown."""

    def __init__(self, out: Path, graphics: Graphics, say: Callable[[str, float], None]) -> None:
        self._out, self._graphics, self._say = out, graphics, say
        self._model: BodyModel = load_body_model()
        self._stills: dict[str, NDArray[np.uint8]] = {}
        self._screen: Screen | None = None
        self._begun = time.perf_counter()
        self._saw_goodbye = False
        self._pictured_at = 0.0
        self.measurements: dict[str, Any] = {}
        self.profile_id = ""
        self.seconds: dict[str, float] = {}
        """Wall time by screen, and of writing files."""

    def see(self, snapshot: Snapshot, picture: NDArray[np.uint8]) -> None:
        """One picture and what it shows. Raises `ChevalError` where the visit cannot go on."""
        self._time(snapshot.screen)
        self._say(_words(snapshot), _share(snapshot))
        name = _still_name(snapshot)
        if name is not None:
            self._stills[name] = picture
        if snapshot.shopper is not None and not self.measurements:
            self._write_scan(snapshot.shopper)
        if snapshot.keeping is not None:
            self.profile_id = snapshot.keeping.profile_id
        if snapshot.screen is Screen.MAINTENANCE and snapshot.maintenance:
            raise ChevalError(snapshot.maintenance)
        if not snapshot.camera_problem:
            self._pictured_at = snapshot.now
        if not self.measurements and snapshot.now - self._pictured_at > BLIND_S:
            raise TrackingLostError(f"nobody was scanned before this: {snapshot.camera_problem}")
        if snapshot.screen is Screen.ATTRACT and self._saw_goodbye and not self.measurements:
            raise TrackingLostError("nobody was scanned: somebody must stand before the camera and turn once")

    def is_over(self, snapshot: Snapshot) -> bool:
        """After goodbye the mirror is as it was before."""
        self._saw_goodbye |= snapshot.screen is Screen.GOODBYE
        if snapshot.now > LONGEST_S:
            raise TrackingLostError(f"no visit came to its end within {LONGEST_S:.0f} s: turn once before the camera")
        return self._saw_goodbye and snapshot.screen is Screen.ATTRACT and bool(self.measurements)

    def write_stills(self) -> None:
        """Every kept picture, numbered in the order in which it was first shown."""
        for number, (name, picture) in enumerate(self._stills.items(), 1):
            with whole_file(self._out / f"{number}_{name}.png") as temporary:
                temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())

    def _time(self, screen: Screen) -> None:
        now = time.perf_counter()
        if self._screen is not None:
            self.seconds[self._screen.value] = self.seconds.get(self._screen.value, 0.0) + now - self._begun
        self._screen, self._begun = screen, now

    def _write_scan(self, shopper: Shopper) -> None:
        if shopper.scan is None:
            raise ChevalError(
                "this camera sees colour only: a demonstration needs a depth camera or a recording of one"
            )
        begin = time.perf_counter()
        self._say("files", SCREEN_SHARES[Screen.REVEAL])
        self.measurements = write_scan(self._out, shopper.scan, self._model, self._graphics)
        self.write_outfit(shopper, Worn("tshirt"))
        self.seconds["files"] = time.perf_counter() - begin
        self._begun = time.perf_counter()

    def write_outfit(self, shopper: Shopper, worn: Worn) -> None:
        """The body in the canonical pose wearing `worn`."""
        pattern = design_named(worn.design).draft(measures_to_cut(self._model, shopper), worn.options)
        garment = dress(pattern, self._model, shopper.canonical, load_fabric(worn.fabric))
        mesh = garment.mesh
        draped = DrapedGarment(
            worn.design,
            np.ascontiguousarray(garment.simulation.positions, np.float32),
            mesh.triangles,
            mesh.uv,
            mesh.faces,
            worn.fabric,
            worn.printed,
        )
        write_outfit_glb(
            self._out / "outfit.glb", [draped], self._model, shopper.canonical, shopper.rest, shopper.paint
        )


def _share(snapshot: Snapshot) -> float:
    shares = list(SCREEN_SHARES.values())
    begin = SCREEN_SHARES.get(snapshot.screen, 0.0)
    end = next((share for share in shares if share > begin), 1.0)
    within = 0.0
    if snapshot.screen is Screen.SCAN and snapshot.scan is not None:
        refining = snapshot.scan.refining
        within = 0.6 * snapshot.scan.share if refining is None else 0.6 + 0.4 * refining
    return begin + (end - begin) * within


def _words(snapshot: Snapshot) -> str:
    if snapshot.screen is Screen.SCAN and snapshot.scan is not None:
        return "your body" if snapshot.scan.refining is not None else snapshot.scan.guidance.value.lower()
    return snapshot.busy or snapshot.screen.value


def _still_name(snapshot: Snapshot) -> str | None:
    """What a picture would be called; None for those in passing."""
    screen = snapshot.screen
    if screen is Screen.SCAN:
        if snapshot.scan is None:
            return None
        return "refining" if snapshot.scan.refining is not None else "scan" if snapshot.scan.share < 0.6 else None
    if screen is Screen.MIRROR:
        if snapshot.busy or not snapshot.worn or snapshot.dressed is None:
            return None
        if snapshot.see_as is SeeAs.MIRROR:
            return "mirror_live"
        return f"mirror_{snapshot.rack[snapshot.chosen].name}"
    if screen is Screen.KEEP and snapshot.keeping is not None:
        return "kept"
    return screen.value
