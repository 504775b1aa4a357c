"""The landmarker that keeps to the shopper: other people are looked for now and then, and taken out of its picture."""

from __future__ import annotations

import contextlib
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from capture.landmarks import LandmarkerError, PoseLandmarker, close_quietly, landmarks_of, load_landmarker
from capture.native_log import quiet_native_log
from capture.people import (
    NOBODY,
    Company,
    OthersRegion,
    PersonInView,
    choose_shopper,
    distance_m,
    is_crowded,
    person_in_view,
)
from solver.errors import InputError
from solver.types import Frame, Observation, read_only

MOST_PEOPLE = 3
LOOK_S = 1.0
"""Between two looks for other people; a look costs several times what following the shopper costs."""
LOOK_FOR_SHOPPER_S = 0.3
GLANCE_S = 0.25
"""A look that is due waits so long for a frame whose landmarks nobody needs: both in one frame would make it late."""
HELD_S = 2.0
"""Who has been the shopper so long, in the middle, is kept until they leave."""
MIDDLE_M = 0.5
GONE_S = 2.0
JUMP_M = 0.45
"""Nobody's hips move so far between two frames: those landmarks are someone else's."""
WALL_GREY = 128
PERHAPS = 0.5
"""Mask where someone else stands before the shopper: what is behind them is not known."""


class PeopleFinder:
    """Finds up to `MOST_PEOPLE` people in single pictures."""

    def __init__(self, model: Path, confidence: float = 0.5) -> None:
        """Loads the bundle at `model`. Raises `InputError`."""
        self._landmarker = load_landmarker(model, "IMAGE", MOST_PEOPLE, confidence, masks=False)
        self._close = weakref.finalize(self, close_quietly, self._landmarker)
        self._settled = False

    def find(self, frame: Frame) -> list[PersonInView]:
        """The people in `frame`, which has colour. Raises `LandmarkerError`."""
        from mediapipe import Image, ImageFormat

        if not self._close.alive:
            raise LandmarkerError("the pose landmarker is closed: open another one")
        assert frame.color is not None
        height, width = frame.color.shape[:2]
        # As in `PoseLandmarker`: once somebody was found the native code has nothing more to remark.
        with contextlib.nullcontext() if self._settled else quiet_native_log():
            try:
                result = self._landmarker.detect(Image(ImageFormat.SRGB, np.ascontiguousarray(frame.color)))
            except (RuntimeError, ValueError) as error:
                raise LandmarkerError(f"people cannot be looked for in frame {frame.sequence}: {error}") from error
        self._settled = self._settled or bool(result.pose_landmarks)
        seen = [landmarks_of(result, n, width, height) for n in range(len(result.pose_landmarks))]
        return [person for person in (person_in_view(landmarks, frame) for landmarks in seen) if person is not None]

    def close(self) -> None:
        """Frees the native graph. Safe to call twice."""
        self._close()


class ShopperLandmarker:
    """The surface of `PoseLandmarker`, for one shopper among several people.

    In the observations of `observe` other people's pixels have no depth and no mask: neither tracking nor fusion takes
    them. `company` says who is there, for screens.
    """

    def __init__(self, model: Path, *, confidence: float = 0.5) -> None:
        """Loads the bundle at `model`. Raises `InputError` when it is missing or not a pose landmarker."""
        self._landmarker = PoseLandmarker(model, confidence=confidence)
        self._finder = PeopleFinder(model, confidence)
        self._region: OthersRegion | None = None
        self._looked_at = self._seen_at = self._middle_since = -np.inf
        self.company: Company = NOBODY
        """As of the last frame."""

    @property
    def alone(self) -> bool:
        """True while the shopper is the only one that was seen."""
        return self.company.shopper is not None and not self.company.others

    def observe(self, frame: Frame) -> Observation:
        """The shopper in `frame`; landmarks and mask are None when there is none.

        Raises `InputError` for a frame without colour, `LandmarkerError` when the native graph fails or after `close`.
        """
        if frame.color is None:
            raise InputError(f"frame {frame.sequence} has no colour image, which finding a person needs")
        if self._region is None:
            self._region = OthersRegion(frame.intrinsics)
        self._update_company(frame, self._region, LOOK_S + GLANCE_S)
        shopper, others = self.company.shopper, self.company.others
        if shopper is None:
            return Observation(frame, None, None)
        if not others:
            return self._checked(self._landmarker.observe(frame))
        hidden = self._region.hidden(frame, shopper, others)
        color = frame.color.copy()
        color[hidden] = WALL_GREY
        seen = self._checked(self._landmarker.observe(replace(frame, color=read_only(color))))
        mask, depth = seen.mask, frame.depth
        if mask is not None:
            mask = np.where(hidden, np.float32(0.0), mask)
            if depth is not None:
                mask[hidden & (depth < shopper.place[2])] = PERHAPS
            mask = read_only(mask)
        if depth is not None:
            depth = read_only(np.where(hidden, np.float32(0.0), depth))
        return Observation(replace(frame, depth=depth), mask, seen.landmarks)

    def glance(self, frame: Frame) -> None:
        """Only looks for other people, where it is time for it; for a frame whose landmarks nobody needs.

        Raises `LandmarkerError` when the native graph fails or after `close`.
        """
        if self._region is not None and frame.color is not None:
            self._update_company(frame, self._region, LOOK_S)

    def _update_company(self, frame: Frame, region: OthersRegion, look_s: float) -> None:
        shopper, others = self.company.shopper, self.company.others
        now = frame.captured_at
        if shopper is not None and now - self._seen_at > GONE_S:
            shopper, self._middle_since = None, -np.inf
        due = look_s if shopper is not None else LOOK_FOR_SHOPPER_S
        if not 0.0 <= now - self._looked_at < due:
            self._looked_at = now
            people = self._finder.find(frame)
            held = np.isfinite(self._middle_since) and now - self._middle_since > HELD_S
            chosen = choose_shopper(people, shopper, bool(held))
            if chosen is not None and (shopper is None or distance_m(chosen, shopper) > JUMP_M):
                self._seen_at, self._middle_since = now, -np.inf
            others = tuple(p for p in people if p is not chosen and (chosen is None or distance_m(p, chosen) > 0.3))
            shopper = chosen
        elif shopper is not None:
            followed = (region.followed(frame, other, shopper) for other in others)
            others = tuple(other for other in followed if other is not None)
        crowded = shopper is not None and is_crowded(shopper, others)
        self.company = Company(shopper, others, crowded)

    def _checked(self, seen: Observation) -> Observation:
        """`seen`, if it is the shopper, whose place is then brought up to date."""
        shopper = self.company.shopper
        assert shopper is not None
        now = seen.frame.captured_at
        person = None if seen.landmarks is None else person_in_view(seen.landmarks, seen.frame)
        if person is None or distance_m(person, shopper) > JUMP_M:
            return Observation(seen.frame, None, None)
        if abs(person.place[0]) > MIDDLE_M:
            self._middle_since = -np.inf
        elif not np.isfinite(self._middle_since):
            self._middle_since = now
        self._seen_at = now
        self.company = replace(self.company, shopper=person)
        return seen

    def close(self) -> None:
        """Frees the native graphs. Safe to call twice."""
        self._landmarker.close()
        self._finder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
