"""The OpenGL context, with or without a window."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import (
    FrameBufferProperties,
    GraphicsEngine,
    GraphicsOutput,
    GraphicsPipe,
    GraphicsPipeSelection,
    SamplerState,
    Texture,
    WindowProperties,
    load_prc_file_data,
)

from solver.errors import ChevalError

load_prc_file_data(
    "cheval",
    "\n".join(
        (
            "window-type none",
            "audio-library-name null",
            "textures-power-2 none",
            "sync-video true",
            "gl-immutable-texture-storage true",
            "text-minfilter linear",
            "text-magfilter linear",
            "text-kerning true",
            "notify-level-egldisplay fatal",
            "notify-level-x11display fatal",
        )
    ),
)

# Without a screen the EGL-only module comes first: the windowing one would complain about the missing display.
OFFSCREEN_MODULES = ("p3headlessgl", "pandagl")
WINDOW_MODULES = ("pandagl",)


class NoGraphicsError(ChevalError):
    """No OpenGL 3.3 context can be had on this machine."""


class WindowOptions(NamedTuple):
    """What window to open."""

    size: tuple[int, int]
    """(width, height) [px]."""
    title: str = "Cheval"
    fullscreen: bool = False


class Context:
    """An OpenGL context. All buffers share it; with a window they share the window's."""

    def __init__(self, window: WindowOptions | None = None) -> None:
        """Opens the first context that gives OpenGL 3.3. Raises `NoGraphicsError`."""
        self.engine = GraphicsEngine.get_global_ptr()
        failures = []
        for module in OFFSCREEN_MODULES if window is None else WINDOW_MODULES:
            self.pipe = GraphicsPipeSelection.get_global_ptr().make_module_pipe(module)
            if self.pipe is None or not self.pipe.is_valid():
                failures.append(f"{module}: no display")
                continue
            if window is None:
                host = self._open("cheval-host", (8, 8), FrameBufferProperties.get_default(), None)
            else:
                host = self._open_window(window)
            if host is None:
                failures.append(f"{module}: no context")
                continue
            gsg = host.get_gsg()
            if (gsg.driver_version_major, gsg.driver_version_minor) >= (3, 3):
                self._host = host
                self.window: GraphicsOutput | None = None if window is None else host
                return
            failures.append(f"{module}: OpenGL {gsg.driver_version_major}.{gsg.driver_version_minor} only")
            self.engine.remove_window(host)
        cure = "install a GPU driver, or Mesa's software rasteriser (Debian: libegl1 libgl1-mesa-dri)"
        if window is not None:
            cure = "start it where a screen is, or with --headless"
        raise NoGraphicsError(f"no OpenGL 3.3 on this machine ({'; '.join(failures)}); {cure}")

    @property
    def renderer(self) -> str:
        """The driver's own name of what draws, as `doctor` shows it."""
        gsg = self._host.get_gsg()
        return f"{gsg.driver_renderer}, OpenGL {gsg.driver_version}"

    @property
    def object_counts(self) -> dict[str, int]:
        """How many objects of each kind the driver holds for us, and how many buffers are open."""
        held = self._host.get_gsg().prepared_objects
        return {
            "textures": held.get_num_prepared_textures(),
            "vertex_buffers": held.get_num_prepared_vertex_buffers(),
            "index_buffers": held.get_num_prepared_index_buffers(),
            "shaders": held.get_num_prepared_shaders(),
            "outputs": self.engine.get_num_windows(),
        }

    def open_buffer(self, name: str, size: tuple[int, int], sort: int = 0) -> GraphicsOutput:
        """A colour buffer of `size` (width, height) [px]; lower `sort` is drawn first. Raises `NoGraphicsError`."""
        properties = FrameBufferProperties()
        properties.set_rgba_bits(8, 8, 8, 8)
        properties.set_depth_bits(24)
        buffer = self._open(name, size, properties, self._host, sort)
        if buffer is None:
            raise NoGraphicsError(f"the driver gives no {size[0]}x{size[1]} buffer; ask for a smaller picture")
        return buffer

    def open_target(self, name: str, size: tuple[int, int], sort: int = 0) -> Target:
        """A colour buffer of `size` (width, height) [px] that can be read back. Raises `NoGraphicsError`."""
        return Target(self.open_buffer(name, size, sort))

    def open_depth_map(self, name: str, resolution: int, sort: int) -> tuple[GraphicsOutput, Texture]:
        """A square buffer whose depth can be sampled with hardware comparison: a shadow map."""
        properties = FrameBufferProperties()
        properties.set_depth_bits(24)
        buffer = self._open(name, (resolution, resolution), properties, self._host, sort)
        if buffer is None:
            raise NoGraphicsError(f"the driver gives no {resolution}x{resolution} depth buffer")
        texture = Texture(name)
        texture.set_minfilter(SamplerState.FT_shadow)
        texture.set_magfilter(SamplerState.FT_shadow)
        texture.set_wrap_u(SamplerState.WM_border_color)
        texture.set_wrap_v(SamplerState.WM_border_color)
        texture.set_border_color((1, 1, 1, 1))
        buffer.add_render_texture(texture, GraphicsOutput.RTM_bind_or_copy, GraphicsOutput.RTP_depth)
        return buffer, texture

    def close(self, buffer: GraphicsOutput | None = None) -> None:
        """Gives `buffer`, or the whole context, back to the driver."""
        self.engine.remove_window(buffer or self._host)

    def _open_window(self, window: WindowOptions) -> GraphicsOutput | None:
        properties = WindowProperties.size(*window.size)
        properties.set_title(window.title)
        properties.set_fullscreen(window.fullscreen)
        if window.fullscreen:
            properties.set_size(self.pipe.get_display_width(), self.pipe.get_display_height())
        framebuffer = FrameBufferProperties.get_default()
        opened = self.engine.make_output(
            self.pipe, "cheval", 10, framebuffer, properties, GraphicsPipe.BF_require_window
        )
        if opened is None:
            return None
        self.engine.open_windows()
        if not opened.is_valid():
            self.engine.remove_window(opened)
            return None
        opened.set_clear_color_active(False)
        return opened

    def _open(
        self,
        name: str,
        size: tuple[int, int],
        properties: FrameBufferProperties,
        host: GraphicsOutput | None,
        sort: int = 0,
    ) -> GraphicsOutput | None:
        arguments = (self.pipe, name, sort, properties, WindowProperties.size(*size), GraphicsPipe.BF_refuse_window)
        buffer = (
            self.engine.make_output(*arguments)
            if host is None
            else self.engine.make_output(*arguments, host.get_gsg(), host)
        )
        if buffer is not None:
            self.engine.open_windows()
            if buffer.is_valid():
                buffer.set_clear_color_active(False)
                return buffer
            self.engine.remove_window(buffer)
        return None


