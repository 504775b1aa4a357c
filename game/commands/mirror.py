"""`cheval mirror` (or `cheval` alone): the mirror itself."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, closing
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.rotation import TURNS
from game.attendant import Attendant
from game.export.film import Film
from game.files import whole_file
from game.protocol.snapshot import Screen, Snapshot
from solver.errors import InputError, UsageError

EXAMPLES = """examples:
  cheval                                        the mirror, with the camera that is plugged in
  cheval mirror --source sim:seed=3 --unattended
  cheval mirror --source visit.db3 --headless --unattended --film visit.mp4
  cheval mirror --headless --unattended --screen reveal --frames 30 --shot reveal.png"""

PORTRAIT = (540, 960)
LEAST_SIDE, GREATEST_SIDE = 240, 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `mirror`."""
    parser.add_argument(
        "--source", metavar="SOURCE", help="who is seen (default: the camera, else a simulated shopper)"
    )
    parser.add_argument("--rotate", type=int, choices=TURNS, default=0, help="turn pictures clockwise, in degrees")
    parser.add_argument(
        "--size", type=parse_size, default=PORTRAIT, metavar="WxH", help="of the window (default: 540x960)"
    )
    parser.add_argument("--fullscreen", action="store_true", help="fill the screen")
    parser.add_argument("--headless", action="store_true", help="open no window")
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N pictures (of the screen, with --screen)")
    parser.add_argument("--screen", choices=[screen.value for screen in Screen], metavar="NAME",
                        help="count pictures from when this screen is shown")  # fmt: skip
    parser.add_argument("--shot", type=Path, metavar="FILE.png", help="write the last picture")
    parser.add_argument("--film", type=Path, metavar="FILE.mp4", help="write all pictures, in lock-step at --fps")
    parser.add_argument("--fps", type=int, default=30, metavar="N", help="pictures a second of a film (default: 30)")
    parser.add_argument("--lockstep", action="store_true", help="let the clock wait for every picture")
    parser.add_argument("--unattended", action="store_true", help="go through the screens without hands")
    parser.add_argument("--quality", default="auto", metavar="NAME", help="auto, software, integrated or fine")
    parser.add_argument("--outfit", metavar="NAME,...", help="what to wear first")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for everything random (default: 0)")


def parse_size(text: str) -> tuple[int, int]:
    """`540x960` as (width, height) [px]."""
    width, x, height = text.lower().partition("x")
    if not (x and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text}: a size is WIDTHxHEIGHT, as in 540x960")
    size = (int(width), int(height))
    if not all(LEAST_SIDE <= side <= GREATEST_SIDE for side in size):
        raise argparse.ArgumentTypeError(f"{text}: sides lie between {LEAST_SIDE} and {GREATEST_SIDE}")
    return size


def run(arguments: argparse.Namespace) -> int:
    """Opens the mirror and stays until the window is closed or what was asked for is done."""
    endless = arguments.frames is None and arguments.screen is None and not arguments.unattended
    if arguments.headless and endless:
        raise UsageError("--headless never ends by itself: add --frames N, --screen NAME or --unattended")
    if arguments.frames is not None and arguments.frames < 1:
        raise UsageError("--frames: at least one picture")
    lockstep = arguments.lockstep or arguments.film is not None
    with ExitStack() as stack:
        session = stack.enter_context(
            closing(
                arguments.open_session(
                    arguments.source,
                    threaded=not lockstep,
                    seed=arguments.seed,
                    rotate=arguments.rotate,
                    outfit=arguments.outfit,
                )
            )
        )
        mirror = stack.enter_context(
            closing(
                arguments.open_mirror(
                    session, arguments.size, arguments.headless, arguments.fullscreen, arguments.quality
                )
            )
        )
        film = stack.enter_context(Film(arguments.film, mirror.size, arguments.fps)) if arguments.film else None
        watcher = _Watcher(arguments, film)
        mirror.run(
            frames=None if arguments.screen else arguments.frames,
            lockstep_fps=arguments.fps if lockstep else None,
            on_picture=watcher.add if film or arguments.shot else None,
            until=watcher.is_done,
            visitor=Attendant() if arguments.unattended else None,
        )
    if arguments.shot:
        if watcher.last is None:
            raise InputError(f"{arguments.shot}: there was no picture to write")
        with whole_file(arguments.shot) as temporary:
            coded, data = cv2.imencode(".png", watcher.last[..., ::-1])
            assert coded
            temporary.write_bytes(data.tobytes())
    return 0


class _Watcher:
    """Keeps the last picture and knows when enough is drawn."""

    def __init__(self, arguments: argparse.Namespace, film: Film | None):
        self._screen = Screen(arguments.screen) if arguments.screen else None
        self._frames = arguments.frames or 1
        self._ends_with_visit = arguments.unattended and arguments.screen is None and arguments.frames is None
        self._film = film
        self._counted = 0
        self._said_goodbye = False
        self.last: NDArray[np.uint8] | None = None

    def add(self, picture: NDArray[np.uint8]) -> None:
        """One more."""
        self.last = picture
        if self._film is not None:
            self._film.add(picture)

    def is_done(self, snapshot: Snapshot) -> bool:
        """After enough pictures of the screen, or when an unattended visit has ended."""
        if self._screen is not None:
            self._counted += snapshot.screen is self._screen
            return self._counted >= self._frames
        self._said_goodbye |= snapshot.screen is Screen.GOODBYE
        return self._ends_with_visit and self._said_goodbye and snapshot.screen is Screen.ATTRACT
