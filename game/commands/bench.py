"""`cheval bench [NAME]`: benchmarks against peers."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil

from solver.errors import UsageError

EXAMPLES = """examples:
  cheval bench              which benchmarks there are
  cheval bench body         one of them, as a table
  cheval bench loop --json  the same, as one JSON object"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `bench`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="which benchmark; without it they are listed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Runs one benchmark or lists them. Each module of `benchmarks` has a `run(json: bool) -> dict`."""
    import benchmarks

    names = sorted(
        module.name for module in pkgutil.iter_modules(benchmarks.__path__) if not module.name.startswith("_")
    )
    if arguments.name is None:
        if arguments.json:
            print(json.dumps({"benchmarks": names}))
        else:
            for name in names:
                summary = (importlib.import_module(f"benchmarks.{name}").__doc__ or "").strip().splitlines()[0]
                print(f"{name:12s} {summary}")
        return 0
    if arguments.name not in names:
        raise UsageError(f"{arguments.name}: no such benchmark; there are {', '.join(names)}")
    result = importlib.import_module(f"benchmarks.{arguments.name}").run(arguments.json)
    if arguments.json:
        print(json.dumps(result))
    return 0
