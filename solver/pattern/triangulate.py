"""Cutting panels into even triangles, so that both sides of every seam get the same number of points.

Points on a hexagonal grid fill the outline, Lloyd-like smoothing evens them out, and the Delaunay triangulation of the
points (Delaunay 1934) joins them. Points inside keep clear of the circle over each boundary segment, so every segment
is an edge of the triangulation (the Gabriel condition) and no constrained triangulation is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay, KDTree, QhullError

from solver.errors import InputError
from solver.pattern.panel import EdgeRef, Panel, Pattern

SMOOTHING_PASSES = 12
CLEARANCE = 0.62
"""Least distance of inner points from the outline, in edge lengths."""

RECUT_STRETCH = 1.7
"""Most that a side of a triangle may grow or shrink when it is cut anew; longer sides show, shorter ones are stiff."""


@dataclass(frozen=True)
class PanelMesh:
    """A panel in triangles."""

    panel: Panel
    points: NDArray[np.float64]
    """Panel coordinates [m], shape (n, 2); the outline first, in its order."""
    faces: NDArray[np.int32]
    """Counter-clockwise triangles, shape (F, 3)."""
    edge_points: Mapping[str, NDArray[np.int32]]
    """Indices of each edge's points along it, both ends included."""


@dataclass(frozen=True)
class PatternMesh:
    """All panels of a pattern in triangles, in the pattern's order."""

    pattern: Pattern
    panels: tuple[PanelMesh, ...]

    def panel(self, name: str) -> PanelMesh:
        """The mesh of the panel called `name`."""
        return next(mesh for mesh in self.panels if mesh.panel.name == name)


def triangulate(pattern: Pattern, edge_length_m: float = 0.012) -> PatternMesh:
    """Triangles with sides of about `edge_length_m`. Raises `InputError` where a panel cannot be cut so."""
    fractions = _edge_fractions(pattern, edge_length_m)
    panels = tuple(
        _triangulate_panel(panel, {e.name: fractions[EdgeRef(panel.name, e.name)] for e in panel.edges}, edge_length_m)
        for panel in pattern.panels
    )
    return PatternMesh(pattern, panels)


def recut(mesh: PatternMesh, pattern: Pattern) -> PatternMesh | None:
    """The triangles of `mesh` laid into `pattern`, another version of the same design; None where they fit badly.

    Points on edges keep their share of the edge; points inside follow those of the outline by the harmonic displacement
    (uniform weights), so the same particles can be sewn and a drape goes on where it was.
    """
    if _outline(mesh.pattern) != _outline(pattern) or mesh.pattern.stitches != pattern.stitches:
        return None
    panels = []
    for old, panel in zip(mesh.panels, pattern.panels, strict=True):
        points = _laid_into(old, panel)
        if points is None:
            return None
        panels.append(PanelMesh(panel, points, old.faces, old.edge_points))
    return PatternMesh(pattern, tuple(panels))


def _outline(pattern: Pattern) -> list[tuple[str, tuple[str, ...]]]:
    return [(panel.name, tuple(edge.name for edge in panel.edges)) for panel in pattern.panels]


def _laid_into(old: PanelMesh, panel: Panel) -> NDArray[np.float64] | None:
    count = sum(len(indices) - 1 for indices in old.edge_points.values())
    points = old.points.copy()
    for before, edge in zip(old.panel.edges, panel.edges, strict=True):
        indices = old.edge_points[before.name]
        steps = np.linalg.norm(np.diff(old.points[indices], axis=0), axis=1)
        points[indices] = edge.sample(np.concatenate([[0.0], np.cumsum(steps) / steps.sum()]))
    if len(points) > count:
        shift = np.zeros_like(points)
        shift[:count] = points[:count] - old.points[:count]
        here, there = old.faces.ravel(), old.faces[:, [1, 2, 0]].ravel()
        ends = np.concatenate([here, there]), np.concatenate([there, here])
        joined = coo_array((np.ones(len(ends[0])), ends), shape=(len(points),) * 2).tocsr()
        laplacian = (diags_array(joined.sum(axis=1)) - joined).tocsr()
        inner = splu(laplacian[count:, count:].tocsc())
        points[count:] += inner.solve(-(laplacian[count:, :count] @ shift[:count]))
    return points if _alike(old.points, points, old.faces) else None


