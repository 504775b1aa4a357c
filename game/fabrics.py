"""Loads the fabrics of `assets/fabrics`."""

from __future__ import annotations

import json
from functools import lru_cache

from game.assets import ASSETS
from solver.cloth.fabric import Fabric
from solver.errors import InputError, UsageError

_NUMBERS = ("mass", "weft", "warp", "shear", "bend", "thickness", "friction", "damping")


@lru_cache(maxsize=1)
def load_fabrics() -> dict[str, Fabric]:
    """All fabrics by name. Raises `InputError` when the installation is incomplete."""
    path = ASSETS / "fabrics" / "fabrics.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["fabrics"]
        return {name: Fabric(name, *(float(entry[key]) for key in _NUMBERS)) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: the fabrics cannot be read ({error}); reinstall cheval") from error


def load_fabric(name: str) -> Fabric:
    """The fabric called `name`. Raises `UsageError` where there is none."""
    fabrics = load_fabrics()
    if name not in fabrics:
        raise UsageError(f"no fabric {name!r}; there are {', '.join(fabrics)}")
    return fabrics[name]
