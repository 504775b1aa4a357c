"""The visit: every command, every timeout, failures and coming back, and that nothing is left of a shopper."""

import gc
import threading
import time
from functools import partial

import numpy as np
import pytest

from game.attendant import Attendant, Tastes
from game.designs import measures_to_cut
from game.live import works
from game.live.patience import Patience
from game.live.session import open_session
from game.live.stages.tailor import TailorStage
from game.live.works import Parts
from game.materials import Print, PrintKind
from game.protocol import commands as c
from game.protocol.snapshot import Screen, SeeAs
from solver.errors import ChevalError
from solver.measures import Measurements
from tests.live_stages import MEASURES, MODEL, Scene, SceneReconstruct, SceneSource, SceneTrack, Shelf


@pytest.fixture
def scene(monkeypatch):
    scene = Scene()
    monkeypatch.setattr(works, "TrackStage", lambda *_: SceneTrack(scene))
    monkeypatch.setattr(works, "ReconstructStage", lambda *_: SceneReconstruct(scene))
    monkeypatch.setattr(works, "TailorStage", partial(TailorStage, edge_length_m=0.03))
    return scene


class Mirror:
    """A session in lock-step and what it showed."""

    def __init__(self, scene, keeper=None, patience=None):
        parts = Parts(MODEL, lambda: SceneSource(scene), lambda: None, keeper)  # pyright: ignore[reportArgumentType]
        self.session = open_session(parts, lockstep=True, patience=patience)

    @property
    def now(self):
        return self.session.latest()

    def wait(self, seconds):
        self.session.advance(seconds)
        return self.now

    def until(self, reached, patience=30.0):
        for _ in range(round(patience * 30)):
            if reached(self.now):
                return self.now
            self.session.advance(1 / 30)
        raise AssertionError(f"{self.now.screen} {self.now.busy} {self.now.notice} {self.now.maintenance}")

    def ask(self, *wishes):
        for wish in wishes:
            self.session.ask(wish)
        return self.wait(0.1)

    def scanned(self):
        self.ask(c.Begin())
        self.ask(c.Consent(True))
        return self.until(lambda s: s.screen is Screen.REVEAL)

    def dressed(self):
        self.scanned()
        self.ask(c.Continue())
        return self.until(lambda s: bool(s.worn) and not s.busy)


@pytest.fixture
def mirror(scene):
    mirror = Mirror(scene, Shelf())
    yield mirror
    mirror.session.close()


def screens(mirror, seconds):
    seen = []
    for _ in range(round(seconds * 30)):
        screen = mirror.wait(1 / 30).screen
        if not seen or seen[-1] is not screen:
            seen.append(screen)
    return seen


# ------------------------------------------------------------------- the course of a visit


def test_who_steps_in_is_asked_and_nothing_is_shown_of_them_before_they_agree(scene, mirror):
    scene.present = False
    assert mirror.wait(3.0).screen is Screen.ATTRACT
    scene.present = True
    shown = mirror.until(lambda s: s.screen is Screen.CONSENT)
    assert shown.camera is None
    assert mirror.wait(2.0).camera is None
    shown = mirror.ask(c.Consent(True))
    assert shown.screen is Screen.SCAN
    assert mirror.wait(0.3).camera is not None


def test_without_consent_back_to_attract_and_not_asked_again_at_once(scene, mirror):
    mirror.ask(c.Begin())
    assert mirror.ask(c.Consent(False)).screen is Screen.ATTRACT
    assert screens(mirror, 5.0) == [Screen.ATTRACT]
    scene.present = False
    mirror.wait(4.0)
    scene.present = True
    assert mirror.wait(2.0).screen is Screen.CONSENT


def test_consent_times_out(mirror):
    mirror.ask(c.Begin())
    assert mirror.wait(29.0).screen is Screen.CONSENT
    assert mirror.wait(2.0).screen is Screen.ATTRACT


def test_the_scan_tells_how_far_it_is(scene, mirror):
    mirror.ask(c.Begin(), c.Consent(True))
    turning = mirror.until(lambda s: s.scan is not None and s.scan.share > 0.5)
    assert turning.scan.refining is None
    assert turning.scan.surface is not None
    refining = mirror.until(lambda s: s.scan is not None and (s.scan.refining or 0.0) > 0.3)
    assert refining.shopper is None
    known = mirror.until(lambda s: s.screen is Screen.REVEAL)
    assert known.scan is None
    assert known.shopper.measurements["height"].value_mm > 1000.0


