"""The live camera's picture as a mirror: what is worn lies over it, hands and arms before it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera as CameraNode
from panda3d.core import (
    ColorWriteAttrib,
    CullFaceAttrib,
    NodePath,
    SamplerState,
    Texture,
)

from game.materials import Print, cloth_inputs, optics_of
from game.view.camera import Camera, Crop, covering
from game.view.cells import Cells
from game.view.context import smooth_texture
from game.view.drawing_order import drawing_order
from game.view.geometry import DynamicMesh, blend, whole_picture
from game.view.lights import set_lamps
from game.view.model import SEEN, Part, far_side
from game.view.pipeline import Pipeline
from game.view.shaders import program
from game.view.tailoring import line_distances, panel_of
from solver.mesh import split_at_seams, thinned_faces
from solver.normals import NormalField
from solver.types import Frame, Intrinsics

TOLERANCE_M = 0.055
"""Cloth sinks this far into what the shopper really wears before it counts as hidden."""
THINNER_M = 0.014
CASTS = ((0.010, 0.16), (0.022, 0.10))
"""Rims of a garment's shade: how far they swell [m], how dark they are."""
BODY_CELL_M = 0.010
"""A body that only glows or hides is drawn no finer by a software rasteriser."""
CAST_CELL_M = 0.018
"""Nor is a garment's shade."""
NO_VEIL = (0.0, 0.0, 0.0, 0.0)
DEPTH_STEP_M = 0.00025
"""Unit of the depth image as it is drawn with; occlusion.glsl."""
SOFT_WIDTH = 72
"""A softened picture is made this small [px] and enlarged."""


