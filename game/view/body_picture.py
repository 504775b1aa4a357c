"""The picture of a scanned body's colours, as the driver holds it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import SamplerState, Texture


class BodyTexture:
    """Lies on a body for as long as that is on the stage; `wipe` it when the body goes."""

    def __init__(self, color: NDArray[np.uint8], linear: bool) -> None:
        """Of `color` (N, N, 3) sRGB, row 0 at v = 0. `linear`: shaders see linear light, else sRGB as it is."""
        size = len(color)
        self.texture = Texture("body")
        pixel_format = Texture.F_srgb_alpha if linear else Texture.F_rgba8
        self.texture.setup_2d_texture(size, size, Texture.T_unsigned_byte, pixel_format)
        self.texture.set_wrap_u(SamplerState.WM_clamp)
        self.texture.set_wrap_v(SamplerState.WM_clamp)
        # Between two sizes a software rasteriser does not blend: it would read eight texels a pixel.
        self.texture.set_minfilter(
            SamplerState.FT_linear_mipmap_linear if linear else SamplerState.FT_linear_mipmap_nearest
        )
        self.texture.set_magfilter(SamplerState.FT_linear)
        pixels = cv2.cvtColor(color, cv2.COLOR_RGB2BGRA)
        memoryview(self.texture.modify_ram_image()).cast("B")[:] = pixels.data.cast("B")  # pyright: ignore
        pixels[...] = 0

    def wipe(self) -> None:
        """Nothing is left of it here, nor with the driver."""
        if self.texture.has_ram_image():
            np.frombuffer(self.texture.modify_ram_image(), np.uint8)[:] = 0
        self.texture.clear_ram_image()
        self.texture.release_all()