def test_a_turn_that_gives_no_body_is_made_again(scene, mirror):
    scene.unusable = 1
    mirror.ask(c.Begin(), c.Consent(True))
    shown = mirror.until(lambda s: "usable views" in s.notice)
    assert shown.screen is Screen.SCAN
    assert mirror.until(lambda s: s.screen is Screen.REVEAL).shopper is not None


def test_every_command_at_the_mirror(scene, mirror):
    shown = mirror.dressed()
    assert shown.worn[0] == shown.rack[0].worn
    assert not shown.can_undo
    version = shown.dressed.garments[0][0].version

    # a print needs no tailor
    dots = Print(PrintKind.DOTS)
    shown = mirror.ask(c.ChoosePrint(dots))
    assert (shown.worn[0].printed, shown.busy) == (dots, "")
    shown = mirror.ask(c.ChooseColor((1, 2, 3)))
    assert shown.worn[0].printed == dots._replace(ground=(1, 2, 3))
    assert shown.dressed.garments[0][0].version == version

    # an alteration does: dragging is no step of undo, letting go is one
    mirror.ask(c.Alter("length", 0.02, final=False))
    mirror.ask(c.Alter("length", 0.05))
    shown = mirror.until(lambda s: not s.busy)
    assert shown.worn[0].options["length"] == 0.05
    assert next(choice for choice in shown.choices if choice.name == "length").value == 0.05
    assert shown.dressed.garments[0][0].version > version
    shown = mirror.ask(c.Undo())
    assert "length" not in mirror.until(lambda s: not s.busy).worn[0].options
    assert mirror.now.can_redo
    mirror.ask(c.Redo())
    assert mirror.until(lambda s: not s.busy).worn[0].options["length"] == 0.05

    mirror.ask(c.TryOn(4))
    shown = mirror.until(lambda s: not s.busy)
    assert (shown.chosen, shown.worn[0]) == (4, shown.rack[4].worn)
    assert mirror.ask(c.ChooseFabric("jersey")).worn[0].fabric == "jersey"
    assert "no fabric" in mirror.ask(c.ChooseFabric("chain mail")).notice
    assert "no entry" in mirror.ask(c.TryOn(99)).notice
    assert "no option" in mirror.ask(c.Alter("cuffs", 1.0)).notice
    assert mirror.ask(c.See(SeeAs.MIRROR)).see_as is SeeAs.MIRROR
    assert mirror.ask(c.GoToKeep()).screen is Screen.KEEP
    assert mirror.ask(c.BackToMirror()).screen is Screen.MIRROR
    shown = mirror.ask(c.ScanAgain())
    assert (shown.screen, shown.shopper, shown.dressed) == (Screen.SCAN, None, None)


def test_who_has_a_measure_that_was_not_seen_is_dressed_all_the_same(scene, mirror):
    """A neck under long hair was not measured, and the first garment was refused: the shopper stood there undressed."""
    scene.measures = Measurements(
        {key: measurement for key, measurement in MEASURES.items() if key != "neck_girth"},
        {"neck_girth": "hair lies over it"},
    )
    shown = mirror.dressed()
    assert shown.dressed.garments
    cut = measures_to_cut(MODEL, shown.shopper)
    assert 280.0 < cut["neck_girth"] < 480.0
    assert cut["chest_girth"] == MEASURES["chest_girth"].value_mm
    assert "neck_girth" not in shown.shopper.measurements


def test_an_impossible_alteration_becomes_a_notice_and_the_old_one_stays(mirror):
    mirror.dressed()
    mirror.ask(c.Alter("length", 0.03))
    mirror.until(lambda s: not s.busy)
    mirror.ask(c.Alter("ease", 5.0))
    shown = mirror.until(lambda s: bool(s.notice))
    assert "ease" in shown.notice
    shown = mirror.until(lambda s: not s.busy)
    assert shown.worn[0].options == {"length": 0.03}
    assert not mirror.now.can_redo
    assert mirror.wait(6.0).notice == ""


def test_keeping_gives_the_secret_once_and_only_when_asked(scene):
    shelf = Shelf()
    mirror = Mirror(scene, shelf)
    mirror.dressed()
    mirror.ask(c.Keep())
    assert mirror.now.keep_notice == ""
    shown = mirror.ask(c.GoToKeep())
    assert shelf.kept == []
    assert shown.keep_notice == shelf.notice().words
    mirror.ask(c.Keep())
    shown = mirror.until(lambda s: s.keeping is not None)
    assert shown.keeping.secret == "apple banana cherry"
    assert len(shelf.kept) == 1
    assert shelf.kept[0][1] == shown.worn
    assert shelf.kept[0][3].words == shown.keep_notice
    assert mirror.ask(c.Continue()).screen is Screen.GOODBYE
    assert mirror.now.keeping is None
    mirror.session.close()