def _alike(before: NDArray, after: NDArray, faces: NDArray) -> bool:
    """True where no triangle is turned over or much distorted."""
    sides = [p[faces[:, [1, 2, 0]]] - p[faces] for p in (before, after)]
    areas = [s[:, 0, 0] * s[:, 1, 1] - s[:, 0, 1] * s[:, 1, 0] for s in sides]
    ratio = np.linalg.norm(sides[1], axis=2) / np.linalg.norm(sides[0], axis=2)
    grown = areas[1] / areas[0]
    return bool(
        ratio.min() > 1.0 / RECUT_STRETCH
        and ratio.max() < RECUT_STRETCH
        and grown.min() > 1.0 / RECUT_STRETCH**1.5
        and grown.max() < RECUT_STRETCH**1.5
    )


def _edge_fractions(pattern: Pattern, edge_length_m: float) -> dict[EdgeRef, NDArray[np.float64]]:
    """Where along every edge its points lie (fractions of its length), equal in number on both sides of each seam."""
    result = {}
    for stitch in pattern.stitches:
        breaks_a, breaks_b = _breaks(pattern, stitch.a), 1.0 - _breaks(pattern, stitch.b)[::-1]
        breaks = np.sort(np.concatenate([breaks_a, breaks_b]))
        breaks = breaks[np.concatenate([[True], np.diff(breaks) > 1e-6])]
        length = (pattern.run_length(stitch.a) + pattern.run_length(stitch.b)) / 2.0
        counts = np.maximum(1, np.rint(np.diff(breaks) * length / edge_length_m).astype(int))
        along = np.concatenate(
            [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(breaks, breaks[1:], counts, strict=False)]
            + [[1.0]]
        )
        _spread(pattern, stitch.a, along, result)
        _spread(pattern, stitch.b, 1.0 - along[::-1], result)
    for ref in pattern.free_edges():
        count = max(1, round(pattern.edge(ref).length / edge_length_m))
        result[ref] = np.linspace(0.0, 1.0, count + 1)
    return result


def _breaks(pattern: Pattern, run: tuple[EdgeRef, ...]) -> NDArray[np.float64]:
    """Fractions of a run's length at which its edges begin and end."""
    lengths = np.array([pattern.edge(ref).length for ref in run])
    breaks = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    breaks[-1] = 1.0
    return breaks


def _spread(
    pattern: Pattern, run: tuple[EdgeRef, ...], along: NDArray, result: dict[EdgeRef, NDArray[np.float64]]
) -> None:
    """Hand the points `along` a run to the edges that they lie on."""
    breaks = _breaks(pattern, run)
    for ref, start, end in zip(run, breaks, breaks[1:], strict=False):
        inside = along[(along > start - 1e-5) & (along < end + 1e-5)]
        inside = (inside - start) / (end - start)
        inside[0], inside[-1] = 0.0, 1.0
        result[ref] = inside


def _triangulate_panel(panel: Panel, fractions: Mapping[str, NDArray], edge_length_m: float) -> PanelMesh:
    outline, edge_points = [], {}
    start = 0
    for edge in panel.edges:
        count = len(fractions[edge.name]) - 1
        edge_points[edge.name] = np.arange(start, start + count + 1, dtype=np.int32)
        outline.append(edge.sample(fractions[edge.name])[:-1])
        start += count
    for indices in edge_points.values():
        indices[indices == start] = 0
    boundary = np.concatenate(outline)
    inner = _inner_points(boundary, edge_length_m)
    try:
        for _ in range(SMOOTHING_PASSES):
            inner = _smoothed(boundary, inner, edge_length_m)
        points = np.concatenate([boundary, inner])
        faces = _delaunay_inside(points, len(boundary))
    except QhullError as error:
        raise InputError(f"panel {panel.name}: cannot be cut into triangles; widen it") from error
    _check_covers(panel, points, faces, len(boundary), edge_points)
    return PanelMesh(panel, points, faces, edge_points)


