"""The real librealsense on real recordings: what goes in comes out, and damage is told in one line."""

from __future__ import annotations

import dataclasses
import itertools
import random
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from capture.device_clock import WRAP_S, DeviceClock
from capture.realsense import RealSenseRecording
from capture.realsense_camera import RealSenseCamera
from capture.realsense_sdk import load_sdk
from capture.realsense_streams import GRAVITY_SAMPLES, STANDARD_GRAVITY, GravityAverage
from capture.recorder import RealSenseRecorder
from capture.source import EndOfRecording, FrameTimeoutError
from solver.errors import DeviceLostError, InputError, UsageError
from solver.types import Intrinsics, read_only
from tests import recordings


def read_until(source, error: type[Exception], timeout_s: float) -> list:
    frames = []
    while True:
        try:
            frames.append(source.read(timeout_s))
        except error:
            return frames


def read_all(path: Path) -> list:
    with RealSenseRecording(path) as source:
        return read_until(source, EndOfRecording, 5.0)


@pytest.fixture(scope="module")
def db3(tmp_path_factory) -> Path:
    return recordings.write_db3(tmp_path_factory.mktemp("db3") / "visit.db3")


def test_round_trip(db3):
    frames = read_all(db3)
    assert len(frames) == recordings.FRAME_COUNT
    for k, frame in enumerate(frames):
        written = recordings.frame_of(k)
        assert frame.sequence == written.sequence
        assert frame.captured_at == pytest.approx(written.captured_at, abs=1e-6)
        np.testing.assert_allclose(frame.intrinsics, written.intrinsics, rtol=1e-7)
        np.testing.assert_array_equal(frame.color, written.color)
        np.testing.assert_array_equal(frame.depth, written.depth)  # whole millimetres survive exactly
        np.testing.assert_allclose(frame.gravity, written.gravity, atol=1e-6)


def test_what_the_recording_tells_of_its_camera(db3):
    with RealSenseRecording(db3) as source:
        info = source.info
    assert (info.kind, info.name, info.serial) == ("realsense-recording", "visit.db3", "123456")
    assert info.frame_rate == 30.0
    assert info.noise is not None
    assert info.noise.baseline_m == pytest.approx(recordings.INFO.noise.baseline_m)
    assert info.noise.disparity_sigma_px == pytest.approx(recordings.INFO.noise.disparity_sigma_px)


def test_fine_depth_is_kept_to_half_a_tenth_of_a_millimetre(tmp_path):
    rng = np.random.default_rng(0)
    shape = (recordings.INTRINSICS.height, recordings.INTRINSICS.width)
    near = rng.uniform(0.3, 5.9, shape).astype(np.float32)
    path = recordings.write_db3(tmp_path / "near.db3", 1, depth=read_only(near))
    assert np.abs(read_all(path)[0].depth - near).max() < 0.51e-4
    far = rng.uniform(0.3, 60.0, shape).astype(np.float32)
    path = recordings.write_db3(tmp_path / "far.db3", 1, depth=read_only(far))
    assert np.abs(read_all(path)[0].depth - far).max() < 0.51e-3


def test_depth_out_of_range_is_missing_and_counted(tmp_path):
    shape = (recordings.INTRINSICS.height, recordings.INTRINSICS.width)
    later = np.full(shape, 2.0, np.float32)
    later[:3] = 9.0
    with RealSenseRecorder(tmp_path / "clip.db3", recordings.INFO) as recorder:
        recorder.write(recordings.frame_of(0))
        recorder.write(recordings.frame_of(1, depth=read_only(later)))
    assert recorder.clipped_pixels == 3 * shape[1]
    depth = read_all(tmp_path / "clip.db3")[1].depth
    assert not depth[:3].any()
    np.testing.assert_array_equal(depth[3:], later[3:])


def test_without_colour_and_without_gravity(tmp_path):
    frames = read_all(recordings.write_db3(tmp_path / "depth.db3", 3, color=None, gravity=None))
    assert len(frames) == 3
    assert all(frame.color is None and frame.gravity is None for frame in frames)
    np.testing.assert_array_equal(frames[2].depth, recordings.depth_of(2))


