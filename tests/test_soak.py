"""The parts of the soak that could deceive: the trend's confidence, and what the played camera shows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks._playback import REST_S, UNSEEN_FRAMES, Clip, Playback
from benchmarks._trend import fit_trend
from capture.source import CameraAbsentError, FrameTimeoutError
from solver.errors import DeviceLostError
from solver.types import Frame
from tests.live_stages import INFO, INTRINSICS

FAST = replace(INFO, frame_rate=400.0, live=True)


class Pictures:
    """A reel whose frames say their number."""

    info = FAST

    def frame(self, number, sequence, captured_at):
        return Frame(sequence, captured_at, INTRINSICS, np.full((106, 60, 3), number, np.uint8), None)


def number_of(frame):
    return int(frame.color[0, 0, 0])


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_a_trends_interval_holds_the_truth(correlation):
    rng, times, held, widths = np.random.default_rng(5), np.linspace(0.0, 1.0, 60), 0, []
    for _ in range(300):
        noise = rng.normal(size=60)
        for i in range(1, 60):
            noise[i] += correlation * noise[i - 1]
        trend = fit_trend(times, 500.0 + 12.0 * times + noise)
        held += trend.lower <= 12.0 <= trend.upper
        widths.append(trend.upper - trend.lower)
        assert trend.lower <= trend.slope <= trend.upper
    assert held / 300 >= 0.90
    assert np.median(widths) < 8.0


def test_a_trend_of_few_values_is_not_known_well():
    few, many = fit_trend([0.0, 0.5, 1.0], [1.0, 0.0, 1.0]), fit_trend(np.linspace(0, 1, 100), np.tile([1.0, 0.0], 50))
    assert few.upper - few.lower > 10.0 * (many.upper - many.lower)


def test_a_clip_stays_repeats_or_returns():
    reel = Pictures()
    assert [Clip(reel, range(5, 8), "stay").number(n) for n in range(5)] == [5, 6, 7, 7, 7]
    assert [Clip(reel, range(5, 8), "return").number(n) for n in range(7)] == [5, 6, 7, 7, 6, 5, 5]
    round_s = 3 + round(REST_S * FAST.frame_rate)
    repeated = Clip(reel, range(5, 8), "repeat")
    assert [repeated.number(n) for n in (0, 2, 3, round_s - 1, round_s)] == [5, 7, 7, 7, 5]


def test_nobody_moves_on_unseen():
    playback = Playback(Clip(Pictures(), range(100), "stay"))
    camera = playback.open_camera()
    seen = []
    for _ in range(6):
        frame = camera.read()
        playback.look(frame)
        seen.append(number_of(frame))
    assert seen == sorted(set(seen)), "whoever is looked at moves on with every frame"
    unseen = [number_of(camera.read()) for _ in range(6)]
    assert unseen[-1] <= seen[-1] + UNSEEN_FRAMES
    assert unseen[-1] == unseen[-2]


def test_a_camera_without_its_plug():
    playback = Playback(Clip(Pictures(), range(3), "stay"))
    camera = playback.open_camera()
    camera.read()
    playback.plugged = False
    with pytest.raises(DeviceLostError):
        camera.read()
    with pytest.raises(CameraAbsentError):
        playback.open_camera()
    playback.plugged = True
    again = playback.open_camera()
    first, second = again.read(), again.read()
    assert second.sequence > first.sequence
    assert second.captured_at >= first.captured_at


def test_frames_come_in_time_or_not_at_all():
    class Slow(Pictures):
        info = replace(FAST, frame_rate=1.0)

    camera = Playback(Clip(Slow(), range(3), "stay")).open_camera()
    with pytest.raises(FrameTimeoutError):
        camera.read(0.01)
