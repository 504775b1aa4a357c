"""What a process can do so that its memory stays its own."""

from __future__ import annotations

import contextlib

try:
    import resource
except ImportError:  # Windows writes no core files
    resource = None


def forbid_core_dumps() -> None:
    """A crash leaves no core file with secrets and bodies in it. Call it once, when the program starts."""
    if resource is not None:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
