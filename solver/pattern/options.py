"""What a wearer may alter on a design: named numbers with bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from solver.errors import InputError


class Option(NamedTuple):
    """A number that shapes a design, in metres (or a plain share, where `unit` is empty)."""

    default: float
    minimum: float
    maximum: float
    unit: str
    meaning: str


def resolve_options(design: str, known: Mapping[str, Option], chosen: Mapping[str, float]) -> dict[str, float]:
    """Every option's value. Raises `InputError` for an unknown name or a value outside the bounds."""
    for name, value in chosen.items():
        if name not in known:
            raise InputError(f"{design}: unknown option {name!r}; it has {', '.join(known)}")
        option = known[name]
        if not (np.isfinite(value) and option.minimum <= value <= option.maximum):
            bounds = f"{option.minimum:g} .. {option.maximum:g} {option.unit}".rstrip()
            raise InputError(f"{design}: option {name} = {value:g} is outside {bounds}")
    return {name: float(chosen.get(name, option.default)) for name, option in known.items()}


def required_measures(design: str, measures: Mapping[str, float], names: tuple[str, ...]) -> dict[str, float]:
    """The named measures in metres, from millimetres. Raises `InputError` naming one that is missing or absurd."""
    result = {}
    for name in names:
        value = measures.get(name)
        if value is None:
            raise InputError(f"{design}: the measure {name} is missing; measure it or enter it by hand")
        if not 10.0 < float(value) < 3000.0:
            raise InputError(f"{design}: the measure {name} = {value:g} mm is not a person's; check its unit (mm)")
        result[name] = float(value) / 1000.0
    return result
