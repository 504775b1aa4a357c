"""A picture that is drawn once and kept."""

from __future__ import annotations

from panda3d.core import GraphicsOutput, NodePath, Texture

from game.view.context import Context, smooth_texture


class Still:
    """A buffer that is drawn anew only in pictures before which `renew` was called."""

    def __init__(
        self, context: Context, name: str, sort: int, size: tuple[int, int],
        clear: tuple[float, float, float, float] | None = None,
    ):  # fmt: skip
        """`size` (width, height) [px]; lower `sort` is drawn first; `clear` is what it begins with, None for what is
        there."""
        self._context = context
        self._stale = True
        self.size = size
        self.buffer: GraphicsOutput = context.open_buffer(name, size, sort)
        self.buffer.set_clear_depth_active(True)
        if clear is not None:
            self.buffer.set_clear_color_active(True)
            self.buffer.set_clear_color(clear)
        self.texture: Texture = smooth_texture(name)
        self.buffer.add_render_texture(self.texture, GraphicsOutput.RTM_bind_or_copy, GraphicsOutput.RTP_color)
        self._region = self.buffer.make_display_region()

    def look(self, camera: NodePath) -> None:
        """Is what `camera` sees."""
        self._region.set_camera(camera)

    def renew(self) -> None:
        """Is drawn with the next picture."""
        self._stale = True

    def prepare(self) -> bool:
        """Before every picture; True if it is drawn with it."""
        self.buffer.set_active(self._stale)
        drawn, self._stale = self._stale, False
        return drawn

    def rest(self) -> None:
        """Is not drawn with the next picture, stale or not."""
        self.buffer.set_active(False)

    def resize(self, size: tuple[int, int]) -> None:
        """Is of another size."""
        if size != self.size:
            self.size = size
            self.buffer.set_size(*size)  # pyright: ignore[reportAttributeAccessIssue]
            self._stale = True

    def close(self) -> None:
        """Gives the buffer back."""
        self._context.close(self.buffer)
