"""Where a person goes and where the feet stand: feet leave the floor, swing and land; between they do not move."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from capture.simulated.limbs import FootPlace
from capture.simulated.surface_fields import smoothstep

SWING_SHARE = 0.82
"""Share of a step's duration that the stepping foot is in the air; for the rest both feet are on the floor."""
LEAST_SWING_S = 0.25
LEAST_STANCE_S = 0.05
LEAST_REST_S = 0.6
LEAN_AHEAD_S = 0.15
"""The body begins to lean over the other foot this long before one leaves the floor."""


class Place(NamedTuple):
    """Where a person stands: position [m], heading [rad], frame w, and how far each ankle is from the middle [m]."""

    x: float
    y: float
    yaw: float
    width: float


@dataclass(frozen=True, slots=True)
class Walk:
    """A change of place between two times, by steps of a given duration."""

    begin: float
    end: float
    start: Place
    goal: Place
    step_s: float
    turn_from: float = 0.0
    """Share of the time after which the heading begins to change."""
    lift_m: float = 0.06
    roll_rad: float = 0.0
    """How far the heel rises before the foot leaves the floor."""
    ramp_s: float = 0.5

    def at(self, t: float) -> Place:
        """The place at a time."""
        moved = _ramped(t - self.begin, self.end - self.begin, self.ramp_s)
        turned = _ramped(
            t - self.begin - self.turn_from * (self.end - self.begin),
            (1.0 - self.turn_from) * (self.end - self.begin),
            self.ramp_s,
        )
        a, b = self.start, self.goal
        return Place(
            a.x + moved * (b.x - a.x),
            a.y + moved * (b.y - a.y),
            a.yaw + turned * (b.yaw - a.yaw),
            a.width + moved * (b.width - a.width),
        )


def _ramped(t: float, duration: float, ramp: float) -> float:
    """0 to 1 at constant speed but for the ends, where the speed rises and falls over `ramp` seconds. C1."""
    ramp = min(ramp, 0.5 * duration)
    speed = 1.0 / (duration - ramp)
    t = min(max(t, 0.0), duration)

    def climb(u: float) -> float:
        # Integral of (1 - cos(pi u / ramp)) / 2.
        return 0.5 * (u - ramp / np.pi * np.sin(np.pi * u / ramp))

    if t < ramp:
        return speed * climb(t)
    if t > duration - ramp:
        return 1.0 - speed * climb(duration - t)
    return speed * (0.5 * ramp + t - ramp)


class _Swing(NamedTuple):
    lift: float
    land: float
    walk: Walk


class Route:
    """A sequence of walks with standing between them."""

    def __init__(self, walks: list[Walk]) -> None:
        if any(later.begin < earlier.end for earlier, later in pairwise(walks)):
            raise ValueError("walks overlap")
        self._walks = walks
        self._swings: tuple[list[_Swing], list[_Swing]] = ([], [])
        landed, last_foot = -np.inf, 0
        for walk in walks:
            count = max(2, round((walk.end - walk.begin) / walk.step_s))
            step = (walk.end - walk.begin) / count
            # The foot on the side one goes or turns to leaves first, but not the one that has just landed.
            to_left = walk.goal.yaw > walk.start.yaw or (walk.goal.yaw == walk.start.yaw and walk.goal.x > walk.start.x)
            first = 0 if to_left else 1
            if walk.begin < landed + LEAST_REST_S:
                first = 1 - last_foot
            for k in range(count + 1):
                last_foot = (first + k) % 2
                lift = max(walk.begin + (k - 0.25) * step, walk.begin, landed + LEAST_STANCE_S)
                land = max(walk.begin + (k - 0.25 + SWING_SHARE) * step, lift + LEAST_SWING_S)
                self._swings[last_foot].append(_Swing(lift, land, walk))
                landed = land

    def place(self, t: float) -> Place:
        """Where the person is."""
        place = self._walks[0].start
        for walk in self._walks:
            if t >= walk.begin:
                place = walk.at(t)
        return place

    def speed(self, t: float) -> float:
        """Walking speed [m/s]."""
        h = 0.02
        a, b = self.place(t - h), self.place(t + h)
        return float(np.hypot(b.x - a.x, b.y - a.y) / (2 * h))

    def foot(self, side: int, t: float) -> FootPlace:
        """Where the left (0) or right (1) foot is."""
        swings = self._swings[side]
        last = -1
        for i, swing in enumerate(swings):
            if t >= swing.lift:
                last = i
        stood = self._stand(side, last)
        if last >= 0 and t < swings[last].land:
            return self._swing(side, last, t)
        roll = 0.0
        if last + 1 < len(swings):
            following = swings[last + 1]
            since = swings[last].land if last >= 0 else following.lift - 1.0
            lead = min(0.45 * (following.lift - since), 0.3)
            roll = (
                following.walk.roll_rad
                * self._pace(following)
                * smoothstep((t - following.lift + lead) / max(lead, 1e-6))
            )
        if last >= 0:
            ended = swings[last]
            fall = 1.0 - smoothstep((t - ended.land) / 0.12)
            roll -= 0.35 * ended.walk.roll_rad * self._pace(ended) * float(fall)
        return FootPlace(stood[0], stood[1], stood[2], 0.0, float(roll))

    def lean(self, t: float) -> float:
        """Over which foot the body leans: -1 wholly over the left, 1 wholly over the right, C1."""
        lean = 0.0
        for side, swings in enumerate(self._swings):
            for swing in swings:
                half = 0.5 * (swing.land - swing.lift)
                away = abs(t - swing.lift - half) / (half + LEAN_AHEAD_S)
                lean += (1.0 - 2.0 * side) * float(smoothstep(1.0 - away))
        return lean

    def _pace(self, swing: _Swing) -> float:
        """0 .. 1: how brisk the walk is while this foot moves; slow steps do not roll the foot."""
        return min(self.speed(0.5 * (swing.lift + swing.land)) / 1.0, 1.0)

    def _stand(self, side: int, index: int) -> tuple[float, float, float]:
        """Position and heading of the foot after its swing `index` (-1: at the beginning)."""
        swings = self._swings[side]
        land = swings[index].land if index >= 0 else None
        following = swings[index + 1].lift if index + 1 < len(swings) else None
        if land is None:
            place = self._walks[0].start
        elif following is None:
            place = self._walks[-1].goal
        else:
            walk = swings[index].walk
            if swings[index + 1].walk is not walk:
                place = walk.goal
            else:
                place = walk.at(0.5 * (land + following))
        lateral = place.width if side == 0 else -place.width
        return place.x + lateral * np.cos(place.yaw), place.y + lateral * np.sin(place.yaw), place.yaw

    def _swing(self, side: int, index: int, t: float) -> FootPlace:
        swing = self._swings[side][index]
        a, b = self._stand(side, index - 1), self._stand(side, index)
        share = (t - swing.lift) / (swing.land - swing.lift)
        s = float(smoothstep(share))
        distance = np.hypot(b[0] - a[0], b[1] - a[1]) + 0.2 * abs(b[2] - a[2])
        up = float(smoothstep(2.0 * share) * smoothstep(2.0 - 2.0 * share))
        lift = swing.walk.lift_m * min(distance / 0.3, 1.0) * up
        pace = self._pace(swing) * swing.walk.roll_rad
        pitch = pace * (1.0 - 1.35 * s)
        return FootPlace(a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1]), a[2] + s * (b[2] - a[2]), lift, pitch)
