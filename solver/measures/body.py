"""All measures of one body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.body import BodyModel
from solver.errors import InputError
from solver.kernels.surface_moments import sum_surface
from solver.measures.definitions import DEFINITIONS
from solver.measures.figure import Figure, LevelNotFoundError, Topology, path_length
from solver.measures.lengths import along_arm, down_back, over_bust, over_shoulder, through_crotch
from solver.measures.limbs import arm_tapes, leg_tapes, neck_tape
from solver.measures.trunk import Trunk, extents, measure_trunk
from solver.measures.uncertainty import SurfaceError, disturb
from solver.team import Team

SAMPLE_COUNT = 16
LARGEST_DEVIATION = 0.2
"""Of a measure's value, from which it is no measure."""
LEAST_COVERAGE = 0.25
STOOD_REACH_M = 0.03


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measure of one body."""

    key: str
    value_mm: float
    """[mm]; litres for `volume_l`, square metres for `surface_m2`."""
    std_mm: float
    """Standard error, same unit."""
    class_: str
    iso: str
    level_mm: float | None
    """Height of the tape's level above the floor; None where there is none."""
    paths: tuple[NDArray[np.float64], ...]
    """Where the tape lay, for drawing: polylines [m], shape (M, 3) each, one for each side of the body."""

    @property
    def points(self) -> NDArray[np.float64]:
        """All of `paths` in one array [m], shape (M, 3)."""
        return np.concatenate(self.paths) if self.paths else np.empty((0, 3))


class Measurements(Mapping[str, Measurement]):
    """Measures by key, in the order of CLI.md, and why others are missing."""

    def __init__(self, values: dict[str, Measurement], missing: dict[str, str]):
        self._values = values
        self.missing = missing
        """Reason by key."""

    def __getitem__(self, key: str) -> Measurement:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def merged(self, other: Measurements, keys: set[str]) -> Measurements:
        """These, with those of `keys` taken from `other`."""
        values = {key: (other if key in keys else self).get(key) for key in DEFINITIONS}
        found = {key: value for key, value in values.items() if value is not None}
        return Measurements(found, {key: reason for key, reason in self.missing.items() if key not in found})


class _Reading(NamedTuple):
    value: float
    """[m], m^2 or m^3."""
    paths: tuple[NDArray, ...] = ()
    level: float | None = None


@dataclass
class _Readings:
    values: dict[str, _Reading] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


_topologies: dict[int, Topology] = {}


def topology_of(model: BodyModel) -> Topology:
    """What all bodies of `model` share; built once."""
    known = _topologies.get(id(model))
    if known is None or known.model is not model:
        _topologies.clear()
        known = _topologies[id(model)] = Topology(model)
    return known


def measure_body(
    model: BodyModel,
    vertices: NDArray,
    joints: NDArray | None = None,
    coverage: NDArray | None = None,
    standing: NDArray | None = None,
    floor_m: float | None = None,
    error: SurfaceError | None = None,
    sample_count: int = SAMPLE_COUNT,
    seed: int = 0,
) -> Measurements:
    """Measures a body by geometry.

    vertices: (V, 3) [m], z up, facing -y, upright, best in the canonical A-pose: what girths, lengths and breadths
    come from.
    joints: (J, 3) [m] in the same pose; without them they are estimated from the surface.
    coverage: (V,) 0..1, the share of the surface about each vertex that was seen; parts hardly seen are left out.
    standing: (V, 3) [m], z up: the same body as it stood; heights come from it (default: from `vertices`).
    floor_m: height of the floor in the frame heights come from (default: the lowest vertex).
    error: how the surface may be wrong; each `std_mm` is the spread of `sample_count` bodies disturbed so.
    Raises `InputError` where the arrays do not fit the model.
    """
    vertices = np.asarray(vertices, np.float64)
    for name, array in (("vertices", vertices), ("standing", standing)):
        if array is not None and (np.shape(array) != (model.vertex_count, 3) or not np.isfinite(array).all()):
            raise InputError(f"{name}: {model.vertex_count} finite points of the body model are needed")
    topology = topology_of(model)
    joints = estimate_joints(model, vertices) if joints is None else np.asarray(joints, np.float64)
    error = error or SurfaceError()
    stood = vertices if standing is None else np.asarray(standing, np.float64)
    floor = float(stood[topology.skin, 2].min()) if floor_m is None else floor_m
    lift = stood[:, 2] - floor - vertices[:, 2]

    readings = _read(Figure(topology, vertices, joints), lift)
    unseen = _unseen(topology, coverage, floor_m is not None)
    rng = np.random.default_rng(seed)
    # Drawn in order, so that the numbers are the same however many read.
    figures = [disturb(topology, vertices, joints, coverage, error, rng) for _ in range(sample_count)]
    samples: list[dict[str, _Reading]] = [{} for _ in figures]

    def read(n: int, _: int) -> None:
        samples[n] = _read(figures[n], lift).values

    with Team() as team:
        team.each(read, len(figures))
    values = {}
    missing = {}
    for key, definition in DEFINITIONS.items():
        if key not in readings.values:
            missing[key] = readings.missing.get(key, "its level was not found")
        elif key in unseen:
            missing[key] = unseen[key]
        else:
            reading = readings.values[key]
            spread = [sample[key].value for sample in samples if key in sample]
            unit = {"mm": 1e3, "l": 1e3, "m2": 1.0}[definition.unit]
            deviation = _spread(np.array(spread), reading.value)
            if deviation > LARGEST_DEVIATION * reading.value:
                missing[key] = f"too little was seen to tell it: it may be off by {deviation / reading.value:.0%}"
                continue
            values[key] = Measurement(
                key,
                unit * reading.value,
                unit * deviation,
                definition.class_,
                definition.iso,
                None if reading.level is None else 1e3 * reading.level,
                reading.paths,
            )
    return Measurements(values, missing)


