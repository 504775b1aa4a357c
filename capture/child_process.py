"""A source that runs in a process of its own, which can be killed when a driver hangs or crashes.

Frames cross in shared memory: the child fills a free slot and sends its number down a pipe, the parent copies the slot
and sends the number back. From a live source the parent takes the newest frame and the child drops what finds no free
slot; a recording waits for one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from capture.source import EndOfRecording, FrameSource, FrameTimeoutError, SourceInfo
from solver.errors import ChevalError, DeviceLostError, InputError
from solver.types import Frame, Intrinsics, read_only

SLOTS = 4
CHILD_POLL_S = 0.25
CLOSE_PATIENCE_S = 2.0
"""What a child gets to close its source by itself before it is killed."""


class FrameHeader(NamedTuple):
    """What of a frame goes down the pipe; its pictures lie in the slot."""

    slot: int
    sequence: int
    captured_at: float
    intrinsics: Intrinsics
    has_color: bool
    has_depth: bool
    gravity: NDArray[np.float64] | None
    T_wc: NDArray[np.float64] | None


class SlotMemory:
    """The pictures of `SLOTS` frames of one size in shared memory."""

    def __init__(self, intrinsics: Intrinsics, name: str | None = None) -> None:
        """Makes the memory, or attaches to that called `name`."""
        self._shape = (intrinsics.height, intrinsics.width)
        pixels = intrinsics.height * intrinsics.width
        self._depth_bytes, self._slot_bytes = 4 * pixels, 7 * pixels
        self._memory = SharedMemory(name=name, create=name is None, size=SLOTS * self._slot_bytes)
        self._owner = name is None

    @property
    def name(self) -> str:
        """What the other process attaches to."""
        return self._memory.name

    def depth(self, slot: int) -> NDArray[np.float32]:
        """View of a slot's depth image."""
        return np.ndarray(self._shape, np.float32, self._memory.buf, slot * self._slot_bytes)

    def color(self, slot: int) -> NDArray[np.uint8]:
        """View of a slot's colour image."""
        return np.ndarray((*self._shape, 3), np.uint8, self._memory.buf, slot * self._slot_bytes + self._depth_bytes)

    def close(self) -> None:
        """Lets go of the memory, and removes it where it was made."""
        self._memory.close()
        if self._owner:
            with contextlib.suppress(FileNotFoundError):
                self._memory.unlink()


def camera_failed(how: str) -> ChevalError:
    """The error for a camera's child that `how`."""
    return DeviceLostError(f"the camera's process {how}; restart the camera, or plug it out and in again")


def recording_failed(path: object, how: str) -> ChevalError:
    """The error for a recording's child that `how`. Use it as `functools.partial(recording_failed, path)`."""
    return InputError(f"{path}: the process that plays it {how}: the recording is damaged, record it again")


