"""Sewing patterns: flat panels with named edges, and the stitches that join them.

A panel lies in its own plane, seen from its right side (the outside of the garment): x across, y up along the grain, in
metres. Its outline runs counter-clockwise. These coordinates are the garment's texture coordinates as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solver.errors import InputError

CURVE_SAMPLES = 129
CLOSED_WITHIN_M = 1e-6


@dataclass(frozen=True)
class Bezier:
    """A Bezier curve of any degree: two control points make a straight line, three a quadratic, four a cubic curve."""

    controls: NDArray[np.float64]
    """[m], shape (degree + 1, 2)."""

    def at(self, t: ArrayLike) -> NDArray[np.float64]:
        """Points [m], shape (n, 2), at parameters `t` (n,) in 0..1 (de Casteljau)."""
        t = np.asarray(t, np.float64)[:, None, None]
        points = np.broadcast_to(self.controls, (len(t), *self.controls.shape))
        while points.shape[1] > 1:
            points = (1.0 - t) * points[:, :-1] + t * points[:, 1:]
        return points[:, 0]

    @property
    def is_straight(self) -> bool:
        """Whether two samples describe it."""
        return len(self.controls) == 2


@dataclass(frozen=True)
class Arc:
    """A circular arc from `start` to `end` turning left (counter-clockwise) or right."""

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    radius: float
    large: bool = False
    clockwise: bool = False

    is_straight = False

    def at(self, t: ArrayLike) -> NDArray[np.float64]:
        """Points [m], shape (n, 2), at parameters `t` (n,) in 0..1, evenly spaced along the arc."""
        chord = self.end - self.start
        half = np.linalg.norm(chord) / 2.0
        if half > self.radius * (1.0 + 1e-9):
            raise InputError(f"an arc of radius {self.radius:g} m cannot span {2 * half:g} m: enlarge its radius")
        height = np.sqrt(max(self.radius**2 - half**2, 0.0))
        left = np.array([-chord[1], chord[0]]) / (2.0 * half)
        centre_left = self.large == self.clockwise
        centre = self.start + chord / 2.0 + (height if centre_left else -height) * left
        first = np.arctan2(*(self.start - centre)[::-1])
        turn = (np.arctan2(*(self.end - centre)[::-1]) - first) % (2.0 * np.pi)
        if self.clockwise:
            turn -= 2.0 * np.pi
        angle = first + turn * np.asarray(t, np.float64)
        return centre + self.radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


Curve = Bezier | Arc


@dataclass(frozen=True)
class Edge:
    """One named stretch of a panel's outline."""

    name: str
    curve: Curve
    hem_m: float = 0.0
    """Width of the strip along the edge that is folded under and lies double [m]."""

    @cached_property
    def _dense(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        points = self.curve.at(np.linspace(0.0, 1.0, 2 if self.curve.is_straight else CURVE_SAMPLES))
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        return points, along

    @property
    def points(self) -> NDArray[np.float64]:
        """The edge as a polyline [m], shape (n, 2)."""
        return self._dense[0]

    @property
    def length(self) -> float:
        """Arc length [m]."""
        return float(self._dense[1][-1])

    @property
    def start(self) -> NDArray[np.float64]:
        """First point [m], shape (2,)."""
        return self._dense[0][0]

    @property
    def end(self) -> NDArray[np.float64]:
        """Last point [m], shape (2,)."""
        return self._dense[0][-1]

    def sample(self, fractions: ArrayLike) -> NDArray[np.float64]:
        """Points [m], shape (n, 2), at fractions (n,) of the arc length."""
        points, along = self._dense
        target = np.asarray(fractions, np.float64) * along[-1]
        return np.stack([np.interp(target, along, points[:, axis]) for axis in (0, 1)], axis=1)


def line(name: str, start: ArrayLike, end: ArrayLike, hem_m: float = 0.0) -> Edge:
    """A straight edge."""
    return Edge(name, Bezier(np.array([start, end], np.float64)), hem_m)


def bezier(name: str, *controls: ArrayLike, hem_m: float = 0.0) -> Edge:
    """A Bezier edge through its first and last control point."""
    return Edge(name, Bezier(np.array(controls, np.float64)), hem_m)


@dataclass(frozen=True)
class Panel:
    """A piece of cloth: a closed, counter-clockwise outline without crossings."""

    name: str
    edges: tuple[Edge, ...]
    layers: int = 1
    """How many layers of cloth it is made of (a folded rib is 2)."""
    place: str = ""
    """Where on the body it is worn: trunk_front, trunk_back, arm_l, arm_r or neck."""

    def edge(self, name: str) -> Edge:
        """The edge called `name`; raises `InputError` where there is none."""
        for edge in self.edges:
            if edge.name == name:
                return edge
        known = ", ".join(edge.name for edge in self.edges)
        raise InputError(f"panel {self.name}: no edge {name!r}; it has {known}")

    @cached_property
    def outline(self) -> NDArray[np.float64]:
        """The outline as a closed polygon [m], shape (n, 2), the first point not repeated."""
        return np.concatenate([edge.points[:-1] for edge in self.edges])

    @property
    def area(self) -> float:
        """Signed area [m^2], positive for a counter-clockwise outline."""
        x, y = self.outline.T
        return float(0.5 * np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))

    def check(self) -> None:
        """Raise `InputError` naming panel and edge unless the outline is closed, counter-clockwise and simple."""
        for edge, following in zip(self.edges, (*self.edges[1:], self.edges[0]), strict=True):
            if not np.isfinite(edge.points).all() or edge.length <= 0.0:
                raise InputError(f"panel {self.name}, edge {edge.name}: no length; give its ends different places")
            gap = np.linalg.norm(edge.end - following.start)
            if gap > CLOSED_WITHIN_M:
                raise InputError(
                    f"panel {self.name}: open by {1000 * gap:.1f} mm between edges {edge.name} and {following.name}; "
                    "let the one end where the other begins"
                )
        crossing = self._crossing()
        if crossing is not None:
            raise InputError(f"panel {self.name}: edges {crossing[0]} and {crossing[1]} cross; move their points apart")
        if self.area <= 0.0:
            raise InputError(f"panel {self.name}: the outline runs clockwise; list its edges the other way round")

    def _crossing(self) -> tuple[str, str] | None:
        """Names of two edges of which segments cross, if any."""
        p = self.outline
        q = np.roll(p, -1, axis=0)
        owner = np.concatenate([np.full(len(edge.points) - 1, i) for i, edge in enumerate(self.edges)])

        def side(a: NDArray, b: NDArray, c: NDArray) -> NDArray:
            return (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])

        a, b, c, d = p[:, None], q[:, None], p[None], q[None]
        cross = (side(a, b, c) * side(a, b, d) < 0.0) & (side(c, d, a) * side(c, d, b) < 0.0)
        pairs = np.argwhere(cross)
        return (self.edges[owner[pairs[0, 0]]].name, self.edges[owner[pairs[0, 1]]].name) if len(pairs) else None


