"""What every frame source promises, asked of every frame source."""

from __future__ import annotations

import dataclasses
import itertools
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from capture.open import open_source
from capture.read_ahead import ReadAheadSource
from capture.realsense import RealSenseRecording
from capture.rotation import RotatedSource
from capture.source import EndOfRecording, FrameTimeoutError, SourceInfo
from game.assets import load_body_model
from solver.errors import ChevalError, DeviceLostError, InputError, UsageError
from solver.types import DepthNoise, Intrinsics
from tests import films, recordings


def spec_of(kind: str, folder: Path) -> str:
    """Makes a recording of that kind and returns its SOURCE."""
    writers = {
        "open3d": recordings.write_open3d,
        "tum": recordings.write_tum,
        "7scenes": recordings.write_seven_scenes,
        "db3": lambda path: recordings.write_db3(path.with_suffix(".db3")),
        "mp4": lambda path: films.write_film(path.with_suffix(".mp4")),
        "mp4-turned": lambda path: films.write_film(path.with_suffix(".mp4"), rotation=90),
    }
    if kind == "sim":
        return "sim:seed=1,fault=nobody,fps=1,mount=landscape"  # an empty room for six seconds
    return str(writers[kind](folder / kind))


KINDS = {
    "sim": ("sim", 0),
    "db3": ("db3", 0),
    "open3d": ("open3d", 0),
    "tum": ("tum", 0),
    "7scenes": ("7scenes", 0),
    "db3-rotated": ("db3", 90),
    "7scenes-rotated": ("7scenes", 270),
    "child-process": ("db3", 0),
    "mp4": ("mp4", 0),
    "mp4-rotated": ("mp4-turned", 270),
    "read-ahead": ("open3d", 0),
}


@pytest.fixture(scope="module", params=KINDS)
def reopen(request, tmp_path_factory):
    """Opens the same source again and again."""
    kind, rotate = KINDS[request.param]
    spec = spec_of(kind, tmp_path_factory.mktemp(request.param))
    if kind == "db3" and request.param != "child-process":  # `open_source` plays it in a child
        recording = partial(RealSenseRecording, Path(spec))
        return (lambda: RotatedSource(recording(), rotate)) if rotate else recording
    if request.param == "read-ahead":
        return lambda: ReadAheadSource(open_source(spec, load_body=load_body_model))
    return lambda: open_source(spec, rotate=rotate, load_body=load_body_model)


@pytest.fixture(scope="module")
def visit(reopen):
    """(info, all frames, what comes after the last, twice) of one source."""
    frames, ends = [], []
    with reopen() as source:
        info = source.info
        while True:
            try:
                frames.append(source.read(5.0))
            except EndOfRecording as end:
                ends.append(end)
                break
        with pytest.raises(EndOfRecording) as again:
            source.read(5.0)
        ends.append(again.value)
    return info, frames, ends


def test_info_is_complete(visit):
    info, frames, _ = visit
    assert isinstance(info, SourceInfo)
    assert isinstance(info.intrinsics, Intrinsics)
    assert info.kind
    assert info.name
    assert info.frame_rate > 0
    assert info.live is False
    assert info.frame_count == len(frames) > 1
    if info.noise is None:
        assert all(frame.depth is None for frame in frames)
        assert "colour only" in info.name
        return
    assert isinstance(info.noise, DepthNoise)
    assert info.noise.baseline_m > 0
    assert min(info.noise) >= 0


def test_frames_come_in_order(visit):
    _, frames, _ = visit
    sequences = [frame.sequence for frame in frames]
    times = [frame.captured_at for frame in frames]
    assert all(isinstance(s, int) for s in sequences)
    assert all(a < b for a, b in itertools.pairwise(sequences))
    assert all(a <= b for a, b in itertools.pairwise(times))
    assert times[0] < times[-1]
    assert np.isfinite(times).all()


def test_pictures_share_one_grid_that_the_intrinsics_describe(visit):
    info, frames, _ = visit
    for frame in frames:
        assert frame.intrinsics == info.intrinsics
        shape = (frame.intrinsics.height, frame.intrinsics.width)
        assert info.noise is None or frame.depth.shape == shape
        assert frame.color.shape == (*shape, 3)
        assert 0 < frame.intrinsics.cx < shape[1]
        assert 0 < frame.intrinsics.cy < shape[0]


