"""Visits at the real mirror, threads, screens, store and all, in real time: whole ones and such as go wrong."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np

from benchmarks._canaries import Canaries
from benchmarks._playback import Clip, Playback, WatchedLandmarker
from benchmarks._reels import Reel
from benchmarks._traces import remember, remember_frame
from game.app import App
from game.assets import POSE_LANDMARKER
from game.attendant import Attendant, Tastes
from game.keeper import StoreKeeper
from game.live.session import MirrorSession, Patience, open_session
from game.live.works import Parts
from game.measurements import MeasurementReport, parse_report, to_json
from game.profiles.profile import Profile
from game.profiles.store import ProfileStore
from game.protocol.commands import Command, Consent, Leave
from game.protocol.snapshot import Guidance, Screen, SeeAs, Shopper, Snapshot, Worn
from game.scan_files import scan_report
from game.view.display import Display
from scenes import SCREENS
from scenes.mannequin import SHOWN, wardrobe
from solver.body import BodyModel
from solver.errors import ChevalError

PICTURES_PER_S = 5
"""Fewer than a mirror draws: the rest of the machine is the stages'."""
LONGEST_VISIT_S = 3600.0
WIPED_S = 2.0
"""So long after leaving nothing of the shopper is left."""
SETTLING = 8
"""Pictures until engine and driver have let go of a screen."""
UNPLUGGED_S = 1.5
TOLD_S = 90.0
"""Two people wait so long to be told that only one may be there."""
FAR_ROUND_RAD = 1.2
"""In mid-turn."""
PATIENCE = Patience(step_in=60.0, scan=3600.0, reveal=600.0, absent=300.0, keep=600.0, mending=300.0)
"""As on a machine of one's own, whatever else this one has to do."""
PHASES = {"pose": 1.0, "turn": 20.0, "mirror": 5.0, "leave": 6.0}
"""What is rendered of a shopper, and most of it [s]."""
PAIR_PHASES = {"pose": 1.5}


class Course(Enum):
    """How a visit goes."""

    WHOLE = "whole"
    UNPLUGGED = "camera unplugged in mid-turn, and back"
    COMPANY = "two people, then one"
    WALKS_OUT = "walks out in mid-turn"
    DECLINES = "declines"
    FAILS = "a stage fails at the mirror"


SCANNED = (Course.WHOLE, Course.UNPLUGGED, Course.COMPANY, Course.FAILS)
"""Courses that come to a profile."""


@dataclass(slots=True)
class Kept:
    """What a profile must say when it is opened again."""

    secret: str
    digest: str


@dataclass(slots=True)
class Served:
    """How a visit went."""

    course: Course
    screens: list[Screen] = field(default_factory=list)
    seconds: float = 0.0
    wipe_s: float | None = None
    """None where the wipe had not ended 2 s after leaving."""
    kept: int = 0
    there: set[str] = field(default_factory=set)
    """Canaries that were found just before leaving, where that was asked for."""
    remark: str = ""
    """What was not as the course has it."""


