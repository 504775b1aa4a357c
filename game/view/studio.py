"""The photographer's studio: a paper roll for floor and wall, darkened where the person touches it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera, GraphicsOutput, LMatrix4, NodePath, Texture

from game.view.context import Context, smooth_texture
from game.view.geometry import DynamicMesh, blend, whole_picture
from game.view.quality import Quality
from game.view.shaders import program
from game.view.still import Still

CURVE_START, CURVE_RADIUS = 1.8, 1.7
HALF_WIDTH, FRONT, TOP = 16.0, -16.0, 9.0
PAPER = (0.70, 0.668, 0.635)
FLOOR_HALF = 1.5
"""The floor around the person is shaded per pixel, the rest of the paper per vertex [m]."""
POLISH = 0.05
SHADED = 0.85
"""Share of that patch, from its middle, that a person darkens; floor_shade.frag."""

CONTACT_CELLS = 96
CONTACT_HALF_WIDTH = 0.9


def paper_roll() -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.bool_]]:
    """Vertices (N, 3) [m] and triangles (F, 3) of floor, curve and wall, and which triangles are the patch of floor
    around the person, who stands at the origin; the wall is at +y."""
    side = np.concatenate(
        (np.geomspace(FLOOR_HALF, HALF_WIDTH, 14)[::-1] * -1, np.geomspace(FLOOR_HALF, HALF_WIDTH, 14))
    )
    x = np.sort(np.concatenate((side, np.linspace(-FLOOR_HALF, FLOOR_HALF, 12)[1:-1])))
    angles = np.linspace(0.0, np.pi / 2, 20)
    floor = np.concatenate((-np.geomspace(FLOOR_HALF, -FRONT, 12)[::-1], np.linspace(-FLOOR_HALF, FLOOR_HALF, 12)[1:]))
    wall = np.linspace(CURVE_RADIUS, TOP, 40)[1:]
    y = np.concatenate(
        (floor, CURVE_START + CURVE_RADIUS * np.sin(angles), np.full(len(wall), CURVE_START + CURVE_RADIUS))
    )
    z = np.concatenate((np.zeros(len(floor)), CURVE_RADIUS * (1 - np.cos(angles)), wall))
    columns, rows = len(x), len(y)
    vertices = np.empty((rows, columns, 3), np.float32)
    vertices[..., 0], vertices[..., 1], vertices[..., 2] = x, y[:, None], z[:, None]
    vertices = vertices.reshape(-1, 3)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    quads = np.stack((corner, corner + 1, corner + columns + 1, corner, corner + columns + 1, corner + columns), 1)
    faces = quads.reshape(-1, 3).astype(np.int32)
    patch = np.all(np.abs(vertices[faces][..., :2]) < FLOOR_HALF + 1e-4, axis=(1, 2))
    return vertices, faces, patch


class Studio:
    """Backdrop and floor. Where something comes near the floor a small map darkens it, whatever its topology."""

    def __init__(self, context: Context, parent: NodePath, quality: Quality):
        vertices, faces, patch = paper_roll()
        self._context = context
        self.node = parent.attach_new_node("studio")
        self.node.set_shader_input("paper", PAPER)
        self._roll = NodePath("roll") if quality.still_backdrop else self.node
        self._roll.set_shader_input("paper", PAPER)
        drawn = [("floor_shade" if quality.still_backdrop else "floor", self.node, faces[patch], 30)]
        drawn.append(("paper", self._roll, faces if quality.still_backdrop else faces[~patch], 40))
        for name, place, triangles, order in drawn:
            mesh = DynamicMesh(name, triangles, len(vertices), {})
            mesh.update(vertices, np.zeros_like(vertices))
            path = place.attach_new_node(mesh.node)
            path.set_shader(program(name))
            path.set_bin("fixed", order)
        self.floor = self.node.find("floor*")
        blend(self.floor)
        self.floor.set_depth_write(False)
        self.floor.set_shader_input("floor_half", FLOOR_HALF)
        self._contact = smooth_texture("contact")
        self._contact.setup_2d_texture(CONTACT_CELLS, CONTACT_CELLS, Texture.T_unsigned_byte, Texture.F_rgba8)
        self._light = whole_picture("floor-light")
        self._light.set_shader(program("floor_light_quick" if quality.still_backdrop else "floor_light"))
        self._light.set_shader_input("floor_half", FLOOR_HALF)
        self.buffer = context.open_buffer("floor-light", (quality.floor_light, quality.floor_light), sort=-5)
        light = smooth_texture("floor-light")
        self.buffer.add_render_texture(light, GraphicsOutput.RTM_bind_or_copy, GraphicsOutput.RTP_color)
        self.buffer.make_display_region().set_camera(self._light.attach_new_node(Camera("floor-light")))
        self.floor.set_shader_input("floor_light", light)
        self.floor.set_shader_input("contact", self._contact)
        self._still: StillBackdrop | None = None
        if quality.still_backdrop:
            self._still = StillBackdrop(context, self._roll)
        self.update_contact(np.zeros(2), [])

    def place(self, center: NDArray, azimuth: float, shadow_inputs: Mapping[str, object]) -> None:
        """Roll the paper out around `center` (x, y) [m], frame w, for a camera at `azimuth` [rad].

        `shadow_inputs` are the light rig's, for that place.
        """
        for node in {self.node, self._roll}:
            node.set_pos_hpr(float(center[0]), float(center[1]), 0.0, float(np.rad2deg(azimuth)), 0.0, 0.0)
        self._light.set_shader_input("patch_to_world", self.node.get_mat())
        for name, value in shadow_inputs.items():
            self._light.set_shader_input(name, value)

    def look(self, eye: NodePath, size: tuple[int, int]) -> tuple[Texture, bool] | None:
        """The next picture is seen by the camera `eye`, in `size` (width, height) [px].

        Returns what stands still behind it and whether that is drawn with it, where it is a picture of its own.
        """
        return None if self._still is None else self._still.look(eye, size)

    @property
    def shaded_floor(self) -> NDArray[np.float32]:
        """Corners (N, 3) [m], frame w, of the part of the floor that a person may darken."""
        angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
        place = self.node.get_pos()
        ring = SHADED * FLOOR_HALF * np.stack((np.cos(angle), np.sin(angle), np.zeros_like(angle)), 1)
        return (ring + np.array([place[0], place[1], 0.0])).astype(np.float32)

    def rest(self) -> None:
        """Nothing of it is drawn: something else is shown."""
        if self._still is not None:
            self._still.rest()

    def close(self) -> None:
        """Gives buffers back."""
        self._context.close(self.buffer)
        if self._still is not None:
            self._still.close()

    def update_contact(self, center: NDArray, clouds: list[NDArray[np.float32]]) -> None:
        """Darken the floor under `clouds` of vertices (V, 3) [m], frame w, within 0.9 m of `center` (x, y)."""
        height = np.full((CONTACT_CELLS, CONTACT_CELLS), np.inf, np.float32)
        scale = CONTACT_CELLS / (2 * CONTACT_HALF_WIDTH)
        for cloud in clouds:
            low = cloud[cloud[:, 2] < 0.6]
            cells = np.floor((low[:, :2] - center + CONTACT_HALF_WIDTH) * scale).astype(np.int32)
            inside = ((cells >= 0) & (cells < CONTACT_CELLS)).all(1)
            np.minimum.at(height, (cells[inside, 1], cells[inside, 0]), low[inside, 2])
        height = np.maximum(height, 0.0)
        touching = cv2.GaussianBlur(np.exp(-height / 0.018), (0, 0), 0.013 * scale)
        near = cv2.GaussianBlur(np.exp(-height / 0.20), (0, 0), 0.075 * scale)
        pixels = np.zeros((CONTACT_CELLS, CONTACT_CELLS, 4), np.uint8)
        # Panda3D keeps pixels as BGRA.
        pixels[..., 2] = np.minimum(255 * 1.2 * touching, 255)
        pixels[..., 1] = np.minimum(255 * 1.5 * near, 255)
        memoryview(self._contact.modify_ram_image()).cast("B")[:] = pixels.data.cast("B")
        self.floor.set_shader_input("contact_place", (float(center[0]), float(center[1]), CONTACT_HALF_WIDTH))


class StillBackdrop:
    """Paper and floor as a picture, drawn anew only when they are seen from elsewhere."""

    def __init__(self, context: Context, roll: NodePath):
        self._roll = roll
        self._seen: tuple[float, ...] = ()
        self._camera = roll.attach_new_node(Camera("backdrop"))
        self._picture = Still(context, "backdrop", -6, (8, 8))
        self._picture.look(self._camera)

    def look(self, eye: NodePath, size: tuple[int, int]) -> tuple[Texture, bool]:
        """As seen by the camera `eye` in a picture of `size` (width, height) [px]; whether it is drawn anew."""
        lens = eye.node().get_lens()
        to_roll = LMatrix4(self._roll.get_mat())
        to_roll.invert_in_place()
        relative = eye.get_mat() * to_roll
        matrices = (relative, lens.get_projection_mat())
        seen = tuple(round(m.get_cell(i, j), 5) for m in matrices for i in range(4) for j in range(4))
        self._picture.resize(size)
        if seen != self._seen:
            self._seen = seen
            self._camera.set_mat(relative)
            self._camera.node().set_lens(lens)
            self._picture.renew()
        return self._picture.texture, self._picture.prepare()

    def rest(self) -> None:
        """Is not drawn: something else is shown."""
        self._picture.rest()

    def close(self) -> None:
        """Gives the buffer back."""
        self._picture.close()
