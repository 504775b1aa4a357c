"""The photographer's studio: a paper roll for floor and wall, darkened where the person touches it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from panda3d.core import NodePath, SamplerState, Texture

from game.view.geometry import DynamicMesh
from game.view.shaders import program

CURVE_START, CURVE_RADIUS = 1.5, 1.6
HALF_WIDTH, FRONT, TOP = 14.0, -14.0, 9.0
PAPER = (0.70, 0.665, 0.63)

CONTACT_CELLS = 96
CONTACT_HALF_WIDTH = 0.9


def paper_roll() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Vertices (N, 3) [m], normals (N, 3) and triangles of floor, curve and wall; the person stands at the origin."""
    angles = np.linspace(0.0, np.pi / 2, 25)
    y = np.concatenate(([FRONT], CURVE_START + CURVE_RADIUS * np.sin(angles), [CURVE_START + CURVE_RADIUS]))
    z = np.concatenate(([0.0], CURVE_RADIUS * (1 - np.cos(angles)), [TOP]))
    ny = np.concatenate(([0.0], -np.sin(angles), [-1.0]))
    nz = np.concatenate(([1.0], np.cos(angles), [0.0]))
    count = len(y)
    vertices, normals = np.zeros((2, 2, count, 3), np.float32)
    vertices[0, :, 0], vertices[1, :, 0] = -HALF_WIDTH, HALF_WIDTH
    vertices[:, :, 1], vertices[:, :, 2] = y, z
    normals[:, :, 1], normals[:, :, 2] = ny, nz
    i = np.arange(count - 1)
    faces = np.stack((i, i + count, i + count + 1, i, i + count + 1, i + 1), 1).reshape(-1, 3)
    return vertices.reshape(-1, 3), normals.reshape(-1, 3), faces.astype(np.int32)


class Studio:
    """Backdrop and floor. Where something comes near the floor a small map darkens it, whatever its topology."""

    def __init__(self, parent: NodePath):
        vertices, normals, faces = paper_roll()
        mesh = DynamicMesh("studio", faces, len(vertices), {})
        mesh.update(vertices, normals)
        self.node = parent.attach_new_node(mesh.node)
        self.node.set_shader(program("studio"))
        self.node.set_shader_input("paper", PAPER)
        self.node.set_shader_input("opacity", 1.0)
        self._contact = Texture("contact")
        self._contact.setup_2d_texture(CONTACT_CELLS, CONTACT_CELLS, Texture.T_unsigned_byte, Texture.F_rgba8)
        self._contact.set_minfilter(SamplerState.FT_linear)
        self._contact.set_wrap_u(SamplerState.WM_clamp)
        self._contact.set_wrap_v(SamplerState.WM_clamp)
        self.node.set_shader_input("contact", self._contact)
        self.update_contact(np.zeros(2), [])

    def place(self, center: NDArray, azimuth: float) -> None:
        """Roll the paper out around `center` (x, y) [m], frame w, for a camera at `azimuth` [rad]."""
        self.node.set_pos_hpr(float(center[0]), float(center[1]), 0.0, float(np.rad2deg(azimuth)), 0.0, 0.0)

    def update_contact(self, center: NDArray, clouds: list[NDArray[np.float32]]) -> None:
        """Darken the floor under `clouds` of vertices (V, 3) [m], frame w, within 0.9 m of `center` (x, y)."""
        height = np.full((CONTACT_CELLS, CONTACT_CELLS), np.inf, np.float32)
        scale = CONTACT_CELLS / (2 * CONTACT_HALF_WIDTH)
        for cloud in clouds:
            low = cloud[cloud[:, 2] < 0.6]
            cells = ((low[:, :2] - center + CONTACT_HALF_WIDTH) * scale).astype(np.int32)
            inside = ((cells >= 0) & (cells < CONTACT_CELLS)).all(1)
            np.minimum.at(height, (cells[inside, 1], cells[inside, 0]), low[inside, 2])
        height = np.maximum(height, 0.0)
        touching = cv2.GaussianBlur(np.exp(-height / 0.018), (0, 0), 0.011 * scale)
        near = cv2.GaussianBlur(np.exp(-height / 0.16), (0, 0), 0.07 * scale)
        pixels = np.zeros((CONTACT_CELLS, CONTACT_CELLS, 4), np.uint8)
        # Panda3D keeps pixels as BGRA.
        pixels[..., 2] = np.minimum(255 * 1.25 * touching, 255)
        pixels[..., 1] = np.minimum(255 * 1.6 * near, 255)
        memoryview(self._contact.modify_ram_image())[:] = pixels.tobytes()
        self.node.set_shader_input("contact_place", (float(center[0]), float(center[1]), CONTACT_HALF_WIDTH))