class ServedMirror:
    """The whole mirror, offscreen, with an attendant's hands."""

    def __init__(
        self, store: ProfileStore, model: BodyModel, reel: Reel, tastes: Tastes, size: tuple[int, int] = (540, 960)
    ) -> None:
        """The first shopper is that of `reel`; profiles go into `store`."""
        self.playback = Playback(_clip(reel, "leave", last=True))
        self.kept: dict[str, Kept] = {}
        """By profile."""
        self._landmarker: WatchedLandmarker | None = None
        self.session: MirrorSession = open_session(
            Parts(model, self.playback.open_camera, self._open_landmarker, StoreKeeper(store, model)),
            patience=PATIENCE,
        )
        self.app = App(Display(size, headless=True), self.session, SCREENS)
        self._attendant = Attendant(tastes)
        self._drawn_at = time.monotonic()

    def _open_landmarker(self) -> WatchedLandmarker:
        self._landmarker = WatchedLandmarker(POSE_LANDMARKER, self.playback)
        return self._landmarker

    def fail(self) -> None:
        """The next look at a frame fails."""
        if self._landmarker is not None:
            self._landmarker.fails = True

    def serve(
        self, course: Course, reel: Reel, pair: Reel, canaries: Canaries | None = None, prove: bool = False
    ) -> Served:
        """One visit of the shopper of `reel` up to two seconds after leaving; `pair` shows two people. Canaries are
        taken of all that is known of the shopper; with `prove` they are looked for before leaving too. Raises
        `ChevalError` where the visit does not come to its end."""
        visit = _Visit(self, course, reel, pair, canaries, prove)
        begin = time.monotonic()
        served = Served(course)
        wiped_before = self._wipe_s()
        while not visit.over:
            if time.monotonic() - begin > LONGEST_VISIT_S:
                shown = " ".join(screen.value for screen in served.screens)
                raise ChevalError(f"a visit ({course.value}) did not end within {LONGEST_VISIT_S:g} s: {shown}")
            snapshot = self.session.latest()
            if not served.screens or served.screens[-1] is not snapshot.screen:
                served.screens.append(snapshot.screen)
            for wish in visit.wishes(snapshot, self._attendant.watch(snapshot)):
                self.session.ask(wish)
            del snapshot
            self.draw()
        served.seconds = time.monotonic() - begin
        served.wipe_s = self._wipe_s() if self._wipe_s() != wiped_before else None
        served.kept, served.there, served.remark = visit.kept, visit.there, visit.remark
        return served

    def _wipe_s(self) -> float:
        return self.session.latest().rates["wipe_s"]

    def draw(self) -> None:
        """One picture, when it is due."""
        wait = self._drawn_at + 1.0 / PICTURES_PER_S - time.monotonic()
        if wait > 0.0:
            time.sleep(wait)
        now = time.monotonic()
        dt, self._drawn_at = now - self._drawn_at, now
        self.app.step(dt)

    def say_goodbye(self) -> None:
        """Until the mirror waits for the next shopper, before an empty room, and shows nothing at all."""
        deadline = time.monotonic() + LONGEST_VISIT_S
        while self.session.latest().screen is not Screen.ATTRACT:
            self._attendant.watch(self.session.latest())
            self.draw()
            if time.monotonic() > deadline:
                raise ChevalError(f"the mirror stays at {self.session.latest().screen.value}")
        # Screens hold more or less, depending on what they show at the moment; whatever is left without one is held
        # for good.
        self.app.leave()
        for _ in range(SETTLING):
            self.app.display.draw()

    def warm_up(self) -> None:
        """Until the mannequin of the empty mirror has all its clothes, which it keeps for good."""
        deadline = time.monotonic() + LONGEST_VISIT_S
        while len(wardrobe().ready) < len(SHOWN) and time.monotonic() < deadline:
            self.draw()

    @property
    def failure_count(self) -> int:
        """Failures of stages ever."""
        return sum(worker.failure_count for worker in self.session.works.workers)

    def close(self) -> None:
        """Gives everything back."""
        self.app.close()
        self.session.close()


