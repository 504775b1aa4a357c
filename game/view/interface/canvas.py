"""What the interface is drawn on: units to pixels, plates, rings and text over the finished picture."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from panda3d.core import (
    Camera,
    DynamicTextFont,
    GraphicsOutput,
    NodePath,
    OrthographicLens,
    PandaNode,
    SamplerState,
    TextNode,
    Texture,
)

from game.assets import ASSETS
from game.view.cells import CELL, grid_of
from game.view.geometry import DynamicMesh, blend
from game.view.interface.style import NOTHING, SHORT_SIDE, Color, Face, TypeStyle
from game.view.shaders import program
from solver.errors import InputError

RING_STEPS = 720
"""A ring is filled in so many steps: finer ones would be drawn for nothing."""


class Rect(NamedTuple):
    """Left, top, width, height [units]; y grows downwards."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower side."""
        return self.y + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def inset(self, by: float) -> Rect:
        """Smaller by `by` on every side."""
        return Rect(self.x + by, self.y + by, self.width - 2 * by, self.height - 2 * by)

    def holds(self, x: float, y: float) -> bool:
        """Whether the point lies in it."""
        return self.x <= x <= self.right and self.y <= y <= self.bottom


@cache
def font(face: Face, pixels: int) -> DynamicTextFont:
    """The typeface at a size in pixels. Raises `InputError` where the installation is incomplete."""
    path = ASSETS / "fonts" / f"Lato-{face.value}.ttf"
    made = DynamicTextFont(str(path))
    if not made.is_valid():
        raise InputError(f"{path}: the typeface cannot be read; reinstall cheval")
    made.set_pixels_per_unit(pixels)
    made.set_scale_factor(1)
    made.set_texture_margin(2)
    made.set_page_size(512, 512)
    made.set_minfilter(SamplerState.FT_linear)
    made.set_magfilter(SamplerState.FT_linear)
    made.set_line_height(1.0)
    return made


