"""Composition root of Cheval: builds the parts, hands them to each other, dispatches commands."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from game.protocol.engine import Graphics
from game.protocol.session import Session
from solver.errors import ChevalError

if TYPE_CHECKING:
    from capture.source import FrameSource
    from game.app import App
    from game.live.session import MirrorSession

COMMANDS = {
    "mirror": "the mirror: be scanned, try things on, leave without a trace (also without a command)",
    "demo": "one whole visit with the simulated shopper, unattended: scan, measures, T-shirt, film",
    "scan": "a person turning once in front of the camera -> body, measures, report",
    "fuse": "the recording of a static scene or object -> one surface",
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


def open_mirror(session: Session, size: tuple[int, int], headless: bool, fullscreen: bool, quality: str) -> App:
    """The app with its screens, on a window or without one."""
    from game.app import App
    from game.view.display import Display
    from scenes import SCREENS

    return App(Display(size, headless, fullscreen, quality), session, SCREENS)


def open_mirror_session(
    source: str | None,
    *,
    threaded: bool,
    seed: int,
    rotate: int = 0,
    outfit: str | None = None,
    store: str | None = None,
    for_files: bool = False,
) -> MirrorSession:
    """The mirror's state and work before `source` (default: the camera, or a simulated shopper where there is none).

    Profiles are kept in `store` (default: the user's own). `for_files`: scans have all that is written of a scan.
    """
    from capture.open import find_source, open_live
    from capture.read_ahead import ReadAheadSource
    from capture.shopper import ShopperLandmarker
    from game.assets import POSE_LANDMARKER, load_body_model
    from game.forgetting import overwrite_when_freed
    from game.keeper import StoreKeeper
    from game.live.session import open_session
    from game.live.works import Parts
    from game.profiles.location import default_store
    from game.profiles.memory import forbid_core_dumps
    from game.profiles.store import ProfileStore
    from game.rack import RACK, rack_from

    forbid_core_dumps()
    overwrite_when_freed()
    model = load_body_model()
    profiles = ProfileStore(store or default_store())
    profiles.purge()
    spec = source or find_source()
    rack = RACK if outfit is None else rack_from(outfit)

    def open_frames() -> FrameSource:
        source = open_live(spec, rotate=rotate, load_body=lambda: model)
        # Who waits for every frame may as well have the next one made meanwhile.
        return source if threaded or source.info.live else ReadAheadSource(source)

    # Opened once before anything else, so that what cannot be opened is told at once and in one line.
    opened = [open_frames()]
    parts = Parts(
        model,
        lambda: opened.pop() if opened else open_frames(),
        lambda: ShopperLandmarker(POSE_LANDMARKER),
        StoreKeeper(profiles, model),
        seed,
        scan_surface=for_files,
    )
    return open_session(parts, lockstep=not threaded, rack=rack)


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
        subparser.set_defaults(
            run=module.run, open_graphics=open_graphics, open_mirror=open_mirror, open_session=open_mirror_session
        )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 2 usage, 3 bad input, 4 device lost, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not any(word in COMMANDS for word in words) and not {"-h", "--help"} & set(words):
        words.insert(0, "mirror")
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
