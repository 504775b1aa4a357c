"""What this process holds at a moment: memory by who asked for it, objects of Python, of the engine, of the driver."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from numba.core.runtime import _nrt_python as numba_runtime  # pyright: ignore[reportAttributeAccessIssue]
from numba.core.runtime.nrt import rtsys
from panda3d.core import RenderState, TexturePool, TransformState

from game.view.context import Context

MB = 1e6


class _MallInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`: sizes over all arenas [bytes]."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
                     "keepcost")
    )  # fmt: skip


def count_from_now_on() -> None:
    """Lets Numba count its allocations."""
    numba_runtime.memsys_enable_stats()


def types_of_objects() -> Counter[str]:
    """How many objects of each type the garbage collector knows."""
    return Counter(f"{type(item).__module__}.{type(item).__qualname__}" for item in gc.get_objects())


def footprint(context: Context) -> dict[str, Any]:
    """Memory [MB] and counts, now. Of memory: `anonymous` is resident and nobody's file, `proportional` is the
    kernel's PSS, `allocated` what the C library has given out (mapped blocks included), `free` what it keeps, `mapped`
    that part of what is given out which has mappings of its own. What this system does not tell is left out."""
    memory = _resident() | _allocated()
    counts: dict[str, int] = dict(context.object_counts)
    counts["states"] = RenderState.get_num_states() + TransformState.get_num_states()
    counts["pooled_textures"] = len(TexturePool.find_all_textures())
    counts["python_objects"] = len(gc.get_objects())
    numba = rtsys.get_allocation_stats()
    counts["numba_arrays"] = numba.mi_alloc - numba.mi_free
    counts["threads"] = _entries("/proc/self/task")
    counts["open_files"] = _entries("/proc/self/fd")
    counts["mappings"] = _lines("/proc/self/maps")
    return {"memory_mb": {name: round(value / MB, 2) for name, value in memory.items()}, "counts": counts}


def _resident() -> dict[str, float]:
    found = {}
    for path, name, word in (
        ("/proc/self/status", "anonymous", "RssAnon:"),
        ("/proc/self/status", "resident", "VmRSS:"),
        ("/proc/self/smaps_rollup", "proportional", "Pss:"),
    ):
        try:
            lines = Path(path).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(word):
                found[name] = 1024.0 * int(line.split()[1])
    return found


def _allocated() -> dict[str, float]:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(library, "mallinfo2"):
        return {}
    library.mallinfo2.restype = _MallInfo
    info = library.mallinfo2()
    return {"allocated": info.uordblks + info.hblkhd, "free": info.fordblks, "mapped": info.hblkhd}


def _entries(folder: str) -> int:
    try:
        return len(os.listdir(folder))
    except OSError:
        return 0


def _lines(path: str) -> int:
    try:
        return Path(path).read_bytes().count(b"\n")
    except OSError:
        return 0
