"""measurements.json and its kin: what was measured, how sure, and what is missing and why."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from game.files import whole_file, write_json
from solver.errors import InputError, UsageError
from solver.measures import DEFINITIONS, Measurements

VERSION = 1
Pose = Literal["A", "T", "I"]


@dataclass(frozen=True, slots=True)
class MeasurementEntry:
    """One measure as people read it: mm, but litres for `volume_l` and square metres for `surface_m2`."""

    value: float
    std: float
    class_: str
    iso: str = ""


@dataclass(frozen=True, slots=True)
class MeasurementReport:
    """All that measurements.json says."""

    measurements: dict[str, MeasurementEntry]
    missing: dict[str, str]
    """Reason by key."""
    pose: Pose
    """How the person stood: arms apart, spread or down."""
    coverage: float
    """Share of the body's surface that was seen, 0 to 1."""
    rmse_mm: float
    """How far the measured surface lies from what was seen."""
    source: dict[str, Any] = field(default_factory=dict)
    """`kind` and what else is known: file, frames, seconds, camera."""

    def value(self, key: str) -> float:
        """Value of a measure. Raises `InputError` where it is missing."""
        if key not in self.measurements:
            raise InputError(f"{key} is missing: {self.missing.get(key, 'it was not measured')}")
        return self.measurements[key].value


def make_report(
    measurements: Measurements, pose: Pose, coverage: float, rmse_mm: float, source: Mapping[str, Any]
) -> MeasurementReport:
    """The report of what was measured; rounded as far as it means anything."""
    entries = {}
    for key, measured in measurements.items():
        digits = 3 if DEFINITIONS[key].unit == "m2" else 2 if DEFINITIONS[key].unit == "l" else 1
        entries[key] = MeasurementEntry(
            round(measured.value_mm, digits), round(measured.std_mm, digits), measured.class_, measured.iso
        )
    return MeasurementReport(
        entries, dict(measurements.missing), pose, round(coverage, 3), round(rmse_mm, 2), dict(source)
    )


def to_json(report: MeasurementReport) -> dict[str, Any]:
    """The content of measurements.json (docs/schemas/measurements.schema.json)."""
    subject: dict[str, Any] = {"pose": report.pose}
    if "height" in report.measurements:
        subject = {"height_mm": report.measurements["height"].value, **subject}
    measurements = {}
    for key, entry in report.measurements.items():
        measurements[key] = {"value": entry.value, "std": entry.std, "class": entry.class_}
        if entry.iso:
            measurements[key]["iso"] = entry.iso
    content = {
        "version": VERSION,
        "unit": "mm",
        "subject": subject,
        "measurements": measurements,
        "surface": {"coverage": report.coverage, "rmse_mm": report.rmse_mm},
        "source": report.source,
    }
    if report.missing:
        content["missing"] = report.missing
    return content


def write_report(path: Path, report: MeasurementReport) -> None:
    """Writes a report, whole or not at all; the suffix says how: .json or .csv."""
    path = Path(path)
    check_suffix(path)
    if path.suffix.lower() == ".csv":
        with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(("key", "value", "std", "unit", "class", "iso", "missing"))
            for key, definition in DEFINITIONS.items():
                if key in report.measurements:
                    entry = report.measurements[key]
                    rows.writerow((key, entry.value, entry.std, definition.unit, entry.class_, entry.iso, ""))
                elif key in report.missing:
                    rows.writerow(
                        (key, "", "", definition.unit, definition.class_, definition.iso, report.missing[key])
                    )
    else:
        write_json(path, to_json(report))


def check_suffix(path: Path) -> None:
    """Raises `UsageError` for a file name that says no format."""
    suffix = Path(path).suffix.lower()
    if suffix in (".smis", ".yaml", ".yml"):
        raise UsageError(f"{path}: {suffix} is not written yet; give a name that ends in .json or .csv")
    if suffix not in (".json", ".csv"):
        raise UsageError(f"{path}: unknown format; give a name that ends in .json or .csv")


def read_report(path: Path) -> MeasurementReport:
    """Reads measurements.json. Raises `InputError` that names the file and what is wrong in it."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: is no JSON ({error}); write it again with `cheval measure`") from error
    try:
        return parse_report(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: is no measurements.json ({reason}); write it again with `cheval measure`") from error


def parse_report(content: Any) -> MeasurementReport:
    """The report that `content` of measurements.json is. Raises what Python raises for content that is none."""
    if content["version"] != VERSION:
        raise ValueError(f"version {content['version']!r}, this program reads {VERSION}")
    if content["unit"] != "mm":
        raise ValueError(f"unit {content['unit']!r} instead of mm")
    entries = {}
    for key, entry in content["measurements"].items():
        value, std = (_number(key, entry[name]) for name in ("value", "std"))
        if value <= 0.0 or std < 0.0:
            raise ValueError(f"{key}: {value} ± {std} is no measure")
        entries[key] = MeasurementEntry(value, std, str(entry["class"]), str(entry.get("iso", "")))
    pose = content["subject"]["pose"]
    if pose not in ("A", "T", "I"):
        raise ValueError(f"pose {pose!r}")
    surface = content["surface"]
    return MeasurementReport(
        entries,
        {str(key): str(reason) for key, reason in content.get("missing", {}).items()},
        pose,
        _number("coverage", surface["coverage"]),
        _number("rmse_mm", surface["rmse_mm"]),
        dict(content["source"]),
    )


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: {value!r} is no number")
    return float(value)
