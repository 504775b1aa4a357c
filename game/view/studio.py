"""The photographer's studio: a paper roll for floor and wall, darkened where the person touches it."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera, GraphicsOutput, NodePath, SamplerState, Texture, TransparencyAttrib

from game.view.context import Context
from game.view.geometry import DynamicMesh, whole_picture
from game.view.shaders import program

CURVE_START, CURVE_RADIUS = 1.8, 1.7
HALF_WIDTH, FRONT, TOP = 16.0, -16.0, 9.0
PAPER = (0.70, 0.668, 0.635)
FLOOR_HALF = 1.5
"""The floor around the person is shaded per pixel, the rest of the paper per vertex [m]."""
POLISH = 0.05

FLOOR_LIGHT_CELLS = 160
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


def smooth_texture(name: str) -> Texture:
    """A texture that is interpolated and ends in its edge's colour."""
    texture = Texture(name)
    texture.set_minfilter(SamplerState.FT_linear)
    texture.set_magfilter(SamplerState.FT_linear)
    texture.set_wrap_u(SamplerState.WM_clamp)
    texture.set_wrap_v(SamplerState.WM_clamp)
    return texture


class Studio:
    """Backdrop and floor. Where something comes near the floor a small map darkens it, whatever its topology."""

    def __init__(self, context: Context, parent: NodePath):
        vertices, faces, patch = paper_roll()
        self.node = parent.attach_new_node("studio")
        self.node.set_shader_input("paper", PAPER)
        for name, triangles, order in (("floor", faces[patch], 30), ("paper", faces[~patch], 40)):
            mesh = DynamicMesh(name, triangles, len(vertices), {})
            mesh.update(vertices, np.zeros_like(vertices))
            path = self.node.attach_new_node(mesh.node)
            path.set_shader(program(name))
            path.set_bin("fixed", order)
        floor = self.node.find("floor")
        floor.set_transparency(TransparencyAttrib.M_alpha)
        floor.set_shader_input("floor_half", FLOOR_HALF)
        floor.set_shader_input("polish", POLISH)
        self._contact = smooth_texture("contact")
        self._contact.setup_2d_texture(CONTACT_CELLS, CONTACT_CELLS, Texture.T_unsigned_byte, Texture.F_rgba8)
        self._floor = floor
        self._light = whole_picture("floor-light")
        self._light.set_shader(program("floor_light"))
        self._light.set_shader_input("floor_half", FLOOR_HALF)
        self.buffer = context.open_buffer("floor-light", (FLOOR_LIGHT_CELLS, FLOOR_LIGHT_CELLS), sort=-5)
        light = smooth_texture("floor-light")
        self.buffer.add_render_texture(light, GraphicsOutput.RTM_bind_or_copy, GraphicsOutput.RTP_color)
        self.buffer.make_display_region().set_camera(self._light.attach_new_node(Camera("floor-light")))
        floor.set_shader_input("floor_light", light)
        self._floor.set_shader_input("contact", self._contact)
        self.update_contact(np.zeros(2), [])

    def place(self, center: NDArray, azimuth: float, shadow_inputs: Mapping[str, object]) -> None:
        """Roll the paper out around `center` (x, y) [m], frame w, for a camera at `azimuth` [rad].

        `shadow_inputs` are the light rig's, for that place.
        """
        self.node.set_pos_hpr(float(center[0]), float(center[1]), 0.0, float(np.rad2deg(azimuth)), 0.0, 0.0)
        self._light.set_shader_input("patch_to_world", self.node.get_mat())
        for name, value in shadow_inputs.items():
            self._light.set_shader_input(name, value)

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
        self._floor.set_shader_input("contact_place", (float(center[0]), float(center[1]), CONTACT_HALF_WIDTH))
