"""How long this process has spent compiling kernels; nothing when they came from the cache."""

from __future__ import annotations

from numba.core import event

_recorder = event.RecordingListener()
event.register("numba:compile", _recorder)


def compilation_seconds() -> float:
    """Seconds between the begin and end of compilations since this module was imported, nested ones counted once."""
    total, depth, begin = 0.0, 0, 0.0
    for at, happened in _recorder.buffer:
        if happened.is_start:
            if depth == 0:
                begin = at
            depth += 1
        elif happened.is_end:
            depth -= 1
            if depth == 0:
                total += at - begin
    return total
