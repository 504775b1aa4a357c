"""Girths of neck, arms and legs, square to their axes, and heights of their levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.measures.figure import UP, Figure, LevelNotFoundError, Profile, Tape

LEAST_SPAN_M = 0.01
LEAST_PLANES = 3
THIGH_BELOW_CROTCH_M = 0.03
BELOW_LARYNX_M = (-0.015, 0.025)
"""Along the neck's axis from the larynx: just below it, with the slack that a landmark of the model needs."""
ARMPIT_CLEARANCE_M = 0.025
"""A plane square to the arm through the armpit still cuts shoulder; this far beyond it cuts arm alone."""


def neck_tape(figure: Figure) -> tuple[float, Tape]:
    """Girth [m] and tape just below the larynx, square to the neck's axis."""
    axis, _ = _axis(figure.joint("neck_01"), figure.joint("head"))
    return _extreme(figure, ("neck", "head"), figure.landmark("larynx"), axis, *BELOW_LARYNX_M, largest=False)


def arm_tapes(figure: Figure, side: str, _crotch: float) -> dict[str, tuple[float, Tape]]:
    """Girth [m] and tape of one side's upper_arm, elbow and wrist."""
    shoulder, elbow, wrist = (figure.joint(f"{name}_{side}") for name in ("upperarm", "lowerarm", "hand"))
    upper = (f"upper_arm_{side}", f"lower_arm_{side}")
    lower = (f"lower_arm_{side}", f"hand_{side}")
    upper_axis, upper_length = _axis(shoulder, elbow)
    lower_axis, lower_length = _axis(elbow, wrist)
    armpit = _end_of_cut(figure, f"upper_arm_{side}", shoulder, upper_axis) + ARMPIT_CLEARANCE_M
    return {
        "upper_arm": _extreme(figure, upper, shoulder, upper_axis, armpit, 0.85 * upper_length, largest=True),
        "elbow": _girth(figure, figure.topology.faces_of(upper), elbow, _unit(upper_axis + lower_axis)),
        "wrist": _extreme(figure, lower, elbow, lower_axis, 0.6 * lower_length, lower_length, largest=False),
    }


def leg_tapes(figure: Figure, side: str, crotch: float) -> dict[str, tuple[float, Tape]]:
    """Girth [m] and tape of one side's thigh, knee, calf and ankle."""
    topology = figure.topology
    hip, knee, ankle = (figure.joint(f"{name}_{side}") for name in ("thigh", "calf", "foot"))
    thigh = topology.faces_of(("trunk", f"thigh_{side}", f"calf_{side}"))
    sign = 1.0 if side == "l" else -1.0
    middle = figure.landmark("crotch")[0]
    own = sign * (figure.vertices[figure.model.faces[thigh], 0].mean(1) - middle) > 0.0
    leg = topology.faces_of((f"thigh_{side}", f"calf_{side}"))
    shank = (f"calf_{side}", f"foot_{side}")
    axis, _ = _axis(hip, ankle)
    shank_axis, length = _axis(knee, ankle)
    malleolus = float((figure.landmark(f"ankle_lateral_{side}") - knee) @ shank_axis)
    level = np.array([0.0, 0.0, crotch - THIGH_BELOW_CROTCH_M])
    return {
        "thigh": _girth(figure, thigh[own], level, UP),
        "knee": _girth(figure, leg, figure.landmark(f"kneecap_{side}"), axis),
        "calf": _extreme(figure, shank, knee, shank_axis, 0.12 * length, 0.7 * length, largest=True),
        "ankle": _extreme(figure, shank, knee, shank_axis, 0.6 * length, malleolus, largest=False),
    }


def _axis(start: NDArray, end: NDArray) -> tuple[NDArray[np.float64], float]:
    length = float(np.linalg.norm(end - start))
    return (end - start) / length, length


def _unit(vector: NDArray) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def _end_of_cut(figure: Figure, part: str, origin: NDArray, axis: NDArray) -> float:
    """How far along `axis` the rim reaches where the trunk was cut from `part`: beyond it contours are whole."""
    rim = figure.topology.border_of(part, "trunk")
    return float(((figure.vertices[rim] - origin) @ axis).max())


def _girth(figure: Figure, part: NDArray, origin: NDArray, normal: NDArray) -> tuple[float, Tape]:
    """Girth at a plane, averaged over BLUR_M to both sides."""
    profile, _ = figure.tapes(part, origin, normal, -0.016, 0.016)
    return float(profile.at(0.0)[0]), figure.tape(part, origin, normal)


def _extreme(
    figure: Figure, parts: tuple[str, ...], origin: NDArray, axis: NDArray, first: float, last: float, largest: bool
) -> tuple[float, Tape]:
    """Largest or smallest girth between two places along an axis, where the contour is whole."""
    if last - first < 2 * LEAST_SPAN_M:
        raise LevelNotFoundError("the limb's ends were not found")
    part = figure.topology.faces_of(parts)
    profile, _ = figure.tapes(part, origin, axis, first, last)
    whole = _longest_run(figure.whole_contours(parts, origin, axis, profile.places) & (profile.values > 0.0))
    if whole.stop - whole.start < LEAST_PLANES:
        raise LevelNotFoundError("no whole contour was found between its ends")
    profile = Profile(profile.places[whole], profile.values[whole])
    place = profile.maximum() if largest else profile.minimum()
    return float(profile.at(place)[0]), figure.tape(part, origin + place * axis, axis)


def _longest_run(flags: NDArray) -> slice:
    """The longest run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    if not len(edges):
        return slice(0, 0)
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return slice(int(starts[longest]), int(stops[longest]))