class Worn:
    """A garment over the camera's picture."""

    def __init__(self, faces, panel_uv, uv_faces):
        source, uv_index, drawn = split_at_seams(faces, uv_faces)
        edge, seam = line_distances(faces, drawn, panel_uv[uv_index])
        panel = panel_of(drawn, len(source))
        flat = np.column_stack((panel_uv[uv_index], 10.0 * panel)).astype(np.float32)
        order, drawn = drawing_order(drawn, flat)
        source, uv_index, edge, seam = source[order], uv_index[order], edge[order], seam[order]
        count = len(source)
        columns = {
            "panel": np.ascontiguousarray(panel_uv[uv_index], np.float32),
            "trim": np.stack((edge, seam), 1),
            "offset": np.zeros((count, 1), np.float32),
            "ambient": np.ones((count, 1), np.float32),
        }
        self.vertices = np.zeros((0, 3), np.float32)
        """Particles [m] as last updated, (P, 3), frame w."""
        self._source = source
        self._normals = NormalField(faces, int(faces.max()) + 1)
        self._mesh = DynamicMesh("cloth", drawn, count, columns)
        self.path = NodePath("worn")
        cloth = self.path.attach_new_node(self._mesh.node)
        cloth.set_shader(program("cloth_glass"))
        cloth.set_bin("fixed", 10)
        blend(cloth)
        cloth.set_attrib(CullFaceAttrib.make(CullFaceAttrib.M_cull_none))
        self._faces = faces
        self._shade: Part | None = None

    def update(self, vertices: NDArray[np.float32]) -> None:
        """Particles [m], (P, 3), frame w."""
        vertices = np.ascontiguousarray(vertices, np.float32)
        normals = self._normals(vertices)
        self.vertices = vertices
        if self._shade is None:
            self._shade = self._make_shade()
        self._shade.update(vertices, normals)
        self._mesh.update(vertices[self._source], normals[self._source])

    def _make_shade(self) -> Part:
        """Rims need no fine mesh, but one must know where the garment is."""
        blank = {"offset": np.zeros((len(self.vertices), 1), np.float32)}
        coarse = thinned_faces(self.vertices, self._faces, CAST_CELL_M)
        shade = Part("cast", "cast", coarse, blank, None, self.vertices, SEEN)
        for order, (swell, dark) in enumerate(CASTS):
            cast = self.path.attach_new_node("cast")
            shade.path.copy_to(cast)
            cast.set_shader_input("swell", swell)
            cast.set_shader_input("dark", dark)
            cast.set_bin("fixed", 6 + order)
            blend(cast)
            cast.set_depth_write(False)
        return shade


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
        self._layered = pipeline.quality.still_backdrop
        if not self._layered:
            self._quad.reparent_to(self.root)
        self._behind = smooth_texture("behind")
        self._pixels: NDArray[np.uint8] | None = None
        self._stale = True
        self._veil, self._vignette = NO_VEIL, (0.0, 0.0)
        self._window = (0.0, 0.0, 1.0, 1.0)
        self._boxes: dict[str, NDArray[np.float32]] = {}
        self._glowing: NDArray[np.float32] | None = None
        self._color: Texture | None = None
        self._depth: Texture | None = None
        self._frame: Frame | None = None
        self._soft = False
        self._crop: Crop | None = None
        self._body: Part | None = None
        self._placed: NDArray[np.float32] | None = None
        self._body_path: NodePath | None = None
        self._normals: NormalField | None = None
        self._garments: list[Worn] = []
        self._exposure = np.ones(3)
        self._exposed: Frame | None = None
        set_lamps(self.root, np.zeros(2), 0.0)
        self.root.set_shader_input("tolerance", TOLERANCE_M)
        self.set_veil(NO_VEIL)
        self.set_vignette(0.0, 0.0)
        self._show_nothing()

    @property
    def frame(self) -> Frame | None:
        """Whose picture the driver holds; None while there is none."""
        return self._frame

    def set_veil(self, color: tuple[float, float, float, float]) -> None:
        """Lays a colour over the picture."""
        self._veil = color
        self._quad.set_shader_input("veil", color)

    def set_vignette(self, top: float, bottom: float) -> None:
        """Darkens towards top and bottom, so that words can be read."""
        self._vignette = (top, bottom)
        self._quad.set_shader_input("vignette", self._vignette)

    def cover(self, name: str, points: NDArray[np.float32] | None) -> None:
        """Something else called `name` is drawn within the hull of `points` (N, 3) [m], frame w; None: no longer."""
        if points is None:
            self._boxes.pop(name, None)
        else:
            self._boxes[name] = points

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
        self._quad.set_shader_input("window", window)
        self._window, self._stale = window, True
        width, height = self.pipeline.scene_size
        self.root.set_shader_input("scene_pixel", (1.0 / width, 1.0 / height))
        self.root.set_shader_input("seen_pixel", (1.0 / intrinsics.width, 1.0 / intrinsics.height))
        self.root.set_shader_input("camera_position", tuple(map(float, self.camera.position)))

    def set_body(self, faces: NDArray[np.int32], rest: NDArray[np.float32]) -> None:
        """The topology of bodies that glow or hide; some body of it stands at `rest` (V, 3) [m]."""
        if self._body is not None:
            return
        self._normals = NormalField(faces, len(rest))
        drawn = thinned_faces(rest, faces, BODY_CELL_M) if self._layered else faces
        self._body = Part("body", "depth", drawn, {"offset": np.zeros((len(rest), 1), np.float32)}, None, rest, SEEN)
        self._body.path.reparent_to(self.root)
        self._body.path.stash()
        self._body_path = self._body.path

    def show_glow(self, vertices: NDArray[np.float32], color: tuple[float, float, float, float]) -> None:
        """A body at `vertices` (V, 3) [m] as a rim of light; opacity is its strength."""
        path = self._place_body(vertices, "glow", 5)
        path.set_shader_input("glow", color)
        path.set_attrib(ColorWriteAttrib.make(ColorWriteAttrib.C_all))
        blend(path)
        self._glowing = vertices

    def hide_behind(self, vertices: NDArray[np.float32]) -> None:
        """A body at `vertices` (V, 3) [m] that is not seen and hides what is behind it."""
        path = self._place_body(vertices, "depth", 5)
        path.set_shader_input("thinner", THINNER_M)
        self._glowing = None
        path.set_attrib(ColorWriteAttrib.make(ColorWriteAttrib.C_off))

    def hide_body(self) -> None:
        """No body."""
        if self._body_path is not None:
            self._body_path.stash()
        self._glowing = None

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
        if self._frame is not None and self._frame.color is not None and self._frame is not self._exposed:
            self._exposed = self._frame
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
        self._body = self._body_path = self._normals = self._glowing = self._placed = None
        self._boxes.clear()
        if self._pixels is not None:
            self._pixels[:] = 0
        for texture in (self._color, self._depth, self._behind):
            if texture is not None:
                texture.clear_ram_image()
                texture.release_all()
        self._color = self._depth = self._frame = self._crop = self._exposed = None
        self._show_nothing()

    def prepare(self, mirrored: bool = True) -> None:
        """Makes everything ready for the next picture that the engine draws."""
        self.pipeline.show(self.eye)
        if self._layered:
            self.pipeline.set_veil(self._veil, self._vignette)
            self.pipeline.lay_behind(self._behind, self._stale)
            if self._stale:
                self._fill_behind()
            self.pipeline.cover(self._cells(mirrored))
        self.pipeline.finish(mirrored)

    def resize(self) -> None:
        """The pipeline's pictures are of another size: look through the lens anew."""
        if self._frame is not None:
            self._aim(self._frame.intrinsics, self.camera.T_wc)

    def close(self) -> None:
        """Gives everything back."""
        self.clear()
        self._quad.remove_node()
        self.root.remove_node()

    def _place_body(self, vertices: NDArray[np.float32], shader: str, order: int) -> NodePath:
        assert self._body is not None
        assert self._body_path is not None
        assert self._normals is not None
        vertices = np.ascontiguousarray(vertices, np.float32)
        if vertices is not self._placed:
            self._placed = vertices
            normals = self._normals(vertices)
            self._body.leave_out(far_side(vertices, normals, self.camera.position))
            self._body.update(vertices, normals)
        self._body_path.unstash()
        self._body_path.set_shader(program(shader))
        self._body_path.set_bin("fixed", order)
        return self._body_path

    def _fill_behind(self) -> None:
        """Cuts and enlarges the camera's picture to the scene: faster here than a software rasteriser samples it."""
        self._stale = False
        assert self._pixels is not None
        size, (height, width) = self.pipeline.scene_size, self._pixels.shape[:2]
        if (self._behind.get_x_size(), self._behind.get_y_size()) != size:
            self._behind.setup_2d_texture(*size, Texture.T_unsigned_byte, Texture.F_rgba8)
        left, top, across, down = self._window
        x, y = across * width / size[0], down * height / size[1]
        # Row 0 of a texture is the lowest.
        place = np.array([[x, 0.0, left * width + 0.5 * x - 0.5], [0.0, -y, (top + down) * height - 0.5 * y - 0.5]])
        pixels = np.frombuffer(self._behind.modify_ram_image(), np.uint8).reshape(size[1], size[0], 4)
        cv2.warpAffine(self._pixels, place, size, pixels, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE)

    def _cells(self, mirrored: bool) -> NDArray[np.bool_]:
        """Where garments, light and what else belongs into the picture may be seen."""
        cells = Cells(self.pipeline.size, mirrored)
        for worn in self._garments:
            cells.mark_points(self.camera, worn.vertices)
        if self._glowing is not None:
            cells.mark_points(self.camera, self._glowing)
        for points in self._boxes.values():
            cells.mark_hull(self.camera, points)
        return cells.marked()

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
        pixels = cv2.cvtColor(color, cv2.COLOR_RGB2BGRA)
        if self._layered:
            self._pixels, self._stale = pixels, True  # pyright: ignore[reportAttributeAccessIssue]
            return
        height, width = color.shape[:2]
        if self._color is None or (self._color.get_x_size(), self._color.get_y_size()) != (width, height):
            texture = smooth_texture("camera")
            texture.setup_2d_texture(width, height, Texture.T_unsigned_byte, Texture.F_rgba8)
            self._color = texture
            self._quad.set_shader_input("picture", self._color)
        memoryview(self._color.modify_ram_image()).cast("B")[:] = pixels.data.cast("B")  # pyright: ignore

    def _upload_depth(self, depth: NDArray[np.float32]) -> None:
        height, width = depth.shape
        if self._depth is None or (self._depth.get_x_size(), self._depth.get_y_size()) != (width, height):
            texture = Texture("depth")
            texture.setup_2d_texture(width, height, Texture.T_unsigned_short, Texture.F_r16)
            # Between two depths there is no surface half-way.
            texture.set_minfilter(SamplerState.FT_nearest)
            texture.set_magfilter(SamplerState.FT_nearest)
            self._depth = texture
            self.root.set_shader_input("seen_depth", self._depth)
        pixels = np.minimum(depth * (1.0 / DEPTH_STEP_M) + 0.5, 65535.0).astype(np.uint16)
        if min(depth.shape) >= 5:
            pixels = cv2.medianBlur(pixels, 5)
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
