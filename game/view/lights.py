"""The studio's light: a key softbox above and left of the camera, a wide fill, two strips behind, a room that glows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from panda3d.core import (
    Camera,
    ColorWriteAttrib,
    CullFaceAttrib,
    LVecBase3f,
    LVecBase4f,
    NodePath,
    PTA_LVecBase3f,
    PTA_LVecBase4f,
)

from game.view.camera import OPENGL_FROM_OPENCV, look_from, opengl_lens, panda_matrix, set_view
from game.view.context import Context
from game.view.model import CASTING
from game.view.shaders import program


class Softbox(NamedTuple):
    """A lamp. Place is relative to the floor below the person, seen from the camera: right, away, up [m]."""

    place: tuple[float, float, float]
    half_size: float
    color: tuple[float, float, float]
    """Linear RGB, irradiance at 1 m."""


KEY = Softbox((-1.75, -2.1, 2.75), 0.70, (8.6, 8.15, 7.6))
FILL = Softbox((2.3, -2.4, 1.5), 1.10, (1.75, 1.85, 2.05))
STRIP_LEFT = Softbox((-1.7, 1.5, 2.1), 0.55, (2.4, 2.35, 2.3))
STRIP_RIGHT = Softbox((1.6, 1.4, 2.3), 0.55, (3.2, 3.1, 2.9))
LIGHTS = (KEY, FILL, STRIP_LEFT, STRIP_RIGHT)

ROOM = {
    "room_above": (0.30, 0.30, 0.31),
    "room_around": (0.17, 0.167, 0.165),
    "room_below": (0.17, 0.158, 0.145),
}

SHADOW_STEP = 1.0 / 640
"""Unit of the filters' radii, share of the map: the penumbra does not depend on the resolution."""
SHADOW_HALF_WIDTH = 1.25
SHADOW_AIM_HEIGHT = 0.85


def set_lamps(receivers: NodePath, center: NDArray, azimuth: float) -> list[NDArray]:
    """Lights `receivers` by lamps around `center` (x, y) [m], frame w, as seen by a camera at `azimuth` [rad].

    Returns where the lamps are [m], (3,) each.
    """
    sine, cosine = np.sin(azimuth), np.cos(azimuth)
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    places = [np.array([center[0], center[1], 0.0]) + turn @ light.place for light in LIGHTS]
    positions, colors = PTA_LVecBase4f(), PTA_LVecBase3f()
    for light, position in zip(LIGHTS, places, strict=True):
        positions.push_back(LVecBase4f(*position, light.half_size))
        colors.push_back(LVecBase3f(*light.color))
    receivers.set_shader_input("light_place", positions)
    receivers.set_shader_input("light_color", colors)
    for name, color in ROOM.items():
        receivers.set_shader_input(name, LVecBase3f(*color))
    return places


class LightRig:
    """The lamps around one place of the floor, and the key's shadow map."""

    def __init__(self, context: Context, casters: NodePath, resolution: int):
        """`casters` is the node whose geometry throws shadows; `resolution` the side of the map [px]."""
        self.buffer, self._texture = context.open_depth_map("key-shadow", resolution, sort=-10)
        self.buffer.set_clear_depth_active(True)
        self._lens = opengl_lens()
        node = Camera("key", self._lens)
        state = NodePath("shadow-state")
        state.set_shader(program("shadow"), 100)
        state.set_attrib(ColorWriteAttrib.make(ColorWriteAttrib.C_off), 100)
        state.set_attrib(CullFaceAttrib.make(CullFaceAttrib.M_cull_none), 100)
        node.set_initial_state(state.get_state())
        node.set_camera_mask(CASTING)
        # Without a scene of its own a camera draws all that hangs under its root: the floor would shadow itself.
        node.set_scene(casters)
        self._node = casters.attach_new_node(node)
        self.shadow_inputs: dict[str, object] = {}
        region = self.buffer.make_display_region()
        region.set_camera(self._node)

    def place(self, receivers: NodePath, center: NDArray, azimuth: float) -> None:
        """Stand the lamps around `center` (x, y) [m], frame w, as seen by a camera at `azimuth` [rad]."""
        places = set_lamps(receivers, center, azimuth)
        base = np.array([center[0], center[1], 0.0])
        aim = base + np.array([0.0, 0.0, SHADOW_AIM_HEIGHT])
        T_wl = look_from(places[0], aim)
        distance = float(np.linalg.norm(places[0] - aim))
        near, far = distance - 1.9, distance + 2.4
        half = SHADOW_HALF_WIDTH / distance
        projection = np.array(
            [
                [1 / half, 0, 0, 0],
                [0, 1 / half, 0, 0],
                [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
                [0, 0, -1, 0],
            ]
        )
        set_view(self._node, self._lens, projection, T_wl)
        T_lw = OPENGL_FROM_OPENCV @ np.linalg.inv(T_wl)
        to_unit = np.array([[0.5, 0, 0, 0.5], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 1.0]])
        self.shadow_inputs = {
            "key_projection": panda_matrix(to_unit @ projection @ T_lw),
            "key_shadow": self._texture,
            "key_texel": SHADOW_STEP,
        }
        for name, value in self.shadow_inputs.items():
            receivers.set_shader_input(name, value)
