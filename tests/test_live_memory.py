"""What is left of a shopper in the mirror's memory two seconds after they left, and how quickly they are forgotten."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks._canaries import WINDOW, Canaries
from capture.shopper import ShopperLandmarker
from capture.simulated.source import SimulatedSource
from game.assets import POSE_LANDMARKER, load_body_model
from game.live.session import open_session
from game.live.works import Parts
from game.protocol import commands as c
from game.protocol.snapshot import Screen
from tests.test_house import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

FREED = """
import sys, threading
import numpy as np
from benchmarks._canaries import Canaries
from game.forgetting import overwrite_small_blocks, overwrite_when_freed
if not overwrite_when_freed():
    sys.exit(77)
canaries, rng = Canaries(), np.random.default_rng(7)
# NumPy keeps freed blocks by their exact size, the C library by sixteen bytes and by thread.
doubles = [rng.random(size) for size in (6, 12, 57, 99, 100, 128, 129, 130, 5000, 100_000)]
singles = [rng.random(size).astype(np.float32) for size in (66, 99, 255, 257, 258)]
for array in doubles + singles:
    assert canaries.add(str(array.size), array)
del array
assert len({hit.name for hit in canaries.search()}) == 14
def forget():
    singles.clear()
    if sys.argv[1] == "overwrite":
        overwrite_small_blocks()
thread = threading.Thread(target=forget)
thread.start(); thread.join()
doubles.clear()
if sys.argv[1] == "overwrite":
    overwrite_small_blocks()
print(len(canaries.search()))
"""

ENGINE = """
import gc, sys
import numpy as np
from panda3d.core import PTA_uchar
from benchmarks._canaries import Canaries
from game.forgetting import overwrite_when_freed
from game.view.display import overwrite_freed
if not overwrite_when_freed():
    sys.exit(77)
canaries, rng, arrays = Canaries(), np.random.default_rng(7), []
for size in rng.choice((4000, 40_000, 164_616, 200_000, 330_000), 300):
    arrays.append(PTA_uchar.empty_array(int(size)))
    memoryview(arrays[-1]).cast("B")[:] = rng.integers(0, 255, size, np.uint8).data
    # What lies between them stays, so that what is freed cannot be given back to the system.
    if len(arrays) % 3:
        canaries.add(str(len(arrays)), np.frombuffer(arrays[-1], np.uint8), 3)
arrays = arrays[2::3]
gc.collect()
before = len({hit.name for hit in canaries.search()})
overwrite_freed()
print(before, len({hit.name for hit in canaries.search()}))
"""


SOAK = """
import json, os
os.environ["CHEVAL_SOAK_MINUTES"] = "2"
from benchmarks.soak import run
print(json.dumps(run(json=True)))
"""

LASTING = {"canonical body", "body at rest", "shape", "posed body", "garment", "pose", "camera colour"}
"""What is still there just before a whole visit ends. Landmarks of the moment looked at may be gone by then."""


def run_child(code, *arguments, timeout=None):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=timeout
    )
    if done.returncode == 77:
        pytest.skip("this C library overwrites nothing")
    assert done.returncode == 0, done.stderr
    return done


@linux
@pytest.mark.parametrize("shift", range(8))
def test_canaries_are_found_wherever_they_lie_until_they_are_overwritten(shift):
    rng = np.random.default_rng(shift)
    array = rng.normal(size=(500, 3)).astype(np.float32)
    canaries = Canaries()
    assert canaries.add("body", array, 5) == 5
    assert len(canaries.search()) == 5
    copy = np.zeros(array.nbytes + 8, np.uint8)
    copy[shift : shift + array.nbytes] = array.view(np.uint8).ravel()
    assert len(canaries.search()) == 10
    array[...] = 0.0
    copy[...] = 0
    assert canaries.search() == []


def test_what_is_everywhere_is_no_canary():
    canaries = Canaries()
    assert canaries.add("dark", np.zeros(1000, np.uint8)) == 0
    assert canaries.add("short", np.arange(WINDOW - 1, dtype=np.uint8)) == 0


@linux
def test_freed_memory_is_overwritten():
    assert run_child(FREED, "overwrite").stdout.strip() == "0"
    assert int(run_child(FREED, "leave").stdout) >= 5, "the search finds what is not overwritten"


@linux
def test_what_the_engine_freed_is_overwritten():
    before, after = map(int, run_child(ENGINE).stdout.split())
    assert before > 50
    assert after <= 1, "the last bytes of a block may hold what the engine itself put there"


@linux
@pytest.mark.slow
@pytest.mark.skipif("CHEVAL_SOAK" not in os.environ, reason="takes up to ten minutes: set CHEVAL_SOAK=1")
@pytest.mark.timeout(2400)
def test_visits_in_real_time_leave_nothing_behind():
    done = run_child(SOAK, timeout=2400)
    result = json.loads(done.stdout)
    first = result["visits"][0]
    assert first["screens"][:6] == ["attract", "consent", "scan", "reveal", "mirror", "keep"]
    assert len(first["looked_for"]) >= 15
    assert set(first["there"]) >= LASTING, "the search finds what is there"
    assert [visit["traces"] for visit in result["visits"]] == [{}] * len(result["visits"])
    assert result["wiped_in_time"], result["longest_wipe_s"]
    assert result["no_lost_profile"], result["lost_profiles"]
    assert result["profiles"] >= 1
    assert result["no_failure"]
    assert result["memory_flat"] in (True, None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_threaded_mirror_forgets_within_two_seconds():
    model = load_body_model()
    session = open_session(
        Parts(
            model,
            lambda: SimulatedSource.from_spec("sim:seed=12,fps=8,seconds=8,live=1", model),
            lambda: ShopperLandmarker(POSE_LANDMARKER),
        )
    )
    try:
        for wish, screen in ((c.Begin(), Screen.CONSENT), (c.Consent(True), Screen.SCAN)):
            session.ask(wish)
            reached(session, lambda s, screen=screen: s.screen is screen)
        reached(session, lambda s: s.scan is not None and s.scan.turned > 1.0)
        session.ask(c.Leave())
        assert reached(session, forgotten) <= 2.0
    finally:
        session.close()


def forgotten(snapshot):
    return snapshot.screen is Screen.GOODBYE and snapshot.rates["wipe_s"] > 0.0


def reached(session, holds, patience_s=120.0):
    """Waits until `holds`; returns for how long."""
    begin = time.monotonic()
    while not holds(session.latest()):
        spent = time.monotonic() - begin
        assert spent < patience_s, f"it stays at {session.latest().screen.value}: {session.latest().maintenance}"
        time.sleep(0.01)
    return time.monotonic() - begin
