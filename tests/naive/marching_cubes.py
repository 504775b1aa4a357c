"""The obvious way: every cell of a dense array by itself, its loops followed from face to face."""

import itertools

import numpy as np


def crossing(values, a, b):
    """Where the straight line between two corners' values is zero; None where the sign does not change."""
    if (values[a] < 0.0) == (values[b] < 0.0):
        return None
    t = values[a] / (values[a] - values[b])
    return np.asarray(a) + t * (np.asarray(b) - np.asarray(a))


def cell_loops(values, cell):
    """Closed loops of crossing points of one cell, as lists of edges (corner, corner), in no particular direction."""
    corners = [tuple(np.add(cell, offset)) for offset in itertools.product((0, 1), repeat=3)]
    links = {}
    for axis, side in itertools.product(range(3), (0, 1)):
        face = [c for c in corners if c[axis] == cell[axis] + side]
        edges = [(a, b) for a, b in itertools.combinations(face, 2) if np.abs(np.subtract(a, b)).sum() == 1]
        cut = [e for e in edges if crossing(values, *e) is not None]
        pairs = [tuple(cut)] if len(cut) == 2 else []
        if len(cut) == 4:
            # Two inside corners face each other: each is cut off by itself.
            pairs = [tuple(e for e in cut if c in e) for c in face if values[c] < 0.0]
        for first, second in pairs:
            links.setdefault(first, []).append(second)
            links.setdefault(second, []).append(first)
    loops = []
    while links:
        start = previous = next(iter(links))
        loop, edge = [start], links[start][0]
        while edge != start:
            loop.append(edge)
            a, b = links[edge]
            previous, edge = edge, (b if a == previous else a)
        for edge in loop:
            del links[edge]
        loops.append(loop)
    return loops


def loop_area(values, loop):
    """Vector area of a loop, whatever its triangles, up to its sign."""
    points = np.array([crossing(values, *edge) for edge in loop])
    return 0.5 * np.cross(points, np.roll(points, -1, 0)).sum(0)
