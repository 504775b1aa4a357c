"""Films and webcams: times, rotation, damage; a film plays the webcam, whose end is what unplugging looks like."""

from __future__ import annotations

import itertools
import random
from functools import partial

import cv2
import numpy as np
import pytest

from capture.child_process import ChildProcessSource
from capture.field_of_view import ASSUMED_FIELD_DEG, pinhole_of_field
from capture.open import open_source
from capture.source import CameraAbsentError, EndOfRecording
from capture.video import LARGEST_SIDE_PX, VideoFile
from capture.webcam import Webcam
from game.assets import load_body_model
from solver.errors import ChevalError, DeviceLostError, InputError, UsageError
from tests.films import CODECS, FRAME_COUNT, SIZE, picture_of, write_film


def read_all(path, field_deg=None):
    frames = []
    with VideoFile(path, field_deg) as source:
        while True:
            try:
                frames.append(source.read())
            except EndOfRecording:
                return source.info, frames


def read_until_error(path) -> None:
    with VideoFile(path) as source:
        while True:
            source.read()


@pytest.mark.parametrize("suffix", CODECS)
def test_every_picture_comes_at_its_time(tmp_path, suffix):
    info, frames = read_all(write_film(tmp_path / f"film{suffix}"))
    assert len(frames) == FRAME_COUNT
    assert info.frame_count in (FRAME_COUNT, None)
    assert info.kind == "video"
    assert info.noise is None
    assert f"{ASSUMED_FIELD_DEG:g} degrees assumed" in info.name
    steps = np.diff([frame.captured_at for frame in frames])
    np.testing.assert_allclose(steps, 1 / 30, atol=0.0011)  # Matroska counts milliseconds
    for k, frame in enumerate(frames):
        assert frame.depth is None
        assert frame.sequence == k
        assert np.abs(frame.color.astype(int) - picture_of(k)).mean() < 12
        assert (frame.intrinsics.width, frame.intrinsics.height) == SIZE


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_varying_frame_rates_keep_their_times(tmp_path, suffix):
    times = [0, 33, 66, 200, 210, 1210]
    _, frames = read_all(write_film(tmp_path / f"film{suffix}", times_ms=times))
    found = np.array([frame.captured_at for frame in frames])
    np.testing.assert_allclose(1000 * (found - found[0]), times, atol=1.0)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_film_that_says_how_it_was_held_comes_upright(tmp_path, rotation):
    """What a player shows: the stored picture turned counter-clockwise by that angle."""
    info, frames = read_all(write_film(tmp_path / "film.mp4", rotation=rotation))
    expected = np.rot90(picture_of(3), rotation // 90)
    assert frames[3].color.shape == expected.shape
    assert np.abs(frames[3].color.astype(int) - expected).mean() < 12
    assert (info.intrinsics.height, info.intrinsics.width) == expected.shape[:2]
    assert frames[3].color.flags.c_contiguous


def test_the_rotation_that_opencv_makes_of_it_is_the_same(tmp_path):
    """Another reader of the same metadata as judge of clockwise and counter-clockwise."""
    path = write_film(tmp_path / "film.mp4", rotation=90)
    _, frames = read_all(path)
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    arrived, picture = reader.read()
    if not arrived or picture.shape != frames[0].color.shape:
        pytest.skip("this OpenCV does not turn films")
    assert np.abs(picture[..., ::-1].astype(int) - frames[0].color).mean() < 12


def test_large_pictures_are_made_smaller(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 30, (2560, 1440))
    writer.write(np.zeros((1440, 2560, 3), np.uint8))
    writer.release()
    info, _ = read_all(tmp_path / "a.avi")
    assert (info.intrinsics.width, info.intrinsics.height) == (LARGEST_SIDE_PX, 720)


def test_field_of_view():
    camera = pinhole_of_field(640, 480, 90.0)
    assert camera.fx == pytest.approx(400.0)  # tan 45 degrees = 1 for the half diagonal of 400 px
    assert (camera.cx, camera.cy) == (319.5, 239.5)
    assert pinhole_of_field(480, 640, None).fx == pinhole_of_field(640, 480, None).fx
    with pytest.raises(UsageError, match="20 to 140"):
        pinhole_of_field(640, 480, 5.0)


def test_field_of_view_on_the_command_line(tmp_path):
    path = write_film(tmp_path / "film.mp4")
    with open_source(f"{path},fov=60", load_body=load_body_model) as source:
        assert source.info.intrinsics == pinhole_of_field(*SIZE, 60.0)
        assert "field of view of 60 degrees)" in source.info.name
    for spec, words in [(f"{path},fov=wide", "not 'wide'"), ("webcam:0,fov=1", "20 to 140"), ("webcam:x", "webcam:0")]:
        with pytest.raises(UsageError, match=words):
            open_source(spec, load_body=load_body_model)


DAMAGES = {
    "empty": lambda content: b"",
    "text": lambda content: b"hello\n" * 500,
    "noise": lambda content: random.Random(0).randbytes(20_000),
    "half": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_films_say_so_in_one_line(tmp_path, damage, suffix):
    """Half a film may still give its first pictures: then it ends there."""
    whole = write_film(tmp_path / f"whole{suffix}", count=20).read_bytes()
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(DAMAGES[damage](whole))
    with pytest.raises((InputError, EndOfRecording) if damage == "half" else InputError) as caught:
        read_until_error(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_film(tmp_path):
    with pytest.raises(InputError, match="no such film"):
        VideoFile(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="no pictures"):
        VideoFile(write_film(tmp_path / "song.mp4", sound_only=True))


def film_as_webcam(path, index):
    return cv2.VideoCapture(str(path))


def test_webcam_reads_and_unplugging_is_noticed(tmp_path):
    path = write_film(tmp_path / "film.avi")
    with Webcam(3, open_device=partial(film_as_webcam, path)) as webcam:
        assert webcam.info.live
        assert webcam.info.noise is None
        assert webcam.info.serial == "webcam-3"
        frames = [webcam.read() for _ in range(FRAME_COUNT - 1)]
        assert np.abs(frames[0].color.astype(int) - picture_of(1)).mean() < 12  # the first picture told the size
        assert not frames[0].color.flags.writeable
        assert [frame.sequence for frame in frames] == list(range(FRAME_COUNT - 1))
        assert all(a.captured_at <= b.captured_at for a, b in itertools.pairwise(frames))
        for _ in range(2):
            with pytest.raises(DeviceLostError, match="webcam 3 was unplugged"):
                webcam.read()
    with pytest.raises(DeviceLostError, match="closed"):
        webcam.read()


def test_webcam_that_gives_nothing_is_busy(tmp_path):
    spent = film_as_webcam(write_film(tmp_path / "film.avi"), 0)
    while spent.read()[0]:
        pass
    with pytest.raises(DeviceLostError, match="other programs"):
        Webcam(0, open_device=lambda index: spent)


def test_webcam_crosses_from_its_child(tmp_path):
    path = write_film(tmp_path / "film.avi", count=60)
    with ChildProcessSource(partial(Webcam, 0, None, partial(film_as_webcam, path))) as source:
        frame = source.read(5.0)
        assert frame.depth is None
        assert frame.color.shape == (SIZE[1], SIZE[0], 3)
        with pytest.raises(DeviceLostError, match="unplugged"):
            [source.read(5.0) for _ in range(100)]


def test_absent_webcam_is_told_with_the_cure():
    with pytest.raises(CameraAbsentError, match="plug one in"):
        Webcam(63)
    with pytest.raises(ChevalError, match=r"no webcam 63 is attached"):
        open_source("webcam:63", load_body=load_body_model)