def test_a_slow_reader_loses_nothing_and_leaving_early_does_not_hang(tmp_path):
    path = recordings.write_db3(tmp_path / "long.db3", 70)
    with RealSenseRecording(path) as source:
        assert source.info.frame_count == 70
        sequences = []
        for k in range(40):
            sequences.append(source.read(5.0).sequence)
            time.sleep(0.02 if k % 10 == 0 else 0.0)
        left_at = time.monotonic()
    assert time.monotonic() - left_at < 2.0
    assert sequences == [2 * k + 3 for k in range(40)]


def test_frames_of_an_accelerometer_at_rest_are_averaged():
    average = GravityAverage(np.eye(3))
    sample = load_sdk().vector()
    assert average.direction() is None
    rng = np.random.default_rng(0)
    for _ in range(GRAVITY_SAMPLES):
        felt = -STANDARD_GRAVITY * recordings.GRAVITY + rng.normal(0, 0.3, 3)
        sample.x, sample.y, sample.z = map(float, felt)
        average.add(sample)
    sample.x, sample.y, sample.z = 40.0, 0.0, 0.0  # a knock
    average.add(sample)
    direction = average.direction()
    assert direction is not None
    assert np.degrees(np.arccos(direction @ recordings.GRAVITY)) < 0.5


def test_camera_upright_feels_gravity_along_its_y_axis(tmp_path):
    """A RealSense that stands upright reads -9.81 on y (it points down), and gravity pulls along +y."""
    down = read_only(np.array([0.0, 1.0, 0.0]))
    path = recordings.write_db3(tmp_path / "upright.db3", 2, gravity=down)
    sdk = load_sdk()
    device = sdk.context().load_device(str(path))
    readings = []
    sensor = next(s for s in device.query_sensors() if s.get_stream_profiles()[0].stream_type() == sdk.stream.accel)
    sensor.open(sensor.get_stream_profiles()[0])
    sensor.start(lambda frame: readings.append(frame.as_motion_frame().get_motion_data().y))
    time.sleep(0.3)
    sensor.stop()
    assert readings
    assert readings[0] == pytest.approx(-9.80665, abs=1e-4)
    np.testing.assert_allclose(read_all(path)[0].gravity, down, atol=1e-7)


def test_clock_wraps_jumps_and_stands_still():
    clock = DeviceClock(30.0)
    start = WRAP_S - 0.05
    times = [clock.advance((start + k / 30) % WRAP_S, wraps=True) for k in range(4)]
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-6)
    back = clock.advance(2.0, wraps=False) if times[-1] > 2.0 else 0.0
    assert back >= times[-1]
    clock = DeviceClock(10.0)
    assert [clock.advance(t, wraps=False) for t in (5.0, 5.0, 3.0, 3.5)] == pytest.approx([5.0, 5.0, 5.1, 5.6])
    assert DeviceClock(30.0).advance(1234.5, wraps=True) == 1234.5


def write_two_camera_recording(path: Path, depth_mm: int, shift_m: float) -> np.ndarray:
    """A wall, and a colour camera of another size beside the depth camera, by hand; returns its BGR picture."""
    sdk = load_sdk()
    device = sdk.software_device()
    device.register_info(sdk.camera_info.name, "Intel RealSense D435")
    device.register_info(sdk.camera_info.serial_number, "42")
    profiles, sensors = [], []
    sizes = {"depth": (64, 48, 60.0, sdk.format.z16, 2), "color": (96, 72, 90.0, sdk.format.bgr8, 3)}
    for uid, (name, (width, height, focal, pixel_format, bpp)) in enumerate(sizes.items()):
        stream, lens = sdk.video_stream(), sdk.intrinsics()
        lens.width, lens.height, lens.fx, lens.fy = width, height, focal, focal
        lens.ppx, lens.ppy = (width - 1) / 2, (height - 1) / 2
        lens.model, lens.coeffs = sdk.distortion.inverse_brown_conrady, [0.0] * 5
        stream.type, stream.index, stream.uid, stream.width, stream.height = (
            getattr(sdk.stream, name),
            0,
            uid,
            width,
            height,
        )
        stream.fps, stream.bpp, stream.fmt, stream.intrinsics = 30, bpp, pixel_format, lens
        sensor = device.add_sensor(name)
        if name == "depth":
            sensor.add_read_only_option(sdk.option.depth_units, 0.001)
        profiles.append(sensor.add_video_stream(stream))
        sensors.append(sensor)
    beside = sdk.extrinsics()
    beside.rotation, beside.translation = [1, 0, 0, 0, 1, 0, 0, 0, 1], [-shift_m, 0, 0]
    profiles[0].register_extrinsics_to(profiles[1], beside)
    recorder = sdk.recorder(str(path), device)
    recording = recorder.query_sensors()
    for sensor, profile in zip(recording, profiles, strict=True):
        sensor.open(profile)
        sensor.start(lambda frame: None)
    color = np.random.default_rng(0).integers(1, 256, (72, 96, 3)).astype(np.uint8)
    for k in range(3):
        for sensor, profile, pixels in zip(
            sensors, profiles, (np.full((48, 64), depth_mm, np.uint16), color), strict=True
        ):
            image = sdk.software_video_frame()
            image.pixels = pixels
            image.bpp = pixels.itemsize * (3 if pixels.ndim == 3 else 1)
            image.stride = image.bpp * pixels.shape[1]
            image.timestamp, image.domain = 33.3 * k, sdk.timestamp_domain.hardware_clock
            image.frame_number, image.profile = k, profile.as_video_stream_profile()
            sensor.on_video_frame(image)
    recorder.pause()
    for sensor in recording:
        sensor.stop()
        sensor.close()
    return color