def estimate_joints(model: BodyModel, vertices: NDArray) -> NDArray[np.float64]:
    """Joints (J, 3) [m] of a surface in model topology, whatever its pose and shape.

    Each joint goes where a similarity transform of the vertices about it takes the model's own (Umeyama 1991).
    """
    template = model.template.astype(np.float64)
    joints = np.empty((model.joint_count, 3))
    for j, place in enumerate(model.joint_template.astype(np.float64)):
        influence = np.where(model.skin_joints == j, model.skin_weights, 0.0).sum(1)
        parent = model.joint_parents[j]
        if parent >= 0:
            influence = influence * np.where(model.skin_joints == parent, model.skin_weights, 0.0).sum(1)
        if np.count_nonzero(influence > 0.01) < 6:
            influence = np.exp(-np.square(np.linalg.norm(template - place, axis=1) / 0.05))
        near = influence > 0.01
        weights = influence[near] / influence[near].sum()
        joints[j] = _carry(template[near], np.asarray(vertices, np.float64)[near], weights, place)
    return joints


def _carry(source: NDArray, target: NDArray, weights: NDArray, point: NDArray) -> NDArray[np.float64]:
    middle, goal = weights @ source, weights @ target
    a, b = source - middle, target - goal
    u, values, vt = np.linalg.svd((b * weights[:, None]).T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    scale = (values * signs).sum() / (weights @ np.square(a).sum(1))
    return goal + scale * (u * signs) @ vt @ (point - middle)


def _spread(samples: NDArray, value: float) -> float:
    """Root mean square of the samples' distance from the value: bias counts too."""
    return float(np.sqrt(np.mean(np.square(samples - value)))) if len(samples) else 0.0


def _unseen(topology: Topology, coverage: NDArray | None, floor_known: bool) -> dict[str, str]:
    """Measures whose parts of the body were hardly seen, with the reason.

    Feet, which a camera hardly sees, are needed only where they must tell where the floor is.
    """
    if coverage is None:
        return {}
    model = topology.model
    seen = {
        name: float(np.mean(np.asarray(coverage)[topology.skin & (model.part_labels == n)]))
        for n, name in enumerate(model.part_names)
    }
    unseen = {}
    for key, parts in NEEDS.items():
        blind = [part for part in parts if seen.get(part, 1.0) < LEAST_COVERAGE and not (floor_known and part in _FEET)]
        if blind:
            unseen[key] = f"too little was seen of: {', '.join(blind).replace('_', ' ')}"
    return unseen


_ARMS = ("upper_arm_l", "upper_arm_r", "lower_arm_l", "lower_arm_r")
_LEGS = ("thigh_l", "thigh_r", "calf_l", "calf_r")
_FEET = ("foot_l", "foot_r")
NEEDS: dict[str, tuple[str, ...]] = {
    "height": ("head", *_FEET),
    **{f"{level}_{kind}": ("trunk",) for level in ("chest", "waist", "hip") for kind in ("girth", "depth", "breadth")},
    "underbust_girth": ("trunk",),
    "neck_girth": ("neck",),
    "thigh_girth": ("thigh_l", "thigh_r"),
    "knee_girth": ("thigh_l", "thigh_r", "calf_l", "calf_r"),
    "calf_girth": ("calf_l", "calf_r"),
    "ankle_girth": ("calf_l", "calf_r"),
    "upper_arm_girth": ("upper_arm_l", "upper_arm_r"),
    "elbow_girth": _ARMS,
    "wrist_girth": ("lower_arm_l", "lower_arm_r"),
    **{f"{level}_height": ("trunk", *_LEGS, *_FEET) for level in ("crotch", "waist", "hip", "chest", "knee", "neck")},
    "shoulder_width": ("trunk",),
    "shoulder_length": ("trunk", "neck"),
    "arm_length": _ARMS,
    "back_length": ("trunk", "neck"),
    "front_length": ("trunk", "neck"),
    "crotch_length": ("trunk",),
    "volume_l": ("trunk", *_ARMS, *_LEGS, "head"),
    "surface_m2": ("trunk", *_ARMS, *_LEGS, "head"),
}
"""Parts of the body that each measure stands on."""


def _read(figure: Figure, lift: NDArray) -> _Readings:
    """All measures of a figure [m]. `lift` (V,) [m] takes heights of its vertices to heights above the floor."""
    readings = _Readings()
    try:
        trunk = measure_trunk(figure)
    except LevelNotFoundError as error:
        readings.missing = dict.fromkeys(DEFINITIONS, str(error))
        return readings
    stood = _Stood(figure, lift)
    _read_trunk(figure, trunk, stood, readings)
    _read_limbs(figure, trunk, stood, readings)
    _read_lengths(figure, trunk, readings)
    volume, area = sum_surface(figure.vertices, figure.model.faces, figure.topology.skin_faces)
    readings.values["volume_l"] = _Reading(volume)
    readings.values["surface_m2"] = _Reading(area)
    for key, reading in list(readings.values.items()):
        if not np.isfinite(reading.value) or reading.value <= 0.0:
            del readings.values[key]
    return readings


class _Stood:
    """Heights above the floor of levels of the figure, as the body stood."""

    def __init__(self, figure: Figure, lift: NDArray):
        skin = figure.topology.skin
        labels = figure.model.part_labels
        self._heights = figure.vertices[:, 2]
        self._lift = lift
        self._trunk = np.flatnonzero(skin & (labels == figure.model.part("trunk")))
        self.crown = float((self._heights + lift)[skin].max())

    def level(self, z: float) -> float:
        """Of a level of the trunk."""
        offset = (self._heights[self._trunk] - z) / STOOD_REACH_M
        weights = np.exp(-0.5 * np.square(offset))
        return z + float(weights @ self._lift[self._trunk] / weights.sum())

    def point(self, vertex: int, z: float) -> float:
        """Of a point near `vertex` at height z of the figure."""
        return z + float(self._lift[vertex])


def _read_trunk(figure: Figure, trunk: Trunk, stood: _Stood, readings: _Readings) -> None:
    values = readings.values
    values["height"] = _Reading(stood.crown, (), stood.crown)
    heights = {"chest": trunk.chest, "waist": trunk.waist, "hip": trunk.hip, "underbust": trunk.underbust}
    for name, z in heights.items():
        tape, level = trunk.tapes[name], stood.level(z)
        values[f"{name}_girth"] = _Reading(trunk.girths[name], (tape.points,), level)
        if name != "underbust":
            breadth, depth = extents(tape)
            values[f"{name}_breadth"] = _Reading(breadth, (tape.points,), level)
            values[f"{name}_depth"] = _Reading(depth, (tape.points,), level)
            values[f"{name}_height"] = _Reading(level, (), level)
    crotch = stood.point(figure.model.landmarks["crotch"], trunk.crotch)
    values["crotch_height"] = _Reading(crotch, (), crotch)
    neck = stood.point(figure.model.landmarks["c7"], figure.landmark("c7")[2])
    values["neck_height"] = _Reading(neck, (), neck)


def _read_limbs(figure: Figure, trunk: Trunk, stood: _Stood, readings: _Readings) -> None:
    for names, find in LIMBS.items():
        try:
            sides = [find(figure, side, trunk.crotch) for side in "lr"]
        except LevelNotFoundError as error:
            readings.missing |= {f"{name}_girth": str(error) for name in names}
            continue
        for name in names:
            girth = float(np.mean([side[name][0] for side in sides]))
            readings.values[f"{name}_girth"] = _Reading(girth, tuple(side[name][1].points for side in sides))
    try:
        girth, tape = neck_tape(figure)
        readings.values["neck_girth"] = _Reading(girth, (tape.points,))
    except LevelNotFoundError as error:
        readings.missing["neck_girth"] = str(error)
    marks = [f"kneecap_{side}" for side in "lr"]
    knees = [stood.point(figure.model.landmarks[mark], figure.landmark(mark)[2]) for mark in marks]
    readings.values["knee_height"] = _Reading(float(np.mean(knees)), (), float(np.mean(knees)))


LIMBS = {("upper_arm", "elbow", "wrist"): arm_tapes, ("thigh", "knee", "calf", "ankle"): leg_tapes}


def _read_lengths(figure: Figure, trunk: Trunk, readings: _Readings) -> None:
    waist = trunk.tapes["waist"]
    ways: dict[str, Callable[[], tuple[NDArray, ...]]] = {
        "shoulder_width": lambda: (np.stack([figure.landmark("acromion_l"), figure.landmark("acromion_r")]),),
        "shoulder_length": lambda: tuple(over_shoulder(figure, side) for side in "lr"),
        "arm_length": lambda: tuple(along_arm(figure, side) for side in "lr"),
        "back_length": lambda: (down_back(figure, waist),),
        "front_length": lambda: tuple(over_bust(figure, side, waist, trunk.chest) for side in "lr"),
        "crotch_length": lambda: (through_crotch(figure, waist),),
    }
    for key, find in ways.items():
        try:
            paths = find()
        except LevelNotFoundError as error:
            readings.missing[key] = str(error)
        else:
            readings.values[key] = _Reading(float(np.mean([path_length(path) for path in paths])), paths)
