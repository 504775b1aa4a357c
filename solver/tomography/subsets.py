"""Views shared out into subsets, and the order in which the subsets take their turns."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from solver.errors import UsageError

Order = Literal["sequential", "bit-reversed", "golden", "random"]


def view_subsets(view_count: int, views_per_subset: int) -> list[NDArray[np.int32]]:
    """Subsets of equally spread views: subset s of S holds the views s, s + S, s + 2 S and so on."""
    if views_per_subset < 1:
        raise UsageError(f"subsets: {views_per_subset} views in a subset; give at least one")
    subset_count = -(-view_count // views_per_subset)
    return [np.arange(s, view_count, subset_count, dtype=np.int32) for s in range(subset_count)]


def turns(subset_count: int, order: Order, generator: np.random.Generator | None = None) -> NDArray[np.intp]:
    """The order in which subsets take their turns, a permutation of range(subset_count).

    Far apart one after the other is best: neighbouring views tell nearly the same. `golden` steps by the golden section
    of the circle (Koehler, A projection access scheme for iterative reconstruction, IEEE NSS, 2004), `bit-reversed`
    halves the widest gap (Guan and Gordon, Phys. Med. Biol. 39, 1994), `random` wants a seeded generator. Raises
    UsageError on any other.
    """
    if order == "sequential":
        return np.arange(subset_count)
    if order == "random":
        if generator is None:
            raise UsageError("subsets: the random order wants a seeded generator")
        return generator.permutation(subset_count)
    if order == "bit-reversed":
        bits = max(subset_count - 1, 1).bit_length()
        mirrored = [int(format(i, f"0{bits}b")[::-1], 2) for i in range(1 << bits)]
        return np.array([i for i in mirrored if i < subset_count], np.intp)
    if order == "golden":
        # The nearest subset that had no turn yet.
        free = np.ones(subset_count, bool)
        found = np.empty(subset_count, np.intp)
        for n in range(subset_count):
            wanted = (n * 0.6180339887498949 % 1.0) * subset_count
            distance = np.abs(np.arange(subset_count) - wanted)
            distance = np.minimum(distance, subset_count - distance)
            distance[~free] = np.inf
            found[n] = np.argmin(distance)
            free[found[n]] = False
        return found
    raise UsageError(f"subsets: no order called {order!r}; there are {', '.join(get_args(Order))}")
