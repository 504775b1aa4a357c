"""Keeps the chatter of native libraries off the terminal, and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator

CHATTER = re.compile(
    rb"^([IW]\d{4} [\d:.]+\s+\d+ \w+\.(cc|h):\d+\]"  # Abseil: I(nfo) and W(arning)
    rb"|INFO: |WARNING: Logging before InitGoogle|WARNING: Read-only tensor"  # TensorFlow Lite
    rb"|WARNING: \[\w+\.cc:\d+\])"  # the same, as of MediaPipe 1.2.3
)
_redirection = threading.Lock()


@contextlib.contextmanager
def quiet_native_log() -> Iterator[None]:
    """Holds back what is written to the process's standard error, and passes on all of it but native chatter.

    Native libraries write to file descriptor 2 behind Python's back, so the descriptor itself is redirected: what other
    threads write meanwhile comes out a little later. Errors (and lines that are no log lines) always come out.
    """
    with _redirection, tempfile.TemporaryFile() as held:
        try:
            terminal = os.dup(2)
        except OSError:  # no standard error at all: nothing to keep quiet
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            held.seek(0)
            wanted = b"".join(line for line in held if not CHATTER.match(line))
            if wanted:
                os.write(terminal, wanted)
            os.close(terminal)
