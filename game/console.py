"""What commands say to people and to other programs: progress on a terminal, one JSON object on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm


class Progress:
    """A progress bar on stderr, silent where stderr is no terminal.

    Call it with (fraction done 0..1, what is being done).
    """

    def __init__(self, title: str):
        self._bar = tqdm(
            total=100,
            desc=title,
            file=sys.stderr,
            disable=None,
            leave=False,
            bar_format="{desc:32s} {bar} {percentage:3.0f} %",
        )

    def __call__(self, fraction: float, title: str | None = None) -> None:
        """Shows `fraction` (0..1) of the work as done."""
        if title is not None:
            self._bar.set_description_str(title, refresh=False)
        self._bar.update(round(100 * fraction) - self._bar.n)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()


def say(line: str) -> None:
    """One line for people, on stderr, so that stdout stays clean for `--json`."""
    tqdm.write(line, file=sys.stderr)


def report(result: Mapping[str, Any], as_json: bool, lines: list[str]) -> None:
    """Prints `result` as one JSON object, or `lines` for people, on stdout."""
    if as_json:
        print(json.dumps(result))
    else:
        print("\n".join(lines))
