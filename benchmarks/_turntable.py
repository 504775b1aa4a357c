"""Things of known shape on a turntable before a simulated D455 at 2 m: the noisy frames, their poses, the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from capture.simulated.camera import D455, Mount
from capture.simulated.person import draw_person
from capture.simulated.sensor import DepthSensor
from capture.simulated.surface_fields import SurfaceSmoother
from game.assets import load_body_model
from solver.body import canonical_pose, joint_transforms, skin
from solver.rasterizer import Rasterizer
from solver.surface import outside_vertices, vertex_normals
from solver.types import DepthNoise, Intrinsics, Mesh

DISTANCE_M = 2.0
WALL_M = 3.4
CHIRP_AMPLITUDE_M = 0.003
CHIRP_RADIUS_M = 0.15
CHIRP_SPAN_M = (-0.6, 0.6)
CHIRP_WAVELENGTHS_M = (0.16, 0.02)
"""Of the relief at its lower and its upper end."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a thing, as a camera that does not move delivers it."""

    truth: Mesh
    """Frame w, the turntable's: z up, the axis at the origin."""
    seen: NDArray[np.bool_]
    """The triangles that some frame saw at less than 75 degrees from the front, shape (F,)."""
    intrinsics: Intrinsics
    noise: DepthNoise
    depths: list[NDArray[np.float32]]
    poses: list[NDArray[np.float64]]
    """Camera to the thing, (4, 4) each."""


def turn(truth: Mesh, frame_count: int, seed: int, serial: str | None = "0") -> Turn:
    """`truth` seen by a portrait D455 with its noise (`seed`) and its lasting errors (`serial`, None: it has none)."""
    mount = Mount(0.0, 0.0, 0.0, True)
    intrinsics = mount.intrinsics(D455)
    rasterizer = Rasterizer(intrinsics)
    sensor = DepthSensor(D455, True, serial or "", seed)
    if serial is None:
        sensor.without_lasting_errors()
    normals = vertex_normals(truth.vertices, truth.faces)
    middle = 0.5 * (truth.vertices[:, 2].min() + truth.vertices[:, 2].max())
    seen = np.zeros(len(truth.faces), bool)
    columns, rows = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    rays = np.stack(
        [(columns - intrinsics.cx) / intrinsics.fx, (rows - intrinsics.cy) / intrinsics.fy, np.ones(columns.shape)], 2
    )
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    depths, poses = [], []
    for n in range(frame_count):
        angle = 2.0 * np.pi * n / frame_count
        T_wc = turned(angle) @ shifted(0.0, -DISTANCE_M, middle) @ mount.T_wc()
        T_cw = np.linalg.inv(T_wc)
        vertices = (truth.vertices @ T_cw[:3, :3].T + T_cw[:3, 3]).astype(np.float32)
        raster = rasterizer.render(vertices, truth.faces)
        toward = rasterizer.interpolate((normals @ T_cw[:3, :3].T).astype(np.float32))
        hit = raster.triangle >= 0
        cosine = np.where(hit, -(toward * rays).sum(2), 1.0)
        seen[raster.triangle[hit & (cosine > np.cos(np.deg2rad(75.0)))]] = True
        clean = np.where(hit, raster.depth, np.float32(WALL_M))
        surface = np.stack([cosine, np.full(cosine.shape, 0.4)], 2).astype(np.float32)
        depths.append(sensor.measure(clean, surface, n))
        poses.append(T_wc)
    return Turn(truth, seen, intrinsics, D455.noise, depths, poses)


