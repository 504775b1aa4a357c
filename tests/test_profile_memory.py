"""Nothing of a body is left in the memory of a process that saved, opened and wiped it."""

import subprocess
import sys
import time

import pytest

from tests.profiles import PASSPHRASE, make_profile, make_store, secret
from tests.test_house import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

CHILD = """
import gc, sys
from tests.profiles import make_profile, make_store, secret
profile, words = make_profile(7, vertices=3000), secret()
store = make_store(sys.argv[1])
profile_id = store.save(profile, words)
again = store.open(profile_id, words)
print(profile_id, flush=True)
sys.stdin.readline()
again.wipe()
profile.wipe()
words.wipe()
gc.collect()
print("wiped", flush=True)
sys.stdin.readline()
"""


def memory_of(process_id):
    """All that is readable of a process."""
    with open(f"/proc/{process_id}/maps") as maps, open(f"/proc/{process_id}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            begin, end = (int(number, 16) for number in span.split("-"))
            if rights.startswith("rw"):
                try:
                    memory.seek(begin)
                    yield memory.read(end - begin)
                except (OSError, ValueError, OverflowError):
                    continue


def found_in(process_id, needles):
    try:
        return {needle for data in memory_of(process_id) for needle in needles if needle in data}
    except PermissionError:
        pytest.skip("the memory of a child may not be read here")


def test_bodies_do_not_stay_in_memory(tmp_path):
    arrays = make_profile(7, vertices=3000)._arrays().values()
    needles = {array.tobytes()[i : i + 16] for array in arrays for i in (0, array.nbytes // 2 & ~15)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, tmp_path / "p.db"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        profile_id = child.stdout.readline().strip()
        assert found_in(child.pid, needles) == needles, "the search finds what is there"
        child.stdin.write("wipe\n")
        child.stdin.flush()
        assert child.stdout.readline() == "wiped\n"
        wiped_at = time.monotonic()
        while (left := found_in(child.pid, needles)) and time.monotonic() - wiped_at < 2.0:
            time.sleep(0.1)
        assert left == set()
    finally:
        child.communicate()
    assert make_store(tmp_path / "p.db").open(profile_id, secret(PASSPHRASE))
