"""The part of a body that cloth touches: triangles in two groups, how they hang together, where they move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from solver.body import BodyModel
from solver.kernels.advance_cloth import BodyMotion
from solver.kernels.contact import BodySurface
from solver.normals import NormalField

TRUNK, ARMS = 0, 1
ARM_PARTS = ("upper_arm", "lower_arm", "hand")
UNTOUCHED_PARTS = ("head", "foot")
BUMP_REACH_M = 0.012
LIFT_MAX_M = 0.008


class ContactBody:
    """Buffers of the touchable body. Groups: 0 trunk with neck and legs, 1 arms."""

    def __init__(self, faces: NDArray[np.int32], face_groups: NDArray, vertices: NDArray[np.float32]) -> None:
        """faces (G, 3) of the whole body, face_groups (G,) 0, 1 or -1 where left out, vertices (V, 3) [m]."""
        kept = np.flatnonzero(face_groups >= 0)
        self.vertex_ids, local = np.unique(faces[kept], return_inverse=True)
        local, groups = local.reshape(-1, 3), face_groups[kept]
        members = [np.flatnonzero(_with_rim(local, groups == group)) for group in (TRUNK, ARMS)]
        self.faces = np.ascontiguousarray(local[np.concatenate(members)], np.int32)
        """Triangles of both groups, those where the groups meet twice, shape (G, 3)."""
        self.face_groups = np.repeat(np.array([TRUNK, ARMS], np.int32), [len(m) for m in members])
        self.trunk = np.unique(self.faces[self.face_groups == TRUNK])
        """Touchable vertices of the trunk's group."""
        self._normals = NormalField(local.astype(np.int32), len(self.vertex_ids))
        shape = (len(self.vertex_ids), 3)
        buffers = [np.zeros(shape, np.float32) for _ in range(7)]
        lifts = np.zeros(shape[0], np.float32)
        self.surface = BodySurface(self.faces, _neighbors(self.faces, self.face_groups), *buffers[:3], lifts=lifts)
        self.motion = BodyMotion(*buffers[3:])
        self.place(vertices)
        self.surface.lifts[:] = self._lifts()

    @classmethod
    def of_model(cls, model: BodyModel, vertices: NDArray[np.float32]) -> ContactBody:
        """The touchable part of a body of `model` with `vertices` (V, 3) [m]."""
        arm = np.array([name.startswith(ARM_PARTS) for name in model.part_names])
        untouched = np.array([name.startswith(UNTOUCHED_PARTS) for name in model.part_names])
        labels = model.part_labels[model.faces]
        groups = (arm[labels].sum(axis=1) >= 2).astype(np.int32)
        groups[untouched[labels].sum(axis=1) >= 2] = -1
        return cls(model.faces, groups, vertices)

    def place(self, vertices: NDArray[np.float32]) -> None:
        """Put the body at `vertices` (V, 3) [m] of the whole body, at rest."""
        self.move(vertices)
        self.hold()
        self.surface.vertices[:] = self.motion.end
        self.surface.steps[:] = 0.0
        self.surface.normals[:] = self.motion.end_normals

    def move(self, vertices: NDArray[np.float32]) -> None:
        """The next frame takes the body from where it is to `vertices` (V, 3) [m] of the whole body."""
        motion = self.motion
        np.take(vertices, self.vertex_ids, axis=0, out=motion.end)
        self._normals(motion.end, out=motion.end_normals)

    def hold(self) -> None:
        """The frame is over: until the next `move` the body stays where it is."""
        self.motion.start[:] = self.motion.end
        self.motion.start_normals[:] = self.motion.end_normals

    def copy_motion(self, other: ContactBody) -> None:
        """Is where `other`, the same body, is, and moves as it does."""
        for mine, theirs in zip((*self.surface[2:5], *self.motion), (*other.surface[2:5], *other.motion), strict=True):
            mine[:] = theirs

    def _lifts(self) -> NDArray[np.float64]:
        """How far what stands out within a cloth triangle's reach of each vertex rises above it [m], shape (B,).

        Only particles touch the body. Held off by this much they carry the triangles between them over small bumps.
        """
        points, normals = self.motion.end.astype(np.float64), self.motion.end_normals.astype(np.float64)
        group = np.full(len(points), ARMS)
        group[self.trunk] = TRUNK
        pairs = KDTree(points).query_pairs(BUMP_REACH_M, output_type="ndarray")
        pairs = np.concatenate([pairs, pairs[:, ::-1]])
        here, there = pairs.T
        alike = (group[here] == group[there]) & ((normals[here] * normals[there]).sum(axis=1) > 0.2)
        here, there = here[alike], there[alike]
        lifts = np.zeros(len(points))
        np.maximum.at(lifts, here, ((points[there] - points[here]) * normals[here]).sum(axis=1))
        return np.minimum(lifts, LIFT_MAX_M)

    @property
    def vertices(self) -> NDArray[np.float32]:
        """Where the touchable vertices are at the end of the frame [m], shape (B, 3)."""
        return self.motion.end

    def nearest_triangles(self, points: NDArray, group: int) -> NDArray[np.int32]:
        """The triangle of `group` that is nearest to each of `points` (n, 3) [m]."""
        candidates = np.flatnonzero(self.face_groups == group)
        if not len(candidates):
            return np.full(len(points), -1, np.int32)
        corners = self.motion.end[self.faces[candidates]].astype(np.float64)
        tree = KDTree(corners.mean(axis=1))
        count = min(12, len(candidates))
        near = tree.query(points, k=count)[1].reshape(len(points), count)
        distance = point_triangle_distance(np.asarray(points, np.float64)[:, None], corners[near])
        return candidates[near[np.arange(len(points)), distance.argmin(axis=1)]].astype(np.int32)