def test_arrays_are_of_the_agreed_type_and_nobodys_to_change(visit):
    _, frames, _ = visit
    for frame in frames:
        expected = {"color": np.uint8, "depth": np.float32, "gravity": np.float64, "T_wc": np.float64}
        for name, dtype in expected.items():
            array = getattr(frame, name)
            if array is None:
                assert name in ("gravity", "T_wc") or (name == "depth" and frame.color is not None)
                continue
            assert array.dtype == dtype, name
            assert array.flags.c_contiguous, name
            assert not array.flags.writeable, name
            with pytest.raises(ValueError):
                array.flat[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        frames[0].sequence = 5


def test_depth_is_metres_along_the_axis_with_zero_for_missing(visit):
    info, frames, _ = visit
    for frame in frames if info.noise else []:
        assert np.isfinite(frame.depth).all()
        assert (frame.depth >= 0).all()
        seen = frame.depth[frame.depth > 0]
        assert seen.size > 0.5 * frame.depth.size
        assert seen.min() > 0.2
        assert 0.5 < np.median(seen) < 10.0
        assert frame.depth.max() < 60.0


def test_gravity_is_a_direction_and_poses_are_rigid(visit):
    _, frames, _ = visit
    for frame in frames:
        if frame.gravity is not None:
            assert frame.gravity.shape == (3,)
            assert np.linalg.norm(frame.gravity) == pytest.approx(1.0, abs=1e-6)
        if frame.T_wc is not None:
            rotation = frame.T_wc[:3, :3]
            np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
            assert np.linalg.det(rotation) > 0
            assert frame.T_wc[3].tolist() == [0, 0, 0, 1]


def test_frames_are_the_callers_own(visit):
    """No two frames share memory, and none changes after delivery (the next test compares with a second run)."""
    _, frames, _ = visit
    for a, b in itertools.pairwise(frames):
        assert not np.shares_memory(a.color, b.color)
        if a.depth is not None:
            assert not np.shares_memory(a.depth, b.depth)


def test_the_same_again(visit, reopen):
    _, frames, _ = visit
    with reopen() as source:
        for frame in frames[:3]:
            again = source.read(5.0)
            assert (again.sequence, again.captured_at) == (frame.sequence, frame.captured_at)
            np.testing.assert_array_equal(again.depth, frame.depth)
            np.testing.assert_array_equal(again.color, frame.color)


def test_the_end_comes_again_and_is_no_fault(visit):
    _, _, ends = visit
    for end in ends:
        assert isinstance(end, ChevalError)
        assert not isinstance(end, FrameTimeoutError | InputError)
        assert len(str(end).splitlines()) == 1


def test_closing(reopen):
    source = reopen()
    source.read(5.0)
    source.close()
    source.close()
    with pytest.raises(DeviceLostError, match="closed"):
        source.read(0.1)
    with reopen() as source:
        pass
    with pytest.raises(DeviceLostError, match="closed"):
        source.read(0.1)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("nowhere.db3", InputError, r"nowhere\.db3.*check the name"),
        ("nowhere", InputError, "no such file or folder"),
        ("webcam:63", DeviceLostError, "no webcam 63 is attached"),
        ("webcam:front", UsageError, "webcams have numbers"),
        ("film.mp4", InputError, "no such film"),
        ("photo.jpg", UsageError, "not supported as a source yet"),
        ("sim:sheep=1", UsageError, "sheep"),
        ("pyproject.toml", UsageError, "sources are"),
        ("", InputError, "RGB-D folder|no such"),
    ],
)
def test_what_is_no_source_says_so_in_one_line(spec, error, words):
    with pytest.raises(error, match=words) as caught:
        open_source(spec, load_body=load_body_model)
    assert len(str(caught.value).splitlines()) == 1


def test_rotation_that_does_not_exist():
    with pytest.raises(UsageError, match="0, 90, 180 or 270"):
        open_source("sim:", rotate=45, load_body=load_body_model)


class SlowSource:
    """Two frames, each longer in the making than a reader waits."""

    info = None

    def __init__(self):
        self.left = ["first", "second"]

    def read(self, timeout_s=1.0):
        time.sleep(0.2)
        if not self.left:
            raise EndOfRecording("over")
        return self.left.pop(0)

    def close(self):
        pass


def test_who_waits_for_every_frame_gets_them_however_slow_the_machine_is():
    with ReadAheadSource(SlowSource()) as source:  # pyright: ignore[reportArgumentType]
        assert [source.read(0.01), source.read(0.01)] == ["first", "second"]
        with pytest.raises(EndOfRecording):
            source.read(0.01)