def test_colour_of_another_camera_comes_to_the_grid_of_depth(tmp_path):
    """Wall at 1 m, camera 0.1 m to the right, focal 90 px: point x of the wall is seen 9 px further left."""
    bgr = write_two_camera_recording(tmp_path / "two.db3", 1000, 0.1)
    frame = read_all(tmp_path / "two.db3")[0]
    assert frame.color is not None
    assert frame.color.shape == (48, 64, 3)
    rows, columns = np.mgrid[:48, :64]
    u = (columns - 31.5) * 1.5 + 47.5 - 9.0
    v = (rows - 23.5) * 1.5 + 35.5
    x, y = u.astype(int), v.astype(int)
    inside = (u >= 0) & (u < 95) & (v >= 0) & (v < 71)
    assert 0.7 < inside.mean() < 0.95
    fu, fv = (u - x)[inside][:, None], (v - y)[inside][:, None]
    x, y = x[inside], y[inside]
    rgb = bgr[..., ::-1].astype(float)
    expected = (1 - fv) * ((1 - fu) * rgb[y, x] + fu * rgb[y, x + 1]) + fv * (
        (1 - fu) * rgb[y + 1, x] + fu * rgb[y + 1, x + 1]
    )
    assert np.abs(frame.color[inside] - expected).max() <= 0.51
    assert not frame.color[u < -0.5].any()


def stand_in_camera(path: Path, size: tuple[int, int], count: int):
    """A context whose list of devices has a played recording in it: to the live path it is a camera like any other."""
    intrinsics = Intrinsics(*size, 400.0, 400.0, size[0] / 2, size[1] / 2)
    info = dataclasses.replace(recordings.INFO, intrinsics=intrinsics)
    with RealSenseRecorder(path, info) as recorder:
        for k in range(count):
            depth = read_only(np.full(size[::-1], 1.0 + k / 100, np.float32))
            color = read_only(np.full((*size[::-1], 3), k, np.uint8))
            recorder.write(dataclasses.replace(recordings.frame_of(k), intrinsics=intrinsics, depth=depth, color=color))
    context = load_sdk().context()
    device = context.load_device(str(path))
    device.as_playback().set_real_time(False)
    return context, device


def test_live_frames(tmp_path):
    context, device = stand_in_camera(tmp_path / "camera.db3", (640, 480), 8)
    with pytest.raises(DeviceLostError, match="no RealSense camera 7 is attached; found: 123456"):
        RealSenseCamera("7", context)
    before = time.monotonic()
    with RealSenseCamera("", context) as camera:
        assert (camera.info.kind, camera.info.serial, camera.info.live) == ("realsense", "123456", True)
        assert camera.info.intrinsics == Intrinsics(640, 480, 400.0, 400.0, 320.0, 240.0)
        frames = read_until(camera, FrameTimeoutError, 0.3)
        assert len(frames) >= 2  # a live pipeline may drop frames, on a busy machine more
        for earlier, later in itertools.pairwise(frames):
            assert earlier.sequence < later.sequence
            assert before < earlier.captured_at <= later.captured_at < time.monotonic()
        for frame in frames:
            k = int(frame.color[0, 0, 0])
            assert (frame.color == k).all()
            np.testing.assert_allclose(frame.depth, 1.0 + k / 100, atol=1e-6)
            assert not frame.depth.flags.writeable
        np.testing.assert_allclose(frames[-1].gravity, recordings.GRAVITY, atol=1e-6)
        camera.close()
        with pytest.raises(DeviceLostError, match="closed"):
            camera.read(0.1)
    del device