class Target:
    """A buffer whose picture is copied to main memory when it is asked for."""

    def __init__(self, buffer: GraphicsOutput, always: bool = True):
        """`always` copies every picture, otherwise only those before which `request` was called."""
        self.buffer = buffer
        self._texture = Texture("picture")
        mode = GraphicsOutput.RTM_copy_ram if always else GraphicsOutput.RTM_triggered_copy_ram
        buffer.add_render_texture(self._texture, mode, GraphicsOutput.RTP_color)

    def request(self) -> None:
        """The next picture drawn will be copied."""
        self.buffer.trigger_copy()

    def read(self) -> NDArray[np.uint8]:
        """The picture last copied, shape (H, W, 3), sRGB, RGB order, top row first."""
        height, width = self._texture.get_y_size(), self._texture.get_x_size()
        pixels = np.frombuffer(self._texture.get_ram_image(), np.uint8).reshape(height, width, -1)
        code = cv2.COLOR_BGRA2RGB if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
        return cv2.flip(cv2.cvtColor(pixels, code), 0)  # pyright: ignore[reportReturnType]


def smooth_texture(name: str) -> Texture:
    """A texture that is interpolated and ends in its edge's colour."""
    texture = Texture(name)
    texture.set_minfilter(SamplerState.FT_linear)
    texture.set_magfilter(SamplerState.FT_linear)
    texture.set_wrap_u(SamplerState.WM_clamp)
    texture.set_wrap_v(SamplerState.WM_clamp)
    return texture
