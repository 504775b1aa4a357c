"""How a picture comes about: a scene is drawn into a buffer, finished onto the screen, and written on."""

from __future__ import annotations

import numpy as np
from panda3d.core import Camera, GraphicsOutput, NodePath, Texture

from game.view.context import Context
from game.view.geometry import whole_picture
from game.view.quality import Quality
from game.view.shaders import program
from game.view.studio import smooth_texture


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
        self._finish = NodePath("finish")
        self._whole = whole_picture("whole")
        self._whole.reparent_to(self._finish)
        self._region = output.make_display_region()
        self._region.set_camera(self._finish.attach_new_node(Camera("finish")))
        self._region.set_sort(0)
        self._eased = False
        self._eye: NodePath | None = None
        self._open()
        self.finish(False)

    @property
    def scene_size(self) -> tuple[int, int]:
        """(width, height) [px] of the buffer that scenes are drawn into."""
        width, height = self.size
        scale = float(self.quality.supersampling)
        if self.quality.most_pixels:
            scale = min(scale, float(np.sqrt(self.quality.most_pixels / (width * height))))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def show(self, eye: NodePath) -> None:
        """Draw what the camera `eye` sees from now on."""
        self._eye = eye
        self._scene_region.set_camera(eye)

    def finish(self, mirrored: bool) -> None:
        """How the next picture is finished: flipped or not."""
        self._finish.set_shader_input("flip", -1.0 if mirrored else 1.0)

    def ease(self) -> None:
        """A software rasteriser no longer rounds the steps of edges off: a fifth of the time is saved."""
        if self.quality.still_backdrop and not self._eased:
            self._eased = True
            self._choose_finish()

    def _choose_finish(self) -> None:
        name = "finish"
        if self.quality.still_backdrop:
            name = "enlarge" if self.scene_size != self.size else "copy" if self._eased else "copy_smooth"
        self._whole.set_shader(program(name))

    def resize(self, size: tuple[int, int]) -> None:
        """Pictures are of another `size` from now on."""
        self.context.close(self._scene)
        self.size = size
        self._open()

    def close(self) -> None:
        """Gives the buffer back."""
        self._output.remove_display_region(self._region)
        self.context.close(self._scene)
        self._finish.remove_node()

    def _open(self) -> None:
        self._scene = self.context.open_buffer("scene", self.scene_size)
        self._choose_finish()
        self._scene.set_clear_color_active(not self.quality.still_backdrop)
        self._scene.set_clear_color((0.79, 0.77, 0.75, 1.0))
        self._scene.set_clear_depth_active(True)
        self._picture = smooth_texture("scene")
        self._scene.add_render_texture(self._picture, GraphicsOutput.RTM_bind_or_copy, GraphicsOutput.RTP_color)
        self._scene_region = self._scene.make_display_region()
        if self._eye is not None:
            self._scene_region.set_camera(self._eye)
        self._finish.set_shader_input("picture", self._picture)
        self._finish.set_shader_input("pixel", (1.0 / self.size[0], 1.0 / self.size[1]))

    @property
    def picture(self) -> Texture:
        """The scene as last drawn."""
        return self._picture
