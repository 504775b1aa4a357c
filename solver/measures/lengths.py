"""Lengths over the surface: what a tape does that is held at two points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.measures.figure import UP, Figure, Tape, convex_hull, taut_path
from solver.measures.trunk import front_and_back

FORWARD = np.array([0.0, -1.0, 0.0])
BACK_STEP_M = 0.01
MIDLINE = ("crotch", "navel", "waist_back")
SIDEWAYS = np.array([1.0, 0.0, 0.0])


def over_shoulder(figure: Figure, side: str) -> NDArray[np.float64]:
    """Way of the tape from neck point to acromion [m], (M, 3)."""
    start, end = figure.landmark(f"neck_point_{side}"), figure.landmark(f"acromion_{side}")
    return _over(figure, ("trunk", "neck", f"upper_arm_{side}"), start, end, UP)


def along_arm(figure: Figure, side: str) -> NDArray[np.float64]:
    """Way from acromion over the elbow to the ulnar styloid [m], (M, 3)."""
    acromion, elbow, styloid = (figure.landmark(f"{name}_{side}") for name in ("acromion", "elbow", "wrist_ulnar"))
    upper = ("trunk", f"upper_arm_{side}", f"lower_arm_{side}")
    lower = (f"upper_arm_{side}", f"lower_arm_{side}", f"hand_{side}")
    shoulder, hinge, wrist = (figure.joint(f"{name}_{side}") for name in ("upperarm", "lowerarm", "hand"))
    first = _over(figure, upper, acromion, elbow, 0.5 * (acromion + elbow - shoulder - hinge))
    second = _over(figure, lower, elbow, styloid, 0.5 * (elbow + styloid - hinge - wrist))
    return np.concatenate([first, second[1:]])


def down_back(figure: Figure, waist: Tape) -> NDArray[np.float64]:
    """Way from the seventh neck vertebra along the back to the waist [m], (M, 3); it follows the spine's hollow."""
    start = figure.landmark("c7")
    end = front_and_back(waist, start[0])[1]
    contour = figure.contour(figure.topology.faces_of(("trunk", "neck")), start, SIDEWAYS)
    levels = np.arange(start[2] - BACK_STEP_M, end[2] + 0.5 * BACK_STEP_M, -BACK_STEP_M)
    back = [start]
    for z in levels:
        across = (contour[:, 0, 2] >= z) != (contour[:, 1, 2] >= z)
        if across.any():
            points = _crossings(contour[across], 2, z)
            back.append(points[np.argmax(points[:, 1])])
    return np.concatenate([back, [end]])


def over_bust(figure: Figure, side: str, waist: Tape, chest: float) -> NDArray[np.float64]:
    """Way from the neck point over the bust point and straight down to the waist [m], (M, 3)."""
    start, bust = figure.landmark(f"neck_point_{side}"), figure.landmark(f"bust_point_{side}")
    bust = _surface_in_front(figure, bust[0], chest, bust)
    end = front_and_back(waist, bust[0])[0]
    first = _over(figure, ("trunk", "neck"), start, bust, FORWARD + 0.5 * UP)
    second = _over(figure, ("trunk",), bust, end, FORWARD)
    return np.concatenate([first, second[1:]])


def through_crotch(figure: Figure, waist: Tape) -> NDArray[np.float64]:
    """Way from the front waist through the crotch to the back waist [m], (M, 3): pulled tight."""
    mark = np.mean([figure.landmark(name) for name in MIDLINE], axis=0)
    front, back = front_and_back(waist, mark[0])
    points = _sagittal(figure, ("trunk",), mark)
    points = np.concatenate([[front, back], points[points[:, 2] < front[2]]])
    hull = points[convex_hull(points[:, 1:])]
    # Counter-clockwise in (y, z): from the front waist down, through, and up the back.
    first = int(np.argmin(np.linalg.norm(hull - front, axis=1)))
    return np.roll(hull, -first, axis=0)


def _over(
    figure: Figure, parts: tuple[str, ...], start: NDArray, end: NDArray, outward: NDArray
) -> NDArray[np.float64]:
    normal = np.cross(end - start, outward)
    normal /= np.linalg.norm(normal)
    points = figure.contour(figure.topology.faces_of(parts), start, normal).reshape(-1, 3)
    return taut_path(points, start, end, outward)


def _sagittal(figure: Figure, parts: tuple[str, ...], place: NDArray) -> NDArray[np.float64]:
    return figure.contour(figure.topology.faces_of(parts), place, SIDEWAYS).reshape(-1, 3)


def _surface_in_front(figure: Figure, x: float, z: float, otherwise: NDArray) -> NDArray[np.float64]:
    """The foremost point of the trunk at x and height z."""
    contour = figure.contour(figure.topology.faces_of(("trunk",)), np.array([0.0, 0.0, z]), UP)
    across = (contour[:, 0, 0] >= x) != (contour[:, 1, 0] >= x)
    if not across.any():
        return otherwise
    points = _crossings(contour[across], 0, x)
    return points[np.argmin(points[:, 1])]


def _crossings(segments: NDArray, axis: int, value: float) -> NDArray[np.float64]:
    """Points of `segments` (N, 2, 3) at which coordinate `axis` is `value`, (N, 3)."""
    a, b = segments[:, 0], segments[:, 1]
    t = ((value - a[:, axis]) / (b[:, axis] - a[:, axis]))[:, None]
    return (1.0 - t) * a + t * b