class EdgeRef(NamedTuple):
    """An edge of a pattern by names."""

    panel: str
    edge: str

    def __str__(self) -> str:
        return f"{self.panel}.{self.edge}"


@dataclass(frozen=True)
class Stitch:
    """Two runs of edges that are sewn together, right side out.

    Each run lists its edges in the order in which its own panels' outlines run through them; since outlines run
    counter-clockwise the second run is sewn on from its end.
    """

    name: str
    a: tuple[EdgeRef, ...]
    b: tuple[EdgeRef, ...]
    ease: float = 0.0
    """By how much run `b` is meant to be longer than run `a`, as a share of `a` (negative where it is stretched)."""


@dataclass(frozen=True)
class Pattern:
    """Everything that is needed to cut and sew a garment."""

    name: str
    panels: tuple[Panel, ...]
    stitches: tuple[Stitch, ...] = field(default=())

    def panel(self, name: str) -> Panel:
        """The panel called `name`; raises `InputError` where there is none."""
        for panel in self.panels:
            if panel.name == name:
                return panel
        raise InputError(f"pattern {self.name}: no panel {name!r}; it has {', '.join(p.name for p in self.panels)}")

    def edge(self, ref: EdgeRef) -> Edge:
        """The edge that `ref` names."""
        return self.panel(ref.panel).edge(ref.edge)

    def run_length(self, run: tuple[EdgeRef, ...]) -> float:
        """Length of a run of edges [m]."""
        return sum(self.edge(ref).length for ref in run)

    def seam_mismatch(self, stitch: Stitch) -> float:
        """By how much run `b` differs from its intended length [m]."""
        return self.run_length(stitch.b) - self.run_length(stitch.a) * (1.0 + stitch.ease)

    def check(self, tolerance_m: float = 0.002) -> None:
        """Raise `InputError` naming panel and edge unless panels are sound and seams match within `tolerance_m`."""
        for panel in self.panels:
            panel.check()
        sewn: dict[EdgeRef, str] = {}
        for stitch in self.stitches:
            for ref in (*stitch.a, *stitch.b):
                if ref in sewn:
                    raise InputError(f"edge {ref} is sewn twice, by {sewn[ref]} and {stitch.name}; split the edge")
                sewn[ref] = stitch.name
            mismatch = self.seam_mismatch(stitch)
            if abs(mismatch) > tolerance_m:
                runs = " and ".join("+".join(map(str, run)) for run in (stitch.a, stitch.b))
                raise InputError(
                    f"stitch {stitch.name}: {runs} differ by {1000 * mismatch:+.1f} mm; "
                    "correct an edge or declare the ease"
                )

    def free_edges(self) -> Iterator[EdgeRef]:
        """Edges that no stitch joins: hems and openings."""
        sewn = {ref for stitch in self.stitches for ref in (*stitch.a, *stitch.b)}
        for panel in self.panels:
            for edge in panel.edges:
                ref = EdgeRef(panel.name, edge.name)
                if ref not in sewn:
                    yield ref


def mirrored(panel: Panel, name: str, rename: Mapping[str, str] | None = None) -> Panel:
    """`panel` reflected left to right; `rename` maps edge names to those of the reflection."""
    rename = rename or {}
    edges = []
    for edge in reversed(panel.edges):
        curve = edge.curve
        if isinstance(curve, Bezier):
            flipped: Curve = Bezier(curve.controls[::-1] * (-1.0, 1.0))
        else:
            flipped = Arc(
                curve.end * (-1.0, 1.0), curve.start * (-1.0, 1.0), curve.radius, curve.large, curve.clockwise
            )
        edges.append(Edge(rename.get(edge.name, edge.name), flipped, edge.hem_m))
    return replace(panel, name=name, edges=tuple(edges))