def test_a_keeper_that_refuses_is_a_notice(scene):
    class Full(Shelf):
        def keep(self, shopper, worn, consent, notice):
            raise ChevalError("the store is full; delete profiles")

    mirror = Mirror(scene, Full())
    mirror.dressed()
    mirror.ask(c.GoToKeep(), c.Keep())
    assert mirror.until(lambda s: bool(s.notice)).notice == "the store is full; delete profiles"
    mirror.session.close()


def test_without_a_keeper_nothing_can_be_kept(scene):
    mirror = Mirror(scene)
    shown = mirror.dressed()
    assert not shown.can_keep
    mirror.ask(c.GoToKeep())
    assert "cannot be kept" in mirror.ask(c.Keep()).notice
    mirror.session.close()


@pytest.mark.parametrize("screen", [Screen.SCAN, Screen.REVEAL, Screen.MIRROR, Screen.KEEP])
def test_who_walks_away_is_forgotten(scene, mirror, screen):
    scene.turn_s = 500.0 if screen is Screen.SCAN else 1.0
    mirror.ask(c.Begin(), c.Consent(True))
    if screen is not Screen.SCAN:
        mirror.until(lambda s: s.screen is Screen.REVEAL)
    if screen in (Screen.MIRROR, Screen.KEEP):
        mirror.ask(c.Continue())
    if screen is Screen.KEEP:
        mirror.ask(c.GoToKeep())
    assert mirror.wait(1.0).screen is screen
    scene.present = False
    assert screens(mirror, 45.0)[-2:] == [Screen.GOODBYE, Screen.ATTRACT]
    assert mirror.now.rates["wipe_s"] < 2.0


def test_the_attendant_makes_whole_visits(scene, mirror):
    attendant = Attendant(Tastes(admire_s=0.5, reveal_s=0.5, keep_s=0.5))
    wishes = []
    for _ in range(90 * 30):
        for wish in attendant.watch(mirror.wait(1 / 30)):
            wishes.append(type(wish).__name__)
            mirror.session.ask(wish)
        if attendant.visits == 2:
            break
    assert attendant.visits == 2
    assert {"Begin", "Consent", "Continue", "TryOn", "Alter", "See", "GoToKeep", "Keep", "Leave"} <= set(wishes)


# ------------------------------------------------------------------- what fails and comes back


@pytest.mark.parametrize("at", [Screen.SCAN, Screen.MIRROR])
def test_a_failing_stage_is_told_of_and_the_visit_goes_on(scene, mirror, at, caplog):
    if at is Screen.MIRROR:
        mirror.dressed()
    else:
        mirror.ask(c.Begin(), c.Consent(True))
    mirror.wait(0.5)
    scene.faults["track"] = [ZeroDivisionError("division by zero"), ZeroDivisionError("division by zero")]
    shown = mirror.until(lambda s: s.screen is Screen.MAINTENANCE)
    assert "track stage failed (ZeroDivisionError: division by zero)" in shown.maintenance
    shown = mirror.until(lambda s: s.screen is at)
    assert (shown.maintenance, scene.faults["track"]) == ("", [])
    assert "ZeroDivisionError" in caplog.text
    if at is Screen.MIRROR:
        assert mirror.until(lambda s: bool(s.worn) and not s.busy).dressed.garments
    else:
        assert mirror.until(lambda s: s.screen is Screen.REVEAL).shopper is not None


@pytest.mark.parametrize(("seconds", "reached"), [(6.0, Screen.REVEAL), (14.0, Screen.GOODBYE)])
def test_who_has_turned_is_not_sent_away_by_a_slow_machine(scene, seconds, reached):
    scene.refining_steps = int(60 * seconds)
    mirror = Mirror(scene, patience=Patience(scan=5.0, refinement=6.0))
    mirror.ask(c.Begin())
    mirror.ask(c.Consent(True))
    assert mirror.until(lambda s: s.screen is not Screen.SCAN).screen is reached
    mirror.session.close()


def test_a_stage_that_cannot_be_mended_ends_the_visit(scene, mirror):
    mirror.dressed()
    scene.faults["track"] = [OSError("broken")] * 40
    mirror.until(lambda s: s.screen is Screen.MAINTENANCE)
    shown = mirror.wait(25.0)
    assert (shown.screen, shown.shopper) == (Screen.MAINTENANCE, None)
    assert mirror.session._shopper is None
    scene.faults["track"] = []
    assert mirror.until(lambda s: s.screen is Screen.ATTRACT)


