"""A source in a process of its own: killed, hung, crashed, ended; the parent notices in time and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from capture.child_process import ChildProcessSource, recording_failed
from capture.source import EndOfRecording, FrameTimeoutError
from solver.errors import DeviceLostError, InputError
from tests.faulty_source import GRAVITY, FaultySource, frame_of


def open_faulty(fault: str, **options) -> ChildProcessSource:
    lost_after_s = options.pop("lost_after_s", 3.0)
    return ChildProcessSource(partial(FaultySource, fault, **options), lost_after_s=lost_after_s)


def read_until_error(source, error, limit_s: float):
    """Reads until `error`; returns the frames before it and how long the failing read took."""
    frames, deadline = [], time.monotonic() + limit_s
    while time.monotonic() < deadline:
        asked_at = time.monotonic()
        try:
            frames.append(source.read())
        except error as caught:
            return frames, time.monotonic() - asked_at, caught
        except FrameTimeoutError:
            continue
    pytest.fail(f"no {error.__name__} within {limit_s} s")


def alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_frames_cross_whole_and_killing_is_noticed_at_once_and_mended():
    with open_faulty("none") as source:
        frames = [source.read() for _ in range(5)]
        for frame in frames:
            count = round(float(frame.depth[0, 0]))
            assert (frame.depth == count).all()
            np.testing.assert_array_equal(frame.color, frame_of(count, 0.0).color)
            np.testing.assert_array_equal(frame.gravity, GRAVITY)
            assert frame.sequence == 2 * count + 3
            assert time.monotonic() - frame.captured_at < 5.0
        assert source.frame_age_s < 1.0
        first = source.process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        _, seconds, error = read_until_error(source, DeviceLostError, 3.0)
        assert seconds < 1.0
        assert "signal 9" in str(error)
        with pytest.raises(DeviceLostError, match="signal 9"):
            source.read()
        source.restart()
        assert source.process_id != first
        again = source.read()
        assert again.sequence > frames[-1].sequence
        assert again.captured_at >= frames[-1].captured_at
        last = source.process_id
    assert last is not None
    assert not alive(last)


def test_a_hang_is_noticed_within_a_second_and_given_up_after_three_timeouts():
    with open_faulty("hang", lost_after_s=1.5) as source:
        frames, seconds, _ = read_until_error(source, FrameTimeoutError, 5.0)
        assert frames
        assert seconds == pytest.approx(1.0, abs=0.3)
        assert source.frame_age_s > 0.9
        hung = source.process_id
        _, _, error = read_until_error(source, DeviceLostError, 3.0)
        assert "gave no frame for" in str(error)
        assert hung is not None
        assert not alive(hung)
        source.restart()
        assert source.read().sequence > frames[-1].sequence


def test_a_silent_camera_is_given_up_too():
    with open_faulty("silence", lost_after_s=1.2) as source:
        _, _, error = read_until_error(source, DeviceLostError, 5.0)
        assert "gave no frame for" in str(error)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("abort", DeviceLostError, "signal 6"),
        ("bug", DeviceLostError, "ZeroDivisionError: a bug"),
        ("damage", InputError, r"visit\.db3: damaged"),
        ("end", EndOfRecording, "over"),
    ],
)
def test_what_ends_the_child_ends_the_source_the_same_way_again_and_again(fault, error, words):
    with open_faulty(fault) as source:
        frames, _, caught = read_until_error(source, error, 5.0)
        assert frames
        assert not isinstance(caught, FrameTimeoutError)
        for _ in range(2):
            with pytest.raises(error, match=words):
                source.read()


@pytest.mark.parametrize(("fault", "words"), [("missing", "no camera"), ("abort at start", "signal 6")])
def test_a_camera_that_does_not_open(fault, words):
    with pytest.raises(DeviceLostError, match=words):
        open_faulty(fault)


def test_a_crash_at_the_start_is_forgiven_once(tmp_path):
    trace = tmp_path / "crashed"
    with open_faulty(f"abort once {trace}") as source:
        assert trace.exists()
        assert source.read().depth is not None


def test_a_camera_that_takes_for_ever_to_open():
    with pytest.raises(DeviceLostError, match="not ready after 1 s"):
        ChildProcessSource(partial(FaultySource, "slow start"), start_patience_s=1.0)


def test_a_camera_that_hangs_at_close_is_killed():
    source = open_faulty("hang at close")
    source.read()
    process_id = source.process_id
    started = time.monotonic()
    source.close()
    source.close()
    assert time.monotonic() - started < 5.0
    assert process_id is not None
    assert not alive(process_id)
    with pytest.raises(DeviceLostError, match="closed"):
        source.read()


def test_a_recording_that_makes_librealsense_hang_is_named():
    open_inner = partial(FaultySource, "slow start")
    with pytest.raises(InputError, match=r"visit\.db3.*not ready after 1 s.*record it again"):
        ChildProcessSource(open_inner, failed=partial(recording_failed, "visit.db3"), start_patience_s=1.0)


def test_a_script_without_a_main_guard_can_open_a_source(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\nfrom capture.child_process import ChildProcessSource\n"
        "from tests.faulty_source import FaultySource\n"
        "with ChildProcessSource(partial(FaultySource, 'none')) as source:\n    print(source.read().sequence)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) >= 5


def test_the_newest_frame_wins_when_the_reader_is_slow():
    with open_faulty("none", rate=200.0) as source:
        for _ in range(3):
            time.sleep(0.2)
            assert time.monotonic() - source.read().captured_at < 0.2 + 0.15
        assert source.dropped_count > 0
