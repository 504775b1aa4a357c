"""A body as measures see it: surface, joints, named points, and planes that cut its parts."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from solver.body import BodyModel, as_float64
from solver.kernels.convex_hull import measure_tapes, wrap_points
from solver.kernels.slice_mesh import count_cuts, cut_triangles, place_along
from solver.normals import NormalField

UP = np.array([0.0, 0.0, 1.0])
LEVEL_STEP_M = 0.004
BLUR_M = 0.012
NOT_ON_THE_BODY = "its level lies off the body"


class LevelNotFoundError(Exception):
    """A plane misses what it should cut: the measure is missing. Never leaves this package."""


class Tape(NamedTuple):
    """A tape pulled tight around one contour."""

    length: float
    """[m]."""
    points: NDArray[np.float64]
    """Where it turns [m], shape (M, 3), closed when the first is repeated."""
    contour: NDArray[np.float64]
    """The contour inside it: segments [m], shape (N, 2, 3)."""
    origin: NDArray[np.float64]
    normal: NDArray[np.float64]


class Profile(NamedTuple):
    """What a stack of parallel planes finds."""

    places: NDArray[np.float64]
    """Of the planes along their normal from the stack's origin [m], shape (L,)."""
    values: NDArray[np.float64]
    """At each plane, shape (L,)."""

    def at(self, place: float | NDArray, reach_m: float = BLUR_M) -> NDArray[np.float64]:
        """Values at `place`: of the parabola fitted to the planes within `reach_m`, so that noise averages out.

        Raises `LevelNotFoundError` where there is no plane within reach.
        """
        offset = (self.places - np.atleast_1d(place)[:, None]) / reach_m
        trust = np.maximum(0.0, 1.0 - offset**2)
        if not trust.any(1).all():
            raise LevelNotFoundError(NOT_ON_THE_BODY)
        powers = offset[:, :, None] ** np.arange(3)
        moments = np.einsum("ln,lni,lnj->lij", trust, powers, powers)
        # A stack that ends nearby leaves fewer than three planes: a whisper of ridge decides.
        moments[:, [1, 2], [1, 2]] += 1e-9 * moments[:, :1, 0]
        return np.linalg.solve(moments, np.einsum("ln,lni,n->li", trust, powers, self.values)[:, :, None])[:, 0, 0]

    def minimum(self) -> float:
        """Place of the smallest value. Raises `LevelNotFoundError` where there are no planes."""
        return self._lowest(self.values)

    def maximum(self) -> float:
        """Place of the largest value. Raises `LevelNotFoundError` where there are no planes."""
        return self._lowest(-self.values)

    def _lowest(self, values: NDArray) -> float:
        if not len(self.places):
            raise LevelNotFoundError(NOT_ON_THE_BODY)
        smooth = Profile(self.places, values).at(self.places)
        n = int(np.argmin(smooth))
        if n in (0, len(smooth) - 1):
            return float(self.places[n])
        left, middle, right = smooth[n - 1 : n + 2]
        bend = left - 2.0 * middle + right
        shift = 0.5 * (left - right) / bend if bend > 1e-12 else 0.0
        return float(self.places[n] + shift * (self.places[1] - self.places[0]))


class Topology:
    """What all bodies of one model share: which triangles belong to which part and which vertices are skin."""

    def __init__(self, model: BodyModel):
        self.model = model
        corners = model.part_labels[model.faces]
        # The part that at least two corners agree on, else the first corner's.
        self.face_parts = np.where(corners[:, 1] == corners[:, 2], corners[:, 1], corners[:, 0])
        count = model.vertex_count
        links = coo_matrix((np.ones(3 * len(model.faces)), (model.faces.ravel(), np.roll(model.faces, 1, 1).ravel())))
        links.resize((count, count))
        component = connected_components(links, directed=False)[1]
        skin = component == np.argmax(np.bincount(component))
        self.skin = skin
        """Vertices of the outer surface (eyes and tongue lie inside), shape (V,)."""
        self.skin_faces = np.flatnonzero(skin[model.faces[:, 0]]).astype(np.int32)
        self.normals = NormalField(model.faces, model.vertex_count)
        self._faces_of: dict[tuple[str, ...], NDArray[np.int32]] = {}
        self._rim_of: dict[tuple[str, ...], NDArray[np.int32]] = {}
        self._borders: dict[tuple[str, str], NDArray[np.int32]] = {}

    def faces_of(self, parts: tuple[str, ...]) -> NDArray[np.int32]:
        """Indices of the triangles of `parts`."""
        if parts not in self._faces_of:
            wanted = np.isin(self.face_parts[self.skin_faces], [self.model.part(name) for name in parts])
            self._faces_of[parts] = self.skin_faces[wanted]
        return self._faces_of[parts]

    def rim_of(self, parts: tuple[str, ...]) -> NDArray[np.int32]:
        """Edges (E, 2) at which `parts` were cut from the rest of the body."""
        if parts not in self._rim_of:
            faces = self.model.faces[self.faces_of(parts)]
            edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
            edges, counts = np.unique(edges, axis=0, return_counts=True)
            self._rim_of[parts] = edges[counts == 1]
        return self._rim_of[parts]

    def border_of(self, part: str, other: str) -> NDArray[np.int32]:
        """Vertices (N,) that triangles of both parts have."""
        if (part, other) not in self._borders:
            own, beyond = (self.model.faces[self.face_parts == self.model.part(name)] for name in (part, other))
            self._borders[part, other] = np.intersect1d(own, beyond)
        return self._borders[part, other]


