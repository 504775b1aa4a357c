"""Mailboxes, clocks, meters, history, workers and runners of the live mirror."""

import gc
import logging
import math
import os
import sys
import threading
import time
import weakref
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from game.live.clock import ArrivalClock, ManualClock, Metronome, Pace
from game.live.history import History
from game.live.mailbox import Mailbox
from game.live.messages import Order
from game.live.presence import Presence
from game.live.rates import Meter
from game.live.runners import LockstepRunner, ThreadedRunner
from game.live.worker import StageError, Worker
from solver.errors import DeviceLostError


@given(st.lists(st.one_of(st.integers(), st.none()), max_size=60))
def test_a_mailbox_hands_over_the_newest_and_counts_the_rest(moves):
    box, waiting, taken, put = Mailbox(), None, 0, 0
    for move in moves:
        if move is None:
            assert box.take() == waiting
            taken += waiting is not None
            waiting = None
        else:
            box.put(move)
            waiting, put = move, put + 1
    assert box.put_count == put
    assert box.dropped_count == put - taken - (waiting is not None)


def test_no_thread_sees_an_item_twice_or_an_older_one_after_a_newer():
    rung = threading.Event()
    box, seen, count = Mailbox(rung.set), [], 20000

    def write():
        for number in range(count):
            box.put(number)

    writer = threading.Thread(target=write)
    writer.start()
    while not seen or seen[-1] < count - 1:
        item = box.take()
        if item is not None:
            seen.append(item)
    writer.join()
    assert all(a < b for a, b in pairwise(seen))
    assert box.dropped_count == count - len(seen)
    assert rung.is_set()


def test_late_frames_were_not_taken_late():
    clock = ArrivalClock()
    delays = [0.030, 0.020, 0.080, 0.021, 0.300]
    times = [clock(k / 30.0, 1000.0 + k / 30.0 + delay) for k, delay in enumerate(delays)]
    assert all(a <= b for a, b in pairwise(times))
    for k in (1, 2, 3, 4):
        assert times[k] == pytest.approx(1000.0 + k / 30.0 + 0.020, abs=2e-3)


def test_a_metronome_leaves_out_what_it_is_late_for():
    metronome = Metronome(0.1)
    assert metronome.beat(5.0) == 5.0
    assert metronome.wait_s(5.02) == pytest.approx(0.08, abs=1e-5)
    assert metronome.beat(5.35) == pytest.approx(5.3)
    assert (metronome.beat_count, metronome.missed_count) == (4, 2)
    assert metronome.wait_s(5.35) == pytest.approx(0.05, abs=1e-5)


@pytest.mark.parametrize("camera_per_s", [24.0, 30.0, 90.0])
def test_a_pace_gives_way_while_others_are_late_and_recovers(camera_per_s):
    pace, now, late, seconds = Pace(15.5, 60.0), 0.0, 0.0, 40
    done = []
    for late_per_s in (1.0, 20.0, 0.0):
        done.append(0)
        for _ in range(int(seconds * camera_per_s)):
            now += 1.0 / camera_per_s
            late += late_per_s / camera_per_s
            done[-1] += pace.is_due(now, int(late))
    well, crowded, again = (count / seconds for count in done)
    assert well == pytest.approx(min(camera_per_s, 60.0), rel=0.02)
    assert 15.0 < crowded < min(camera_per_s, 60.0)
    assert again > 1.2 * crowded
    assert pace.per_s == 60.0


def test_after_a_pause_nothing_is_made_up_for():
    pace = Pace(15.5, 60.0)
    assert pace.is_due(100.0, 0)
    assert sum(pace.is_due(200.0 + 1e-3 * i, 10_000) for i in range(10)) <= 2


def test_a_meter_counts_the_last_seconds_only():
    meter = Meter(window_s=2.0)
    for k in range(40):
        meter.add(k / 10.0, 0.001 * k)
    assert meter.rate(3.9) == pytest.approx(10.0, rel=0.06)
    assert meter.percentile(3.9, 0.0) == pytest.approx(0.020)
    assert meter.rate(100.0) == 0.0


@given(st.lists(st.sampled_from(["undo", "redo", "a", "b", "c"]), max_size=40))
def test_history_is_a_line_with_a_place_on_it(moves):
    history, line, at = History("a"), ["a"], 0
    for move in moves:
        if move == "undo":
            at = max(at - 1, 0)
            assert history.undo() == line[at]
        elif move == "redo":
            at = min(at + 1, len(line) - 1)
            assert history.redo() == line[at]
        else:
            history.do(move)
            if move != line[at]:
                line = [*line[: at + 1], move]
                at = len(line) - 1
        assert (history.present, history.can_undo, history.can_redo) == (line[at], at > 0, at + 1 < len(line))


def test_somebody_is_there_through_short_gaps_and_gone_after_long_ones():
    presence = Presence()
    for k in range(10):
        presence.look(k not in (4, 5), 0.1 * k)
        presence.tick(0.1 * k)
    assert presence.here_s(0.9) == pytest.approx(0.9)
    for k in range(10, 20):
        presence.look(False, 0.1 * k)
        presence.tick(0.1 * k)
    assert presence.gone_s(1.9) == pytest.approx(1.0)
    presence.look(True, 2.0)
    presence.tick(3.0)
    assert presence.here
    presence.tick(3.6)
    assert not presence.here