def _inner_points(boundary: NDArray, spacing: float) -> NDArray[np.float64]:
    """A hexagonal grid, symmetric about x = 0, inside the outline and clear of it."""
    low, high = boundary.min(axis=0), boundary.max(axis=0)
    row_height = spacing * np.sqrt(3.0) / 2.0
    row_count = max(1, round((high[1] - low[1]) / row_height))
    rows = low[1] + (high[1] - low[1]) * np.arange(1, row_count) / row_count
    half = int(np.ceil(max(abs(low[0]), abs(high[0])) / spacing)) + 1
    columns = spacing * np.arange(-half, half + 1)
    points = [
        np.stack([columns + (spacing / 2.0 if i % 2 else 0.0), np.full(len(columns), y)], axis=1)
        for i, y in enumerate(rows)
    ]
    grid = np.concatenate(points) if points else np.zeros((0, 2))
    return _clear_of(boundary, grid[_inside(boundary, grid)], spacing)


def _clear_of(boundary: NDArray, points: NDArray, spacing: float) -> NDArray[np.float64]:
    """Those of `points` that are clear of the outline and of the circle over each of its segments."""
    if not len(points):
        return points
    following = np.roll(boundary, -1, axis=0)
    middles, radii = (boundary + following) / 2.0, np.linalg.norm(following - boundary, axis=1) / 2.0
    distance, nearest = KDTree(middles).query(points)
    gabriel = distance > 1.05 * radii[nearest]
    clear = KDTree(np.concatenate([boundary, middles])).query(points)[0] > CLEARANCE * spacing
    return points[gabriel & clear]


def _inside(polygon: NDArray, points: NDArray) -> NDArray[np.bool_]:
    """Even-odd rule."""
    a, b = polygon, np.roll(polygon, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    straddles = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / (b[:, 1] - a[:, 1])
    return np.count_nonzero(straddles & (x < crossing), axis=1) % 2 == 1


def _delaunay_inside(points: NDArray, boundary_count: int) -> NDArray[np.int32]:
    faces = Delaunay(points).simplices.astype(np.int32)
    # Only a triangle between three points of the outline can lie outside of it.
    suspect = np.flatnonzero((faces < boundary_count).all(axis=1))
    outside = suspect[~_inside(points[:boundary_count], points[faces[suspect]].mean(axis=1))]
    faces = np.delete(faces, outside, axis=0)
    a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    faces = faces[np.abs(area) > 1e-14]
    clockwise = area[np.abs(area) > 1e-14] < 0.0
    faces[clockwise] = faces[clockwise][:, ::-1]
    return faces


def _smoothed(boundary: NDArray, inner: NDArray, spacing: float) -> NDArray[np.float64]:
    """Each inner point in the middle of its neighbours (Laplacian smoothing); points that come too near are dropped."""
    if not len(inner):
        return inner
    points = np.concatenate([boundary, inner])
    faces = _delaunay_inside(points, len(boundary))
    here, there = faces.ravel(), faces[:, [1, 2, 0]].ravel()
    count = np.bincount(here, minlength=len(points))[len(boundary) :, None]
    total = np.stack([np.bincount(here, points[there, axis], len(points)) for axis in (0, 1)], axis=1)[len(boundary) :]
    moved = np.where(count > 0, total / np.maximum(count, 1), inner)
    return _clear_of(boundary, 0.5 * (inner + moved), spacing)


def _check_covers(
    panel: Panel, points: NDArray, faces: NDArray, boundary_count: int, edge_points: Mapping[str, NDArray]
) -> None:
    """Raise `InputError` unless every boundary segment is a triangle's side and the triangles fill the outline."""
    count = len(points)
    sides = faces.astype(np.int64) * count + faces[:, [1, 2, 0]]
    for name, indices in edge_points.items():
        if not np.isin(indices[:-1].astype(np.int64) * count + indices[1:], sides).all():
            raise InputError(f"panel {panel.name}, edge {name}: too narrow a corner to be cut into triangles")
    if len(np.unique(faces)) != count or boundary_count < 3:
        raise InputError(f"panel {panel.name}: a point was left out of the triangles; smooth its outline")


def smallest_angles(points: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """The smallest angle [rad] of each triangle, shape (F,)."""
    corners = points[faces]
    angles = []
    for i in range(3):
        u, v = corners[:, (i + 1) % 3] - corners[:, i], corners[:, (i + 2) % 3] - corners[:, i]
        cosine = (u * v).sum(-1) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1))
        angles.append(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return np.min(angles, axis=0)