class Figure:
    """One body: vertices (V, 3) [m] in model topology, upright (z up, facing -y), and its joints (J, 3) [m]."""

    def __init__(
        self,
        topology: Topology,
        vertices: ArrayLike,
        joints: ArrayLike,
        landmark_shifts: Mapping[str, NDArray] | None = None,
    ):
        self.topology = topology
        self.model = topology.model
        self._landmark_shifts = landmark_shifts or {}
        self.vertices = np.ascontiguousarray(vertices, np.float64)
        self.joints = np.asarray(joints, np.float64)

    def joint(self, name: str) -> NDArray[np.float64]:
        """Place of a joint [m], (3,)."""
        return self.joints[self.model.joint(name)]

    def landmark(self, name: str) -> NDArray[np.float64]:
        """Place of a named point on the surface [m], (3,)."""
        return self.vertices[self.model.landmarks[name]] + self._landmark_shifts.get(name, 0.0)

    def tapes(
        self, part: NDArray[np.int32], origin: NDArray, normal: NDArray, first: float, last: float
    ) -> tuple[Profile, list[NDArray[np.float64]]]:
        """Tapes around triangles `part` at planes square to `normal`, from `first` to `last` [m] beyond `origin`.

        Returns the profile of their lengths [m] and the segments (N, 2, 3) of each contour.
        """
        count = max(2, round((last - first) / LEVEL_STEP_M) + 1)
        places = np.linspace(first, last, count)
        starts, segments = self._cut(part, origin, normal, first, float(places[1] - places[0]), count)
        flat = np.ascontiguousarray((segments.reshape(-1, 3) - origin) @ plane_axes(normal).T)
        lengths = np.empty(count)
        measure_tapes(flat, 2 * starts, lengths)
        return Profile(places, lengths), [segments[a:b] for a, b in pairwise(starts)]

    def whole_contours(
        self, parts: tuple[str, ...], origin: NDArray, normal: NDArray, places: NDArray
    ) -> NDArray[np.bool_]:
        """Which planes at `places` (L,) [m] along `normal` cut `parts` in closed contours, not across their rim."""
        ends = ((self.vertices[self.topology.rim_of(parts)] - origin) @ normal).astype(np.float64)
        low, high = ends.min(1), ends.max(1)
        return ~((low < places[:, None]) & (places[:, None] <= high)).any(1)

    def contour(self, part: NDArray[np.int32], origin: NDArray, normal: NDArray) -> NDArray[np.float64]:
        """The contour in which one plane cuts triangles `part`: segments [m], (N, 2, 3)."""
        return self._cut(part, origin, normal, 0.0, 1.0, 1)[1]

    def tape(self, part: NDArray[np.int32], origin: NDArray, normal: NDArray) -> Tape:
        """The tape around the contour of one plane."""
        contour = self.contour(part, origin, normal)
        if not len(contour):
            raise LevelNotFoundError("nothing of the body lies at its level")
        points = contour.reshape(-1, 3)
        hull = convex_hull((points - origin) @ plane_axes(normal).T)
        wrapped = points[hull]
        length = float(np.linalg.norm(wrapped - np.roll(wrapped, -1, 0), axis=1).sum())
        return Tape(length, np.concatenate([wrapped, wrapped[:1]]), contour, np.asarray(origin), np.asarray(normal))

    def _cut(
        self, part: NDArray[np.int32], origin: NDArray, normal: NDArray, first: float, step: float, count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        coordinates = np.empty(len(self.vertices))
        place_along(self.vertices, as_float64(origin), as_float64(normal), coordinates)
        counts = np.empty(count, np.int32)
        count_cuts(coordinates, self.model.faces, part, first, step, counts)
        starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        segments = np.empty((int(starts[-1]), 2, 3))
        cut_triangles(coordinates, self.vertices, self.model.faces, part, first, step, starts, segments)
        return starts, segments


def plane_axes(normal: NDArray) -> NDArray[np.float64]:
    """Two unit vectors that span the plane square to `normal` (3,), shape (2, 3); for UP they are x and y."""
    normal = np.asarray(normal, np.float64) / np.linalg.norm(normal)
    x, y, z = normal
    first = np.array([z, 0.0, -x]) if abs(y) < 0.9 else np.array([0.0, -z, y])
    first /= np.linalg.norm(first)
    a, b, c = first
    return np.array([first, [y * c - z * b, z * a - x * c, x * b - y * a]])


def convex_hull(points: NDArray) -> NDArray[np.int64]:
    """Indices of the convex hull of plane points (N, 2), counter-clockwise."""
    points = np.ascontiguousarray(points, np.float64)
    hull = np.empty(len(points) + 1, np.int64)
    return hull[: wrap_points(points, hull)]


def taut_path(points: NDArray, start: NDArray, end: NDArray, outward: NDArray) -> NDArray[np.float64]:
    """The shortest way from `start` to `end` over `points` (N, 3) that stays on their `outward` side, shape (M, 3).

    What a tape does that is held at two points: it lies on what bulges and spans what is hollow.
    """
    along = end - start
    length = np.linalg.norm(along)
    along = along / length
    outward = outward - (outward @ along) * along
    outward = outward / np.linalg.norm(outward)
    flat = np.stack([(points - start) @ along, (points - start) @ outward], 1)
    between = (flat[:, 0] > 0.0) & (flat[:, 0] < length) & (flat[:, 1] > 0.0)
    # Below the chord nothing is left, so the hull is the chord and the way over it; from `start` along it.
    flat = np.concatenate([[[0.0, 0.0], [length, 0.0]], flat[between]])
    places = np.concatenate([[start, end], points[between]])
    hull = convex_hull(flat)
    return places[np.roll(hull[::-1], 1)]


def path_length(points: NDArray) -> float:
    """Length [m] of the polyline through `points` (N, 3)."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
