"""What the engine-free part of the game asks of the engine. `main.py` hands in what fulfils it (`game.view`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from game.appearance import BodyPaint
from game.export.report import View
from game.materials import Print


class Stage(Protocol):
    """One person in a photographer's studio. World frame w, metres; pictures are sRGB (H, W, 3) uint8."""

    size: tuple[int, int]

    def place_studio(self, center: NDArray, azimuth: float = 0.0) -> None:
        """Lamps and backdrop around `center` (x, y) for a camera at `azimuth` [rad]."""

    def set_body(self, faces: NDArray[np.int32], rest: NDArray[np.float32], paint: BodyPaint) -> None:
        """Puts a body on the stage."""

    def update_body(self, vertices: NDArray[np.float32]) -> None:
        """Moves the body."""

    def add_garment(
        self,
        faces: NDArray[np.int32],
        panel_uv: NDArray[np.float32],
        cloth: str = "jersey",
        printed: Print | None = None,
        uv_faces: NDArray[np.int32] | None = None,
    ) -> int:
        """Puts a garment on the stage and returns its number."""
        ...

    def set_fabric(self, garment: int, cloth: str, printed: Print | None = None) -> None:
        """Another fabric or print."""

    def update_garment(self, garment: int, vertices: NDArray[np.float32]) -> None:
        """Moves a garment."""

    def tuck_in(self) -> None:
        """Lets skin give way under cloth."""

    def shade_folds(self) -> None:
        """Darkens what now lies deep in folds."""

    def look_at_body(self, vertices: NDArray[np.float32], azimuth: float = 0.0, margin: float = 1.12) -> None:
        """Frames `vertices` (V, 3), from the front or from `azimuth` [rad]."""

    def render(self, mirrored: bool = False) -> NDArray[np.uint8]:
        """Draws one picture."""
        ...

    def close(self) -> None:
        """Gives everything back."""


class Graphics(Protocol):
    """The engine, opened when first needed. Its methods raise a `ChevalError` where OpenGL cannot be had."""

    def describe_driver(self) -> str:
        """Name of the OpenGL driver."""
        ...

    def open_stage(self, size: tuple[int, int], fine: bool = False) -> Stage:
        """A stage whose pictures are `size` (width, height) [px]; `fine` for stills."""
        ...

    def portraits(
        self, faces: NDArray[np.int32], rest: NDArray[np.float32], paint: BodyPaint, vertices: NDArray[np.float32]
    ) -> Sequence[View]:
        """Front, side and back of a body standing at `vertices` (V, 3) [m], frame b."""
        ...