class _Visit:
    """What one shopper does, and what befalls them."""

    def __init__(
        self, mirror: ServedMirror, course: Course, reel: Reel, pair: Reel, canaries: Canaries | None, prove: bool
    ) -> None:
        self._mirror, self._course, self._reel, self._pair = mirror, course, reel, pair
        self._canaries, self._prove = canaries, prove
        self.there: set[str] = set()
        self._since = -1.0
        self._screen: Screen | None = None
        self._befell = False
        """What the course has in store has happened."""
        self._remembered: set[str] = set()
        self._unplugged_at = 0.0
        self._paired_at = 0.0
        self._left_at: float | None = None
        self.kept = 0
        self.remark = ""

    @property
    def over(self) -> bool:
        """Two seconds after leaving."""
        return self._left_at is not None and time.monotonic() - self._left_at >= WIPED_S

    def wishes(self, snapshot: Snapshot, wanted: Sequence[Command]) -> list[Command]:
        """What to ask of the session; the attendant would ask what is `wanted`."""
        if self._left_at is not None:
            return []
        if snapshot.screen is Screen.GOODBYE:
            # Left without a word.
            self._leave()
            return []
        self._act(snapshot)
        self._befall(snapshot)
        asked = list[Command]()
        for wish in wanted:
            match wish:
                case Consent() if self._course is Course.DECLINES:
                    self._remember("asked", snapshot)
                    asked.append(Consent(False))
                    self._leave()
                case Leave():
                    self._remember("leaving", snapshot)
                    if self._prove and self._canaries is not None:
                        self.there = {hit.name for hit in self._canaries.search()}
                    self._note_kept(snapshot)
                    asked.append(wish)
                    self._leave()
                case _:
                    asked.append(wish)
        return asked

    def _act(self, snapshot: Snapshot) -> None:
        """Does on a new screen what it asks for."""
        if snapshot.screen_since == self._since and snapshot.screen is self._screen:
            return
        before, self._screen, self._since = self._screen, snapshot.screen, snapshot.screen_since
        playback, reel = self._mirror.playback, self._reel
        match snapshot.screen:
            case Screen.ATTRACT | Screen.CONSENT if before is None:
                playback.show(_clip(reel, "pose"))
            case Screen.SCAN if self._course is Course.COMPANY and not self._befell:
                playback.show(_clip(self._pair, "pose", "return"))
                self._paired_at = time.monotonic()
            case Screen.SCAN:
                playback.show(_clip(reel, "turn", "repeat"))
            case Screen.MIRROR if before is not Screen.KEEP:
                playback.show(_clip(reel, "mirror", "return"))

    def _befall(self, snapshot: Snapshot) -> None:
        playback, course, scan = self._mirror.playback, self._course, snapshot.scan
        if scan is not None and scan.refining is None and abs(scan.turned) > FAR_ROUND_RAD and not self._befell:
            self._remember("turning", snapshot)
            if course is Course.UNPLUGGED:
                self._befell, playback.plugged, self._unplugged_at = True, False, time.monotonic()
            elif course is Course.WALKS_OUT:
                self._befell = True
                playback.show(_clip(self._reel, "leave"))
        if not playback.plugged and snapshot.screen is Screen.MAINTENANCE:
            playback.plugged = time.monotonic() - self._unplugged_at > UNPLUGGED_S
        if course is Course.COMPANY and not self._befell and scan is not None:
            told = scan.guidance is Guidance.ONE_PERSON
            if told or time.monotonic() - self._paired_at > TOLD_S:
                self._befell, self.remark = True, "" if told else "two people were not told of it"
                playback.show(_clip(self._reel, "turn", "repeat"))
        if snapshot.screen is Screen.MIRROR and snapshot.dressed and snapshot.dressed.garments:
            self._remember("dressed", snapshot)
            if snapshot.see_as is SeeAs.MIRROR:
                self._remember("in the glass", snapshot)
            if course is Course.FAILS and not self._befell:
                self._befell = True
                self._mirror.fail()

    def _remember(self, when: str, snapshot: Snapshot) -> None:
        if self._canaries is not None and when not in self._remembered:
            self._remembered.add(when)
            tracked = self._mirror.session.works.last_tracked
            observation = None if tracked is None else tracked.observation
            remember(self._canaries, snapshot, observation, self._mirror.app.display.glass.frame)
            if snapshot.camera is None:
                # Who is only asked is looked at too.
                remember_frame(self._canaries, self._mirror.playback.current(), None)

    def _note_kept(self, snapshot: Snapshot) -> None:
        keeping = snapshot.keeping
        if keeping is not None and snapshot.shopper is not None:
            self.kept += 1
            self._mirror.kept[keeping.profile_id] = Kept(keeping.secret, digest(snapshot.shopper, snapshot.worn))

    def _leave(self) -> None:
        self._left_at = time.monotonic()
        if self._course is not Course.WALKS_OUT:
            self._mirror.playback.show(_clip(self._reel, "leave"))


def digest(shopper: Shopper, worn: Sequence[Worn]) -> str:
    """What a shopper's profile must hold, as a number that says nothing of them."""
    assert shopper.scan is not None
    # As written: values are kept to the digits of measurements.json.
    rest, report = shopper.rest, parse_report(to_json(scan_report(shopper.scan)))
    choices = [(one.design, one.fabric) for one in worn]
    return _digest((shopper.shape, rest.vertices, rest.joints, shopper.canonical), report, choices)


def digest_of_profile(profile: Profile) -> str:
    """The same of a profile that was opened."""
    rest = profile.rest
    choices = [(one.design, one.fabric) for one in profile.outfit]
    return _digest((profile.shape, rest.vertices, rest.joints, profile.vertices), profile.measurements, choices)


def _digest(arrays: Sequence[np.ndarray], report: MeasurementReport, choices: list[tuple[str, str]]) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).data)
    sha.update(repr(sorted((key, entry.value) for key, entry in report.measurements.items())).encode())
    sha.update(repr(choices).encode())
    return sha.hexdigest()


def _clip(reel: Reel, phase: str, again: str = "stay", last: bool = False) -> Clip:
    frames = reel.spans[phase]
    return Clip(reel, frames[-1:] if last else frames, again)
