"""The live mirror in real time, threads, screens and all: rates, times of every stage, delay of the picture, and where
the processor's time goes."""

from __future__ import annotations

import os
import time
from typing import Any

from panda3d.core import ConfigVariableBool

from benchmarks._processor_time import ThreadClock
from benchmarks._replay import RenderedVisit, ReplayedVisit
from capture.shopper import ShopperLandmarker
from game.app import App
from game.assets import POSE_LANDMARKER, load_body_model
from game.console import Progress
from game.live.rates import Meter
from game.live.session import MirrorSession, open_session
from game.live.works import Parts
from game.protocol import commands as c
from game.protocol.snapshot import Screen, SeeAs, Snapshot
from game.view.display import Display
from scenes import SCREENS
from solver.errors import ChevalError

SPEC = "sim:seed=150,fps=30,seconds=8"
MIRROR_S = 8.0
LISTEN_S = 12.0
"""Of the mirror, once the shirt is on; of the live picture afterwards half as long."""
PATIENCE_S = 240.0
STAGES = ("capture", "track", "reconstruct", "tailor", "cloth", "window")
ITEMS = {
    "main": "window",
    "llvmpipe": "window",
    "MediaPipe": "track",
    **{stage: stage for stage in STAGES if stage != "window"},
}
"""What the threads' time is counted by."""
SIZE = (540, 960)
FINISH_EVERY = 4
"""Drivers draw behind the program's back: of so many pictures one is waited for, and its delay taken."""
LATE_PICTURE_S = 1.0 / 20.0


def run(json: bool) -> dict[str, Any]:
    """Serves one simulated shopper, rendered ahead, in real time and prints what the session measures of itself."""
    model = load_body_model()
    with Progress("rendering the visit") as progress:
        visit = RenderedVisit(SPEC, model, MIRROR_S, progress)
    source = ReplayedVisit(visit)
    session = open_session(Parts(model, lambda: source, lambda: ShopperLandmarker(POSE_LANDMARKER)))
    window = _Window(session)
    driver = window.app.display.context.renderer
    try:
        result = _serve(session, source, window)
    finally:
        session.close()
        window.app.close()
    result["driver"] = driver
    result["source"] = SPEC
    result["load_average"] = os.getloadavg()[0]
    if not json:
        _print(result)
    return result


def _serve(session: MirrorSession, source: ReplayedVisit, window: _Window) -> dict[str, Any]:
    result: dict[str, Any] = {}
    session.ask(c.Begin())
    window.until(lambda s: s.screen is Screen.CONSENT)
    source.begin_turn()
    session.ask(c.Consent(True))
    phase = _Phase(session, window)
    last = window.until(lambda s: s.scan is not None and s.scan.refining is not None, keep=lambda s: s.scan)
    result["scan"] = phase.end(last)
    phase = _Phase(session, window)
    window.until(lambda s: s.screen is Screen.REVEAL)
    result["refinement"] = phase.end(session.latest())
    phase = _Phase(session, window)
    session.ask(c.Continue())
    window.until(lambda s: s.dressed is not None and bool(s.dressed.garments))
    result["first_garment"] = phase.end(session.latest())
    source.go_on()
    phase = _Phase(session, window)
    last = window.draw_for(LISTEN_S)
    result["mirror"] = phase.end(last)
    assert last.dressed is not None
    result["particles"] = int(sum(len(positions) for _, positions in last.dressed.garments))
    session.ask(c.See(SeeAs.MIRROR))
    phase = _Phase(session, window)
    result["live picture"] = phase.end(window.draw_for(LISTEN_S / 2.0))
    session.ask(c.See(SeeAs.AVATAR))
    begin = time.monotonic()
    session.ask(c.Alter("length", 0.05))
    window.until(lambda s: bool(s.worn) and s.worn[0].options.get("length") == 0.05)
    result["alteration_s"] = time.monotonic() - begin
    begin = time.monotonic()
    session.ask(c.Leave())
    window.until(lambda s: s.screen is Screen.ATTRACT or s.rates.get("wipe_s", 0.0) > 0.0)
    result["wipe_s"] = session.latest().rates["wipe_s"]
    return result


class _Phase:
    """What is measured from when it is made to its `end`."""

    def __init__(self, session: MirrorSession, window: _Window) -> None:
        self._session, self._window = session, window
        window.forget()
        self._counts = self._counted()
        self._threads = ThreadClock()
        self._begin = time.monotonic()

    def end(self, last: Snapshot) -> dict[str, Any]:
        """Rates as `last` tells them, with the window's; processor time by thread; what was late."""
        seconds = time.monotonic() - self._begin
        shares = self._threads.lap()
        rates = dict(last.rates) | self._window.rates()
        late = {name: (count - self._counts[name]) / seconds for name, count in self._counted().items()}
        return rates | {
            "seconds": seconds,
            "cores": sum(share.busy_s for share in shares.values()) / seconds,
            "threads": {name: (1e3 * s.busy_s / seconds, 1e3 * s.waited_s / seconds) for name, s in shares.items()},
            "late": late | {"pictures": self._window.late_count / seconds},
        }

    def _counted(self) -> dict[str, int]:
        works = self._session.works
        return {"camera frames": works.dropped_frames, "cloth steps": works.missed_beats}


