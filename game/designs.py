"""The designs that can be cut to measure, by name: what each needs of the solver, and what may be altered on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from game.protocol.snapshot import Choice, Shopper
from solver.body import BodyModel
from solver.errors import UsageError
from solver.measures import measure_body
from solver.pattern import tshirt
from solver.pattern.options import Option
from solver.pattern.panel import Pattern

Draft = Callable[[Mapping[str, float], Mapping[str, float]], Pattern]


@dataclass(frozen=True, slots=True)
class Design:
    """A garment that can be drafted."""

    name: str
    """As `drape` of the command line knows it."""
    title: str
    draft: Draft
    """Measures [mm] and options to a pattern. Raises `InputError`."""
    options: Mapping[str, Option]
    labels: Mapping[str, str]
    """Of the options, for the wearer."""

    def choices(self, chosen: Mapping[str, float]) -> tuple[Choice, ...]:
        """What may be altered, with the values of `chosen`."""
        return tuple(
            Choice(
                name,
                self.labels.get(name, name.capitalize()),
                float(chosen.get(name, option.default)),
                option.minimum,
                option.maximum,
                option.default,
                option.unit,
            )
            for name, option in self.options.items()
        )


DESIGNS: dict[str, Design] = {
    design.name: design
    for design in (
        Design(
            tshirt.NAME,
            "T-shirt",
            tshirt.draft_tshirt,
            tshirt.OPTIONS,
            {"ease": "Ease", "length": "Hem", "sleeve": "Sleeve", "neckline": "Neckline", "shape": "Waist"},
        ),
    )
}


def design_named(name: str) -> Design:
    """The design called `name`. Raises `UsageError` where there is none."""
    if name not in DESIGNS:
        raise UsageError(f"no design {name!r}; there are {', '.join(DESIGNS)}")
    return DESIGNS[name]


def measures_to_cut(model: BodyModel, shopper: Shopper) -> dict[str, float]:
    """What an avatar's garments are cut by [mm]: what was measured, else what the avatar has, which nobody is told.

    A neck under long hair, or all of a body of average depth, has to be dressed too.
    """
    measured = {key: measurement.value_mm for key, measurement in shopper.measurements.items()}
    if measured and not shopper.measurements.missing:
        return measured
    inferred = measure_body(model, shopper.canonical, floor_m=0.0, sample_count=1)
    return {key: measurement.value_mm for key, measurement in inferred.items()} | measured
