"""From a sewn garment and its fabric to the numbers that the constraint kernel works on."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from solver.cloth.fabric import Fabric
from solver.cloth.sewing import SewnMesh
from solver.kernels.xpbd import LANES, RUN_MAX, ClothConstraints

BLOCK_TRIANGLES = 1000
"""Larger ones have longer runs, smaller ones share out better among threads."""
HEM_BEND = 4.0
"""Two layers that are sewn together bend harder than two loose ones (2) and softer than glued ones (8)."""
HOP_EDGES = 4.5
"""Longest hop of a tether's way in edge lengths."""


class RestShape(NamedTuple):
    """A sewn garment's triangles and hinges with everything that its flat panels say about them."""

    areas: NDArray[np.float64]
    """[m^2], shape (F,)."""
    gradients: NDArray[np.float64]
    """Of the grain coordinates x, y with respect to each corner [1/m], shape (F, 2, 3)."""
    hinges: NDArray[np.int32]
    """Particles: the common edge's two, then the opposite ones, shape (H, 4)."""
    hinge_faces: NDArray[np.int32]
    """The two triangles of each hinge, shape (H, 2)."""
    hinge_weights: NDArray[np.float64]
    """The weights k of the bend vector, shape (H, 4)."""


def rest_shape(uv: NDArray, faces: NDArray, triangles: NDArray) -> RestShape:
    """Rest shape of triangles with panel coordinates uv[faces] [m] and particles `triangles`, both (F, 3)."""
    corners = np.asarray(uv, np.float64)[faces]
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]], axis=2)
    inverse = np.linalg.inv(edges)
    gradients = np.stack([-inverse.sum(axis=1), inverse[:, 0], inverse[:, 1]], axis=2)
    areas = np.linalg.det(edges) / 2.0

    # cotangent of the angle at each corner
    cotangents = np.empty((len(faces), 3))
    for i in range(3):
        u, v = corners[:, (i + 1) % 3] - corners[:, i], corners[:, (i + 2) % 3] - corners[:, i]
        cotangents[:, i] = (u * v).sum(1) / np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])

    start, end = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    key = np.minimum(start, end).astype(np.int64) * (triangles.max() + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    one, two = order[same], order[same + 1]
    (f, i), (g, j) = np.divmod(one, 3), np.divmod(two, 3)
    p, q = triangles[f, i], triangles[f, (i + 1) % 3]
    swapped = triangles[g, j] == p
    r, s = triangles[f, (i + 2) % 3], triangles[g, (j + 2) % 3]
    cot_p = cotangents[f, i], cotangents[g, np.where(swapped, j, (j + 1) % 3)]
    cot_q = cotangents[f, (i + 1) % 3], cotangents[g, np.where(swapped, (j + 1) % 3, j)]
    weights = np.stack([sum(cot_q), sum(cot_p), -cot_p[0] - cot_q[0], -cot_p[1] - cot_q[1]], axis=1)
    hinges = np.stack([p, q, r, s], axis=1).astype(np.int32)
    return RestShape(areas, gradients.astype(np.float64), hinges, np.stack([f, g], axis=1), weights)


def particle_masses(mesh: SewnMesh, rest: RestShape, fabric: Fabric) -> NDArray[np.float64]:
    """A third of its triangles' mass for each particle [kg], shape (P,)."""
    share = fabric.mass * rest.areas * mesh.layers / 3.0
    return np.bincount(mesh.triangles.ravel(), np.repeat(share, 3), mesh.particle_count).astype(np.float64)


def build_constraints(
    mesh: SewnMesh, rest: RestShape, fabric: Fabric, inverse_masses: NDArray, centres: NDArray, dt: float, interval: int
) -> ClothConstraints:
    """Constraints for substeps of `dt` [s], bending every `interval` substeps.

    `centres` (F, 3) [m] is where the triangles lie about, to gather them in blocks.
    """
    triangles = mesh.triangles
    block = _blocks(centres)
    order = np.argsort(block, kind="stable")
    hinge_block = block[rest.hinge_faces[:, 0]]
    colors = _color_blocks(block, hinge_block, triangles, rest.hinges, mesh.particle_count)
    ranked = np.argsort(colors, kind="stable")
    rank = np.empty_like(ranked)
    rank[ranked] = np.arange(len(ranked))
    order, bounds = _interleaved(rank[block], triangles)
    pieces = [_padded(order[a:b]) for a, b in pairwise(bounds)]
    runs = np.cumsum([0, *map(len, pieces)]).astype(np.int32)
    run_block = rank[block][[piece[0] for piece in pieces]]
    hinge_order, _ = _interleaved(rank[hinge_block], rest.hinges)
    index = np.uint16 if mesh.particle_count <= 1 << 16 else np.uint32

    w = inverse_masses[triangles]
    a, b = rest.gradients[:, 0], rest.gradients[:, 1]
    area = rest.areas * mesh.layers * dt * dt
    strain = np.stack(
        [
            a[:, 1],
            a[:, 2],
            b[:, 1],
            b[:, 2],
            1.0 / ((w * a * a).sum(1) + 1.0 / (fabric.weft * area)),
            1.0 / ((w * b * b).sum(1) + 1.0 / (fabric.warp * area)),
            1.0 / (fabric.shear * area),
        ],
        axis=1,
    )
    layers = mesh.layers[rest.hinge_faces].min(axis=1)
    stiffness = fabric.bend * np.where(layers > 1, HEM_BEND * layers / 2.0, 1.0)
    # One push for `interval` substeps must give the impulse of all of them.
    compliance = rest.areas[rest.hinge_faces].sum(1) / stiffness / (dt**2 * interval)
    weight = (inverse_masses[rest.hinges] * rest.hinge_weights**2).sum(1) + compliance
    bending = np.concatenate([rest.hinge_weights[:, :3], 1.0 / weight[:, None]], axis=1)

    count = len(colors)
    return ClothConstraints(
        triangles=np.ascontiguousarray(triangles[np.concatenate(pieces)], index),
        strain=np.concatenate([strain[piece].T.ravel() for piece in pieces]).astype(np.float32),
        hinges=np.ascontiguousarray(rest.hinges[hinge_order], index),
        bending=bending[hinge_order].astype(np.float32).ravel(),
        runs=runs,
        block_runs=_starts(run_block, count),
        block_hinges=_starts(rank[hinge_block], count),
        colors=_starts(colors, int(colors.max()) + 1),
    )


def _padded(run: NDArray) -> NDArray:
    """`run` with its last member repeated until there is a multiple of LANES."""
    return np.concatenate([run, np.repeat(run[-1:], -len(run) % LANES)])


def _starts(labels: NDArray, count: int) -> NDArray[np.int32]:
    return np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=count))]).astype(np.int32)


