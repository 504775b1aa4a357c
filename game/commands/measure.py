"""`cheval measure MESH`: measurements of any upright human mesh."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from game.assets import load_body_model
from game.console import Progress, report
from game.measurements import MeasurementReport, check_suffix, make_report, to_json, write_report
from game.mesh_file import load_surface
from solver.errors import InputError
from solver.measures import DEFINITIONS

EXAMPLES = """examples:
  cheval measure scan.obj
  cheval measure avatar.glb --out measurements.json
  cheval measure scan.stl --unit mm --up z --out measurements.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `measure`."""
    parser.add_argument("mesh", metavar="MESH", type=Path, help="OBJ, PLY, STL or GLB of a person standing upright")
    parser.add_argument("--up", choices=("y", "z"), help="the axis that points up (guessed when not given)")
    parser.add_argument(
        "--unit", choices=("m", "cm", "mm"), help="the unit of its coordinates (guessed when not given)"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, help="measurements as .json or .csv")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random draws (default 0)")


def run(arguments: argparse.Namespace) -> int:
    """Registers the body model to the mesh, measures it, prints and writes the measures."""
    from solver.registration import register_body
    from solver.standing_measures import measure_registered

    if arguments.out is not None:
        check_suffix(arguments.out)
    path: Path = arguments.mesh
    with Progress("reading") as progress:
        surface = load_surface(path)
        model = load_body_model()
        progress(0.1, "registering")
        try:
            registration = register_body(model, *surface, up=arguments.up, unit=arguments.unit, seed=arguments.seed)
        except InputError as error:
            raise type(error)(f"{path}: {error}") from error
        progress(0.8, "measuring")
        measures, stance = measure_registered(model, registration, arguments.seed)
        progress(1.0)
    seen = float(np.mean(registration.coverage))
    source = {
        "kind": "mesh",
        "file": path.name,
        "vertices": len(surface.vertices),
        "triangles": 0 if surface.faces is None else len(surface.faces),
        "up": registration.up,
        "unit": registration.unit,
    }
    result = make_report(measures, stance.name, seen, 1e3 * registration.rmse_m, source)
    if arguments.out is not None:
        write_report(arguments.out, result)
    report(to_json(result), arguments.json, describe(result))
    return 0


def describe(result: MeasurementReport) -> list[str]:
    """The measures as lines for people."""
    lines = []
    for key, definition in DEFINITIONS.items():
        if key in result.measurements:
            entry = result.measurements[key]
            digits = 1 if definition.unit == "mm" else 2
            value = f"{entry.value:9.{digits}f} ±{2 * entry.std:5.{digits}f} {definition.unit:3s}"
            lines.append(f"{key:18s}{value} {definition.text}")
    lines += [f"{key:18s}  missing: {reason}" for key, reason in result.missing.items()]
    lines.append(
        f"± is twice the standard error; {100 * result.coverage:.0f} % of the body seen, "
        f"surface met within {result.rmse_mm:.1f} mm"
    )
    return lines