class Doubling:
    """Doubles numbers; a string is a fault."""

    opened = 0

    def __init__(self):
        Doubling.opened += 1
        self.forgets, self.closed = 0, False

    def step(self, item):
        if item == "bug":
            return item / 2
        if item == "lost":
            raise DeviceLostError("the camera went away")
        return 2 * item

    def forget(self):
        self.forgets += 1

    def close(self):
        self.closed = True


@pytest.fixture
def bench():
    class Bench:
        clock, box, out, order = ManualClock(10.0), Mailbox(), [], Order()

    bench = Bench()
    bench.out = []
    bench.worker = Worker(
        "doubling",
        Doubling,
        lambda order, now: bench.box.take(),
        bench.out.append,
        lambda: bench.order,
        bench.clock,
        clear=bench.box.clear,
    )
    return bench


def test_a_failing_stage_is_told_of_and_made_anew_with_growing_pauses(bench, caplog):
    opened = Doubling.opened
    pauses = []
    for _ in range(3):
        bench.box.put("bug")
        pauses.append(bench.worker.turn())
        assert isinstance(bench.worker.trouble.error, StageError)
        assert isinstance(bench.worker.trouble.error.__cause__, TypeError)
        assert bench.worker.turn() == pytest.approx(pauses[-1])
        bench.clock.set(bench.clock.now() + pauses[-1] + 1e-6)
    assert pauses == [0.5, 1.0, 2.0]
    assert "the doubling stage failed" in caplog.text
    bench.box.put(4)
    assert bench.worker.turn() == 0.0
    assert bench.worker.trouble is None
    assert (bench.out, bench.worker.failure_count, Doubling.opened - opened) == ([8], 3, 4)
    assert bench.worker.turn() == math.inf


def test_a_foreseen_error_keeps_its_type(bench):
    bench.box.put("lost")
    bench.worker.turn()
    assert type(bench.worker.trouble.error) is DeviceLostError


def test_a_failure_that_is_over_leaves_nothing_behind(bench):
    """Not even until the garbage collector comes: the traceback holds what the stage worked on."""

    class Item:
        pass

    item = Item()
    gone = weakref.ref(item)
    bench.box.put(item)
    del item
    gc.disable()
    logging.disable(logging.CRITICAL)  # pytest keeps what is logged, tracebacks too
    try:
        bench.worker.turn()
        bench.clock.set(bench.clock.now() + 1.0)
        bench.worker.turn()
        assert bench.worker.trouble is None
        assert gone() is None
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()


def test_a_new_visit_is_obeyed_before_the_next_piece_of_work(bench):
    bench.box.put(1)
    bench.worker.turn()
    stage = bench.worker._stage
    bench.box.put(2)
    bench.order = Order(visit=1)
    assert bench.worker.turn() == math.inf
    assert (bench.out, stage.forgets, bench.worker.visit) == ([2], 1, 1)


def test_what_an_old_visit_made_is_not_delivered(bench):
    class Slow(Doubling):
        def step(self, item):
            bench.order = Order(visit=1)
            return item

    bench.worker._make = Slow
    bench.box.put(1)
    bench.worker.turn()
    assert bench.out == []


class Counter:
    threads, niceness = 1, 0

    def __init__(self, name, log, wait=math.inf):
        self.name, self.bell, self.log, self.wait, self.closed = name, threading.Event(), log, wait, 0

    def turn(self):
        self.log.append(self.name)
        return self.wait

    def close(self):
        self.closed += 1


def test_lock_step_turns_all_in_order_sixty_times_a_second():
    log, clock = [], ManualClock()
    parts = [Counter("a", log), Counter("b", log)]
    runner = LockstepRunner(parts, clock)
    for _ in range(10):
        runner.advance(0.05)
    assert log == ["a", "b"] * 30
    assert clock.now() == pytest.approx(0.5)
    runner.close()
    assert [part.closed for part in parts] == [1, 1]


def test_threads_wake_at_the_bell_and_end_on_close():
    log, heard = [], threading.Event()
    part = Counter("a", log)
    before = threading.active_count()
    runner = ThreadedRunner([part])
    part.turn = lambda: heard.set() or math.inf
    part.bell.set()
    assert heard.wait(5.0)
    runner.close()
    assert part.closed == 1
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="niceness by thread is Linux's")
def test_what_may_wait_gives_way_to_the_rest():
    found = {}
    parts = [Counter("a", []), Counter("b", [])]
    parts[1].niceness = 5

    def look(part):
        def turn():
            found[part.name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            return math.inf

        return turn

    for part in parts:
        part.turn = look(part)
    runner = ThreadedRunner(parts)
    deadline = time.monotonic() + 5.0
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    runner.close()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert found == {"a": own, "b": min(own + 5, 19)}
