"""Work shared out: the same whoever does it, and errors that come out."""

import threading

import numpy as np
import pytest

from solver.team import Team


@pytest.mark.parametrize("size", [1, 2, 3])
def test_every_item_is_done_once_and_no_hand_does_two_at_a_time(size):
    busy, done = [threading.Lock() for _ in range(size)], np.zeros(50, int)

    def work(item, hand):
        assert busy[hand].acquire(blocking=False)
        done[item] += 1
        busy[hand].release()

    with Team(size) as team:
        for _ in range(3):
            team.each(work, len(done))
    assert (done == 3).all()


def test_two_hands_work_at_the_same_time():
    both = threading.Barrier(2, timeout=30.0)
    with Team(2) as team:
        team.each(lambda item, hand: both.wait(), 2)


@pytest.mark.parametrize("size", [1, 2])
def test_an_error_ends_the_work_and_is_raised(size):
    begun = []

    def work(item, hand):
        begun.append(item)
        if item == 3:
            raise ValueError("three")

    with Team(size) as team:
        with pytest.raises(ValueError, match="three"):
            team.each(work, 100_000)
        assert len(begun) < 100_000
        begun.clear()
        team.each(lambda item, hand: begun.append(item), 5)
    assert sorted(begun) == [0, 1, 2, 3, 4]


def test_threads_end_with_the_team():
    before = threading.active_count()
    with Team(2) as team:
        team.each(lambda item, hand: None, 4)
    assert threading.active_count() == before
