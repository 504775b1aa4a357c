"""What a colour camera sees, where nobody has measured it: films and webcams do not tell their intrinsics."""

from __future__ import annotations

import math

from solver.errors import UsageError
from solver.types import Intrinsics

ASSUMED_FIELD_DEG = 75.0
"""Across the picture's diagonal. Webcams have 65 to 90 degrees, phones film with 65 to 75. A wrong angle moves the body
nearer or further and hardly changes its pose: 10 degrees too many bring it 16 % nearer."""
LEAST_FIELD_DEG, MOST_FIELD_DEG = 20.0, 140.0


def pinhole_of_field(width: int, height: int, field_deg: float | None) -> Intrinsics:
    """A pinhole with square pixels that sees `field_deg` across its diagonal (None: what is assumed).

    The diagonal's angle stays the same however the picture is turned. Raises `UsageError` for an impossible angle.
    """
    angle = ASSUMED_FIELD_DEG if field_deg is None else field_deg
    if not LEAST_FIELD_DEG <= angle <= MOST_FIELD_DEG:
        limits = f"{LEAST_FIELD_DEG:g} to {MOST_FIELD_DEG:g} degrees"
        raise UsageError(f"fov={angle:g}: the diagonal field of view lies within {limits}")
    focal = 0.5 * math.hypot(width, height) / math.tan(math.radians(angle) / 2.0)
    return Intrinsics(width, height, focal, focal, (width - 1) / 2.0, (height - 1) / 2.0)


def describe_field(field_deg: float | None) -> str:
    """For people: which field of view the intrinsics rest on."""
    if field_deg is None:
        return f"colour only, a field of view of {ASSUMED_FIELD_DEG:g} degrees assumed"
    return f"colour only, a field of view of {field_deg:g} degrees"


def split_field(spec: str) -> tuple[str, float | None]:
    """`spec` without its `,fov=DEGREES`, and the angle if there is one. Raises `UsageError` for what is no number."""
    stem, mark, text = spec.rpartition(",fov=")
    if not mark:
        return spec, None
    try:
        return stem, float(text)
    except ValueError as error:
        raise UsageError(f"{spec}: fov is a number of degrees across the picture's diagonal, not '{text}'") from error
