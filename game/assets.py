"""Loads what lies in `assets/` and hands it to the solvers as arrays."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from solver.body import BodyModel
from solver.errors import InputError
from solver.types import read_only

ASSETS = Path(__file__).resolve().parent.parent / "assets"
SHADERS = Path(__file__).resolve().parent.parent / "shaders"
POSE_LANDMARKER = ASSETS / "models" / "pose_landmarker.task"


@lru_cache(maxsize=1)
def load_body_model() -> BodyModel:
    """The body model of `assets/body`. Raises `InputError` when the installation is incomplete."""
    path = ASSETS / "body" / "body.npz"
    try:
        with np.load(path) as arrays:
            data = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: the body model cannot be read ({error}); reinstall cheval") from error

    def floats(name: str) -> np.ndarray:
        return read_only(np.ascontiguousarray(data[name], np.float32))

    def integers(name: str) -> np.ndarray:
        return read_only(np.ascontiguousarray(data[name], np.int32))

    def strings(name: str) -> tuple[str, ...]:
        return tuple(str(text) for text in data[name])

    def labels(name: str) -> np.ndarray:
        return read_only(np.ascontiguousarray(data[name], np.uint8))

    return BodyModel(
        template=floats("template"),
        shape_basis=floats("shape_basis"),
        faces=integers("faces"),
        uv=floats("uv"),
        uv_faces=integers("uv_faces"),
        joint_names=strings("joint_names"),
        joint_parents=integers("joint_parents"),
        joint_template=floats("joint_template"),
        joint_basis=floats("joint_basis"),
        skin_joints=integers("skin_joints"),
        skin_weights=floats("skin_weights"),
        part_names=strings("part_names"),
        part_labels=labels("part_labels"),
        landmarks=dict(zip(strings("landmark_names"), map(int, data["landmark_vertices"]), strict=True)),
        region_names=strings("region_names"),
        region_labels=labels("region_labels"),
        mirror=integers("mirror"),
        regressor_vertices=integers("regressor_vertices"),
        regressor_weights=floats("regressor_weights"),
        head_vertices=integers("head_vertices"),
        head_template=floats("head_template"),
        head_basis=floats("head_basis"),
        facial_unit_names=strings("facial_unit_names"),
        facial_units=floats("facial_units"),
    )