def turned(angle: float) -> NDArray[np.float64]:
    """A turn about the upright axis, (4, 4)."""
    T = np.eye(4)
    T[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return T


def shifted(x: float, y: float, z: float) -> NDArray[np.float64]:
    """A shift, (4, 4)."""
    T = np.eye(4)
    T[:3, 3] = x, y, z
    return T


def body(seed: int) -> Mesh:
    """A simulated shopper who stands still as a statue, arms away."""
    model = load_body_model()
    rest = draw_person(model, seed, SurfaceSmoother(model.faces, model.vertex_count)).rest
    vertices = skin(model, rest.vertices, joint_transforms(model, rest.joints, canonical_pose(model, rest.joints)))
    outer = outside_vertices(model.template, model.faces)
    faces = np.ascontiguousarray(model.faces[outer[model.faces].all(1)])
    return Mesh(vertices.astype(np.float32), faces)


def pillar(radius_m: float, low_m: float = -0.5, high_m: float = 0.5) -> Mesh:
    """An upright cylinder, its polygon of the true girth's area within 0.02 mm."""
    return _revolved(np.arange(low_m, high_m + 1e-9, 0.01), lambda z: np.full(len(z), radius_m))


def chirp(amplitude_m: float = CHIRP_AMPLITUDE_M) -> Mesh:
    """A pillar with rings whose wavelength falls from bottom to top."""
    heights = np.arange(CHIRP_SPAN_M[0], CHIRP_SPAN_M[1] + 1e-9, 0.001)
    return _revolved(heights, lambda z: CHIRP_RADIUS_M + amplitude_m * np.sin(chirp_phase(z)))


def chirp_wavelength(z: NDArray) -> NDArray:
    """Wavelength [m] of the relief at a height."""
    low, high = CHIRP_SPAN_M
    first, last = CHIRP_WAVELENGTHS_M
    return first * (last / first) ** ((z - low) / (high - low))


def chirp_phase(z: NDArray) -> NDArray:
    """Phase [rad] of the relief at a height: the integral of 2 pi over the wavelength."""
    low, high = CHIRP_SPAN_M
    first, last = CHIRP_WAVELENGTHS_M
    rate = np.log(first / last) / (high - low)
    return 2.0 * np.pi / (first * rate) * (np.exp(rate * (z - low)) - 1.0)


def _revolved(heights: NDArray, radius, segments: int = 240) -> Mesh:
    around = 2.0 * np.pi * np.arange(segments) / segments
    # Corners a little outside, so that the polygon is as large as the circle.
    r = radius(heights) * np.sqrt((2.0 * np.pi / segments) / np.sin(2.0 * np.pi / segments))
    ring = np.stack([np.cos(around), np.sin(around)], 1)
    side = np.concatenate([r[:, None, None] * ring, np.broadcast_to(heights[:, None, None], (len(r), segments, 1))], 2)
    vertices = np.concatenate([side.reshape(-1, 3), [[0.0, 0.0, heights[0]], [0.0, 0.0, heights[-1]]]])
    k, s = np.meshgrid(np.arange(len(r) - 1) * segments, np.arange(segments), indexing="ij")
    a, b = k + s, k + (s + 1) % segments
    quads = np.stack([a, b, b + segments, a, b + segments, a + segments], 2).reshape(-1, 3)
    s, following = np.arange(segments), (np.arange(segments) + 1) % segments
    last, bottom = (len(r) - 1) * segments, len(vertices) - 2
    caps = [np.stack([np.full(segments, bottom), following, s], 1)]
    caps += [np.stack([np.full(segments, bottom + 1), last + s, last + following], 1)]
    return Mesh(vertices.astype(np.float32), np.concatenate([quads, *caps]).astype(np.int32))


def sample_surface(mesh: Mesh, count: int, rng: np.random.Generator, faces: NDArray[np.bool_] | None = None):
    """Points evenly over the surface [m] (N, 3), their unit normals (N, 3) and triangles (N,)."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(cross, axis=1)
    share = double if faces is None else double * faces
    chosen = np.searchsorted(np.cumsum(share), rng.random(count) * share.sum())
    chosen = np.minimum(chosen, len(mesh.faces) - 1)
    u, v = rng.random((2, count))
    flip = u + v > 1.0
    u, v = np.where(flip, 1.0 - u, u), np.where(flip, 1.0 - v, v)
    a, b, c = corners[chosen].transpose(1, 0, 2)
    points = a + u[:, None] * (b - a) + v[:, None] * (c - a)
    return points, cross[chosen] / np.maximum(double[chosen, None], 1e-30), chosen


class Judge:
    """What a reconstruction of one turn is worth."""

    OUTLIER_M = 0.015
    COMPLETE_M = 0.006

    def __init__(self, turn: Turn, seed: int = 0) -> None:
        self._rng = np.random.default_rng(seed)
        points, self._normals, chosen = sample_surface(turn.truth, 400_000, self._rng)
        self._tree = cKDTree(points)
        self._points = points
        self._seen = turn.seen[chosen]
        self._wanted = np.flatnonzero(self._seen)[:60_000]

    def errors(self, points: NDArray) -> tuple[NDArray, NDArray]:
        """Signed distance of `points` (N, 3) from the truth's surface [m], positive outside, and whether its nearest
        place was seen."""
        distance, nearest = self._tree.query(points, workers=2)
        offset = ((points - self._points[nearest]) * self._normals[nearest]).sum(1)
        # Where the nearest sample is far to the side, or the normal does not say it, the plain distance counts.
        plain = distance > np.abs(offset) + 0.003
        return np.where(plain, np.where(offset < 0.0, -distance, distance), offset), self._seen[nearest]

    def __call__(self, mesh: Mesh) -> dict[str, float]:
        """RMS, bias [mm] of what is no outlier, shares of outliers and of the seen surface that is there [%]."""
        if not len(mesh.faces):
            return {"rmse mm": np.nan, "bias mm": np.nan, "outliers %": np.nan, "complete %": 0.0}
        points, _, _ = sample_surface(mesh, 150_000, np.random.default_rng(1))
        error, _ = self.errors(points)
        inlier = np.abs(error) < self.OUTLIER_M
        near, _ = cKDTree(points).query(self._points[self._wanted], workers=2)
        # Sampling leaves gaps of 2 mm.
        return {
            "rmse mm": 1e3 * float(np.sqrt(np.mean(error[inlier] ** 2))),
            "bias mm": 1e3 * float(error[inlier].mean()),
            "outliers %": 100.0 * float(1.0 - inlier.mean()),
            "complete %": 100.0 * float((near < self.COMPLETE_M).mean()),
        }
