"""Measures of ANSUR II on the mesh in its rest pose, differentiable in the blend shape coefficients.

Every measure is made of points that are fixed combinations of vertices or joints: heights, distances, extents and tape
lengths round loops (sections of the mean body by a plane, carried along by the mesh). Tapes round the trunk bridge
hollows, so they run along the convex hull. Definitions: Gordon et al., 2012 Anthropometric Survey of U.S. Army
Personnel: Methods and Summary Statistics, NATICK/TR-15/007 (2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from tools.body.landmarks import Figure

TISSUE_DENSITY = 985.0
"""Of a whole living body with half-filled lungs [kg/m^3]."""


@dataclass(frozen=True)
class Point:
    """A fixed combination of vertices (or one joint)."""

    vertices: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Measure:
    """How one measure is taken: `kind` over rows of the stacked points."""

    name: str
    kind: str
    rows: tuple[int, ...]
    tolerance: float
    """How closely a body should meet its drawn value, one standard deviation [m] or [kg]."""


class MeasureTape:
    """Takes all measures of many bodies at once.

    targets (B, V, 3), joint_targets (B, J, 3) and their bases are those of the source; points are evaluated from
    coefficients (N, B) without building whole bodies.
    """

    def __init__(self, figure: Figure, landmarks: dict[str, int]):
        self._figure = figure
        self._landmarks = landmarks
        self._joint_index = {name: len(figure.vertices) + j for j, name in enumerate(figure.joints)}
        self._points: list[Point] = []
        self.measures: list[Measure] = []
        self._floor = self._add([self._vertex(v) for v in floor_vertices(figure)])
        self._hips = self._add([self._joint(name) for name in ("thigh_l", "calf_l", "foot_l")])
        self._define()

    @property
    def names(self) -> list[str]:
        """Column names of ANSUR II, in the order of `take`."""
        return [measure.name for measure in self.measures]

    @property
    def tolerances(self) -> NDArray:
        """Shape (M,)."""
        return np.array([measure.tolerance for measure in self.measures])

    def restrict(self, template: NDArray, joints: NDArray, targets: NDArray, joint_targets: NDArray):
        """Base positions (P, 3) and blend shapes (B, P, 3) of the stacked points, float32 tensors."""
        ids = np.array([list(p.vertices) + [p.vertices[0]] * (3 - len(p.vertices)) for p in self._points])
        weights = np.array([list(p.weights) + [0.0] * (3 - len(p.weights)) for p in self._points])
        base = np.concatenate([template, joints])[ids]
        moved = np.concatenate([targets, joint_targets], axis=1)
        shapes = np.zeros((len(targets), len(ids), 3))
        for corner in range(3):
            shapes += weights[:, corner, None] * moved[:, ids[:, corner]]
        return (
            torch.tensor((weights[:, :, None] * base).sum(1), dtype=torch.float32),
            torch.tensor(shapes, dtype=torch.float32),
        )

    def take(self, points: torch.Tensor) -> list[torch.Tensor]:
        """Measures [m] of points (N, P, 3), each of shape (N,). Weight is not among them: it needs whole bodies."""
        floor = points[:, list(self._floor), 2].mean(1)
        hip, knee, ankle = (points[:, row] for row in self._hips)
        thigh, calf = (hip - knee).norm(dim=1), (knee - ankle).norm(dim=1)
        # At rest the legs are astride: standing straight lifts what lies above by what the legs lose.
        lift_calf = calf - (knee - ankle)[:, 2]
        lift_leg = thigh - (hip - knee)[:, 2] + lift_calf
        columns = []
        for measure in self.measures:
            own = points[:, list(measure.rows)]
            if measure.kind == "height":
                value = own[:, 0, 2] - floor + lift_leg
            elif measure.kind == "shin height":
                value = own[:, 0, 2] - floor + lift_calf
            elif measure.kind == "ankle height":
                value = own[:, 0, 2] - floor
            elif measure.kind == "path":
                value = (own[:, 1:] - own[:, :-1]).norm(dim=2).sum(1)
            elif measure.kind == "drop":
                value = own[:, 0, 2] - own[:, 1, 2]
            elif measure.kind == "breadth":
                value = own[:, :, 0].amax(1) - own[:, :, 0].amin(1)
            elif measure.kind == "depth":
                value = own[:, :, 1].amax(1) - own[:, :, 1].amin(1)
            elif measure.kind == "loop":
                value = (own - own.roll(1, 1)).norm(dim=2).sum(1)
            else:
                value = _hull_length(own[:, :, :2])
            columns.append(value)
        return columns

    def foot_pitch(self, points: torch.Tensor) -> torch.Tensor:
        """How much higher the left heel stands than the ball of the foot [m], shape (N,)."""
        heel, ball = np.split(np.array(self._floor), 4)[:2]
        return points[:, heel, 2].mean(1) - points[:, ball, 2].mean(1)

    def _vertex(self, vertex: int) -> Point:
        return Point((int(vertex),), (1.0,))

    def _joint(self, name: str) -> Point:
        return Point((self._joint_index[name],), (1.0,))

    def _at(self, landmark: str) -> Point:
        return self._vertex(self._landmarks[landmark])

    def _add(self, points: list[Point]) -> tuple[int, ...]:
        first = len(self._points)
        self._points.extend(points)
        return tuple(range(first, len(self._points)))

    def _measure(self, name: str, kind: str, points: list[Point], tolerance: float) -> None:
        self.measures.append(Measure(name, kind, self._add(points), tolerance))

    def _loop(self, parts: tuple[str, ...], origin: NDArray, normal: NDArray) -> list[Point]:
        return section(self._figure, np.isin(self._figure.dominant, parts), origin, normal)

    def _define(self) -> None:
        at, figure = self._at, self._figure
        v = figure.vertices
        upright = np.array([0.0, 0.0, 1.0])
        for name, landmark, tolerance in (
            ("stature", "crown", 0.002),
            ("cervicaleheight", "c7", 0.008),
            ("suprasternaleheight", "suprasternal", 0.008),
            ("chestheight", "bust_point_l", 0.010),
            ("waistheightomphalion", "navel", 0.010),
            ("iliocristaleheight", "iliac_crest_l", 0.015),
            ("trochanterionheight", "trochanter_l", 0.015),
            ("crotchheight", "crotch", 0.005),
        ):
            self._measure(name, "height", [at(landmark)], tolerance)
        self._measure("kneeheightmidpatella", "shin height", [at("kneecap_l")], 0.006)
        self._measure("lateralmalleolusheight", "ankle height", [at("ankle_lateral_l")], 0.005)

        trunk = ("pelvis", "spine_01", "spine_02", "spine_03")
        chest = self._loop((*trunk, "clavicle_l", "clavicle_r"), v[self._landmarks["bust_point_l"]], upright)
        waist = self._loop(trunk, v[self._landmarks["navel"]], upright)
        seat = self._loop((*trunk, "thigh_l", "thigh_r"), v[self._landmarks["buttock_prominence_l"]], upright)
        for part, loop in (("chest", chest), ("waist", waist), ("buttock", seat)):
            self._measure(f"{part}circumference", "tape", loop, 0.005)
            self._measure(f"{part}depth", "depth", loop, 0.015)
        self._measure("waistbreadth", "breadth", waist, 0.012)

        joints = figure.joints
        hip, knee, ankle = joints["thigh_l"], joints["calf_l"], joints["foot_l"]
        thigh_top = v[self._landmarks["crotch"]] + (knee - hip) * 0.03 + np.array([0.08, 0.0, 0.0])
        for name, parts, start, stop, share, tolerance in (
            ("lowerthighcircumference", ("thigh_l", "calf_l"), hip, knee, 0.88, 0.006),
            ("calfcircumference", ("calf_l",), knee, ankle, 0.30, 0.005),
            ("anklecircumference", ("calf_l", "foot_l"), knee, ankle, 0.86, 0.004),
        ):
            self._measure(name, "loop", self._loop(parts, start + share * (stop - start), stop - start), tolerance)
        self._measure("thighcircumference", "loop", self._loop(("thigh_l", "pelvis"), thigh_top, knee - hip), 0.006)
        shoulder, elbow, wrist = (joints[f"{name}_l"] for name in ("upperarm", "lowerarm", "hand"))
        arm = self._loop(("upperarm_l", "lowerarm_l"), shoulder + 0.55 * (elbow - shoulder), elbow - shoulder)
        self._measure("bicepscircumferenceflexed", "loop", arm, 0.006)
        fore = self._loop(("lowerarm_l",), elbow + 0.22 * (wrist - elbow), wrist - elbow)
        self._measure("forearmcircumferenceflexed", "loop", fore, 0.006)
        self._measure(
            "wristcircumference",
            "loop",
            self._loop(("lowerarm_l", "hand_l"), wrist - 0.06 * (wrist - elbow), wrist - elbow),
            0.003,
        )
        neck = 0.5 * (v[self._landmarks["larynx"]] + v[self._landmarks["c7"]]) + (0.0, 0.0, 0.004)
        self._measure(
            "neckcircumference",
            "loop",
            self._loop(("neck_01", "head", "spine_03"), neck, np.array([0.0, -0.25, 1.0])),
            0.005,
        )

        self._measure("biacromialbreadth", "path", [at("acromion_l"), at("acromion_r")], 0.006)
        self._measure("acromionradialelength", "path", [at("acromion_l"), self._joint("lowerarm_l")], 0.006)
        self._measure("radialestylionlength", "path", [self._joint("lowerarm_l"), at("wrist_radial_l")], 0.006)
        palm = Point((self._landmarks["wrist_radial_l"], self._landmarks["wrist_ulnar_l"]), (0.5, 0.5))
        self._measure("handlength", "path", [palm, at("middle_knuckle_l"), at("middle_tip_l")], 0.005)

        self._measure("footlength", "path", [at("heel_l"), at("toe_l")], 0.004)
        self._measure("footbreadthhorizontal", "breadth", [at("ball_medial_l"), at("ball_lateral_l")], 0.004)

        head_level = v[self._landmarks["glabella"]] + (0.0, 0.0, 0.006)
        brow = self._loop(("head",), head_level, np.array([0.0, 0.12, 1.0]))
        self._measure("headcircumference", "tape", brow, 0.006)
        self._measure("headbreadth", "breadth", brow, 0.003)
        self._measure("headlength", "path", [at("glabella"), at("occiput")], 0.004)
        self._measure("tragiontopofhead", "drop", [at("crown"), at("ear_l")], 0.006)
        self._measure("interpupillarybreadth", "path", [at("eye_l"), at("eye_r")], 0.002)


def floor_vertices(figure: Figure) -> NDArray[np.int64]:
    """The vertices that carry the body: the lowest of heel and ball, left, then right; their mean is the floor."""
    v = figure.vertices
    carrying = []
    for side, sign in (("l", 1.0), ("r", -1.0)):
        ball = figure.joints[f"ball_{side}"]
        foot = (sign * v[:, 0] > 0) & (v[:, 2] < figure.joints[f"foot_{side}"][2])
        for half in (foot & (v[:, 1] > ball[1] + 0.06), foot & (np.abs(v[:, 1] - ball[1]) < 0.05)):
            candidates = np.flatnonzero(half)
            carrying.append(candidates[np.argsort(v[candidates, 2])[:8]])
    return np.concatenate(carrying)


def section(figure: Figure, where: NDArray, origin: NDArray, normal: NDArray) -> list[Point]:
    """Points where a plane cuts the edges of the outer skin between vertices in `where`, in order round it."""
    normal = normal / np.linalg.norm(normal)
    height = (figure.vertices - origin) @ normal
    inside = where & (figure.component == 0) & ~figure.masks["mouth_inside"]
    edges = np.concatenate([figure.faces[:, [0, 1]], figure.faces[:, [1, 2]], figure.faces[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    a, b = edges.T
    crossing = inside[a] & inside[b] & ((height[a] < 0.0) != (height[b] < 0.0))
    a, b = a[crossing], b[crossing]
    share = height[a] / (height[a] - height[b])
    points = figure.vertices[a] + share[:, None] * (figure.vertices[b] - figure.vertices[a])
    middle = points.mean(0)
    across = np.linalg.svd(points - middle, full_matrices=False)[2]
    order = np.argsort(np.arctan2((points - middle) @ across[1], (points - middle) @ across[0]))
    return [Point((int(a[i]), int(b[i])), (1.0 - float(share[i]), float(share[i]))) for i in order]


def _hull_length(loops: torch.Tensor) -> torch.Tensor:
    """Perimeter of the convex hull of each row of points (N, L, 2), shape (N,)."""
    hulls = [ConvexHull(flat).vertices for flat in loops.detach().numpy()]
    longest = max(len(hull) for hull in hulls)
    # The last corner fills up the row: sides of no length add nothing, and have no slope.
    rows = np.stack([np.pad(hull, (0, longest - len(hull)), mode="edge") for hull in hulls]).astype(np.int64)
    corners = torch.gather(loops, 1, torch.as_tensor(rows)[..., None].expand(-1, -1, 2))
    return ((corners - corners.roll(1, 1)).square().sum(2) + 1e-16).sqrt().sum(1)


def volumes(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Enclosed volume [m^3] of bodies (N, V, 3), shape (N,)."""
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    return (a * torch.linalg.cross(b, c)).sum((1, 2)) / 6.0
