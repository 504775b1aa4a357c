"""A live camera that fails on demand. It imports little, since children that run it start often."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from capture.source import EndOfRecording, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError, InputError
from solver.types import DepthNoise, Frame, Intrinsics

INTRINSICS = Intrinsics(96, 64, 80.0, 81.0, 47.25, 30.5)
INFO = SourceInfo("test", "test camera", "1", INTRINSICS, DepthNoise(0.05, 0.08, 0.0), 100.0, True, None)
GRAVITY = np.array([0.0, 0.6, 0.8])


def frame_of(count: int, captured_at: float) -> Frame:
    color = np.random.default_rng(count).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    return Frame(2 * count + 3, captured_at, INTRINSICS, color, np.full((64, 96), float(count), np.float32), GRAVITY)


class FaultySource:
    """A live camera that does as it is told after `good` frames."""

    def __init__(self, fault: str, good: int = 3, rate: float = 100.0) -> None:
        if fault == "missing":
            raise DeviceLostError("no camera")
        if fault == "abort at start":
            os.abort()
        if fault.startswith("abort once") and not (trace := Path(fault.removeprefix("abort once "))).exists():
            trace.touch()
            os.abort()
        if fault == "slow start":
            time.sleep(60)
        self.info = INFO
        self._fault, self._good, self._period_s, self._count = fault, good, 1 / rate, 0

    def read(self, timeout_s: float = 1.0):
        if self._count == self._good:
            match self._fault:
                case "hang":
                    time.sleep(60)
                case "abort":
                    os.abort()
                case "bug":
                    raise ZeroDivisionError("a bug")
                case "damage":
                    raise InputError("visit.db3: damaged")
                case "end":
                    raise EndOfRecording("over")
                case "silence":
                    time.sleep(timeout_s)
                    raise FrameTimeoutError("nothing")
        time.sleep(self._period_s)
        self._count += 1
        return frame_of(self._count, time.monotonic())

    def close(self) -> None:
        if self._fault == "hang at close":
            time.sleep(60)

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
