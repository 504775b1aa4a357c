"""Iterative cone-beam reconstruction: a volume from line integrals seen by flat panels from any places."""

from solver.tomography.asd_pocs import AsdPocs
from solver.tomography.cgls import Cgls
from solver.tomography.fista_tv import FistaTv
from solver.tomography.geometry import (
    ConeBeamGeometry,
    camera_geometry,
    circular_geometry,
    helical_geometry,
    panel_geometry,
)
from solver.tomography.grid import VolumeGrid
from solver.tomography.projector import back_project, project
from solver.tomography.reconstruction import Iteration, Tomogram, reconstruct, reconstruction_steps
from solver.tomography.sart import OsSart, Sart, Sirt

__all__ = [
    "AsdPocs",
    "Cgls",
    "ConeBeamGeometry",
    "FistaTv",
    "Iteration",
    "OsSart",
    "Sart",
    "Sirt",
    "Tomogram",
    "VolumeGrid",
    "back_project",
    "camera_geometry",
    "circular_geometry",
    "helical_geometry",
    "panel_geometry",
    "project",
    "reconstruct",
    "reconstruction_steps",
]
