"""What a process can do so that memory it has freed says nothing of whoever it was about (Linux with glibc)."""

from __future__ import annotations

import ctypes
import sys

import numpy as np

M_PERTURB = -6
FILL = 0xA5
SMALL_BLOCKS = range(16, 1040, 16)
"""Sizes that the C library and NumPy keep at hand when they are freed, and do not overwrite [bytes]."""
KEPT_AT_HAND = 16
"""Most freed blocks of one such size that a thread keeps (7 by the C library, 7 by NumPy)."""


def overwrite_when_freed() -> bool:
    """From now on blocks of memory are overwritten when they are freed, except small ones (`overwrite_small_blocks`).

    Call it once, before anything is known of anybody. Returns whether this machine's C library can do it.
    """
    library = _c_library()
    return library is not None and library.mallopt(M_PERTURB, FILL) == 1


def overwrite_small_blocks() -> None:
    """Overwrites the small blocks that were freed by this thread; takes less than a millisecond."""
    blocks = [np.full(size, FILL, np.uint8) for size in SMALL_BLOCKS for _ in range(KEPT_AT_HAND)]
    del blocks


def return_freed_memory() -> None:
    """Gives what was freed back to the operating system."""
    library = _c_library()
    if library is not None:
        library.malloc_trim(0)


def _c_library():
    """glibc, or None where there is another."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
