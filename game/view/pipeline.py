"""How a picture comes about: a scene is drawn into a buffer, finished onto the screen, and written on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera, GraphicsOutput, NodePath, Texture

from game.view.context import Context, smooth_texture
from game.view.geometry import whole_picture
from game.view.quality import Quality
from game.view.shaders import program


class Pipeline:
    """Scene pass, finish pass. What is drawn over the finished picture comes later in the same output.

    The mirror's flip is part of the finish: nothing before it knows left from right.
    """

    def __init__(self, context: Context, size: tuple[int, int], quality: Quality, output: GraphicsOutput):
        """Pictures of `size` (width, height) [px] arrive on `output`."""
        self.context = context
        self.size = size
        self.quality = quality
        self._output = output
        self.finishing = NodePath("finish")
        self._region = output.make_display_region()
        self._region.set_camera(self.finishing.attach_new_node(Camera("finish")))
        self._region.set_sort(0)
        self._eye: NodePath | None = None
        self.finishing.set_shader_input("flip", 1.0)
        self._open()

    @property
    def scene_size(self) -> tuple[int, int]:
        """(width, height) [px] of the buffer that scenes are drawn into."""
        width, height = self.size
        scale = float(self.quality.supersampling)
        if self.quality.most_pixels:
            scale = min(scale, float(np.sqrt(self.quality.most_pixels / (width * height))))
        return max(1, round(width * scale)), max(1, round(height * scale))

    @property
    def interface_output(self) -> GraphicsOutput:
        """What the interface is drawn into."""
        return self._output

    @property
    def picture(self) -> Texture:
        """The scene as last drawn."""
        return self._picture

    def show(self, eye: NodePath) -> None:
        """Draw what the camera `eye` sees from now on."""
        self._eye = eye
        self._scene_region.set_camera(eye)

    def lay_behind(self, picture: Texture, drawn: bool) -> None:
        """What stands still behind all, if that is a picture of its own; `drawn`: it is drawn with the next picture."""

    def cover(self, cells: NDArray[np.bool_]) -> None:
        """Something that moves may be drawn in `cells` (rows, columns) of the next picture."""

    def set_veil(self, veil: tuple[float, float, float, float], vignette: tuple[float, float]) -> None:
        """What lies over what stands still behind all: a colour (sRGB, opacity) and darkness at top and bottom."""

    def renew_interface(self, changed: NDArray[np.bool_], used: NDArray[np.bool_]) -> None:
        """The interface has changed in some cells; it has something to show in the cells `used`; (rows, columns)."""

    def finish(self, mirrored: bool) -> None:
        """How the next picture is finished, flipped or not; called last of all before a picture."""
        self.finishing.set_shader_input("flip", -1.0 if mirrored else 1.0)

    def ease(self) -> None:
        """Pictures come too slowly: do less."""

    def resize(self, size: tuple[int, int]) -> None:
        """Pictures are of another `size` from now on."""
        self.context.close(self._scene)
        self.size = size
        self._open()

    def close(self) -> None:
        """Gives the buffer back."""
        self._output.remove_display_region(self._region)
        self.context.close(self._scene)
        self.finishing.remove_node()

    def _open(self) -> None:
        self._scene = self.context.open_buffer("scene", self.scene_size)
        self._scene.set_clear_color_active(True)
        self._scene.set_clear_color((0.79, 0.77, 0.75, 1.0))
        self._scene.set_clear_depth_active(True)
        self._picture = smooth_texture("scene")
        self._scene.add_render_texture(self._picture, GraphicsOutput.RTM_bind_or_copy, GraphicsOutput.RTP_color)
        self._scene_region = self._scene.make_display_region()
        if self._eye is not None:
            self._scene_region.set_camera(self._eye)
        self.finishing.set_shader_input("picture", self._picture)
        self.finishing.set_shader_input("pixel", (1.0 / self.size[0], 1.0 / self.size[1]))


class Finished(Pipeline):
    """The finish pass smooths edges and averages what was drawn finer."""

    def _open(self) -> None:
        super()._open()
        if self.finishing.find("whole").is_empty():
            whole_picture("whole").reparent_to(self.finishing)
            self.finishing.find("whole").set_shader(program("finish"))
