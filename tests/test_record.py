"""`cheval record`: any source into a recording, whole or not at all."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest

from capture.open import open_source
from capture.realsense import RealSenseRecording
from capture.rgbd_folder import RgbdFolder
from capture.source import EndOfRecording
from game.assets import load_body_model
from game.commands import record
from solver.errors import DeviceLostError, InputError, UsageError
from tests import recordings
from tests.faulty_source import FaultySource


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    record.add_arguments(parser)
    return record.run(parser.parse_args([str(word) for word in words]))


def frames_of(source) -> list:
    frames = []
    with source:
        while True:
            try:
                frames.append(source.read(5.0))
            except EndOfRecording:
                return frames


def test_one_visit_in_every_form_is_the_same(tmp_path, capsys):
    """sim: to .db3 to folder to .db3, and all agree to what 16 bits of 0.1 mm keep."""
    spec = "sim:seed=2,fault=nobody,fps=1,mount=landscape"
    assert run(spec, tmp_path / "a.db3", "--frames", 3) == 0
    assert run(tmp_path / "a.db3", tmp_path / "b") == 0
    assert run(tmp_path / "b", tmp_path / "c.db3", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["frames"] == 3
    with open_source(spec, load_body=load_body_model) as source:
        truth = [source.read() for _ in range(3)]
        noise = source.info.noise
    for copy in (
        RealSenseRecording(tmp_path / "a.db3"),
        RgbdFolder(tmp_path / "b"),
        RealSenseRecording(tmp_path / "c.db3"),
    ):
        assert copy.info.noise.disparity_sigma_px / copy.info.noise.baseline_m == pytest.approx(
            noise.disparity_sigma_px / noise.baseline_m, rel=1e-5
        )
        for frame, original in zip(frames_of(copy), truth, strict=True):
            np.testing.assert_array_equal(frame.color, original.color)
            assert np.abs(frame.depth - original.depth).max() < 0.51e-4
            assert frame.captured_at == pytest.approx(original.captured_at, abs=1e-6)
            np.testing.assert_allclose(frame.gravity, original.gravity, atol=1e-6)
            np.testing.assert_allclose(frame.intrinsics, original.intrinsics, rtol=1e-6)


def test_rotation_and_limits(tmp_path):
    folder = recordings.write_open3d(tmp_path / "in")
    run(folder, tmp_path / "turned.db3", "--rotate", 270, "--seconds", 0.09)
    frames = frames_of(RealSenseRecording(tmp_path / "turned.db3"))
    assert len(frames) == 3
    np.testing.assert_array_equal(frames[0].color, np.rot90(recordings.color_of(0)))
    np.testing.assert_array_equal(frames[0].depth, np.rot90(recordings.depth_of(0)))


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (("IN", "out.bag"), UsageError, r"written as \.db3"),
        (("IN", "out.db3", "--seconds", "0"), UsageError, "more than 0"),
        (("IN", "out.db3", "--frames", "0"), UsageError, "at least 1"),
        (("nowhere.db3", "out.db3"), InputError, r"nowhere\.db3"),
        (("IN", "missing/out.db3"), InputError, "cannot be written"),
        (("realsense:none", "out.db3"), DeviceLostError, "no RealSense camera"),
    ],
)
def test_what_cannot_be_recorded(tmp_path, monkeypatch, words, error, message):
    monkeypatch.chdir(tmp_path)
    recordings.write_open3d(tmp_path / "IN", 1)
    with pytest.raises(error, match=message):
        run(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["IN"]


def test_damage_on_the_way_leaves_nothing(tmp_path):
    folder = recordings.write_open3d(tmp_path / "in", 3)
    (folder / "depth" / "000002.png").write_bytes(b"")
    for out in ("out.db3", "out"):
        with pytest.raises(InputError, match=r"000002\.png"):
            run(folder, tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


class SlowWriter:
    """A disk that cannot keep up."""

    def __init__(self) -> None:
        self.frame_count = 0
        self.sequences: list[int] = []

    def write(self, frame) -> None:
        time.sleep(0.02)
        self.frame_count += 1
        self.sequences.append(frame.sequence)


class NoProgress:
    def __call__(self, *_: object) -> None:
        return


def test_a_live_camera_does_not_wait_for_the_disk(monkeypatch):
    monkeypatch.setattr(record, "QUEUE_FRAMES", 5)
    source, writer = FaultySource("end", good=60, rate=500.0), SlowWriter()
    lost = record.copy_frames(source, writer, NoProgress(), None, None)
    assert lost > 10
    assert writer.frame_count + lost == 60
    assert writer.sequences == sorted(writer.sequences)


def test_a_camera_lost_on_the_way_ends_the_recording(monkeypatch):
    source = FaultySource("damage", good=4, rate=500.0)
    with pytest.raises(InputError, match="damaged"):
        record.copy_frames(source, SlowWriter(), NoProgress(), None, None)


def test_a_recording_is_read_without_loss_however_slow_the_disk(tmp_path: Path):
    source = RgbdFolder(recordings.write_open3d(tmp_path / "in"))
    assert not dataclasses.replace(source.info).live
    writer = SlowWriter()
    assert record.copy_frames(source, writer, NoProgress(), None, None) == 0
    assert writer.frame_count == recordings.FRAME_COUNT