def _with_rim(faces: NDArray, chosen: NDArray) -> NDArray[np.bool_]:
    """`chosen` faces and those that share a vertex with them."""
    if not chosen.any():
        return chosen
    near = np.zeros(faces.max() + 1, bool)
    near[faces[chosen]] = True
    return np.any(near[faces], axis=1)


def point_triangle_distance(points: NDArray, triangles: NDArray) -> NDArray[np.float64]:
    """Distance of points (..., 3) from triangles (..., 3, 3), broadcast against each other."""
    a, b, c = triangles[..., 0, :], triangles[..., 1, :], triangles[..., 2, :]
    e, f, d = b - a, c - a, points - a
    ee, ef, ff = (e * e).sum(-1), (e * f).sum(-1), (f * f).sum(-1)
    de, df = (d * e).sum(-1), (d * f).sum(-1)
    determinant = np.maximum(ee * ff - ef * ef, 1e-30)
    v, w = (ff * de - ef * df) / determinant, (ee * df - ef * de) / determinant
    inside = (v >= 0) & (w >= 0) & (v + w <= 1)
    plane = np.linalg.norm(d - v[..., None] * e - w[..., None] * f, axis=-1)
    sides = [_point_segment_distance(points, p, q) for p, q in ((a, b), (b, c), (c, a))]
    return np.where(inside, plane, np.minimum(np.minimum(sides[0], sides[1]), sides[2]))


def _point_segment_distance(points: NDArray, start: NDArray, end: NDArray) -> NDArray[np.float64]:
    way = end - start
    t = np.clip(((points - start) * way).sum(-1) / np.maximum((way * way).sum(-1), 1e-30), 0.0, 1.0)
    return np.linalg.norm(points - start - t[..., None] * way, axis=-1)


def _neighbors(faces: NDArray, groups: NDArray) -> NDArray[np.int32]:
    """The triangle across the edge opposite each corner, within the same group, else -1. Shape (G, 3)."""
    start, end = faces[:, [1, 2, 0]].ravel(), faces[:, [2, 0, 1]].ravel()
    key = np.minimum(start, end).astype(np.int64) * (faces.max() + 1) + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    one, two = order[same], order[same + 1]
    neighbors = np.full(faces.size, -1, np.int32)
    joined = groups[one // 3] == groups[two // 3]
    neighbors[one[joined]] = two[joined] // 3
    neighbors[two[joined]] = one[joined] // 3
    return neighbors.reshape(-1, 3)
