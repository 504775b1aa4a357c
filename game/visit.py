"""One whole visit, unattended: arrive, be scanned, be measured, be dressed, turn and move, leave."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.landmarks import PoseLandmarker
from capture.source import EndOfRecording, FrameSource
from game.appearance import BodyPaint
from game.avatar import APPROACH_S, Avatar
from game.export.film import Film
from game.export.glb import Garment as DrapedGarment
from game.export.glb import write_outfit_glb
from game.export.pictures import CameraPicture, mirror_picture
from game.fabrics import load_fabric
from game.files import whole_file
from game.materials import Print, PrintKind
from game.protocol.engine import Graphics, Stage
from game.scan import Phase, Scan, Scanner
from game.scan_files import paint_scan, write_scan
from game.turn import FULL_TURN
from solver.body import BodyModel, canonical_pose, joint_transforms, skin
from solver.cloth.dressing import Garment, dress
from solver.errors import TrackingLostError
from solver.pattern.tshirt import draft_tshirt
from solver.pose_motion import Stance, StanceFilter
from solver.types import BodyState, Frame

SIZE = (540, 960)
FILM_RATE = 30
FABRIC = "jersey"
PRINTS = (
    ("White jersey", Print()),
    ("Breton stripe", Print(PrintKind.STRIPES, (240, 238, 231), (38, 54, 92), 0.026, 0.38)),
    ("Dusty rose", Print(PrintKind.PLAIN, (196, 132, 126))),
)
REVEAL_S, MIRROR_S, LEAST_MIRROR_S = 4.0, 15.0, 3.0
TUCK_EVERY = 3
"""Pictures between two looks at which skin lies under cloth: it changes slowly."""
GONE_CONFIDENCE = 0.35

Say = Callable[[str, float], None]
Item = TypeVar("Item")


@dataclass(slots=True)
class Outcome:
    """What a visit left."""

    measurements: dict[str, Any]
    files: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


class Visit:
    """Drives one visit in front of `source` and writes everything into a folder."""

    def __init__(
        self, source: FrameSource, model: BodyModel, landmarker: PoseLandmarker, graphics: Graphics, say: Say, seed: int
    ) -> None:
        self._source = source
        self._model = model
        self._graphics = graphics
        self._say = say
        self._seed = seed
        self._scanner = Scanner(model, source.info, landmarker)
        self._landmarker = landmarker
        self._camera = CameraPicture(model.faces, model.vertex_count, source.info.intrinsics, SIZE)
        self._states: list[tuple[Frame, BodyState]] = []
        self._seconds: dict[str, float] = {}

    def run(self, out: Path) -> Outcome:
        """The whole visit. Raises what `game.scan` raises; files appear when they are whole."""
        out.mkdir(parents=True, exist_ok=True)
        with Film(out / "visit.mp4", SIZE, FILM_RATE) as film:
            self._film = film
            still = self._timed("scan", self._watch)
            _write_picture(out / "1_scan.png", still)
            scan = self._timed("reconstruction", self._reconstruct)
            paint = paint_scan(scan, self._model)
            content = self._timed("files", lambda: write_scan(out, scan, self._model, self._graphics))
            garment = self._timed("dressing", lambda: self._dress(scan))
            self._write_outfit(out, scan, garment, paint)
            self._timed("stills", lambda: self._portraits(out, scan, garment, paint))
            self._timed("mirror", lambda: self._mirror(out, scan, garment, paint))
        outcome = Outcome(content, sorted(p.name for p in out.iterdir() if not p.name.startswith(".")), self._seconds)
        self._say("done", 1.0)
        return outcome

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        result = work()
        self._seconds[name] = round(time.perf_counter() - begin, 2)
        return result

    # ---------------------------------------------------------------- scan

    def _watch(self) -> NDArray[np.uint8]:
        """Follows the turn; returns the picture of its middle."""
        expected = self._source.info.frame_count
        with closing(read_ahead(_frames(self._source))) as frames:
            return self._watch_frames(frames, expected)

    def _watch_frames(self, frames: Iterator[Frame], expected: int | None) -> NDArray[np.uint8]:
        still = None
        for frame in frames:
            glimpse = self._scanner.step(frame)
            share = min(abs(glimpse.turned) / FULL_TURN, 1.0)
            titles = {Phase.WAITING: "welcome", Phase.COMPLETE: "thank you"}
            assert frame.color is not None
            picture = self._camera.draw(
                frame.color,
                glimpse.state,
                self._scanner.ground,
                share,
                titles.get(glimpse.phase, "scan"),
                glimpse.phase.value[0].upper() + glimpse.phase.value[1:],
            )
            self._add(picture, frame)
            if still is None or share < 0.6:
                still = picture
            if glimpse.state is not None:
                self._states.append((frame, glimpse.state))
            self._say(glimpse.phase.value, 0.35 * max(share, self._scanner.frame_count / expected if expected else 0.0))
            if self._scanner.complete:
                break
        if still is None:
            still = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        return still

    def _reconstruct(self) -> Scan:
        return self._scanner.finish(None, lambda what, share: self._say(what, 0.35 + 0.25 * share), self._seed)

    # ---------------------------------------------------------------- dress

    def _dress(self, scan: Scan) -> Garment:
        measures = {key: measurement.value_mm for key, measurement in scan.measurements.items()}
        pattern = draft_tshirt(measures)
        return dress(
            pattern,
            self._model,
            scan.reconstruction.vertices,
            load_fabric(FABRIC),
            on_progress=lambda share: self._say("cutting and sewing", 0.60 + 0.10 * share),
        )

    def _write_outfit(self, out: Path, scan: Scan, garment: Garment, paint: BodyPaint) -> None:
        mesh, body = garment.mesh, scan.reconstruction
        draped = DrapedGarment(
            "tshirt",
            np.ascontiguousarray(garment.simulation.positions, np.float32),
            mesh.triangles,
            mesh.uv,
            mesh.faces,
            FABRIC,
            PRINTS[0][1],
        )
        write_outfit_glb(out / "outfit.glb", [draped], self._model, body.vertices, body.rest, paint)

    # ---------------------------------------------------------------- picture

    def _portraits(self, out: Path, scan: Scan, garment: Garment, paint: BodyPaint) -> None:
        """Fine stills: as scanned, and dressed from the front, the side and behind."""
        self._say("pictures", 0.71)
        stage = self._graphics.open_stage((810, 1440), fine=True)
        body = scan.reconstruction
        try:
            stage.set_body(self._model.faces, body.rest.vertices, paint)
            stage.update_body(body.vertices)
            stage.look_at_body(body.vertices)
            _write_picture(out / "2_body.png", stage.render())
            shirt = _put_on(stage, garment)
            stage.update_garment(shirt, np.ascontiguousarray(garment.simulation.positions, np.float32))
            stage.tuck_in()
            stage.shade_folds()
            for number, (name, azimuth) in enumerate((("front", 0.0), ("side", np.pi / 2), ("back", np.pi)), 3):
                stage.place_studio(np.zeros(2), azimuth)
                stage.look_at_body(body.vertices, azimuth)
                _write_picture(out / f"{number}_dressed_{name}.png", stage.render())
        finally:
            stage.close()

    def _mirror(self, out: Path, scan: Scan, garment: Garment, paint: BodyPaint) -> None:
        """The film's second half: the body, the shirt, and the avatar that follows."""
        body = scan.reconstruction
        avatar = Avatar(self._model, body.rest, garment, _lift(self._model, scan))
        stage = self._graphics.open_stage(SIZE)
        try:
            stage.set_body(self._model.faces, body.rest.vertices, paint)
            self._reveal(stage, scan)
            shirt = _put_on(stage, garment)
            with closing(read_ahead(self._moments_after_scan())) as moments:
                picture = self._follow(stage, shirt, avatar, moments)
            if picture is not None:
                _write_picture(out / "6_mirror.png", picture)
        finally:
            stage.close()

    def _reveal(self, stage: Stage, scan: Scan) -> None:
        """The scanned body turns once; its main measures stand beside it."""
        body = scan.reconstruction
        named = (("height", "Height"), ("chest_girth", "Chest"), ("waist_girth", "Waist"), ("hip_girth", "Hip"))
        words = "   ".join(
            f"{name} {scan.measurements[key].value_mm / 10:.0f} cm" for key, name in named if key in scan.measurements
        )
        stage.update_body(body.vertices)
        count = round(REVEAL_S * FILM_RATE)
        for i in range(count):
            azimuth = 2.0 * np.pi * i / count
            stage.place_studio(np.zeros(2), azimuth)
            stage.look_at_body(body.vertices, azimuth)
            self._film.add(mirror_picture(stage.render(), None, "you", words))
            self._say("you", 0.74 + 0.04 * i / count)
        stage.place_studio(np.zeros(2))

    def _follow(
        self, stage: Stage, shirt: int, avatar: Avatar, moments: Iterator[tuple[Frame, BodyState]]
    ) -> NDArray[np.uint8] | None:
        """The dressed avatar does what the person does, while they are there."""
        camera: list[NDArray[np.uint8] | None] = [None]
        caption = [PRINTS[0][0]]
        shown: list[NDArray[np.uint8]] = []
        shows = [0]

        def show() -> None:
            stage.update_body(avatar.vertices)
            stage.update_garment(shirt, avatar.garment_vertices)
            shows[0] += 1
            if shows[0] % TUCK_EVERY == 1:
                stage.tuck_in()
            picture = mirror_picture(stage.render(mirrored=True), camera[0], "your shirt", caption[0])
            self._film.add(picture)
            shown[:] = [picture]

        stance_filter = StanceFilter()
        view: NDArray[np.float32] | None = None
        last_at = None
        still = None
        played = 0.0
        for frame, state in moments:
            stance = stance_filter(Stance(state.pose, state.T_wb), frame.captured_at)
            if view is None:
                avatar.stand_at(stance)
                view = self._frame_stage(stage, avatar, stance)
                seconds = APPROACH_S
            else:
                assert last_at is not None
                seconds = float(np.clip(frame.captured_at - last_at, 1 / 60, 0.2))
            last_at = frame.captured_at
            played += seconds
            share = min(played / MIRROR_S, 1.0)
            chosen = min(len(PRINTS) - 1, int(share * len(PRINTS)))
            if caption[0] != PRINTS[chosen][0]:
                caption[0] = PRINTS[chosen][0]
                stage.set_fabric(shirt, FABRIC, PRINTS[chosen][1])
            camera[0] = frame.color
            avatar.move_to(stance, seconds, show, FILM_RATE)
            if still is None or share < 0.55:
                still = shown[0] if shown else None
            self._say("your shirt", 0.78 + 0.21 * share)
        return still

    def _frame_stage(self, stage: Stage, avatar: Avatar, stance: Stance) -> NDArray[np.float32]:
        """Sets the studio and the camera up around where the person stands."""
        place = stance.T_wb[:2, 3]
        reach = 0.62
        tall = float(np.ptp(avatar.vertices[:, 2]))
        # Room for raised arms above and for the words below.
        span = np.array([[-reach, -reach, -0.16 * tall], [reach, reach, 1.2 * tall]], np.float32)
        span[:, :2] += place.astype(np.float32)
        stage.place_studio(place)
        stage.look_at_body(span)
        return span

    def _moments_after_scan(self) -> Iterator[tuple[Frame, BodyState]]:
        """What the person does after the turn, as tracked, while they are there; where the source ended with the turn,
        the turn again. About `MIRROR_S`."""
        begin = end = None
        for frame in _frames(self._source):
            begin = frame.captured_at if begin is None else begin
            observation = self._landmarker.observe(frame)
            try:
                state = self._scanner.tracker.track(observation)
            except TrackingLostError:
                break
            gone = state.confidence < GONE_CONFIDENCE or observation.landmarks is None
            if gone or _leaves(state, frame, self._scanner) or frame.captured_at - begin > MIRROR_S:
                break
            end = frame.captured_at
            yield frame, state
        if begin is None or end is None or end - begin < LEAST_MIRROR_S:
            last = self._states[-1][0].captured_at
            yield from ((f, s) for f, s in self._states if f.captured_at > last - MIRROR_S)

    def _add(self, picture: NDArray[np.uint8], frame: Frame) -> None:
        """Shows a camera picture in the film for as long as it lasted."""
        rate = self._source.info.frame_rate or FILM_RATE
        due = round((frame.sequence + 1) * FILM_RATE / rate) - round(frame.sequence * FILM_RATE / rate)
        for _ in range(max(due, 1)):
            self._film.add(picture)


