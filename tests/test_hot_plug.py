"""A camera that comes late, goes, and comes again; one that hangs; none at all."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from capture.hot_plug import NO_CAMERA, HotPlugSource, in_child, look_for
from capture.open import open_hot_plug
from capture.realsense_camera import RealSenseCamera
from capture.realsense_sdk import load_sdk
from capture.source import CameraAbsentError, EndOfRecording, FrameTimeoutError
from solver.errors import ChevalError, DeviceLostError, InputError, UsageError
from tests import recordings
from tests.faulty_source import INFO, FaultySource


class PluggedSource(FaultySource):
    """Attached for as long as the file `plug` is there."""

    def __init__(self, plug: Path) -> None:
        if not plug.exists():
            raise CameraAbsentError("no test camera is attached")
        super().__init__(plug.read_text() or "none")
        self._plug = plug

    def read(self, timeout_s: float = 1.0):
        if not self._plug.exists():
            raise DeviceLostError("test camera was unplugged")
        return super().read(timeout_s)


def attached(plug: Path):
    """Runs in the child."""
    return look_for(partial(PluggedSource, plug))


def plugged(plug: Path) -> HotPlugSource:
    return HotPlugSource(partial(in_child, partial(attached, plug)), INFO)


def timed_read(source: HotPlugSource, timeout_s: float = 0.2):
    """The frame, or None while there is none; never late."""
    begin = time.monotonic()
    try:
        return source.read(timeout_s)
    except FrameTimeoutError:
        return None
    finally:
        assert time.monotonic() - begin < timeout_s + 0.15


def read_for(source: HotPlugSource, wanted: bool, limit_s: float = 20.0):
    """Reads until a frame comes (`wanted`) or until the status says that there is no camera."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        frame = timed_read(source)
        if wanted and frame is not None:
            return frame
        if not wanted and not source.status.connected:
            return None
    pytest.fail(f"{source.status} after {limit_s} s")


def test_starts_without_a_camera_and_survives_replugging(tmp_path):
    plug = tmp_path / "plug"
    with plugged(plug) as source:
        assert source.info == INFO
        for _ in range(5):
            assert timed_read(source) is None
        assert (source.status.connected, source.status.message) == (False, NO_CAMERA)
        last, last_time = -1, 0.0
        for connection in (1, 2):
            plug.write_text("")
            frame = read_for(source, True)
            assert source.status.connected
            assert source.status.message == "test camera"
            assert source.status.connections == connection
            for _ in range(5):
                assert frame.sequence > last
                assert frame.captured_at >= last_time
                last, last_time = frame.sequence, frame.captured_at
                frame = read_for(source, True)
            last, last_time = frame.sequence, frame.captured_at
            plug.unlink()
            read_for(source, False)
            with pytest.raises(FrameTimeoutError):
                source.read(0.1)
    with pytest.raises(DeviceLostError, match="closed"):
        source.read(0.1)


@pytest.mark.parametrize("fault", ["hang", "abort", "bug"])
def test_a_camera_that_fails_never_holds_up_the_reader(tmp_path, fault):
    """And is opened again, for as long as it is there."""
    plug = tmp_path / "plug"
    plug.write_text(fault)
    with plugged(plug) as source:
        read_for(source, True)
        deadline = time.monotonic() + 30.0
        while source.status.connections < 2 and time.monotonic() < deadline:
            timed_read(source)
        assert source.status.connections >= 2


def test_why_an_attached_camera_does_not_work_is_told(tmp_path):
    def busy(given_up):
        raise DeviceLostError("test camera is busy: close other programs")

    with HotPlugSource(busy, INFO) as source:
        with pytest.raises(FrameTimeoutError, match="busy"):
            source.read(0.2)
        assert source.status.message == "test camera is busy: close other programs"


@pytest.mark.parametrize("error", [InputError("librealsense cannot be loaded: install it"), EndOfRecording("over")])
def test_what_no_camera_mends_is_raised(error):
    def broken(given_up):
        raise error

    with HotPlugSource(broken, INFO) as source:
        for _ in range(2):
            with pytest.raises(ChevalError, match=str(error)) as caught:
                source.read(1.0)
            assert type(caught.value) is type(error)


def test_closing_while_looking_is_quick(tmp_path):
    source = plugged(tmp_path / "plug")
    time.sleep(1.0)
    begin = time.monotonic()
    source.close()
    source.close()
    assert time.monotonic() - begin < 2.0
    assert not source._thread.is_alive()


@pytest.mark.parametrize("spec", ["realsense:", "webcam:63"])
def test_real_drivers_that_see_no_camera(spec):
    """librealsense and OpenCV are asked, in the child, again and again."""
    with open_hot_plug(spec, rotate=90) as source:
        assert source.info.intrinsics.height > source.info.intrinsics.width
        deadline = time.monotonic() + 4.0
        while time.monotonic() < deadline:
            assert timed_read(source) is None
        assert source.status == type(source.status)(False, NO_CAMERA, 0)


def test_librealsense_sees_a_camera_that_comes_later(tmp_path):
    """A played recording, which to its context is a camera like any other, is attached while it is looked for."""
    path = recordings.write_db3(tmp_path / "camera.db3")
    context = load_sdk().context()
    looks = []

    def open_camera():
        looks.append(len(context.query_devices()))
        if len(looks) == 3:
            attached.append(context.load_device(str(path)))
        return RealSenseCamera("", context)

    attached = []
    # Found as soon as it is listed; its small streams are none that a mirror can use.
    with pytest.raises(DeviceLostError, match="123456 does not start"):
        look_for(open_camera)
    assert looks == [0, 0, 0]


def test_only_cameras_are_plugged_in():
    with pytest.raises(UsageError, match="only realsense: and webcam:"):
        open_hot_plug("sim:")
