"""The live mirror in real time, threads, screens and all: rates, times of every stage, delay of the picture."""

from __future__ import annotations

import os
import time
from typing import Any

from benchmarks._replay import RenderedVisit, ReplayedVisit
from capture.shopper import ShopperLandmarker
from game.app import App
from game.assets import POSE_LANDMARKER, load_body_model
from game.console import Progress
from game.live.rates import Meter
from game.live.session import MirrorSession, open_session
from game.live.works import Parts
from game.protocol import commands as c
from game.protocol.snapshot import Screen, Snapshot
from game.view.display import Display
from scenes import SCREENS
from solver.errors import ChevalError

SPEC = "sim:seed=150,fps=24,seconds=8"
MIRROR_S = 8.0
LISTEN_S = 12.0
"""Of the mirror, once the shirt is on."""
PATIENCE_S = 240.0
STAGES = ("capture", "track", "reconstruct", "tailor", "cloth", "window")
SIZE = (540, 960)


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
    begin = time.monotonic()
    cpu = time.process_time()
    last = window.until(lambda s: s.scan is not None and s.scan.refining is not None, keep=lambda s: s.scan)
    result["scan"] = (
        dict(last.rates) | window.rates() | {"cores": (time.process_time() - cpu) / (time.monotonic() - begin)}
    )
    begin = time.monotonic()
    window.until(lambda s: s.screen is Screen.REVEAL)
    result["refinement_s"] = time.monotonic() - begin
    begin = time.monotonic()
    session.ask(c.Continue())
    window.until(lambda s: s.dressed is not None and bool(s.dressed.garments))
    result["first_garment_s"] = time.monotonic() - begin
    source.go_on()
    cpu, begin = time.process_time(), time.monotonic()
    last = window.draw_for(LISTEN_S)
    result["mirror"] = (
        dict(last.rates) | window.rates() | {"cores": (time.process_time() - cpu) / (time.monotonic() - begin)}
    )
    assert last.dressed is not None
    result["particles"] = int(sum(len(positions) for _, positions in last.dressed.garments))
    begin = time.monotonic()
    session.ask(c.Alter("length", 0.05))
    window.until(lambda s: bool(s.worn) and s.worn[0].options.get("length") == 0.05)
    result["alteration_s"] = time.monotonic() - begin
    begin = time.monotonic()
    session.ask(c.Leave())
    window.until(lambda s: s.screen is Screen.ATTRACT or s.rates.get("wipe_s", 0.0) > 0.0)
    result["wipe_s"] = session.latest().rates["wipe_s"]
    return result


class _Window:
    """Draws the session's screens offscreen, at the app's own pace, and takes the time of pictures."""

    def __init__(self, session: MirrorSession) -> None:
        self.app = App(Display(SIZE, headless=True), session, SCREENS)
        self._session = session
        self._pictures, self._delays = Meter(), Meter()
        self._drawn_at = time.monotonic()
        self._shown_capture = -1.0

    def draw(self) -> Snapshot:
        """One picture; returns what it shows."""
        self.app.pace()
        begin = time.monotonic()
        snapshot = self._session.latest()
        self.app.step(begin - self._drawn_at)
        now = time.monotonic()
        self._drawn_at = begin
        self._pictures.add(now, now - begin)
        dressed = snapshot.dressed
        if dressed is not None and dressed.captured_at != self._shown_capture:
            self._shown_capture = dressed.captured_at
            self._delays.add(now, now - dressed.captured_at)
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
    for phase in ("scan", "mirror"):
        rates = result[phase]
        print(f"{phase}: {rates['cores']:.2f} cores busy")
        print(f"  {'stage':12s} {'per s':>7s} {'p50':>8s} {'p99':>8s}   [ms]")
        for stage in STAGES:
            if stage in rates:
                p50, p99 = rates[f"{stage}_p50_ms"], rates[f"{stage}_p99_ms"]
                print(f"  {stage:12s} {rates[stage]:7.1f} {p50:8.1f} {p99:8.1f}")
        for name, words in (
            ("picture_latency", "capture to picture and body"),
            ("latency", "capture to dressed avatar"),
            ("drawn_latency", "capture to its picture drawn"),
        ):
            if f"{name}_p50_ms" in rates:
                print(f"  {words}: p50 {rates[f'{name}_p50_ms']:.0f} ms, p95 {rates[f'{name}_p95_ms']:.0f} ms")
    print(f"refinement {result['refinement_s']:.1f} s, first shirt {result['first_garment_s']:.1f} s, ", end="")
    print(f"an alteration {result['alteration_s']:.2f} s, wipe {result['wipe_s']:.2f} s")
    print(f"shirt of {result['particles']} particles; load average {result['load_average']:.1f}; {result['driver']}")
