"""The live camera's picture as a mirror: what is worn lies over it, hands and arms before it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera as CameraNode
from panda3d.core import (
    ColorBlendAttrib,
    ColorWriteAttrib,
    CullFaceAttrib,
    NodePath,
    SamplerState,
    Texture,
    TransparencyAttrib,
)

from game.materials import Print, cloth_inputs, optics_of
from game.view.camera import Camera, Crop, covering
from game.view.geometry import DynamicMesh, whole_picture
from game.view.lights import set_lamps
from game.view.model import SEEN
from game.view.pipeline import Pipeline
from game.view.shaders import program
from game.view.studio import smooth_texture
from game.view.tailoring import line_distances
from solver.mesh import split_at_seams
from solver.normals import NormalField
from solver.types import Frame, Intrinsics

TOLERANCE_M = 0.055
"""Cloth sinks this far into what the shopper really wears before it counts as hidden."""
THINNER_M = 0.014
CASTS = ((0.010, 0.16), (0.022, 0.10))
"""Rims of a garment's shade: how far they swell [m], how dark they are."""
SOFT_WIDTH = 72
"""A softened picture is made this small [px] and enlarged."""


class Worn:
    """A garment over the camera's picture."""

    def __init__(self, faces, panel_uv, uv_faces):
        source, uv_index, drawn = split_at_seams(faces, uv_faces)
        edge, seam = line_distances(faces, drawn, panel_uv[uv_index])
        count = len(source)
        columns = {
            "panel": np.ascontiguousarray(panel_uv[uv_index], np.float32),
            "trim": np.stack((edge, seam), 1),
            "offset": np.zeros((count, 1), np.float32),
            "ambient": np.ones((count, 1), np.float32),
        }
        self._source = source
        self._normals = NormalField(faces, int(faces.max()) + 1)
        self._mesh = DynamicMesh("cloth", drawn, count, columns)
        self.path = NodePath("worn")
        cloth = self.path.attach_new_node(self._mesh.node)
        cloth.set_shader(program("cloth_glass"))
        cloth.set_bin("fixed", 10)
        cloth.set_transparency(TransparencyAttrib.M_alpha)
        cloth.set_attrib(CullFaceAttrib.make(CullFaceAttrib.M_cull_none))
        for order, (swell, dark) in enumerate(CASTS):
            cast = self.path.attach_new_node("cast")
            cast.attach_new_node(self._mesh.node)
            cast.set_shader(program("cast"))
            cast.set_shader_input("swell", swell)
            cast.set_shader_input("dark", dark)
            cast.set_bin("fixed", 6 + order)
            cast.set_transparency(TransparencyAttrib.M_alpha)
            cast.set_depth_write(False)

    def update(self, vertices: NDArray[np.float32]) -> None:
        """Particles [m], (P, 3), frame w."""
        vertices = np.ascontiguousarray(vertices, np.float32)
        normals = self._normals(vertices)
        self._mesh.update(vertices[self._source], normals[self._source])


