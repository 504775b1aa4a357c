"""Simulated visits rendered ahead into files, so that playing them costs the mirror's machine next to nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from capture.simulated.source import SimulatedSource
from capture.source import SourceInfo
from solver.body import BodyModel
from solver.errors import InputError
from solver.types import Frame, read_only


class Reel:
    """Some spans of one simulated visit. Frames are read from the file every time: as with a camera each has arrays of
    its own, and no picture of a shopper is held for longer than the mirror holds it."""

    def __init__(
        self,
        path: Path,
        spec: str,
        model: BodyModel,
        longest_s: dict[str, float],
        tell: Callable[[float], None] = lambda share: None,
    ) -> None:
        """Renders what `spec` describes into `path`: of every phase of the visit that `longest_s` names the first so
        many seconds, one after the other. A file that is there already is taken as it is. `tell` hears the share
        that is done."""
        with SimulatedSource.from_spec(spec, model) as source:
            self.info: SourceInfo = replace(source.info, live=True, frame_count=None)
            rate, wanted = source.info.frame_rate, list[int]()
            self.spans: dict[str, range] = {}
            """Frames of each phase; the phase `pose` is the one before the turn."""
            for phase in source.phases:
                if phase.name in longest_s and phase.name not in self.spans:
                    begin = int(phase.begin * rate)
                    count = int(min(float(phase.end) - phase.begin, longest_s[phase.name]) * rate)
                    self.spans[phase.name] = range(len(wanted), len(wanted) + count)
                    wanted += range(begin, begin + count)
            camera = source.info.intrinsics
            self._pixels = camera.height * camera.width
            self._frame_bytes = self._pixels * (3 + 4)
            if not path.exists():
                self._render(path, source, wanted, tell)
        self._file = os.open(path, os.O_RDONLY)
        if os.fstat(self._file).st_size != len(wanted) * self._frame_bytes:
            raise InputError(f"{path}: not the frames of {spec}; remove it, it is rendered again")

    def _render(self, path: Path, source: SimulatedSource, wanted: list[int], tell: Callable[[float], None]) -> None:
        unfinished, at = path.with_suffix(".part"), 0
        with unfinished.open("wb") as file:
            for done, number in enumerate(wanted):
                source.skip(number - at)
                frame, at = source.read(), number + 1
                assert frame.color is not None
                assert frame.depth is not None
                file.write(frame.color.data)
                file.write(frame.depth.data)
                tell((done + 1) / len(wanted))
        unfinished.rename(path)

    def frame(self, number: int, sequence: int, captured_at: float) -> Frame:
        """Frame `number` of the reel as the camera's frame `sequence`."""
        camera, begin = self.info.intrinsics, number * self._frame_bytes
        color = np.empty((camera.height, camera.width, 3), np.uint8)
        depth = np.empty((camera.height, camera.width), np.float32)
        os.preadv(self._file, [color.data, depth.data], begin)
        return Frame(sequence, captured_at, camera, read_only(color), read_only(depth))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)
