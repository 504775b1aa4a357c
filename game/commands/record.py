"""`cheval record SOURCE FILE.db3`: keeps what a source shows, for tests with people who agreed to it."""

from __future__ import annotations

import argparse
import queue
import threading
from pathlib import Path

from capture.open import open_source
from capture.recorder import RealSenseRecorder
from capture.rgbd_writer import RgbdFolderWriter
from capture.rotation import TURNS
from capture.source import EndOfRecording, FrameSource, FrameTimeoutError
from game.assets import load_body_model
from game.console import Progress, report, say
from solver.errors import ChevalError, UsageError
from solver.types import Frame

QUEUE_FRAMES = 60
"""Two seconds of a live camera that the disk may be behind."""
PATIENT_READS = 3
"""Timeouts of one second in a row before a live camera is given up."""

EXAMPLES = """examples:
  cheval record realsense: visit.db3 --seconds 20
  cheval record realsense: visit.db3 --rotate 90      the camera hangs on its side
  cheval record sim:seed=3 shopper.db3
  cheval record visit.db3 visit_folder/               as pictures, in Open3D's layout"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `record`."""
    parser.description = "Records a source as a RealSense recording or as an RGB-D folder."
    parser.epilog = EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("source", metavar="SOURCE", help="sim:, realsense:, a recording or an RGB-D folder")
    parser.add_argument("out", metavar="FILE.db3|DIR/", help="what to write: FILE.db3, or a folder for any other name")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds of the source's own time")
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument(
        "--rotate", type=int, choices=TURNS, default=0, help="turn pictures clockwise by so many degrees"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Records; exit status 0."""
    if arguments.seconds is not None and not arguments.seconds > 0.0:
        raise UsageError("--seconds must be more than 0")
    if arguments.frames is not None and arguments.frames < 1:
        raise UsageError("--frames must be at least 1")
    out = Path(arguments.out)
    if out.suffix.lower() == ".bag":
        raise UsageError(f"{out}: RealSense recordings are written as .db3; name the file so")
    with open_source(arguments.source, rotate=arguments.rotate, load_body=load_body_model) as source:
        if source.info.live and arguments.seconds is None and arguments.frames is None:
            say("recording until Ctrl-C; --seconds or --frames ends by itself")
        writer_type = RealSenseRecorder if out.suffix.lower() == ".db3" else RgbdFolderWriter
        with writer_type(out, source.info) as writer, Progress(f"record {source.info.name}") as progress:
            lost = copy_frames(source, writer, progress, arguments.frames, arguments.seconds)
    result = {
        "file": str(out),
        "frames": writer.frame_count,
        "lost_frames": lost,
        "clipped_pixels": writer.clipped_pixels,
    }
    lines = [f"{out}: {writer.frame_count} frames"]
    if lost:
        lines.append(f"{lost} frames were lost because the disk is too slow")
    if writer.clipped_pixels:
        lines.append(f"{writer.clipped_pixels} depth samples were too far away to be kept")
    report(result, arguments.json, lines)
    return 0


def copy_frames(
    source: FrameSource,
    writer: RealSenseRecorder | RgbdFolderWriter,
    progress: Progress,
    frame_limit: int | None,
    seconds: float | None,
) -> int:
    """Writes frames of `source` until it ends, a limit is reached or Ctrl-C ends a live one. Returns frames lost.

    A live camera does not wait for the disk: a thread reads it into a bounded queue, and what finds it full is lost.
    """
    reader = LiveReader(source) if source.info.live else source
    expected = frame_limit or source.info.frame_count
    started_at: float | None = None
    try:
        while frame_limit is None or writer.frame_count < frame_limit:
            frame = read_patiently(reader)
            if started_at is None:
                started_at = frame.captured_at
            elapsed_s = frame.captured_at - started_at
            if seconds is not None and elapsed_s >= seconds:
                break
            writer.write(frame)
            if expected or seconds:
                done = writer.frame_count / expected if expected else 0.0
                progress(min(1.0, max(done, elapsed_s / seconds if seconds else 0.0)))
    except EndOfRecording:
        pass
    except KeyboardInterrupt:
        if not source.info.live or seconds is not None or frame_limit is not None:
            raise
    finally:
        if isinstance(reader, LiveReader):
            reader.stop()
    return reader.lost_count if isinstance(reader, LiveReader) else 0


def read_patiently(reader: FrameSource | LiveReader) -> Frame:
    """The next frame, a few timeouts notwithstanding."""
    for _ in range(PATIENT_READS - 1):
        try:
            return reader.read()
        except FrameTimeoutError:
            continue
    return reader.read()


class LiveReader:
    """Reads a live source in a thread of its own, into a bounded queue."""

    def __init__(self, source: FrameSource) -> None:
        """Starts reading."""
        self._source = source
        self._frames: queue.Queue[Frame] = queue.Queue(QUEUE_FRAMES)
        self._outcome: ChevalError | None = None
        self._stopping = threading.Event()
        self.lost_count = 0
        self._thread = threading.Thread(target=self._run, name="record-reader", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                frame = self._source.read()
            except FrameTimeoutError:
                continue
            except ChevalError as error:
                self._outcome = error
                return
            try:
                self._frames.put_nowait(frame)
            except queue.Full:
                self.lost_count += 1

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The oldest frame waiting. Raises `FrameTimeoutError`, or what ended the source."""
        try:
            return self._frames.get(timeout=0.001 if self._outcome else timeout_s)
        except queue.Empty:
            if self._outcome is not None:
                raise self._outcome from None
            raise FrameTimeoutError(f"{self._source.info.name}: no frame within {timeout_s:g} s") from None

    def stop(self) -> None:
        """Ends reading."""
        self._stopping.set()
        self._thread.join(5.0)