class LookingGlass:
    """The camera's picture with what belongs into it, drawn through the camera's own lens. Frame w, metres."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.root = NodePath("looking-glass")
        self.eye = self.root.attach_new_node(CameraNode("glass-eye"))
        self.eye.node().set_camera_mask(SEEN)
        self.camera = Camera(self.eye, pipeline.size)
        self._quad = whole_picture("glass")
        self._quad.set_shader(program("glass"))
        self._quad.set_bin("fixed", 0)
        self._quad.reparent_to(self.root)
        self._color: Texture | None = None
        self._depth: Texture | None = None
        self._frame: Frame | None = None
        self._soft = False
        self._crop: Crop | None = None
        self._body: DynamicMesh | None = None
        self._body_path: NodePath | None = None
        self._normals: NormalField | None = None
        self._garments: list[Worn] = []
        self._exposure = np.ones(3)
        set_lamps(self.root, np.zeros(2), 0.0)
        self.root.set_shader_input("tolerance", TOLERANCE_M)
        self.set_veil((0.0, 0.0, 0.0, 0.0))
        self.set_vignette(0.0, 0.0)
        self._show_nothing()

    @property
    def frame(self) -> Frame | None:
        """Whose picture the driver holds; None while there is none."""
        return self._frame

    def set_veil(self, color: tuple[float, float, float, float]) -> None:
        """Lays a colour over the picture."""
        self._quad.set_shader_input("veil", color)

    def set_vignette(self, top: float, bottom: float) -> None:
        """Darkens towards top and bottom, so that words can be read."""
        self._quad.set_shader_input("vignette", (top, bottom))

    def show_frame(self, frame: Frame, T_wc: NDArray | None, soft: bool = False, crop: Crop | None = None) -> None:
        """The camera's picture from `T_wc` (4, 4), cut by `crop`; `soft` shows hardly more than its colours."""
        if self._frame is frame and self._soft == soft and self._crop == crop:
            return
        if self._frame is frame and self._soft == soft:
            self._crop = crop
            self._aim(frame.intrinsics, self.camera.T_wc)
            return
        self._frame, self._soft, self._crop = frame, soft, crop
        if frame.color is not None:
            self._upload_color(frame.color, soft)
        if frame.depth is not None and not soft:
            self._upload_depth(frame.depth)
        self._aim(frame.intrinsics, np.eye(4) if T_wc is None else T_wc)

    def _aim(self, intrinsics: Intrinsics, T_wc: NDArray) -> None:
        seen, window = covering(intrinsics, self.pipeline.size, self._crop)
        self.camera.size = self.pipeline.size
        self.camera.set(seen, T_wc)
        self.root.set_shader_input("window", window)
        width, height = self.pipeline.scene_size
        self.root.set_shader_input("scene_pixel", (1.0 / width, 1.0 / height))
        self.root.set_shader_input("seen_pixel", (1.0 / intrinsics.width, 1.0 / intrinsics.height))
        self.root.set_shader_input("camera_position", tuple(map(float, self.camera.position)))

    def set_body(self, faces: NDArray[np.int32], vertex_count: int) -> None:
        """The topology of bodies that glow or hide."""
        if self._body is not None:
            return
        self._normals = NormalField(faces, vertex_count)
        self._body = DynamicMesh("body", faces, vertex_count, {})
        path = self.root.attach_new_node(self._body.node)
        path.hide()
        self._body_path = path

    def show_glow(self, vertices: NDArray[np.float32], color: tuple[float, float, float, float]) -> None:
        """A body at `vertices` (V, 3) [m] as a rim of light; opacity is its strength."""
        path = self._place_body(vertices, "glow", 5)
        path.set_shader_input("glow", color)
        path.set_attrib(ColorWriteAttrib.make(ColorWriteAttrib.C_all))
        path.set_attrib(
            ColorBlendAttrib.make(
                ColorBlendAttrib.M_add, ColorBlendAttrib.O_incoming_alpha, ColorBlendAttrib.O_one_minus_incoming_alpha
            )
        )

    def hide_behind(self, vertices: NDArray[np.float32]) -> None:
        """A body at `vertices` (V, 3) [m] that is not seen and hides what is behind it."""
        path = self._place_body(vertices, "depth", 5)
        path.set_shader_input("thinner", THINNER_M)
        path.clear_attrib(ColorBlendAttrib)
        path.set_attrib(ColorWriteAttrib.make(ColorWriteAttrib.C_off))

    def hide_body(self) -> None:
        """No body."""
        if self._body_path is not None:
            self._body_path.hide()

    def add_garment(self, faces, panel_uv, cloth: str, printed: Print, uv_faces) -> int:
        """Puts a garment on and returns its number; see `Stage.add_garment`."""
        worn = Worn(faces, panel_uv, uv_faces)
        worn.path.reparent_to(self.root)
        self._garments.append(worn)
        self.set_fabric(len(self._garments) - 1, cloth, printed)
        return len(self._garments) - 1

    def set_fabric(self, garment: int, cloth: str, printed: Print) -> None:
        """Another fabric or print. Raises `UsageError` for an unknown fabric."""
        for name, value in cloth_inputs(optics_of(cloth), printed).items():
            self._garments[garment].path.set_shader_input(name, value)

    def update_garment(self, garment: int, vertices: NDArray[np.float32]) -> None:
        """Particles [m], (P, 3), frame w."""
        self._garments[garment].update(vertices)

    def light_like_room(self, person: NDArray[np.uint8] | None, center: NDArray) -> None:
        """Garments are lit as brightly as the room in the picture; lamps stand about `center` (x, y) [m]."""
        if self._frame is not None and self._frame.color is not None:
            self._exposure += 0.25 * (exposure_of(self._frame.color, person) - self._exposure)
        self.root.set_shader_input("exposure", tuple(map(float, self._exposure)))
        set_lamps(self.root, center, 0.0)

    def remove_garments(self) -> None:
        """Take every garment off."""
        for worn in self._garments:
            worn.path.remove_node()
        self._garments.clear()

    def clear(self) -> None:
        """Forgets picture, body and garments."""
        self.remove_garments()
        if self._body_path is not None:
            self._body_path.remove_node()
        self._body = self._body_path = self._normals = None
        for texture in (self._color, self._depth):
            if texture is not None:
                texture.clear_ram_image()
                texture.release_all()
        self._color = self._depth = self._frame = self._crop = None
        self._show_nothing()

    def prepare(self, mirrored: bool = True) -> None:
        """Makes everything ready for the next picture that the engine draws."""
        self.pipeline.show(self.eye)
        self.pipeline.finish(mirrored)

    def resize(self) -> None:
        """The pipeline's pictures are of another size: look through the lens anew."""
        if self._frame is not None:
            self._aim(self._frame.intrinsics, self.camera.T_wc)

    def close(self) -> None:
        """Gives everything back."""
        self.clear()
        self.root.remove_node()

    def _place_body(self, vertices: NDArray[np.float32], shader: str, order: int) -> NodePath:
        assert self._body is not None
        assert self._body_path is not None
        assert self._normals is not None
        vertices = np.ascontiguousarray(vertices, np.float32)
        self._body.update(vertices, self._normals(vertices))
        self._body_path.show()
        self._body_path.set_shader(program(shader))
        self._body_path.set_bin("fixed", order)
        return self._body_path

    def _show_nothing(self) -> None:
        blank = np.zeros((2, 2, 3), np.uint8)
        self._upload_color(blank, False)
        self._upload_depth(np.zeros((2, 2), np.float32))
        self._aim(Intrinsics(2, 2, 2.0, 2.0, 0.5, 0.5), np.eye(4))

    def _upload_color(self, color: NDArray[np.uint8], soft: bool) -> None:
        if soft:
            height = max(2, round(SOFT_WIDTH * color.shape[0] / color.shape[1]))
            small = cv2.resize(color, (SOFT_WIDTH, height), interpolation=cv2.INTER_AREA)
            color = cv2.GaussianBlur(small, (0, 0), 1.6).astype(np.uint8)
        height, width = color.shape[:2]
        if self._color is None or (self._color.get_x_size(), self._color.get_y_size()) != (width, height):
            texture = smooth_texture("camera")
            texture.setup_2d_texture(width, height, Texture.T_unsigned_byte, Texture.F_rgba8)
            self._color = texture
            self._quad.set_shader_input("picture", self._color)
        pixels = cv2.cvtColor(color, cv2.COLOR_RGB2BGRA)
        memoryview(self._color.modify_ram_image()).cast("B")[:] = pixels.data.cast("B")  # pyright: ignore

    def _upload_depth(self, depth: NDArray[np.float32]) -> None:
        height, width = depth.shape
        if self._depth is None or (self._depth.get_x_size(), self._depth.get_y_size()) != (width, height):
            texture = Texture("depth")
            texture.setup_2d_texture(width, height, Texture.T_float, Texture.F_r32)
            # Between two depths there is no surface half-way.
            texture.set_minfilter(SamplerState.FT_nearest)
            texture.set_magfilter(SamplerState.FT_nearest)
            self._depth = texture
            self.root.set_shader_input("seen_depth", self._depth)
        smooth = cv2.medianBlur(depth, 5) if min(depth.shape) >= 5 else depth
        pixels = np.ascontiguousarray(smooth, np.float32)
        memoryview(self._depth.modify_ram_image()).cast("B")[:] = pixels.data.cast("B")  # pyright: ignore


def exposure_of(color: NDArray[np.uint8], person: NDArray[np.uint8] | None) -> NDArray[np.float64]:
    """How bright and of what tint the room is against the studio's paper: factors of sRGB, (3,).

    `color` (H, W, 3) sRGB; `person` (H, W) is 255 where the shopper hides the room.
    """
    small = color[::8, ::8].reshape(-1, 3).astype(np.float64)
    if person is not None:
        room = person[::8, ::8].reshape(-1) < 128
        if room.sum() > 50:
            small = small[room]
    bright = np.percentile(small, 90, axis=0)
    level = float(np.clip(bright.mean() / 222.0, 0.6, 1.08))
    tint = np.clip(bright / max(bright.mean(), 1.0), 0.93, 1.07)
    return level * tint
