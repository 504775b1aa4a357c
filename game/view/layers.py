"""A software rasteriser's picture: of three layers only what has changed is drawn and laid over the rest anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from panda3d.core import GraphicsOutput, Texture

from game.view.cells import CELL, grid_of, runs
from game.view.context import Context
from game.view.geometry import DynamicMesh
from game.view.pipeline import Finished, Pipeline
from game.view.quality import Quality
from game.view.shaders import program
from game.view.still import Still

NOTHING = (0.0, 0.0, 0.0, 0.0)


class Sheet:
    """Some cells of the picture, drawn by one program."""

    def __init__(self, pipeline: Layers):
        rows, columns = grid_of(pipeline.size)
        width, height = pipeline.size
        x = np.minimum(np.arange(columns + 1) * CELL, width) * (2.0 / width) - 1.0
        y = 1.0 - np.minimum(np.arange(rows + 1) * CELL, height) * (2.0 / height)
        corners = np.zeros((rows + 1, columns + 1, 3), np.float32)
        corners[..., 0], corners[..., 1] = x, y[:, None]
        corners = corners.reshape(-1, 3)
        self._columns = columns
        self._mesh = DynamicMesh("cells", np.zeros((1, 3), np.int32), len(corners), {})
        self._mesh.update(corners, np.zeros_like(corners))
        self._cells: NDArray[np.bool_] | None = None
        self.path = pipeline.finishing.attach_new_node(self._mesh.node)
        self.path.set_depth_test(False)
        self.path.set_depth_write(False)

    def show(self, cells: NDArray[np.bool_]) -> None:
        """Which cells are drawn, (rows, columns)."""
        if self._cells is not None and np.array_equal(cells, self._cells):
            return
        self._cells = cells
        if not cells.any():
            self.path.hide()
            return
        row, first, last = runs(cells).T
        top, bottom = row * (self._columns + 1), (row + 1) * (self._columns + 1)
        faces = np.stack((top + first, bottom + first, bottom + last, top + first, bottom + last, top + last), 1)
        self._mesh.set_faces(faces.reshape(-1, 3).astype(np.int32))
        self.path.show()


class Layers(Pipeline):
    """What stands still behind, figures, interface; a picture is made of them cell by cell.

    The figures' colours are multiplied by their opacity, so that it does not matter that what is behind them is not
    there yet. Where nothing moved the picture of before stays.
    """

    def __init__(
        self, context: Context, size: tuple[int, int], quality: Quality, output: GraphicsOutput, kept: bool = False
    ):
        """`kept`: the output keeps what was drawn into it before; a window's does not."""
        self._kept = kept
        self._eased = False
        self._interface = Still(context, "interface", 5, size, NOTHING)
        self._behind: Texture | None = None
        super().__init__(context, size, quality, output)

    @property
    def interface_output(self) -> GraphicsOutput:
        """What the interface is drawn into."""
        return self._interface.buffer

    def lay_behind(self, picture: Texture, drawn: bool) -> None:
        """What stands still behind the figures, of the scene's size; `drawn`: it is drawn with the next picture."""
        if drawn or picture is not self._behind:
            self._stale[:] = True
        if picture is not self._behind:
            self._behind = picture
            self.finishing.set_shader_input("still", picture)

    def set_veil(self, veil: tuple[float, float, float, float], vignette: tuple[float, float]) -> None:
        """A colour over what is behind (sRGB, opacity), and how much darker that is at the top and at the bottom."""
        if (veil, vignette) != self._veil:
            self._veil = (veil, vignette)
            self._stale[:] = True
            self.finishing.set_shader_input("veil", veil)
            self.finishing.set_shader_input("vignette", vignette)

    def cover(self, cells: NDArray[np.bool_]) -> None:
        """Figures may be drawn in `cells` (rows, columns) of the next picture, as it is shown."""
        self._figures = cells

    def finish(self, mirrored: bool) -> None:
        """As `Pipeline.finish`; call it last of all before a picture."""
        if mirrored != self._mirrored:
            self._mirrored = mirrored
            self._stale[:] = True
            super().finish(mirrored)
        self._interface.prepare()
        figures = self._figures
        drawn = self._stale | self._had_figures | figures if self._kept else np.ones_like(figures)
        for (with_figures, with_words), sheet in self._sheets.items():
            cells = drawn & (figures if with_figures else ~figures)
            sheet.show(cells & (self._words if with_words else ~self._words))
        self._had_figures = figures
        self._stale = np.zeros_like(figures)

    def renew_interface(self, changed: NDArray[np.bool_], used: NDArray[np.bool_]) -> None:
        """As `Pipeline.renew_interface`."""
        self._interface.renew()
        self._stale |= changed
        self._words = used

    def ease(self) -> None:
        """Steps of edges are no longer rounded off."""
        if not self._eased:
            self._eased = True
            self._choose()

    def resize(self, size: tuple[int, int]) -> None:
        """Pictures are of another `size` from now on."""
        self._interface.resize(size)
        for sheet in self._sheets.values():
            sheet.path.remove_node()
        super().resize(size)

    def close(self) -> None:
        """Gives buffers back."""
        self._interface.close()
        super().close()

    def _choose(self) -> None:
        same = self.scene_size == self.size
        for (figures, words), sheet in self._sheets.items():
            how = "_enlarged" if not same else "_smooth" if figures and not self._eased else ""
            name = f"layers{'_figures' if figures else ''}{'_words' if words else ''}{how}"
            sheet.path.set_shader(program(name))

    def _open(self) -> None:
        super()._open()
        self._scene.set_clear_color(NOTHING)
        grid = grid_of(self.size)
        self._figures, self._had_figures, self._stale = np.ones(grid, bool), np.ones(grid, bool), np.ones(grid, bool)
        self._words = np.zeros(grid, bool)
        self._sheets = {(figures, words): Sheet(self) for figures in (False, True) for words in (False, True)}
        self._mirrored: bool | None = None
        self._veil: object = None
        self.set_veil(NOTHING, (0.0, 0.0))
        self._choose()
        self.finishing.set_shader_input("words", self._interface.texture)
        self.finishing.set_shader_input("still", self._behind or self._picture)


def open_pipeline(
    context: Context, size: tuple[int, int], quality: Quality, output: GraphicsOutput, kept: bool = False
) -> Pipeline:
    """The one for `quality`; see `Layers`."""
    if quality.still_backdrop:
        return Layers(context, size, quality, output, kept)
    return Finished(context, size, quality, output)