class Canvas:
    """The layer over the picture. `root` takes nodes; they lie at (x, 0, -y) pixels."""

    def __init__(self, output: GraphicsOutput, size: tuple[int, int]):
        """`size` (width, height) [px] of `output`."""
        self._output = output
        self.root = NodePath("interface")
        self.root.set_depth_test(False)
        self.root.set_depth_write(False)
        blend(self.root)
        self.root.set_bin("unsorted", 0)
        self.root.set_two_sided(True)
        self._lens = OrthographicLens()
        self._lens.set_near_far(-10, 10)
        self._camera = self.root.attach_new_node(Camera("interface", self._lens))
        self._region = output.make_display_region()
        self._region.set_sort(10)
        self._region.set_camera(self._camera)
        mesh = DynamicMesh("plate", np.array([[0, 1, 2], [0, 2, 3]], np.int32), 4, {})
        corners = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
        mesh.update(corners, np.zeros_like(corners))
        self.quad = mesh.node
        self._items: list[Plate | Text] = []
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        """The output is of another size [px] from now on."""
        self.pixels = size
        self.scale = min(size) / SHORT_SIDE
        self.width, self.height = size[0] / self.scale, size[1] / self.scale
        self._lens.set_film_size(size[0], size[1])
        self._camera.set_pos(size[0] / 2, 0, -size[1] / 2)
        self._changed = np.ones(grid_of(size), bool)

    def add(self, item: Plate | Text) -> None:
        """Something is drawn on it until its node is taken away."""
        self._items.append(item)

    def touch(self, item: Plate | Text | None = None) -> None:
        """`item`, or everything, changes: it is drawn anew where it lies now."""
        if item is None:
            self._changed[:] = True
        else:
            self._changed[self._cells(item)] = True

    def take_changed(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
        """In which cells something has changed since the last call, and in which there is anything at all, (rows,
        columns); None where nothing has changed."""
        if not self._changed.any():
            return None
        changed, self._changed = self._changed, np.zeros_like(self._changed)
        used = np.zeros_like(changed)
        self._items = [item for item in self._items if not item.node.is_empty() and item.node.get_top() == self.root]
        for item in self._items:
            if not item.node.is_hidden() and item.node.get_hidden_ancestor().is_empty():
                used[self._cells(item)] = True
        return changed, used

    def _cells(self, item: Plate | Text) -> tuple[slice, slice]:
        x, _, y = item.node.get_pos(self.root)
        left, top, right, bottom = item.reach
        return (
            slice(max(int((top - y) // CELL), 0), max(int((bottom - y) // CELL) + 1, 0)),
            slice(max(int((x + left) // CELL), 0), max(int((x + right) // CELL) + 1, 0)),
        )

    @property
    def portrait(self) -> bool:
        """Higher than wide."""
        return self.height >= self.width

    @property
    def whole(self) -> Rect:
        """All of it."""
        return Rect(0, 0, self.width, self.height)

    def close(self) -> None:
        """Takes the layer away."""
        self._output.remove_display_region(self._region)
        self.root.remove_node()


class Layer:
    """Some things of the interface that come and go together."""

    def __init__(self, canvas: Canvas, parent: NodePath | None = None):
        self.canvas = canvas
        self.node = (parent or canvas.root).attach_new_node("layer")
        self._opacity, self._place = 1.0, (0, 0)

    def set_opacity(self, opacity: float) -> None:
        """0 hides, 1 shows."""
        if opacity == self._opacity:
            return
        self._opacity = opacity
        self.canvas.touch()
        if opacity <= 0.004:
            self.node.hide()
        else:
            self.node.show()
            self.node.set_color_scale(1, 1, 1, opacity)

    def shift(self, x: float, y: float) -> None:
        """Moves all of it [units]."""
        place = (round(x * self.canvas.scale), round(-y * self.canvas.scale))
        if place != self._place:
            self._place = place
            self.canvas.touch()
            self.node.set_pos(place[0], 0, place[1])

    def remove(self) -> None:
        """Takes all of it away."""
        self.canvas.touch()
        self.node.remove_node()


class Plate:
    """A rounded rectangle: panel, button, slider's knob, picture frame."""

    def __init__(self, layer: Layer, rect: Rect, fill: Color = NOTHING, radius: float = 0.0, shader: str = "plate"):
        self._canvas = layer.canvas
        self.node = layer.node.attach_new_node(PandaNode("plate"))
        self.node.attach_new_node(layer.canvas.quad)
        self.node.set_shader(program(shader))
        self._inputs: dict[str, object] = {}
        self.reach = (0.0, 0.0, 0.0, 0.0)
        """Left, top, right, bottom of all of it from its node, y down [px]."""
        self._radius = radius
        self._detail = [0.0, 0.0, 0.0, 1.0]
        self.set_fill(fill)
        self.set_edge(NOTHING, 0.0)
        self.place(rect)
        layer.canvas.add(self)

    def place(self, rect: Rect, radius: float | None = None) -> None:
        """Puts it at `rect` [units], its edges on whole pixels."""
        self.rect = rect
        self._radius = self._radius if radius is None else radius
        scale = self._canvas.scale
        left, top = round(rect.x * scale), round(rect.y * scale)
        right, bottom = round(rect.right * scale), round(rect.bottom * scale)
        half_width, half_height = max((right - left) / 2, 0.01), max((bottom - top) / 2, 0.01)
        radius = min(self._radius * scale, half_width, half_height)
        margin = 2.0 * self._detail[1] + 1.0
        self._move((left + right) / 2, (top + bottom) / 2, (half_width, half_height, radius, margin))

    def set_fill(self, color: Color) -> None:
        """Its colour."""
        self._put("fill", color)

    def set_edge(self, color: Color, width: float = 1.0) -> None:
        """A line along its inner side [units]."""
        self._detail[0] = max(width * self._canvas.scale, 1.0) if width > 0 else 0.0
        self._put("edge", color)
        self._set_detail()

    def set_shadow(self, softness: float, opacity: float) -> None:
        """A soft shadow below it; softness [units]."""
        self._detail[1], self._detail[2] = softness * self._canvas.scale, opacity
        self._set_detail()
        self.place(self.rect)

    def set_opacity(self, opacity: float) -> None:
        """Of all of it."""
        self._detail[3] = opacity
        self._set_detail()
        (self.node.show if opacity > 0.004 else self.node.hide)()

    def _set_detail(self) -> None:
        self._put("detail", tuple(self._detail))

    def _move(self, x: float, y: float, plate: tuple[float, float, float, float]) -> None:
        """Its middle [px], and its half width, half height, corner radius and margin [px]."""
        if self.node.get_pos() != (x, 0, -y) or self._inputs.get("plate") != plate:
            self._touch()
            self.node.set_pos(x, 0, -y)
            across, down = plate[0] + plate[3], plate[1] + plate[3]
            self.reach = (-across, -down, across, down)
            self._put("plate", plate)
            self._touch()

    def _put(self, name: str, value: object) -> None:
        """A shader's input."""
        if self._inputs.get(name) != value:
            self._inputs[name] = value
            self.node.set_shader_input(name, value)
            self._touch()

    def _touch(self) -> None:
        self._canvas.touch(self)


class Picture(Plate):
    """A rounded rectangle that shows a texture."""

    def __init__(self, layer: Layer, rect: Rect, texture: Texture, radius: float = 0.0):
        super().__init__(layer, rect, (1.0, 1.0, 1.0, 1.0), radius, "plate_picture")
        self._put("window", (0.0, 0.0, 1.0, 1.0))
        self.set_texture(texture)

    def set_texture(self, texture: Texture) -> None:
        """Shows another texture."""
        self._put("picture", texture)

    def set_window(self, left: float, top: float, width: float, height: float) -> None:
        """Shows a part of the texture, in shares of it as they lie in memory; a negative width flips."""
        self._put("window", (left, top, width, height))


class Ring(Plate):
    """A ring, part of which is filled."""

    def __init__(self, layer: Layer, rect: Rect, thickness: float, fill: Color, rest: Color):
        super().__init__(layer, rect, fill, 0.0, "ring")
        self._detail[0], self._detail[1] = thickness * layer.canvas.scale, 0.0
        self._put("edge", rest)
        self.place(rect)
        self.set_share(0.0)

    def place(self, rect: Rect, radius: float | None = None) -> None:
        """Puts it at `rect` [units]."""
        self.rect = rect
        scale = self._canvas.scale
        half = max(round(rect.width * scale) / 2, 1.0)
        x, y = rect.middle
        self._move(round(x * scale), round(y * scale), (half, half, 0.0, 1.0))

    def set_share(self, share: float) -> None:
        """How much of it is filled, 0..1."""
        self._detail[1] = round(min(max(share, 0.0), 1.0) * RING_STEPS) / RING_STEPS
        self._set_detail()


class Text:
    """Lines of text. `place` is the left end, middle or right end of the first line's cap height's middle line."""

    def __init__(
        self, layer: Layer, text: str, style: TypeStyle, color: Color, place: tuple[float, float],
        align: str = "left", width: float | None = None, most: int = 0,
    ):  # fmt: skip
        """`width` [units] breaks lines; what goes beyond `most` of them is left out, with an ellipsis."""
        self._canvas = layer.canvas
        self._style, self._align, self._width, self._most = style, align, width, most
        self._color = color
        self._pixels = max(6, round(style.size * layer.canvas.scale))
        self.node = layer.node.attach_new_node(PandaNode("text"))
        self._text: str | None = None
        self.lines: list[str] = []
        self.reach = (0.0, 0.0, 0.0, 0.0)
        """As of a plate."""
        self.set_text(text)
        self.move(place)
        layer.canvas.add(self)

    def set_text(self, text: str) -> None:
        """Other words."""
        if text == self._text:
            return
        self._text = text
        self._touch()
        self.node.node().remove_all_children()
        self.lines = self._broken(text)
        face = font(self._style.face, self._pixels)
        advance = round(self._style.size * self._style.leading * self._canvas.scale)
        for number, line in enumerate(self.lines):
            for piece, x in self._pieces(line, face):
                label = TextNode("line")
                label.set_font(face)
                label.set_text(piece)
                label.set_text_color(*self._color)
                path = self.node.attach_new_node(label.generate())
                path.set_scale(self._pixels)
                # Caps are 0.72 em high: their middle line sits on the place.
                path.set_pos(round(x), 0, -round(number * advance + 0.36 * self._pixels))
        self._measure()
        self._touch()

    def set_color(self, color: Color) -> None:
        """Another colour."""
        if color != self._color:
            self._color, text, self._text = color, self._text, None
            self.set_text(text or "")

    def move(self, place: tuple[float, float]) -> None:
        """To another place [units]."""
        scale = self._canvas.scale
        pixels = (round(place[0] * scale), 0, -round(place[1] * scale))
        if self.node.get_pos() != pixels:
            self._touch()
            self.node.set_pos(*pixels)
            self._touch()

    @property
    def height(self) -> float:
        """From the first line's top to the last line's bottom [units]."""
        return self._style.size * (self._style.leading * (len(self.lines) - 1) + 1.0)

    @property
    def longest(self) -> float:
        """Width of the longest line [units]."""
        face = font(self._style.face, self._pixels)
        return max((self._advance(line, face) for line in self.lines), default=0.0) / self._canvas.scale

    def _touch(self) -> None:
        self._canvas.touch(self)

    def _measure(self) -> None:
        # Glyphs reach a little over their advance.
        width, more = self.longest * self._canvas.scale, 0.3 * self._pixels
        left = {"left": 0.0, "center": -0.5, "right": -1.0}[self._align] * width
        bottom = self.height * self._canvas.scale - 0.5 * self._pixels
        self.reach = (left - more, -0.5 * self._pixels - more, left + width + more, bottom + more)

    def _pieces(self, line: str, face: DynamicTextFont):
        whole = self._advance(line, face)
        x = {"left": 0.0, "center": -0.5, "right": -1.0}[self._align] * whole
        if not self._style.tracking:
            yield line, x
            return
        for letter in line:
            yield letter, x
            x += measure(letter, face) * self._pixels + self._style.tracking * self._pixels

    def _advance(self, line: str, face: DynamicTextFont) -> float:
        """[px]."""
        if not self._style.tracking:
            return measure(line, face) * self._pixels
        return sum(measure(letter, face) + self._style.tracking for letter in line) * self._pixels - (
            self._style.tracking * self._pixels if line else 0.0
        )

    def _broken(self, text: str) -> list[str]:
        lines: list[str] = []
        for paragraph in text.split("\n"):
            if self._width is None:
                lines.append(paragraph)
                continue
            line = ""
            for word in paragraph.split():
                longer = f"{line} {word}" if line else word
                if line and not self._fits(longer):
                    lines.append(line)
                    longer = word
                while not self._fits(longer):
                    start = self._start_of(longer)
                    lines.append(start)
                    longer = longer[len(start) :]
                line = longer
            lines.append(line)
        if self._most and len(lines) > self._most:
            last = lines[self._most - 1]
            while last and not self._fits(f"{last}…"):
                last = last[:-1].rstrip(" ,.-–")
            lines[self._most - 1 :] = [f"{last}…"]
        return lines

    def _fits(self, line: str) -> bool:
        if self._width is None or len(line) < 2:
            return True
        return self._advance(line, font(self._style.face, self._pixels)) <= self._width * self._canvas.scale

    def _start_of(self, word: str) -> str:
        """What of a word longer than a line goes onto this line: up to a hyphen if it has one, else what there is room
        for."""
        count = len(word) - 1
        while not self._fits(word[:count]):
            count -= 1
        hyphen = word.rfind("-", 0, count)
        return word[: hyphen + 1 or count]


_meter = TextNode("meter")


def measure(text: str, face: DynamicTextFont) -> float:
    """Advance of a line, in ems."""
    _meter.set_font(face)
    return _meter.calc_width(text)


def texture_of(picture: NDArray[np.uint8], name: str, sharp: bool = False) -> Texture:
    """A texture of `picture`, sRGB, shape (H, W, 3) RGB or (H, W, 4) RGBA, row 0 first in memory."""
    texture = Texture(name)
    height, width, channels = picture.shape
    layout = Texture.F_rgba8 if channels == 4 else Texture.F_rgb8
    texture.setup_2d_texture(width, height, Texture.T_unsigned_byte, layout)
    filter_ = SamplerState.FT_nearest if sharp else SamplerState.FT_linear
    texture.set_minfilter(filter_)
    texture.set_magfilter(filter_)
    texture.set_wrap_u(SamplerState.WM_clamp)
    texture.set_wrap_v(SamplerState.WM_clamp)
    fill_texture(texture, picture)
    return texture


def fill_texture(texture: Texture, picture: NDArray[np.uint8]) -> None:
    """New pixels of the same size and channels."""
    # Panda3D keeps pixels as BGR(A).
    order = [2, 1, 0, 3][: picture.shape[2]]
    memoryview(texture.modify_ram_image()).cast("B")[:] = np.ascontiguousarray(picture[..., order]).data.cast("B")