class _Window:
    """Draws the session's screens offscreen, at the app's own pace, and takes the time of pictures."""

    def __init__(self, session: MirrorSession) -> None:
        self.app = App(Display(SIZE, headless=True), session, SCREENS)
        self._session = session
        self._drawn_at = time.monotonic()
        self._finish = ConfigVariableBool("gl-finish", False)
        self._count = 0
        self.forget()

    def forget(self) -> None:
        """Begins to measure anew."""
        self._pictures, self._delays = Meter(), Meter(LISTEN_S)
        self._shown_capture = -1.0
        self.late_count = 0
        """Pictures that came later than `LATE_PICTURE_S` after the one before."""

    def draw(self) -> Snapshot:
        """One picture; returns what it shows."""
        self.app.pace()
        self._count += 1
        finished = self._count % FINISH_EVERY == 0
        self._finish.set_value(finished)
        begin = time.monotonic()
        self.late_count += begin - self._drawn_at > LATE_PICTURE_S
        snapshot = self._session.latest()
        self.app.step(begin - self._drawn_at)
        now = time.monotonic()
        self._drawn_at = begin
        self._pictures.add(now, now - begin)
        shown = snapshot.seen_at
        # Of a camera's frame the first picture counts: the next ones show the avatar further on, not later.
        if shown is not None and shown != self._shown_capture:
            self._shown_capture = shown
            if finished:
                self._delays.add(now, now - shown)
        return snapshot

    def rates(self) -> dict[str, float]:
        """Of the last seconds, named as those of `Snapshot.rates`."""
        now = time.monotonic()
        return {
            "window": self._pictures.rate(now),
            "window_p50_ms": 1e3 * self._pictures.percentile(now, 50),
            "window_p99_ms": 1e3 * self._pictures.percentile(now, 99),
            "drawn_latency_p50_ms": 1e3 * self._delays.percentile(now, 50),
            "drawn_latency_p95_ms": 1e3 * self._delays.percentile(now, 95),
        }

    def until(self, reached, keep=None) -> Snapshot:
        """Draws until a snapshot that `reached` accepts; returns the last before it that `keep` accepted, or itself."""
        deadline = time.monotonic() + PATIENCE_S
        kept = self._session.latest()
        while time.monotonic() < deadline:
            snapshot = self.draw()
            if reached(snapshot):
                return kept if keep else snapshot
            if keep and keep(snapshot):
                kept = snapshot
        snapshot = self._session.latest()
        reason = snapshot.maintenance or snapshot.notice or "no reason given"
        raise ChevalError(f"the mirror stays at {snapshot.screen.value} ({reason})")

    def draw_for(self, seconds: float) -> Snapshot:
        """Draws for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.draw()
        return self._session.latest()


def _print(result: dict[str, Any]) -> None:
    for phase in ("scan", "refinement", "first_garment", "mirror", "live picture"):
        rates = result[phase]
        print(f"{phase.replace('_', ' ')}: {rates['seconds']:.1f} s, {rates['cores']:.2f} cores busy")
        print(f"  {'stage':12s} {'per s':>7s} {'p50':>8s} {'p99':>8s}   [ms]")
        for stage in STAGES:
            if stage in rates:
                p50, p99 = rates[f"{stage}_p50_ms"], rates[f"{stage}_p99_ms"]
                print(f"  {stage:12s} {rates[stage]:7.1f} {p50:8.1f} {p99:8.1f}")
        _print_threads(rates)
        print("  late a second:", ", ".join(f"{count:.1f} {name}" for name, count in rates["late"].items()))
        for name, words in (
            ("picture_latency", "capture to picture and body"),
            ("latency", "capture to dressed avatar"),
            ("drawn_latency", "capture to its picture drawn"),
        ):
            if rates.get(f"{name}_p50_ms"):
                print(f"  {words}: p50 {rates[f'{name}_p50_ms']:.0f} ms, p95 {rates[f'{name}_p95_ms']:.0f} ms")
    print(f"an alteration {result['alteration_s']:.2f} s, wipe {result['wipe_s']:.2f} s")
    print(f"shirt of {result['particles']} particles; load average {result['load_average']:.1f}; {result['driver']}")


def _print_threads(rates: dict[str, Any]) -> None:
    if not rates["threads"]:
        return
    print(f"  {'processor':12s} {'ms a s':>7s} {'each':>8s} {'queued':>8s}   [ms; queued: ready, but no core was free]")
    for name, (busy, queued) in rates["threads"].items():
        if busy < 1.0:
            continue
        rate = rates.get(ITEMS.get(name, ""), 0.0)
        each = f"{busy / rate:8.1f}" if rate else f"{'':8s}"
        print(f"  {name:12s} {busy:7.0f} {each} {queued:8.0f}")