def test_a_camera_without_usable_streams_says_so(tmp_path):
    context, device = stand_in_camera(tmp_path / "odd.db3", (96, 64), 2)
    with pytest.raises(DeviceLostError, match=r"123456 does not start.*udev"):
        RealSenseCamera("123456", context)
    del device


def test_no_camera_is_told_with_the_cure():
    with pytest.raises(DeviceLostError, match=r"no RealSense camera is attached.*USB 3"):
        RealSenseCamera()


DAMAGES = {
    "empty": lambda content: b"",
    "text": lambda content: b"hello\n" * 500,
    "noise": lambda content: random.Random(0).randbytes(20_000),
    "half": lambda content: content[: len(content) // 2],
    "all but the end": lambda content: content[: int(0.9 * len(content))],
    "a hole": lambda content: content[:8192] + bytes(4096) + content[12288:],
}


@pytest.mark.parametrize("suffix", [".db3", ".bag"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(db3, tmp_path, damage, suffix):
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(DAMAGES[damage](db3.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"damaged\{suffix}.*record it again") as caught:
        read_all(path)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("topic", "change"),
    [
        ("%Depth_0/image/data%", lambda data: data[: len(data) // 2]),
        ("%Depth_0/image/data%", lambda data: b""),
        ("%Color_0/image/data%", lambda data: data[:40] + bytes(len(data) - 40)),
        ("%Depth_0/image/metadata", lambda data: data[:10]),
        ("%Depth_0/camera_info", lambda data: data[: len(data) // 2]),
        ("%Depth_Units/value", lambda data: b""),
    ],
)
def test_damaged_messages_in_a_sound_database(db3, tmp_path, topic, change):
    path = tmp_path / "damaged.db3"
    path.write_bytes(db3.read_bytes())
    database = sqlite3.connect(path)
    query = "SELECT messages.id, data FROM messages JOIN topics ON topics.id = topic_id WHERE name LIKE ?"
    rows = database.execute(query, (topic,)).fetchall()
    assert rows
    database.executemany("UPDATE messages SET data = ? WHERE id = ?", [(change(data), row) for row, data in rows])
    database.commit()
    database.close()
    with pytest.raises(InputError, match=r"damaged\.db3.*record it again"):
        read_all(path)


def write_all(path: Path, frames) -> None:
    with RealSenseRecorder(path, recordings.INFO) as recorder:
        for frame in frames:
            recorder.write(frame)


def interrupted(frames):
    yield frames[0]
    raise KeyboardInterrupt


def test_recorder_leaves_nothing_half_written(tmp_path):
    with pytest.raises(UsageError, match=r"written as \.db3"):
        RealSenseRecorder(tmp_path / "visit.bag", recordings.INFO)
    with (
        pytest.raises(InputError, match="nothing was recorded"),
        RealSenseRecorder(tmp_path / "a.db3", recordings.INFO),
    ):
        pass
    small = read_only(np.ones((8, 8), np.float32))
    frames = [recordings.frame_of(0), recordings.frame_of(1, depth=small)]
    with pytest.raises(InputError, match="96x64"):
        write_all(tmp_path / "b.db3", frames)
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path / "c.db3", interrupted(frames))
    with pytest.raises(InputError, match="cannot be written"):
        RealSenseRecorder(tmp_path / "missing" / "d.db3", recordings.INFO)
    assert not list(tmp_path.iterdir())


class StuckPlayback:
    """Says that it plays, and sends nothing."""

    def current_status(self) -> str:
        return "playback_status.playing"


def test_read_times_out_by_itself(db3):
    with RealSenseRecording(db3) as source:
        read_until(source, EndOfRecording, 5.0)
        source._state, source._playback = "playing", StuckPlayback()
        started = time.monotonic()
        with pytest.raises(FrameTimeoutError, match=r"within 0\.2 s"):
            source.read(0.2)
        assert 0.1 < time.monotonic() - started < 1.0
