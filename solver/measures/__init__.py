"""Measures of a body by geometry: tapes around contours, levels found by their definitions."""

from solver.measures.body import Measurement, Measurements, estimate_joints, measure_body
from solver.measures.definitions import DEFINITIONS, Definition
from solver.measures.uncertainty import SurfaceError

__all__ = [
    "DEFINITIONS",
    "Definition",
    "Measurement",
    "Measurements",
    "SurfaceError",
    "estimate_joints",
    "measure_body",
]