class ChildProcessSource:
    """Any source, run in a child process.

    `open_inner` is called in the child and must be picklable: a function of a module that can be imported, or
    `functools.partial` of one. The program's main module is left out of it.
    """

    def __init__(
        self,
        open_inner: Callable[[], FrameSource],
        *,
        failed: Callable[[str], ChevalError] = camera_failed,
        start_patience_s: float = 20.0,
        lost_after_s: float = 3.0,
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """Starts the child and waits until its source is open.

        Raises what opening raised there. When the child dies, is not open in `start_patience_s`, or lets readers wait
        `lost_after_s` in all for one frame, it is killed, and `failed` makes the error from how it went. The same when
        `given_up()` turns true while its source is not open yet.
        """
        self._open_inner = open_inner
        self._failed = failed
        self._start_patience_s = start_patience_s
        self._lost_after_s = lost_after_s
        self._given_up = given_up
        self._closed = False
        self._sequence_offset = 0
        self._last_sequence = -1
        self._last_time = 0.0
        self.dropped_count = 0
        """Frames that arrived here but were passed over for a newer one."""
        self._crashed = False
        try:
            self._start()
        except ChevalError:
            if not self._crashed:
                raise
            # librealsense has been seen to fall over its own threads at the beginning of a good recording.
            self._start()

    def _start(self) -> None:
        self._failure: ChevalError | None = None
        self._waited_s = 0.0
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve_source, args=(self._open_inner, theirs), daemon=True, name="frame-source"
        )
        with without_main_module():
            self._process.start()
        theirs.close()
        self._memory: SlotMemory | None = None
        try:
            self._info = self._await_info()
            self._memory = SlotMemory(self._info.intrinsics)
            self._connection.send(self._memory.name)
        except BaseException:
            self._kill()
            raise
        self._frame_at = time.monotonic()

    def _await_info(self) -> SourceInfo:
        deadline = time.monotonic() + self._start_patience_s
        while time.monotonic() < deadline:
            message = self._receive(min(CHILD_POLL_S, self._start_patience_s))
            if message is not None:
                return message
            if self._given_up():
                raise self._failed("was no longer wanted")
        raise self._failed(f"was not ready after {self._start_patience_s:g} s")

    @property
    def info(self) -> SourceInfo:
        """Of the source in the child."""
        return self._info

    @property
    def frame_age_s(self) -> float:
        """Time since the last frame arrived here (or the start), the only sure sign that a camera is well."""
        return time.monotonic() - self._frame_at

    @property
    def process_id(self) -> int | None:
        """Of the child."""
        return self._process.pid

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame, from a live source the newest.

        Raises `FrameTimeoutError` after `timeout_s`; what `failed` makes (`DeviceLostError` for a camera) as soon as
        the child is dead or counts as hung, and again at every further call until `restart` starts another.
        """
        if self._closed:
            raise DeviceLostError("the source was closed; open it again")
        if self._failure is not None:
            raise self._outcome()
        try:
            header = self._receive(timeout_s)
            if header is not None and self._info.live:
                header = self._newest(header)
        except (ChevalError, OSError) as error:
            self._remember(error)
            raise self._outcome() from error
        if header is not None:
            return self._take(header)
        self._waited_s += timeout_s
        if self._waited_s >= self._lost_after_s:
            self._remember(self._failed(f"gave no frame for {self._waited_s:.1f} s"))
            raise self._outcome()
        raise FrameTimeoutError(f"{self._info.name}: no frame within {timeout_s:g} s")

    def _newest(self, header: FrameHeader) -> FrameHeader:
        """The last of what has arrived since `header`. Bad news that came behind a frame is kept for the next read."""
        while self._connection.poll():
            try:
                newer = self._receive(0.0)
            except ChevalError as error:
                self._remember(error, kill=False)
                break
            if newer is None:
                break
            self._connection.send(header.slot)
            self.dropped_count += 1
            header = newer
        return header

    def _remember(self, error: Exception, kill: bool = True) -> None:
        """The end of the source, for this `read` and every further one."""
        self._failure = error if isinstance(error, ChevalError) else self._death()
        if kill and not isinstance(error, EndOfRecording):
            self._kill()

    def _outcome(self) -> ChevalError:
        assert self._failure is not None
        return type(self._failure)(str(self._failure))

    def _take(self, header: FrameHeader) -> Frame:
        assert self._memory is not None
        depth = read_only(self._memory.depth(header.slot).copy()) if header.has_depth else None
        color = read_only(self._memory.color(header.slot).copy()) if header.has_color else None
        with contextlib.suppress(OSError):  # a child that has just died needs no slots
            self._connection.send(header.slot)
        self._frame_at = time.monotonic()
        self._waited_s = 0.0
        self._last_sequence = header.sequence + self._sequence_offset
        self._last_time = max(self._last_time, header.captured_at)
        gravity = None if header.gravity is None else read_only(header.gravity)
        pose = None if header.T_wc is None else read_only(header.T_wc)
        return Frame(self._last_sequence, self._last_time, header.intrinsics, color, depth, gravity, pose)

    def _receive(self, timeout_s: float) -> Any:
        """The child's next message, None when none came in time. Raises what it reports, or its death."""
        try:
            if not self._connection.poll(timeout_s):
                return None
            message = self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._death() from error
        if isinstance(message, ChevalError):
            raise message
        return message

    def _death(self) -> ChevalError:
        self._process.join(1.0)
        code = self._process.exitcode
        self._crashed = code is not None and code < 0
        if code is None:
            return self._failed("stopped answering")
        return self._failed(f"ended with status {code}" if code >= 0 else f"was killed by signal {-code}")

    def restart(self) -> None:
        """Kills the child and starts another. `sequence` and `captured_at` go on rising. Raises as the constructor."""
        if self._closed:
            raise DeviceLostError("the source was closed; open it again")
        self._kill()
        self._sequence_offset = self._last_sequence + 1
        self._start()

    def _kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join(CLOSE_PATIENCE_S)
        self._connection.close()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def close(self) -> None:
        """Asks the child to close its source, and kills it when it does not. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):
            self._connection.send(None)
            self._process.join(CLOSE_PATIENCE_S)
        self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextlib.contextmanager
def without_main_module() -> Iterator[None]:
    """Hides the main module from `multiprocessing`, which would import it anew in the child, window and all."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def serve_source(open_inner: Callable[[], FrameSource], connection: Connection) -> None:
    """The child's whole life: opens the source, sends frames until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        source = open_inner()
    except Exception as error:
        connection.send(_sendable(error))
        return
    with source:
        connection.send(source.info)
        memory_name = connection.recv()
        if memory_name is None:
            return
        memory = SlotMemory(source.info.intrinsics, memory_name)
        free: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        for slot in range(SLOTS):
            free.put(slot)
        stopping = threading.Event()
        threading.Thread(target=_listen, args=(connection, free, stopping), daemon=True).start()
        try:
            _send_frames(source, memory, connection, free, stopping)
        except Exception as error:
            with contextlib.suppress(OSError):
                connection.send(_sendable(error))
                stopping.wait()  # the parent reads the error before the pipe goes
        finally:
            memory.close()


def _send_frames(
    source: FrameSource, memory: SlotMemory, connection: Connection, free: Any, stopping: threading.Event
) -> None:
    while not stopping.is_set():
        try:
            frame = source.read(CHILD_POLL_S)
        except FrameTimeoutError:
            continue
        try:
            slot = free.get(block=not source.info.live)
        except queue.Empty:
            continue  # the parent is behind: this frame would be old when its turn comes
        if slot is None:
            return
        if frame.depth is not None:
            memory.depth(slot)[...] = frame.depth
        if frame.color is not None:
            memory.color(slot)[...] = frame.color
        has_color, has_depth = frame.color is not None, frame.depth is not None
        header = (
            slot,
            frame.sequence,
            frame.captured_at,
            frame.intrinsics,
            has_color,
            has_depth,
            frame.gravity,
            frame.T_wc,
        )
        connection.send(FrameHeader(*header))


def _listen(connection: Connection, free: Any, stopping: threading.Event) -> None:
    """Takes back slots; on the parent's word, or its death, ends the process, by force if need be."""
    with contextlib.suppress(EOFError, OSError):
        while (slot := connection.recv()) is not None:
            free.put(slot)
    stopping.set()
    free.put(None)
    time.sleep(CLOSE_PATIENCE_S)
    os._exit(1)


def _sendable(error: Exception) -> ChevalError:
    if isinstance(error, ChevalError):
        return error
    return DeviceLostError(f"the camera's process failed ({type(error).__name__}: {error}); restart the camera")