def test_the_mirror_starts_without_a_camera_and_goes_on_when_there_is_one(scene):
    scene.lost = True
    mirror = Mirror(scene)
    shown = mirror.wait(3.0)
    assert shown.screen is Screen.MAINTENANCE
    assert "plug one in" in shown.camera_problem
    scene.lost = False
    assert mirror.until(lambda s: s.screen is Screen.ATTRACT).camera_problem == ""
    mirror.session.close()


def test_a_lost_camera_is_opened_again_and_the_visit_goes_on(scene, mirror):
    mirror.dressed()
    opened = scene.opened
    scene.lost = True
    shown = mirror.until(lambda s: s.screen is Screen.MAINTENANCE)
    assert "went away" in shown.maintenance
    mirror.wait(2.0)
    scene.lost = False
    shown = mirror.until(lambda s: s.screen is Screen.MIRROR)
    assert shown.shopper is not None
    assert scene.opened == opened + 1


def test_a_silent_camera_is_told_of(scene, mirror):
    mirror.ask(c.Begin(), c.Consent(True))
    scene.silent = True
    shown = mirror.until(lambda s: s.screen is Screen.MAINTENANCE)
    assert "no frame" in shown.camera_problem
    scene.silent = False
    assert mirror.until(lambda s: s.screen is Screen.SCAN)


# ------------------------------------------------------------------- the same again, and nothing left


def digest(snapshot):
    dressed = snapshot.dressed
    shown = (
        () if dressed is None else (dressed.step, dressed.body.tobytes(), *(p.tobytes() for _, p in dressed.garments))
    )
    return snapshot.sequence, snapshot.now, snapshot.screen, snapshot.worn, snapshot.busy_share, hash(shown)


def test_lock_step_gives_the_same_snapshots(scene):
    def visit():
        mirror, attendant, seen = Mirror(scene), Attendant(Tastes(admire_s=0.5, reveal_s=0.5)), []
        for _ in range(20 * 30):
            snapshot = mirror.wait(1 / 30)
            seen.append(digest(snapshot))
            for wish in attendant.watch(snapshot):
                mirror.session.ask(wish)
        mirror.session.close()
        return seen

    first, second = visit(), visit()
    assert first == second
    assert len({entry[-1] for entry in first}) > 50


@pytest.mark.parametrize("how", ["leave", "walk away", "close"])
def test_nothing_is_left_of_the_shopper(scene, how):
    mirror = Mirror(scene, Shelf())
    mirror.dressed()
    mirror.ask(c.Alter("length", 0.03))
    mirror.until(lambda s: not s.busy)
    garment = mirror.session.works._cloth._worn.garment
    scene.canary(garment.simulation.state.positions)
    scene.canary(mirror.now.dressed.body)
    del garment
    alive = sum(canary() is not None for canary in scene.canaries)
    assert alive > 5
    if how == "leave":
        mirror.ask(c.Leave())
        mirror.wait(1.9)
        assert mirror.now.screen is Screen.GOODBYE
    elif how == "walk away":
        scene.present = False
        mirror.until(lambda s: s.screen is Screen.GOODBYE)
        mirror.wait(1.9)
    else:
        mirror.session.close()
    # The frame that was read last may be on its way to be looked at.
    scene.silent = True
    mirror.wait(0.3)
    gc.collect()
    left = [canary().shape for canary in scene.canaries if canary() is not None]
    assert left == [] or (set(left) <= {(106, 60), (106, 60, 3)} and len(left) <= 2)
    mirror.session.close()


def test_threads_do_the_same_and_end_on_close(scene):
    before = threading.active_count()
    session = open_session(Parts(MODEL, lambda: SceneSource(scene), lambda: None))  # pyright: ignore[reportArgumentType]
    try:
        session.ask(c.Begin())
        wait_for(session, lambda s: s.screen is Screen.CONSENT)
        session.ask(c.Consent(True))
        wait_for(session, lambda s: s.screen is Screen.REVEAL)
        session.ask(c.Continue())
        shown = wait_for(session, lambda s: bool(s.worn) and not s.busy)
        assert np.isfinite(shown.dressed.garments[0][1]).all()
        assert shown.rates["cloth"] > 0.0
        del shown
        session.ask(c.Leave())
        wait_for(session, lambda s: s.screen is Screen.GOODBYE and s.rates["wipe_s"] > 0.0)
    finally:
        session.close()
        session.close()
    assert threading.active_count() == before
    gc.collect()
    assert sum(canary() is not None for canary in scene.canaries) <= 2


def wait_for(session, reached, patience=60.0):
    deadline = time.monotonic() + patience
    while not reached(session.latest()):
        assert time.monotonic() < deadline, session.latest().screen
        time.sleep(0.02)
    return session.latest()
