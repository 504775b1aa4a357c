"""Who is in view, and who of them is the shopper: the nearer, centred one, kept once chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.ground import point_at
from solver.types import Frame, Intrinsics, Landmarks, read_only

ASIDE_WEIGHT = 1.5
"""A metre beside the middle counts as so many metres further away."""
SAME_PERSON_M = 0.6
"""A person is found within this distance of where they were."""
CLEARLY_M = 0.5
"""By so much nearer or more central must someone else be to become the shopper."""
TOO_NEAR_M = 0.75
"""Two people who stand so near to one another cannot be told apart surely."""
IN_FRONT_M = 0.3
TRUNK_LENGTH_M = 0.50
"""Shoulders to hips of an adult, which tells the distance where there is no depth."""
INSIDE_M = 0.10
"""The body's axis lies about so far behind its surface."""
SHOULDERS_AND_HIPS = (11, 12, 23, 24)
ONE_PERSON_PLEASE = "one person please"


@dataclass(frozen=True, slots=True)
class PersonInView:
    """Someone in the picture."""

    place: NDArray[np.float64]
    """Middle of the hips [m], (3,), frame c; without depth guessed from the size in the picture."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom of the landmarks [px]."""


@dataclass(frozen=True, slots=True)
class Company:
    """Who is before the mirror."""

    shopper: PersonInView | None
    others: tuple[PersonInView, ...]
    crowded: bool
    """Someone is so near to the shopper, or before them, that neither can be seen well: ask for one person."""

    @property
    def message(self) -> str:
        """What to tell people; empty where all is well."""
        return ONE_PERSON_PLEASE if self.crowded else ""


NOBODY = Company(None, (), False)


def person_in_view(landmarks: Landmarks, frame: Frame) -> PersonInView | None:
    """The person with these `landmarks`; None where their trunk is not in the picture."""
    trunk = landmarks.image[list(SHOULDERS_AND_HIPS)].astype(np.float64)
    camera = frame.intrinsics
    hips = trunk[2:].mean(0)
    place = None
    if frame.depth is not None:
        for pixel in (hips, trunk.mean(0), trunk[:2].mean(0)):
            place = point_at(frame.depth, camera, pixel, reach=6)
            if place is not None:
                place = place * (1.0 + INSIDE_M / np.linalg.norm(place))
                break
    if place is None:
        length = max(float(np.linalg.norm(trunk[:2].mean(0) - hips)), 1.0)
        z = camera.fy * TRUNK_LENGTH_M / length
        place = np.array([(hips[0] - camera.cx) / camera.fx * z, (hips[1] - camera.cy) / camera.fy * z, z])
    if not -0.2 * camera.width < hips[0] < 1.2 * camera.width:
        return None
    low, high = landmarks.image.min(0), landmarks.image.max(0)
    return PersonInView(read_only(place), (float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def distance_m(a: PersonInView, b: PersonInView) -> float:
    """Between two people on the floor; the camera's axes are near enough to level for that."""
    return float(np.hypot(*(a.place - b.place)[[0, 2]]))


def remoteness(person: PersonInView) -> float:
    """How far someone is from being the obvious shopper [m]: near and in the middle is little."""
    return float(person.place[2] + ASIDE_WEIGHT * abs(person.place[0]))


def choose_shopper(people: list[PersonInView], last: PersonInView | None, held: bool) -> PersonInView | None:
    """Who of `people` is the shopper. `last` is who it was, as seen last; `held`: nobody takes their place."""
    known = None
    if last is not None:
        near = [person for person in people if distance_m(person, last) < SAME_PERSON_M]
        known = min(near, key=lambda person: distance_m(person, last), default=last)
    if held and known is not None:
        return known
    best = min(people, key=remoteness, default=None)
    if known is None or best is None:
        return best if known is None else known
    return best if remoteness(best) < remoteness(known) - CLEARLY_M else known


def is_crowded(shopper: PersonInView, others: tuple[PersonInView, ...]) -> bool:
    """Whether one of `others` stands too near to the shopper, or between them and the camera."""
    for other in others:
        before = shopper.place[2] - other.place[2] > IN_FRONT_M
        aside = abs(other.place[0] / other.place[2] - shopper.place[0] / shopper.place[2]) * shopper.place[2]
        if distance_m(shopper, other) < TOO_NEAR_M or (before and aside < TOO_NEAR_M):
            return True
    return False


class OthersRegion:
    """Which pixels are other people's: with depth, those nearer to their axis than to the shopper's."""

    REACH_M = 0.65
    """Nothing of a standing person is farther from their axis."""
    GATE_M = 0.45, 0.20
    """A moving person's trunk is looked for within so much around the last axis, and so much behind it."""
    LEAST_POINTS = 30
    STRIDE = 4

    def __init__(self, intrinsics: Intrinsics) -> None:
        """For pictures with `intrinsics`."""
        self._camera = intrinsics
        self._x = ((np.arange(intrinsics.width) - intrinsics.cx) / intrinsics.fx).astype(np.float32)
        self._y = ((np.arange(intrinsics.height) - intrinsics.cy) / intrinsics.fy).astype(np.float32)

    def hidden(self, frame: Frame, shopper: PersonInView, others: tuple[PersonInView, ...]) -> NDArray[np.bool_]:
        """Pixels of `others`, (H, W)."""
        out = np.zeros((self._camera.height, self._camera.width), bool)
        for other in others:
            x, z = (float(other.place[k]) for k in (0, 2))
            edges = [self._camera.fx * (x + side * self.REACH_M) / z + self._camera.cx for side in (-1.0, 1.0)]
            columns = slice(*(int(np.clip(edge, 0, self._camera.width)) for edge in edges))
            if frame.depth is not None:
                depth = frame.depth[:, columns]
                across = self._x[columns] * depth
                near = np.square(across - x) + np.square(depth - z)
                own = np.square(across - shopper.place[0]) + np.square(depth - shopper.place[2])
                out[:, columns] |= (depth > 0.0) & (near < min(self.REACH_M, z) ** 2) & (near < own)
            else:
                _, top, _, bottom = other.box
                margin = 0.15 * (bottom - top)
                rows = slice(max(0, int(top - margin)), max(0, int(bottom + margin)))
                ray = self._x[columns]
                nearer = np.abs(ray - x / z) < np.abs(ray - shopper.place[0] / shopper.place[2])
                out[rows, columns] |= nearer
        return out

    def followed(self, frame: Frame, other: PersonInView, shopper: PersonInView) -> PersonInView | None:
        """`other` where they are now, by the depth of their trunk; as they were without depth, None when gone."""
        if frame.depth is None:
            return other
        s = self.STRIDE
        depth = frame.depth[::s, ::s]
        across, down = self._x[::s] * depth, self._y[::s, None] * depth
        around, behind = self.GATE_M
        x, y, z = other.place
        trunk = (depth > z - around) & (depth < z + behind) & (np.abs(across - x) < around)
        trunk &= (down < y) & (down > y - TRUNK_LENGTH_M)
        trunk &= np.square(across - x) + np.square(depth - z) < np.square(across - shopper.place[0]) + np.square(
            depth - shopper.place[2]
        )
        if np.count_nonzero(trunk) < self.LEAST_POINTS:
            return None
        now = np.array([across[trunk].mean(), y, depth[trunk].mean() + INSIDE_M], np.float64)
        shift = self._camera.fx * (now[0] / now[2] - x / z)
        left, top, right, bottom = other.box
        return PersonInView(read_only(now), (left + shift, top, right + shift, bottom))
