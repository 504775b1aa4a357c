"""Marching cubes (Lorensen and Cline 1987) on a sparse grid, vertices shared.

The 256 cases are derived here, not tabulated: on every face of a cube each run of inside corners is cut off by one
segment, so two cubes that share a face cut it alike and the surface has no cracks; the segments close to loops, and a
loop is triangulated without a diagonal that lies in a face (it could meet its twin in the next cube and make an edge
of four triangles). Cubes were preferred to tetrahedra, which triple the triangles and print their diagonals on the
surface, and to dual contouring, whose surface may touch itself and which moves vertices by noisy normals.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit, prange

from solver.kernels.block_grid import voxel_slot

# Corner c of a cell sits at (c & 1, c >> 1 & 1, c >> 2 & 1). Edge e runs along axis e // 4 from EDGE_ORIGIN[e].
EDGE_ORIGIN = np.array([0, 2, 4, 6, 0, 1, 4, 5, 0, 1, 2, 3], np.int64)
# Corners of the six faces, counter-clockwise seen from outside.
FACES = ((0, 4, 6, 2), (1, 3, 7, 5), (0, 1, 5, 4), (2, 6, 7, 3), (0, 2, 3, 1), (4, 5, 7, 6))
MAX_TRIANGLES = 5


def _edge_between(a: int, b: int) -> int:
    low, axis = min(a, b), (a ^ b).bit_length() - 1
    return next(e for e in range(4 * axis, 4 * axis + 4) if EDGE_ORIGIN[e] == low)


def _loops(case: int) -> list[list[int]]:
    """The closed loops of cut edges of a case; bit c of `case` is set where corner c is inside."""
    following = {}
    for face in FACES:
        inside = [bool(case >> c & 1) for c in face]
        for n in range(4):
            if not inside[n] or inside[n - 1]:
                continue
            last = n
            while inside[(last + 1) % 4] and (last + 1) % 4 != n:
                last += 1
            enter = _edge_between(face[n - 1], face[n])
            leave = _edge_between(face[last % 4], face[(last + 1) % 4])
            following[enter] = leave
    loops = []
    while following:
        start, edge = following.popitem()
        loop = [start]
        while edge != start:
            loop.append(edge)
            edge = following.pop(edge)
        loops.append(loop)
    return loops


def _triangulate(loop: list[int]) -> list[tuple[int, int, int]]:
    """Triangles of a loop with the fewest diagonals inside a face of the cube."""
    touched = [
        {n for n, face in enumerate(FACES) for i in range(4) if _edge_between(face[i], face[i - 1]) == edge}
        for edge in range(12)
    ]

    @cache
    def best(first: int, last: int) -> tuple[int, tuple]:
        if last - first < 2:
            return 0, ()
        choices = []
        for apex in range(first + 1, last):
            left, right = best(first, apex), best(apex, last)
            in_face = 0
            for a, b in ((first, apex), (apex, last)):
                if b - a > 1 and touched[loop[a]] & touched[loop[b]]:
                    in_face += 1
            choices.append(
                (left[0] + right[0] + in_face, left[1] + right[1] + ((loop[first], loop[apex], loop[last]),))
            )
        return min(choices)

    return list(best(0, len(loop) - 1)[1])


def _build_cases() -> tuple[np.ndarray, np.ndarray]:
    counts = np.zeros(256, np.int64)
    table = np.full((256, MAX_TRIANGLES, 3), -1, np.int8)
    for case in range(256):
        triangles = [t for loop in _loops(case) for t in _triangulate(loop)]
        counts[case] = len(triangles)
        for n, triangle in enumerate(triangles):
            table[case, n] = triangle
    return counts, table


TRIANGLE_COUNT, TRIANGLES = _build_cases()


@njit(nogil=True, cache=True, inline="always")
def _cell_slots(grid, block, local, slots):
    """Slots of the eight corners of the cell that begins at voxel `local` of `block`; False where one is missing."""
    x = local >> 6
    y = (local >> 3) & 7
    z = local & 7
    first = block * 512 + local
    if x < 7 and y < 7 and z < 7:
        for c in range(8):
            slots[c] = first + (c & 1) * 64 + ((c >> 1) & 1) * 8 + (c >> 2)
        return True
    i = grid.blocks[block, 0] * 8 + x
    j = grid.blocks[block, 1] * 8 + y
    k = grid.blocks[block, 2] * 8 + z
    for c in range(8):
        slots[c] = voxel_slot(grid.block_index, i + (c & 1), j + ((c >> 1) & 1), k + (c >> 2))
        if slots[c] < 0:
            return False
    return True


@njit(nogil=True, cache=True)
def _cell_case(distance, slots):
    """Case number of a cell, -1 where a corner's distance is not finite."""
    case = 0
    for c in range(8):
        d = distance[slots[c]]
        if not np.isfinite(d):
            return -1
        if d < 0.0:
            case |= 1 << c
    return case


