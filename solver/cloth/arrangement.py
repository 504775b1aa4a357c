"""Where the panels of a garment start in space: wrapped round the body in the canonical A-pose, seams meeting.

Front and back go round the convex hull of the trunk and over the ridge of the shoulders, sleeves round the arms as
tubes, the neck rib stands on the neckline. Seam particles take the mean of their panels' places and a smoothing solve
spreads the rest of the mismatch; stretch is allowed (the drape contracts it), lying inside the body is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import splu
from scipy.spatial import ConvexHull

from solver.body import BodyModel
from solver.cloth.sewing import SewnMesh
from solver.pattern.triangulate import PanelMesh, PatternMesh

CLEARANCE = 0.02
SLICE_STEP = 0.015
ANGLES = 96
SMOOTHING_REACH_M = 0.02
"""How far the smoothing spreads a mismatch."""


@dataclass(frozen=True)
class ArmAxis:
    """An arm as a straight tube."""

    shoulder: NDArray[np.float64]
    direction: NDArray[np.float64]
    along: NDArray[np.float64]
    radii: NDArray[np.float64]

    def radius(self, s: NDArray) -> NDArray[np.float64]:
        """Radius that holds the arm [m] at distances `s` [m] from the shoulder along the axis."""
        return np.interp(s, self.along, self.radii)


class BodyFigure:
    """What arrangement needs to know of a body in the canonical A-pose."""

    def __init__(self, model: BodyModel, vertices: NDArray) -> None:
        vertices = np.asarray(vertices, np.float64)
        names = np.array(model.part_names)[model.part_labels]
        self.trunk = vertices[names == "trunk"]
        self.arms = {side: _arm_axis(model, vertices, names, side) for side in "lr"}
        self._slice_trunk(vertices[np.isin(names, ["trunk", "thigh_l", "thigh_r"])])
        self._find_ridge()

    def _slice_trunk(self, points: NDArray) -> None:
        """Support radii of the trunk's convex hulls in slabs, about an axis that follows the trunk."""
        low = np.percentile(points[:, 2], 5)
        self.levels = np.arange(low, self.trunk[:, 2].max(), SLICE_STEP)
        self.angles = np.linspace(-np.pi, np.pi, ANGLES + 1)
        directions = np.stack([np.sin(self.angles), -np.cos(self.angles)], axis=1)
        centres, radii = [], []
        for level in self.levels:
            slab = points[np.abs(points[:, 2] - level) < 0.03][:, :2]
            if len(slab) < 8:
                centres.append(centres[-1])
                radii.append(radii[-1])
                continue
            centre = (slab.min(axis=0) + slab.max(axis=0)) / 2.0
            planes = ConvexHull(slab - centre).equations
            # Along direction d the hull ends where the first of its half-planes n.p <= h does.
            reach = directions @ planes[:, :2].T
            with np.errstate(divide="ignore"):
                radii.append(np.where(reach > 1e-9, -planes[:, 2] / reach, np.inf).min(axis=1))
            centres.append(centre)
        self.centres, self.radii = np.array(centres), np.array(radii)

    def _find_ridge(self) -> None:
        """Height and y of the shoulders' upper ridge against x, symmetric to either side."""
        x, y, z = self.trunk.T
        columns = np.linspace(0.0, np.abs(x).max(), 24)
        top, ridge = [], []
        for column in columns:
            near = np.abs(np.abs(x) - column) < 0.02
            highest = z[near].max()
            at_top = near & (z > highest - 0.012)
            top.append(highest)
            ridge.append(y[at_top].mean())
        self._ridge = columns, np.array(top), np.array(ridge)

    def ridge(self, x: NDArray) -> NDArray[np.float64]:
        """Height and y [m] of the shoulder ridge at `x`, shape (2, n)."""
        columns, top, ridge = self._ridge
        return np.stack([np.interp(np.abs(x), columns, top), np.interp(np.abs(x), columns, ridge)])

    def around(self, angle: NDArray, z: NDArray) -> NDArray[np.float64]:
        """Points [m], shape (n, 2), on the trunk's hull at `angle` (0 in front, positive to the wearer's left)."""
        level = np.clip((z - self.levels[0]) / SLICE_STEP, 0, len(self.levels) - 1.001)
        i, t = level.astype(int), (level % 1.0)[:, None]
        column = (angle + np.pi) / (2.0 * np.pi) * ANGLES
        j = np.clip(column.astype(int), 0, ANGLES - 1)
        s = (column - j)[:, None]
        radii = self.radii[..., None]
        low = radii[i, j] * (1 - s) + radii[i, j + 1] * s
        high = radii[i + 1, j] * (1 - s) + radii[i + 1, j + 1] * s
        radius = low * (1 - t) + high * t + CLEARANCE
        centre = self.centres[i] * (1 - t) + self.centres[i + 1] * t
        return centre + radius * np.stack([np.sin(angle), -np.cos(angle)], axis=1)


