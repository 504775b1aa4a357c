"""What a process can do so that memory it has freed says nothing of whoever it was about (Linux with glibc)."""

from __future__ import annotations

import ctypes
import sys

import numpy as np

M_PERTURB = -6
FILL = 0xA5
SMALL_BLOCKS = range(1, 1040)
"""Sizes that are kept at hand when they are freed, and not overwritten [bytes]. NumPy keeps blocks below 1024 bytes by
their exact size, the C library by sixteen bytes."""
KEPT_AT_HAND = 8
"""One more than are kept at hand of one size."""


def overwrite_when_freed() -> bool:
    """From now on blocks of memory are overwritten when they are freed, except small ones (`overwrite_small_blocks`).

    Call it once, before anything is known of anybody. Returns whether this machine's C library can do it.
    """
    library = _c_library()
    return library is not None and library.mallopt(M_PERTURB, FILL) == 1


def overwrite_small_blocks() -> None:
    """Overwrites the small blocks that were freed by this thread, and by any thread for NumPy; takes 12 ms."""
    blocks = [np.full(size, FILL, np.uint8) for size in SMALL_BLOCKS for _ in range(KEPT_AT_HAND)]
    del blocks


def return_freed_memory() -> None:
    """Gives what was freed back to the operating system."""
    library = _c_library()
    if library is not None:
        library.malloc_trim(0)


def heap_end() -> int:
    """Address up to which the heap reaches; beyond it nothing was ever written. 0 where it cannot be told."""
    library = _c_library()
    if library is None:
        return 0
    library.sbrk.restype = ctypes.c_void_p
    return library.sbrk(ctypes.c_ssize_t(0)) or 0


def _c_library():
    """glibc, or None where there is another."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
