"""When pictures begin."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from game.pacing import CALM_PER_S, EARLY, LOOK_EVERY_S, MOST_PER_S, PATIENCE_S, Pacer

PERIOD = 1.0 / MOST_PER_S


class Shown:
    """A session whose news come `every` seconds, `jitter` seconds late at most, on a clock of its own; a picture takes
    `drawing` seconds."""

    def __init__(self, every, jitter=0.0, drawing=0.02, refining=None, until=np.inf):
        self.now, self.drawing, self.refining = 100.0, drawing, refining
        late = np.random.default_rng(1).uniform(0.0, max(jitter, 1e-9), 1000)
        self.arrivals = 100.0 + every * np.arange(1000) + late
        self.arrivals = self.arrivals[self.arrivals < until]
        self.pacer = Pacer(self, lambda: self.now, self.sleep)

    def sleep(self, seconds):
        assert seconds > 0.0
        self.now += seconds

    def latest(self):
        count = np.searchsorted(self.arrivals, self.now, side="right")
        scan = None if self.refining is None else SimpleNamespace(refining=self.refining)
        return SimpleNamespace(scan=scan, seen_at=None if count == 0 else float(count))

    def pictures(self, count):
        """When each began, and which news it showed."""
        began, shown = [], []
        for _ in range(count):
            self.pacer.wait()
            began.append(self.now)
            shown.append(self.latest().seen_at)
            self.now += self.drawing
        return np.array(began), shown

    def ages(self, began, shown):
        """How old news were when a picture first showed them [s]."""
        first = [i for i, (a, b) in enumerate(pairwise(shown), 1) if a != b]
        return np.array([began[i] - self.arrivals[int(shown[i]) - 1] for i in first])


@pytest.mark.parametrize(("rate", "jitter"), [(30.0, 0.004), (25.0, 0.003), (24.0, 0.001)])
def test_pictures_begin_when_there_is_news(rate, jitter):
    session = Shown(1.0 / rate, jitter)
    began, shown = session.pictures(300)
    assert np.percentile(session.ages(began, shown)[30:], 95) < 0.006
    assert len(set(shown)) > 295
    assert np.diff(began).min() > EARLY * PERIOD - 1e-9


def test_without_news_pictures_are_even():
    began, _ = Shown(1.0, until=0.0).pictures(60)
    assert np.diff(began) == pytest.approx(PERIOD, abs=1e-6)


def test_news_that_stay_away_are_waited_for_once():
    session = Shown(1.0 / 30.0, until=101.0)
    began, _ = session.pictures(60)
    gaps = np.diff(began[began > 101.0])
    assert gaps[0] <= PERIOD + PATIENCE_S + 1e-9
    assert gaps[2:] == pytest.approx(PERIOD, abs=1e-6)


def test_a_fast_camera_is_not_followed_faster_than_there_is_time():
    session = Shown(1.0 / 90.0, drawing=0.01)
    began, shown = session.pictures(200)
    assert np.diff(began).min() > EARLY * PERIOD - 1e-9
    assert session.ages(began, shown).max() < 1.0 / 90.0 + LOOK_EVERY_S


def test_a_slow_machine_does_not_wait():
    session = Shown(1.0 / 30.0, drawing=0.06)
    began, _ = session.pictures(50)
    assert np.diff(began) == pytest.approx(0.06)


def test_pictures_are_few_while_the_body_is_computed():
    began, _ = Shown(1.0, until=0.0, refining=0.3).pictures(30)
    assert np.diff(began) == pytest.approx(1.0 / CALM_PER_S, abs=1e-6)
