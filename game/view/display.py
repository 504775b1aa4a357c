"""The mirror's face: one context, one pipeline, what it shows, and what hands do to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from panda3d.core import PTA_uchar, RenderState, TransformState

from game.forgetting import heap_end
from game.view.context import Context, Target, WindowOptions
from game.view.interface.canvas import Canvas
from game.view.interface.inputs import Hands, Inputs
from game.view.layers import open_pipeline
from game.view.looking_glass import LookingGlass
from game.view.quality import tier_for
from game.view.stage import Stage

SLOW_S = 1.0 / 25.0
"""Pictures that come slower than this for some seconds are made simpler."""

RELEASED_AFTER = 3
"""Pictures until engine and driver have let go of what was taken away."""
OVERWRITTEN = ((1 << 17, 1 << 28), (1 << 15, 1 << 26), (1 << 13, 1 << 25), (1 << 11, 1 << 24), (1 << 9, 1 << 23),
               (1 << 6, 1 << 21))  # fmt: skip
"""Sizes of blocks, and most that is laid out in blocks of each size [bytes]. Larger ones have pages of their own."""
LOOKED_AT = 1 << 16
"""After so much [bytes] it is seen where the blocks lie: Panda3D never gives back 32 bytes of each look."""


class Display:
    """A window, or without one a buffer; in either the same is drawn in the same way."""

    def __init__(
        self, size: tuple[int, int], headless: bool = False, fullscreen: bool = False, quality: str = "auto",
        context: Context | None = None,
    ):  # fmt: skip
        """`size` (width, height) [px]. Raises `NoGraphicsError` and, for an unknown quality, `UsageError`."""
        self._owns_context = context is None
        self.context = context or Context(None if headless else WindowOptions(size, fullscreen=fullscreen))
        self.quality = tier_for(self.context.renderer, quality)
        window = self.context.window
        if window is None:
            self._output = self.context.open_buffer("finished", size, sort=20)
            self._hands = None
        else:
            self._output = window
            self._hands = Hands(window)
            size = (window.get_x_size(), window.get_y_size())
        self._target = Target(self._output, always=False)
        self.size = size
        self.pipeline = open_pipeline(self.context, size, self.quality, self._output, kept=window is None)
        self.canvas = Canvas(self.pipeline.interface_output, size)
        self.stage = Stage(size, self.quality, self.context, self.pipeline)
        self.glass = LookingGlass(self.pipeline)
        self._shown: Stage | LookingGlass = self.stage
        self._mirrored = True
        self._pace = 0.0
        self._overwrite_in = 0

    def show_stage(self, mirrored: bool) -> None:
        """The studio, from the next picture on."""
        self._shown, self._mirrored = self.stage, mirrored

    def show_glass(self) -> None:
        """The camera's picture as a mirror, from the next picture on."""
        self._shown, self._mirrored = self.glass, True

    def read_inputs(self) -> Inputs:
        """What hands did since the last call; also notices that the window was closed."""
        if self._hands is None:
            return Inputs()
        inputs = self._hands.read(self.canvas.width, self.canvas.height)
        inputs.quit = not self._output.is_valid()
        return inputs

    def fit(self) -> bool:
        """Follows the window's size; True if it has changed."""
        size = (self._output.get_x_size(), self._output.get_y_size())
        if size == self.size or min(size) < 16:
            return False
        self.resize(size)
        return True

    def resize(self, size: tuple[int, int]) -> None:
        """Draws in another size (width, height) [px]."""
        if self.context.window is None and size != (self._output.get_x_size(), self._output.get_y_size()):
            self._output.set_size(*size)  # pyright: ignore[reportAttributeAccessIssue]
        self.size = size
        self.pipeline.resize(size)
        self.canvas.resize(size)
        self.stage.resize(size)
        self.glass.resize()

    def keep_up(self, dt: float) -> None:
        """`dt` [s] went by from picture to picture: a machine that is too slow for the look gets a simpler one."""
        self._pace += 0.04 * (dt - self._pace)
        if self._pace > SLOW_S:
            self.pipeline.ease()

    def draw(self, read: bool = False) -> NDArray[np.uint8] | None:
        """Draws one picture; with `read` returns it: sRGB, shape (H, W, 3)."""
        changed = self.canvas.take_changed()
        if changed is not None:
            self.pipeline.renew_interface(*changed)
        if self._shown is self.stage:
            self.stage.prepare(self._mirrored)
        else:
            self.stage.rest_buffers()
            self.glass.prepare(self._mirrored)
        if read:
            self._target.request()
        self.context.engine.render_frame()
        if self.context.window is not None:
            # Else it is shown when the next one begins: a whole picture later.
            self.context.engine.flip_frame()
        # Without ShowBase nobody else does it, and states keep textures alive.
        RenderState.garbage_collect()
        TransformState.garbage_collect()
        if self._overwrite_in:
            self._overwrite_in -= 1
            if not self._overwrite_in:
                overwrite_freed()
        return self._target.read() if read else None

    def forget(self) -> None:
        """Takes everything of a shopper off stage and glass."""
        self.stage.clear()
        self.glass.clear()
        self._overwrite_in = RELEASED_AFTER

    def close(self) -> None:
        """Gives everything back."""
        self.glass.close()
        self.stage.close()
        self.canvas.close()
        self.pipeline.close()
        if self.context.window is None:
            self.context.close(self._output)
        if self._owns_context:
            self.context.close()


def overwrite_freed() -> None:
    """Overwrites what Panda3D has freed; takes a tenth of a second. It has an allocator of its own (dlmalloc), which
    leaves bodies and pictures in freed blocks: zeros are laid into them until there is no more room but new room."""
    blocks = []
    for size, most in OVERWRITTEN:
        end, every = heap_end(), max(LOOKED_AT // size, 1)
        for number in range((most if end else most >> 4) // size):
            block = PTA_uchar.empty_array(size)
            blocks.append(block)
            if not end or number % every:
                continue
            if np.frombuffer(block, np.uint8).__array_interface__["data"][0] >= end:  # pyright: ignore
                break
