"""Looks in the memory of this very process for what should no longer be there (Linux)."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import secrets
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 48
"""Bytes of a canary: so many agree nowhere by chance."""
POINT = 12
"""Bytes of a canary that is one point in single precision: nor do so many."""
LEAST_DISTINCT = 4
"""Different bytes that a word looked for must have: zeros and flat colours are everywhere."""
CHUNK = 1 << 24
TABLE_BITS = 20
SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Hit(NamedTuple):
    """A canary that was found."""

    name: str
    address: int
    mapping: str
    """What the operating system calls the memory, empty for anonymous memory."""


class Canaries:
    """Windows of arrays, remembered so that the memory of them is not itself found."""

    def __init__(self) -> None:
        self._key = np.frombuffer(secrets.token_bytes(WINDOW), np.uint8)
        self._names: dict[int, list[str]] = {WINDOW: [], POINT: []}
        self._masked: dict[int, list[NDArray[np.uint8]]] = {WINDOW: [], POINT: []}
        """By their length."""
        self._word_key = self._key[:8].view(np.uint64)[0]
        self._words: set[int] = set()
        self._table = np.zeros(1 << TABLE_BITS, bool)
        # Copies of memory are read into pages of their own, which are not searched.
        self._page = mmap.mmap(-1, CHUNK + WINDOW)
        self._page_address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))

    def add(self, name: str, array: NDArray, count: int = 6) -> int:
        """Remembers up to `count` windows spread over `array`, of places where it varies. Returns how many."""
        if not array.flags.c_contiguous or array.nbytes < WINDOW:
            return 0
        begins = np.linspace(0, array.nbytes - WINDOW, 8 * count).astype(int) // array.itemsize * array.itemsize
        return self._add(name, array, begins, WINDOW, count)

    def add_points(self, name: str, points: NDArray[np.float32], count: int = 6) -> int:
        """Remembers up to `count` of `points` (N, 3), each by itself, wherever a multiple of four bytes it may lie."""
        return self._add(name, points, np.arange(len(points)) * POINT, POINT, count)

    def _add(self, name: str, array: NDArray, begins: NDArray, length: int, count: int) -> int:
        data = array.reshape(-1).view(np.uint8)
        added = 0
        for begin in begins:
            window = data[begin : begin + length]
            words = [np.ndarray((1,), np.uint64, window.data, shift) for shift in _shifts(length)]
            if min(len(np.unique(word.view(np.uint8))) for word in words) < LEAST_DISTINCT:
                continue
            self._names[length].append(name)
            self._masked[length].append(window ^ self._key[:length])
            # Wherever the window lies in memory, one of these words begins at a multiple of eight.
            for word in words:
                self._table[_place(word)] = True
                self._words.add(int(word[0] ^ self._word_key))
            added += 1
            if added == count:
                break
        return added

    @property
    def names(self) -> set[str]:
        """Everything that is looked for."""
        return {name for names in self._names.values() for name in names}

    def search(self) -> list[Hit]:
        """Every place where a canary still is."""
        hits: list[Hit] = []
        masked = {length: np.array(windows) for length, windows in self._masked.items() if windows}
        memory = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            for begin, end, mapping in _mappings():
                if begin <= self._page_address < end and end - begin <= CHUNK + WINDOW + mmap.PAGESIZE:
                    continue
                for at in range(begin, end, CHUNK):
                    hits += self._search_chunk(memory, at, min(CHUNK + WINDOW, end - at), mapping, masked)
        finally:
            os.close(memory)
            self._page[:] = bytes(len(self._page))
        return hits

    def _search_chunk(self, memory: int, at: int, size: int, mapping: str, masked: dict[int, NDArray]) -> Iterator[Hit]:
        try:
            size = os.preadv(memory, [memoryview(self._page)[:size]], at)
        except OSError:  # pages that are reserved only
            return
        data = np.frombuffer(self._page, np.uint8, size)
        words = data[: size // 8 * 8].view(np.uint64)
        seen = set()
        likely = np.flatnonzero(self._table[_place(words)])
        keys = np.fromiter(self._words, np.uint64, len(self._words))
        for place in likely[np.isin(words[likely] ^ self._word_key, keys)] * 8:
            for length, windows in masked.items():
                for begin in (int(place) - shift for shift in _shifts(length)):
                    if begin < 0 or begin + length > size:
                        continue
                    if self._page_address <= at + begin < self._page_address + len(self._page):
                        continue
                    same = np.flatnonzero((windows == (data[begin : begin + length] ^ self._key[:length])).all(1))
                    seen |= {Hit(self._names[length][number], at + begin, mapping) for number in same}
        yield from seen


def _shifts(length: int) -> range:
    """Where a whole word lies in a window of `length` bytes at a multiple of eight bytes of memory."""
    return range(8) if length >= 15 else range(0, length - 7, 4)


def _place(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (words * SPREAD) >> np.uint64(64 - TABLE_BITS)


def _mappings() -> list[tuple[int, int, str]]:
    """Everything of the process that can be read and written: begin, end, name."""
    found = []
    with open("/proc/self/maps") as lines:
        for line in lines:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+\s*(.*)", line)
            if match:
                found.append((int(match[1], 16), int(match[2], 16), match[3].strip()))
    return found
