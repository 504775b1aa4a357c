"""Composition root of Cheval: builds the parts, hands them to each other, dispatches commands."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from game.protocol.engine import Graphics
from solver.errors import ChevalError

COMMANDS = {
    "demo": "one whole visit with the simulated shopper, unattended: scan, measures, T-shirt, film",
    "scan": "a person turning once in front of the camera -> body, measures, report",
    "measure": "measurements of any upright human mesh",
    "profile": "the encrypted profile store: list, save, open, export, import, delete, rekey, verify, purge",
    "record": "record a source into a RealSense file or an RGB-D folder",
    "bench": "benchmarks, with peers where they are installed",
    "doctor": "what works on this machine, what does not, and the cure",
}


def open_graphics() -> Graphics:
    """The engine, imported only by commands that draw."""
    from game.view.graphics import OffscreenGraphics

    return OffscreenGraphics()


def build_parser(chosen: str | None) -> argparse.ArgumentParser:
    """The command line of CLI.md, as far as it is built. Only the command `chosen` is loaded and gets its options."""
    parser = argparse.ArgumentParser(
        prog="cheval",
        description="A real-time fitting mirror: depth camera in, measured and dressed avatar out.",
        epilog="example: cheval demo --out visit",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        if name != chosen:
            subparsers.add_parser(name, help=summary)
            continue
        module = importlib.import_module(f"game.commands.{name}")
        subparser = subparsers.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run, open_graphics=open_graphics)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 2 usage, 3 bad input, 4 device lost, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser(next((word for word in words if not word.startswith("-")), None)).parse_args(words)
    try:
        return arguments.run(arguments)
    except ChevalError as error:
        print(f"cheval {arguments.command}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print(f"cheval {arguments.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
