"""The engine as the rest of the game knows it (`game.protocol.engine.Graphics`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from game.appearance import BodyPaint
from game.export.report import View
from game.view.context import Context
from game.view.portraits import portraits
from game.view.quality import FINE, SOFTWARE
from game.view.stage import Stage

PORTRAIT_SIZE = (760, 1440)


class OffscreenGraphics:
    """Draws without a window. The context is opened at the first use and shared by all stages."""

    def __init__(self, context: Context | None = None) -> None:
        """Draws in `context` where one is open already: two would take each other's buffers for their own."""
        self._opened = context

    @property
    def _context(self) -> Context:
        if self._opened is None:
            self._opened = Context()
        return self._opened

    def describe_driver(self) -> str:
        """Name of the OpenGL driver. Raises `NoGraphicsError`."""
        return self._context.renderer

    def open_stage(self, size: tuple[int, int], fine: bool = False) -> Stage:
        """A stage whose pictures are `size` (width, height) [px]; `fine` for stills."""
        return Stage(size, FINE if fine else SOFTWARE, self._context)

    def portraits(
        self, faces: NDArray[np.int32], rest: NDArray[np.float32], paint: BodyPaint, vertices: NDArray[np.float32]
    ) -> Sequence[View]:
        """Front, side and back of a body standing at `vertices` (V, 3) [m], frame b."""
        stage = self.open_stage(PORTRAIT_SIZE, fine=True)
        try:
            stage.set_body(faces, rest, paint)
            stage.update_body(vertices)
            return portraits(stage, vertices)
        finally:
            stage.close()
