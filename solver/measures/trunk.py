"""Levels of the trunk, each found by its definition, and the tapes around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.measures.figure import NOT_ON_THE_BODY, UP, Figure, LevelNotFoundError, Profile, Tape

ILIAC_CREST_SHARE = 0.33
LOWEST_RIB_SHARE = 0.43
"""Where the bones that bound the waist lie between crotch and seventh neck vertebra. ANSUR II (iliocristale and tenth
rib heights, 6,068 people): men 0.321 and 0.409, women 0.348 and 0.446, each with a spread of 0.025."""
BONE_SPREAD_SHARE = 0.012

BUST_REACH_M = 0.03
BUST_WANDER_M = 0.04
BUST_PRIOR_RADIUS_M = 0.12
"""The bust point may leave its landmark by BUST_WANDER_M. On a chest without a peak the landmark decides: the prior is
as sharp as the peak of a chest whose profile bends with this radius."""
UNDERBUST_SPAN_M = 0.1
UNDERBUST_PRIOR_RADIUS_M = 0.05
HIP_REACH_M = 0.04
LEAST_TRUNK_M = 0.2
CROTCH_REACH_M = 0.04
CREST_CLEARANCE_M = 0.012


@dataclass(frozen=True, slots=True)
class Trunk:
    """Heights of the levels above z = 0 [m] and their tapes."""

    crotch: float
    waist: float
    hip: float
    chest: float
    underbust: float
    tapes: dict[str, Tape]
    """By name of the level."""
    girths: dict[str, float]
    """[m], by name of the level, averaged over BLUR_M up and down."""


def measure_trunk(figure: Figure) -> Trunk:
    """Finds crotch, hip, waist, underbust and chest and wraps a tape around each."""
    topology = figure.topology
    chest_part = topology.faces_of(("trunk",))
    seat_part = topology.faces_of(("trunk", "thigh_l", "thigh_r"))
    crotch = find_crotch(figure)
    neck = figure.landmark("c7")[2]
    if neck - crotch < LEAST_TRUNK_M:
        raise LevelNotFoundError("the trunk is not upright")
    bust_marks = [figure.landmark(f"bust_point_{side}") for side in "lr"]
    bust_mark = float(np.mean([mark[2] for mark in bust_marks]))

    chest_profile, chest_contours = _stack(figure, chest_part, bust_mark - 0.14, bust_mark + 0.09)
    fronts = [_front(chest_profile, chest_contours, mark[0]) for mark in bust_marks]
    chest = float(np.mean([_bust_level(front, mark[2]) for front, mark in zip(fronts, bust_marks, strict=True)]))
    underbust_mark = float(np.mean([figure.landmark(f"underbust_{side}")[2] for side in "lr"]))
    underbust = float(np.mean([_underbust_level(front, chest, underbust_mark) for front in fronts]))

    bounds = [crotch + share * (neck - crotch) for share in _waist_shares()]
    waist_profile, _ = _stack(figure, chest_part, *bounds)
    waist = waist_profile.minimum()

    seat_mark = float(np.mean([figure.landmark(f"buttock_prominence_{side}")[2] for side in "lr"]))
    lowest = crotch + CREST_CLEARANCE_M
    seat_profile, seat_contours = _stack(figure, seat_part, lowest, max(seat_mark + 0.12, lowest + 0.1))
    back = Profile(seat_profile.places, np.array([_reach(contour, 1.0) for contour in seat_contours]))
    prominence = _peak_near(back, seat_mark, 0.04, 0.05, 0.5)
    near = np.abs(seat_profile.places - prominence) <= HIP_REACH_M
    hip = Profile(seat_profile.places[near], seat_profile.values[near]).maximum()

    levels = {"chest": chest, "underbust": underbust, "waist": waist, "hip": hip}
    profiles = {"chest": chest_profile, "underbust": chest_profile, "waist": waist_profile, "hip": seat_profile}
    parts = {"chest": chest_part, "underbust": chest_part, "waist": chest_part, "hip": seat_part}
    tapes = {name: figure.tape(parts[name], np.array([0.0, 0.0, z]), UP) for name, z in levels.items()}
    girths = {name: float(profiles[name].at(z)[0]) for name, z in levels.items()}
    return Trunk(crotch, waist, hip, chest, underbust, tapes, girths)


def find_crotch(figure: Figure) -> float:
    """Height of the lowest point of the trunk between the legs [m]: of the mid-sagittal contour."""
    mark = figure.landmark("crotch")
    # The thighs' own surfaces may touch or overlap here: only the trunk's spans from one to the other.
    points = figure.contour(figure.topology.faces_of(("trunk",)), mark, np.array([1.0, 0.0, 0.0])).reshape(-1, 3)
    near = np.linalg.norm(points - mark, axis=1) < CROTCH_REACH_M
    return float(points[near, 2].min()) if near.any() else float(mark[2])


def extents(tape: Tape) -> tuple[float, float]:
    """Breadth (x) and depth (y) of a horizontal tape [m]."""
    breadth, depth = np.ptp(tape.points[:, :2], axis=0)
    return float(breadth), float(depth)


def _waist_shares() -> tuple[float, float]:
    return ILIAC_CREST_SHARE - BONE_SPREAD_SHARE, LOWEST_RIB_SHARE + BONE_SPREAD_SHARE


def _stack(figure: Figure, part: NDArray, low: float, high: float) -> tuple[Profile, list[NDArray]]:
    return figure.tapes(part, np.zeros(3), UP, low, high)


def _reach(contour: NDArray, sign: float) -> float:
    """How far a contour reaches to the back (sign 1) or the front (-1)."""
    return float((sign * contour[:, :, 1]).max()) if len(contour) else 0.0


def _front(profile: Profile, contours: list[NDArray], x: float) -> Profile:
    """How far the chest reaches forward at each plane, on the side of the bust point at `x`."""
    reaches = []
    for contour in contours:
        own = np.abs(contour[:, :, 0].mean(1) - x) < 0.045
        reaches.append(_reach(contour[own], -1.0))
    return Profile(profile.places, np.array(reaches))


def _bust_level(front: Profile, mark: float) -> float:
    return _peak_near(front, mark, BUST_REACH_M, BUST_WANDER_M, BUST_PRIOR_RADIUS_M)


def _peak_near(profile: Profile, mark: float, reach: float, wander: float, prior_radius: float) -> float:
    """The peak of a profile near `mark`: of the parabola within `reach`, pulled to the mark by a parabola of its own.

    Smooth in the surface, so that noise moves the level little, and where there is no peak the mark decides.
    """
    place = mark
    for _ in range(6):
        offset = profile.places - place
        trust = np.maximum(0.0, 1.0 - np.square(offset / reach))
        near = trust > 0.0
        if near.sum() < 4:
            return mark
        powers = offset[near, None] ** np.arange(3)
        _, slope, half_bend = np.linalg.lstsq(
            powers * np.sqrt(trust[near])[:, None], profile.values[near] * np.sqrt(trust[near]), rcond=None
        )[0]
        bend = max(-2.0 * half_bend, 0.0)
        prior = 1.0 / prior_radius
        place = float(np.clip((slope + bend * place + prior * mark) / (bend + prior), mark - wander, mark + wander))
    return place


def _underbust_level(front: Profile, chest: float, mark: float) -> float:
    """Below the bust the front falls back to the ribs: the foot of that fall, farthest behind the chord over it."""
    span = (front.places > chest - UNDERBUST_SPAN_M) & (front.places < chest)
    if not span.any():
        raise LevelNotFoundError(NOT_ON_THE_BODY)
    places, values = front.places[span], front.values[span]
    chord = np.interp(places, places[[0, -1]], values[[0, -1]])
    return _peak_near(Profile(places, chord - values), mark, 0.025, 0.02, UNDERBUST_PRIOR_RADIUS_M)


def front_and_back(tape: Tape, x: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a horizontal tape crosses the sagittal plane at `x`, in front and at the back [m], (3,) each."""
    a, b = tape.points[:-1], tape.points[1:]
    across = (a[:, 0] >= x) != (b[:, 0] >= x)
    if not across.any():
        raise LevelNotFoundError("the trunk's middle was not found")
    a, b = a[across], b[across]
    t = ((x - a[:, 0]) / (b[:, 0] - a[:, 0]))[:, None]
    crossings = (1.0 - t) * a + t * b
    return crossings[np.argmin(crossings[:, 1])], crossings[np.argmax(crossings[:, 1])]