def arrange(pattern_mesh: PatternMesh, mesh: SewnMesh, model: BodyModel, vertices: NDArray) -> NDArray[np.float64]:
    """Start positions [m], shape (P, 3), frame b, round the body `vertices` (V, 3) of `model` in the canonical pose."""
    figure = BodyFigure(model, vertices)
    targets = np.zeros((len(mesh.uv), 3))
    known = np.zeros(len(mesh.uv), bool)
    lift = _shoulder_level(pattern_mesh, figure)
    for panel in pattern_mesh.panels:
        ids = mesh.panel_vertices(panel.panel.name)
        if panel.panel.place in ("trunk_front", "trunk_back"):
            targets[ids] = _wrap_trunk(panel, figure, lift)
            known[ids] = True
    for panel in pattern_mesh.panels:
        ids = mesh.panel_vertices(panel.panel.name)
        if panel.panel.place in ("arm_l", "arm_r"):
            armhole = _seam_with_trunk(mesh, ids, known)
            targets[ids] = _wrap_arm(panel, figure.arms[panel.panel.place[-1]], targets[armhole], mesh.uv[ids])
    joined = _particle_means(mesh, targets, np.isin(mesh.panels, _panels_at(pattern_mesh, ("neck",)), invert=True))
    for panel in pattern_mesh.panels:
        if panel.panel.place == "neck":
            ids = mesh.panel_vertices(panel.panel.name)
            targets[ids] = _stand_on(panel, ids, mesh, joined)
    return _smoothed(mesh, _particle_means(mesh, targets, np.ones(len(mesh.uv), bool)))


def _panels_at(pattern_mesh: PatternMesh, places: tuple[str, ...]) -> list[int]:
    return [i for i, panel in enumerate(pattern_mesh.panels) if panel.panel.place in places]


def _particle_means(mesh: SewnMesh, targets: NDArray, used: NDArray) -> NDArray[np.float64]:
    """Mean place of each particle's `used` vertices; NaN where it has none."""
    ids = mesh.particles[used]
    count = np.bincount(ids, minlength=mesh.particle_count)[:, None].astype(float)
    total = np.stack([np.bincount(ids, targets[used, k], mesh.particle_count) for k in range(3)], axis=1)
    with np.errstate(invalid="ignore"):
        return total / count


def _shoulder_level(pattern_mesh: PatternMesh, figure: BodyFigure) -> float:
    """Height [m] of the panels' y = 0, such that the shoulder seams lie just above the shoulders."""
    highest = -np.inf
    for i in _panels_at(pattern_mesh, ("trunk_front", "trunk_back")):
        panel = pattern_mesh.panels[i].panel
        for edge in panel.edges:
            if edge.name.startswith("shoulder"):
                x, y = edge.points.T
                highest = max(highest, float((figure.ridge(x)[0] - y).max()))
    return highest + 0.01


def _outline_spans(panel: PanelMesh, y: NDArray) -> tuple[NDArray[np.float64], float]:
    """Half width of the panel at heights `y`, and the height of the underarm points."""
    side = panel.panel.edge("side_l").points
    level = float(side[:, 1].max())
    order = np.argsort(side[:, 1])
    return np.interp(y, side[order, 1], np.abs(side[order, 0])), level


def _wrap_trunk(panel: PanelMesh, figure: BodyFigure, lift: float) -> NDArray[np.float64]:
    """Below the underarm round the hull, side seams at the sides; above it over the ridge of the shoulders."""
    x, y = panel.points.T
    back = panel.panel.place == "trunk_back"
    body_x = -x if back else x
    half_width, level = _outline_spans(panel, y)
    angle = np.clip(body_x / half_width, -1.0, 1.0) * np.pi / 2.0
    z = lift + np.minimum(y, level)
    ring = figure.around(np.pi * np.sign(angle + 1e-12) - angle if back else angle, z)
    points = np.column_stack([ring, z])
    above = y > level
    shoulder = panel.panel.edge("shoulder_l").points
    order = np.argsort(shoulder[:, 0])
    top_y = np.interp(np.abs(x[above]), shoulder[order, 0], shoulder[order, 1])
    share = np.clip((y[above] - level) / (top_y - level), 0.0, 1.0)
    ridge_z, ridge_y = figure.ridge(points[above, 0])
    points[above, 1] = ridge_y + (points[above, 1] - ridge_y) * np.sqrt(1.0 - 0.98 * share**2)
    points[above, 2] += share * (ridge_z + CLEARANCE - points[above, 2])
    return points