@njit(nogil=True, cache=True, parallel=True)
def count_surface(grid, distance, cut_edges, vertex_counts, triangle_counts):
    """First pass: which edges of which voxels carry a vertex, and how many vertices and triangles each block makes.

    distance (slots,) float32 [m], not finite where unknown; cut_edges (slots,) uint8: bit a set where the distance
    changes sign from this voxel to the next along axis a; vertex_counts, triangle_counts (blocks,) int32.
    """
    for block in prange(grid.blocks.shape[0]):
        slots = np.empty(8, np.int64)
        triangles = 0
        vertices = 0
        for local in range(512):
            slot = block * 512 + local
            cut_edges[slot] = 0
            here = distance[slot]
            if not np.isfinite(here):
                continue
            i = grid.blocks[block, 0] * 8 + (local >> 6)
            j = grid.blocks[block, 1] * 8 + ((local >> 3) & 7)
            k = grid.blocks[block, 2] * 8 + (local & 7)
            for axis in range(3):
                other = voxel_slot(grid.block_index, i + (axis == 0), j + (axis == 1), k + (axis == 2))
                if other >= 0 and np.isfinite(distance[other]) and (here < 0.0) != (distance[other] < 0.0):
                    cut_edges[slot] |= 1 << axis
                    vertices += 1
            if _cell_slots(grid, block, local, slots):
                case = _cell_case(distance, slots)
                if case > 0:
                    triangles += TRIANGLE_COUNT[case]
        vertex_counts[block] = vertices
        triangle_counts[block] = triangles


@njit(nogil=True, cache=True)
def _gradient(grid, distance, i, j, k, axis):
    """Slope of the distance along an axis at voxel (i, j, k): central where both neighbours are known."""
    here = distance[voxel_slot(grid.block_index, i, j, k)]
    ahead = voxel_slot(grid.block_index, i + (axis == 0), j + (axis == 1), k + (axis == 2))
    behind = voxel_slot(grid.block_index, i - (axis == 0), j - (axis == 1), k - (axis == 2))
    known_ahead = ahead >= 0 and np.isfinite(distance[ahead])
    known_behind = behind >= 0 and np.isfinite(distance[behind])
    if known_ahead and known_behind:
        return 0.5 * (distance[ahead] - distance[behind])
    if known_ahead:
        return distance[ahead] - here
    if known_behind:
        return here - distance[behind]
    return 0.0


@njit(nogil=True, cache=True, parallel=True)
def place_vertices(grid, distance, cut_edges, first_vertex, vertices, normals, sources, fractions, vertex_of_edge):
    """Second pass: vertices where the linearly interpolated distance is zero, normals along its gradient.

    first_vertex (blocks,) int32; outputs vertices, normals (N, 3) float32 [m]; sources (N, 2) int32 the slots of the
    edge's ends and fractions (N,) float32 between them, to interpolate other values; vertex_of_edge (slots, 3) int32.
    """
    for block in prange(grid.blocks.shape[0]):
        v = first_vertex[block]
        for local in range(512):
            slot = block * 512 + local
            bits = cut_edges[slot]
            if bits == 0:
                continue
            i = grid.blocks[block, 0] * 8 + (local >> 6)
            j = grid.blocks[block, 1] * 8 + ((local >> 3) & 7)
            k = grid.blocks[block, 2] * 8 + (local & 7)
            for axis in range(3):
                if not (bits >> axis) & 1:
                    continue
                a = i + (axis == 0)
                b = j + (axis == 1)
                c = k + (axis == 2)
                other = voxel_slot(grid.block_index, a, b, c)
                here = distance[slot]
                t = here / (here - distance[other])
                place = (i, j, k)
                length = 0.0
                for n in range(3):
                    vertices[v, n] = grid.origin[n] + grid.voxel_m * (place[n] + (t if n == axis else 0.0))
                    g = (1.0 - t) * _gradient(grid, distance, i, j, k, n) + t * _gradient(grid, distance, a, b, c, n)
                    normals[v, n] = g
                    length += g * g
                length = np.sqrt(length)
                if length > 0.0:
                    for n in range(3):
                        normals[v, n] /= length
                sources[v, 0] = slot
                sources[v, 1] = other
                fractions[v] = t
                vertex_of_edge[slot, axis] = v
                v += 1


@njit(nogil=True, cache=True, parallel=True)
def connect_vertices(grid, distance, vertex_of_edge, first_triangle, faces):
    """Third pass: the triangles, counter-clockwise seen from where the distance is positive, faces (F, 3) int32."""
    for block in prange(grid.blocks.shape[0]):
        f = first_triangle[block]
        slots = np.empty(8, np.int64)
        for local in range(512):
            if not _cell_slots(grid, block, local, slots):
                continue
            case = _cell_case(distance, slots)
            if case <= 0:
                continue
            for n in range(TRIANGLE_COUNT[case]):
                for m in range(3):
                    edge = TRIANGLES[case, n, m]
                    faces[f, m] = vertex_of_edge[slots[EDGE_ORIGIN[edge]], edge // 4]
                f += 1