def _frames(source: FrameSource) -> Iterator[Frame]:
    with suppress(EndOfRecording):
        while True:
            yield source.read()


def _leaves(state: BodyState, frame: Frame, scanner: Scanner) -> bool:
    """True when the person's middle nears the side of the picture."""
    assert scanner.ground is not None
    T_cw = np.linalg.inv(scanner.ground.T_wc)
    middle = T_cw[:3, :3] @ state.vertices.mean(0) + T_cw[:3, 3]
    across = (frame.intrinsics.fx * middle[0] / max(middle[2], 0.1) + frame.intrinsics.cx) / frame.intrinsics.width
    return not 0.22 < across < 0.78


def read_ahead(items: Iterable[Item], depth: int = 2) -> Generator[Item, None, None]:
    """`items`, made in a thread of their own, at most `depth` ahead: the camera's work and the picture's overlap."""
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        made = iter(items)
        end = object()
        waiting = deque(thread.submit(next, made, end) for _ in range(depth))
        while (item := waiting.popleft().result()) is not end:
            waiting.append(thread.submit(next, made, end))
            yield item  # pyright: ignore[reportReturnType]


def _put_on(stage: Stage, garment: Garment) -> int:
    mesh = garment.mesh
    return stage.add_garment(mesh.triangles, mesh.uv, FABRIC, PRINTS[0][1], mesh.faces)


def _lift(model: BodyModel, scan: Scan) -> float:
    """How far the canonical body was raised to stand on the floor [m]."""
    rest = scan.reconstruction.rest
    posed = skin(model, rest.vertices, joint_transforms(model, rest.joints, canonical_pose(model, rest.joints)))
    return float(np.median(scan.reconstruction.vertices[:, 2] - posed[:, 2]))


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    with whole_file(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