def _seam_with_trunk(mesh: SewnMesh, ids: NDArray, known: NDArray) -> NDArray:
    """Trunk vertices that the panel with vertices `ids` is sewn to."""
    return np.flatnonzero(known & np.isin(mesh.particles, mesh.particles[ids]))


def _wrap_arm(panel: PanelMesh, arm: ArmAxis, armhole: NDArray, uv: NDArray) -> NDArray[np.float64]:
    """A tube round the arm, its underarm seam below; the cap's top at the highest point of the armhole."""
    x, y = panel.points.T
    top = panel.points[:, 1].max()
    axis = arm.direction
    start = (armhole[armhole[:, 2].argmax()] - arm.shoulder) @ axis
    hem = panel.panel.edge("hem")
    low, high = panel.points[np.abs(y) < 1e-9][:, 0], hem.points[:, 0]
    t = np.clip(y / hem.points[0, 1], 0.0, 1.0)
    left = low.min() + t * (high.min() - low.min())
    right = low.max() + t * (high.max() - low.max())
    along = start + top - y
    radius = np.maximum((right - left) / (2.0 * np.pi), arm.radius(along) + CLEARANCE / 2.0)
    # Panel x = 0 is on top of the arm, both underarm edges meet below it.
    turn = np.where(x < 0.0, -x / left, x / right) * np.pi
    outward = np.array([0.0, 0.0, 1.0]) - axis[2] * axis
    outward /= np.linalg.norm(outward)
    # Seen from outside the front (-y) lies at -x on the left sleeve and at +x on the right one.
    sideways = np.cross(outward, axis)
    sideways *= np.sign(sideways[1]) * (1.0 if panel.panel.place == "arm_l" else -1.0)
    return (
        arm.shoulder
        + along[:, None] * axis
        + radius[:, None] * (np.cos(turn)[:, None] * outward + np.sin(turn)[:, None] * sideways)
    )


def _stand_on(panel: PanelMesh, ids: NDArray, mesh: SewnMesh, joined: NDArray) -> NDArray[np.float64]:
    """A band that stands on the seam along its lower edge, leaning inwards."""
    seam = ids[panel.edge_points["seam"]]
    x = panel.points[panel.edge_points["seam"], 0]
    order = np.argsort(x)
    places = joined[mesh.particles[seam]][order]
    base = np.stack([np.interp(panel.points[:, 0], x[order], places[:, k]) for k in range(3)], axis=1)
    inward = places.mean(axis=0) - base
    inward[:, 2] = 0.0
    inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9)
    return base + panel.points[:, 1:] * (np.array([0.0, 0.0, 0.9]) + 0.4 * inward)


def _smoothed(mesh: SewnMesh, places: NDArray) -> NDArray[np.float64]:
    """Minimise sum |x - places|^2 + r^2 |grad x|^2 over the sheet (one screened Poisson solve)."""
    triangles = mesh.triangles
    start, end = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    ones = np.ones(len(start))
    adjacency = coo_array((ones, (start, end)), shape=(mesh.particle_count,) * 2).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(float)
    degree = adjacency.sum(axis=1)
    length = np.median(np.linalg.norm(np.diff(mesh.uv[mesh.faces[:, :2]], axis=1), axis=2))
    weight = (SMOOTHING_REACH_M / length) ** 2 / 3.0
    system = diags_array(1.0 + weight * degree) - weight * adjacency
    return splu(system.tocsc()).solve(np.nan_to_num(places))


def _arm_axis(model: BodyModel, vertices: NDArray, names: NDArray, side: str) -> ArmAxis:
    upper, lower = names == f"upper_arm_{side}", names == f"lower_arm_{side}"
    rims = []
    for a, b in ((names == "trunk", upper), (lower, names == f"hand_{side}")):
        across = a[model.faces].any(axis=1) & b[model.faces].any(axis=1)
        rims.append(vertices[np.unique(model.faces[across])].mean(axis=0))
    shoulder, wrist = rims
    direction = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
    points = vertices[upper | lower] - shoulder
    s = points @ direction
    distance = np.linalg.norm(points - s[:, None] * direction, axis=1)
    along = np.linspace(0.0, float(s.max()), 16)
    radii = [distance[np.abs(s - a) < 0.03].max() if (np.abs(s - a) < 0.03).any() else distance.mean() for a in along]
    return ArmAxis(shoulder, direction, along, np.array(radii))
