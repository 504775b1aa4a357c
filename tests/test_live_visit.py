"""A real visit in lock-step: simulated shopper and camera, landmarks, tracking, refinement, shirt."""

import numpy as np
import pytest

from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from game.attendant import Attendant, Tastes
from game.live.session import open_session
from game.live.works import Parts
from game.protocol.snapshot import Guidance, Screen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SPEC = "sim:seed=12,fps=8,seconds=6"


def serve(spec, seconds, tastes=None):
    model = load_body_model()
    parts = Parts(model, lambda: SimulatedSource.from_spec(spec, model), lambda: ShopperLandmarker(POSE_LANDMARKER))
    session, attendant, shown = open_session(parts, lockstep=True), Attendant(tastes), []
    try:
        for _ in range(round(seconds * 30)):
            session.advance(1 / 30)
            snapshot = session.latest()
            shown.append(snapshot)
            for wish in attendant.watch(snapshot):
                session.ask(wish)
            if attendant.visits:
                break
    finally:
        session.close()
    return shown


def test_a_visit_from_stepping_in_to_goodbye():
    shown = serve(SPEC, 60.0, Tastes(looks=(0, 4), admire_s=1.0, reveal_s=1.0, see_mirror=False))
    order = list(dict.fromkeys(snapshot.screen for snapshot in shown))
    assert order == [Screen.ATTRACT, Screen.CONSENT, Screen.SCAN, Screen.REVEAL, Screen.MIRROR, Screen.KEEP,
                     Screen.GOODBYE]  # fmt: skip
    scans = [snapshot.scan for snapshot in shown if snapshot.scan is not None]
    words = list(dict.fromkeys(scan.guidance for scan in scans))
    assert words[-1] is Guidance.DONE
    assert Guidance.KEEP_TURNING in words
    # the surface grows: more and more of it was seen
    seen = [float(scan.surface_seen.mean()) for scan in scans if scan.surface_seen is not None]
    assert seen[-1] > 2.0 * seen[0]
    assert seen[-1] > 0.5
    shares = [scan.refining for scan in scans if scan.refining is not None]
    assert shares == sorted(shares)

    model = load_body_model()
    person = SimulatedSource.from_spec(SPEC, model).person
    shopper = next(snapshot.shopper for snapshot in shown if snapshot.shopper is not None)
    stature = float(np.ptp(person.rest.vertices[:, 2]))
    assert shopper.canonical[:, 2].max() == pytest.approx(stature, abs=0.06)

    at_mirror = [s for s in shown if s.screen is Screen.MIRROR and s.dressed is not None and s.dressed.garments]
    looks = {worn.printed.ground for s in at_mirror for worn in s.worn}
    assert len(looks) == 2
    for snapshot in at_mirror[:: len(at_mirror) // 10]:
        (_, positions), body = snapshot.dressed.garments[0], snapshot.dressed.body
        # the soles are on the floor and the shirt is on the trunk
        assert body[:, 2].min() == pytest.approx(0.0, abs=0.06)
        assert np.linalg.norm(positions.mean(0)[:2] - body.mean(0)[:2]) < 0.15
        assert snapshot.dressed.shown_at > snapshot.dressed.captured_at


@pytest.mark.parametrize(("fault", "word"), [("statue", Guidance.TURN), ("cut", Guidance.WHOLE_BODY)])
def test_who_does_not_do_as_asked_is_told(fault, word):
    shown = serve(f"sim:seed=3,fps=8,seconds=8,fault={fault}", 9.0)
    words = [snapshot.scan.guidance for snapshot in shown if snapshot.scan is not None]
    assert words[-1] is word