def _blocks(centres: NDArray) -> NDArray[np.int64]:
    """A block for each triangle: halved along its longest side, until blocks have at most BLOCK_TRIANGLES."""
    block = np.zeros(len(centres), np.int64)
    pieces = [np.arange(len(centres))]
    while max(map(len, pieces)) > BLOCK_TRIANGLES:
        halves = []
        for piece in pieces:
            points = centres[piece]
            axis = int(np.argmax(np.ptp(points, axis=0)))
            by_axis = piece[np.argsort(points[:, axis], kind="stable")]
            halves += [by_axis[: len(piece) // 2], by_axis[len(piece) // 2 :]]
        pieces = halves
    for number, piece in enumerate(pieces):
        block[piece] = number
    return block


def _color_blocks(
    block: NDArray, hinge_block: NDArray, triangles: NDArray, hinges: NDArray, particle_count: int
) -> NDArray[np.int64]:
    """Greedy colours, largest degree first, such that blocks of one colour share no particle."""
    count = int(block.max()) + 1
    rows = np.concatenate([np.repeat(block, 3), np.repeat(hinge_block, 4)])
    columns = np.concatenate([triangles.ravel(), hinges.ravel()])
    touches = coo_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(count, particle_count)).tocsr()
    neighbors = (touches @ touches.T).tocsr()
    colors = np.full(count, -1)
    for b in np.argsort(-np.diff(neighbors.indptr), kind="stable"):
        taken = colors[neighbors.indices[neighbors.indptr[b] : neighbors.indptr[b + 1]]]
        color = 0
        while color in taken:
            color += 1
        colors[b] = color
    return colors


def _interleaved(block: NDArray, members: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Order of constraints by block, and inside a block by colour; and where each run of one colour begins.

    Constraints of a run share no particle, so that the processor can work on several at once.
    """
    colors = np.zeros(len(members), np.int64)
    used: dict[int, int] = {}
    for c in np.argsort(block, kind="stable"):
        taken = 0
        for particle in members[c]:
            taken |= used.get(int(particle), 0)
        color = (~taken & (taken + 1)).bit_length() - 1
        colors[c] = color
        for particle in members[c]:
            used[int(particle)] = used.get(int(particle), 0) | (1 << color)
    order = np.lexsort((colors, block))
    changes = np.flatnonzero(np.diff(block[order]) | np.diff(colors[order])) + 1
    bounds = np.concatenate([[0], changes, [len(members)]])
    starts = [np.arange(a, b, RUN_MAX) for a, b in pairwise(bounds)]
    return order, np.concatenate([*starts, [len(members)]]).astype(np.int32)


def tethers(mesh: SewnMesh, anchors: NDArray, slack: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The nearest of `anchors` (particles) along the cloth for every particle, and the longest way allowed [m].

    Ways are chains of straight hops of up to HOP_EDGES edge lengths on the flat panels, changing panels at seams; they
    are within about 1 % of the shortest way. Anchors and unreachable particles get -1.
    """
    edge_length = float(np.median(np.linalg.norm(np.diff(mesh.uv[mesh.faces[:, :2]], axis=1), axis=2)))
    ends, lengths = [], []
    for panel in range(len(mesh.panel_names)):
        ids = np.flatnonzero(mesh.panels == panel)
        points = mesh.uv[ids].astype(np.float64)
        pairs = KDTree(points).query_pairs(HOP_EDGES * edge_length, output_type="ndarray")
        ends.append(mesh.particles[ids[pairs]])
        lengths.append(np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1))
    both, length = np.sort(np.concatenate(ends), axis=1), np.concatenate(lengths)
    # Both sides of a seam may differ in length: keep the longer one.
    order = np.lexsort((length, both[:, 1], both[:, 0]))
    both, length = both[order], length[order]
    last = np.concatenate([(both[1:] != both[:-1]).any(axis=1), [True]])
    graph = coo_array((length[last], (both[last, 0], both[last, 1])), shape=(mesh.particle_count,) * 2).tocsr()
    distance, _, source = dijkstra(graph, directed=False, indices=anchors, min_only=True, return_predecessors=True)
    source = np.where(np.isfinite(distance), source, -1).astype(np.int32)
    source[anchors] = -1
    return source, np.where(np.isfinite(distance), distance * (1.0 + slack), 0.0).astype(np.float32)
