"""Bodies that are not the avatar's: the outline to step into, the figurine that grows while it is scanned, tapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from panda3d.core import (
    Geom,
    GeomEnums,
    GeomLinestrips,
    GeomNode,
    GeomVertexArrayFormat,
    GeomVertexData,
    GeomVertexFormat,
    NodePath,
    OmniBoundingVolume,
)

from game.assets import load_body_model
from game.view.camera import panda_matrix
from game.view.geometry import DynamicMesh, blend
from game.view.model import SEEN
from game.view.shaders import program
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.normals import NormalField
from solver.types import Mesh


@lru_cache(maxsize=1)
def mean_figure() -> NDArray[np.float32]:
    """The mean adult in the canonical A-pose [m], (V, 3), frame b, soles at z = 0."""
    model = load_body_model()
    body = shape_body(model, np.zeros(1))
    vertices = skin(model, body.vertices, joint_transforms(model, body.joints, canonical_pose(model, body.joints)))
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices


@lru_cache(maxsize=1)
def outer_faces() -> NDArray[np.int32]:
    """The body model's triangles without eyeballs and the inside of the mouth, (F, 3)."""
    model = load_body_model()
    inner = model.in_region("mouth_inside", "eyes", "irises", "pupils")
    return np.ascontiguousarray(model.faces[~inner[model.faces].any(1)])


class Figurine:
    """A surface in frame b, standing somewhere in the picture as if it stood before the camera's lens."""

    def __init__(self, parent: NodePath):
        self._root = parent.attach_new_node("figurine")
        self._shown: Mesh | None = None
        self._box = np.zeros((8, 3))
        self.corners = np.zeros((8, 3), np.float32)
        """Of a box about it where it was last placed [m], (8, 3), frame w."""

    def show(self, surface: Mesh, seen: NDArray[np.float32] | None) -> None:
        """Its triangles; `seen` (N,) is 0 where they are inferred, 1 where they were seen."""
        if self._shown is surface or not len(surface.faces):
            return
        self.hide()
        self._shown = surface
        count = len(surface.vertices)
        share = np.ones(count, np.float32) if seen is None else np.asarray(seen, np.float32)
        mesh = DynamicMesh("surface", surface.faces, count, {"seen": np.ascontiguousarray(share[:, None])})
        vertices = np.ascontiguousarray(surface.vertices, np.float32)
        mesh.update(vertices, NormalField(surface.faces, count)(vertices))
        bounds = np.stack((vertices.min(0), vertices.max(0)))
        self._box = bounds[np.indices((2, 2, 2)).reshape(3, -1).T, np.arange(3)]
        path = self._root.attach_new_node(mesh.node)
        path.set_shader(program("clay"))
        path.set_bin("fixed", 20)
        path.set_two_sided(True)

    def place(
        self, T_wc: NDArray, at: tuple[float, float, float], height: float, turn: float, tall: float = 1.8
    ) -> None:
        """Stands on the point `at` [m], frame c, `height` [m] high, turned by `turn` [rad]; it is `tall` [m] itself."""
        sine, cosine = np.sin(turn), np.cos(turn)
        # Frame b is z up and faces -y; a camera's y points down. Upright along its own ray, or the lens would tilt it.
        ahead = np.asarray(at, np.float64) / np.linalg.norm(at)
        right = np.cross((0.0, 1.0, 0.0), ahead)
        right /= np.linalg.norm(right)
        upright = np.stack((right, ahead, -np.cross(ahead, right)), 1)
        spin = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        local = np.eye(4)
        local[:3, :3] = upright @ spin * (height / tall)
        local[:3, 3] = at
        placed = np.asarray(T_wc, np.float64) @ local
        self._root.set_mat(panda_matrix(placed))
        self.corners = (self._box @ placed[:3, :3].T + placed[:3, 3]).astype(np.float32)

    def hide(self) -> None:
        """Nothing."""
        self._root.get_children().detach()
        self._shown = None

    def remove(self) -> None:
        """Takes it away for good."""
        self._root.remove_node()


class Tapes:
    """Where the tapes of measures lay, as lines on a body."""

    def __init__(self, parent: NodePath):
        self._root = parent.attach_new_node("tapes")
        self._root.set_shader(program("tape"))
        self._root.set_bin("fixed", 12)
        blend(self._root)
        self._root.show_through(SEEN)

    def show(self, paths: Sequence[NDArray], color: tuple[float, float, float, float], thickness: float) -> None:
        """Polylines (M, 3) [m] in the frame of the parent, `thickness` [px]."""
        self.hide()
        for points in paths:
            if len(points) < 2:
                continue
            # A hair's breadth off the skin.
            away = points - points.mean(0)
            away[:, 2] = 0.0
            lifted = points + 0.004 * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
            path = self._root.attach_new_node(_line(np.ascontiguousarray(lifted, np.float32)))
            path.set_render_mode_thickness(thickness)
        self._root.set_shader_input("tape", color)

    def hide(self) -> None:
        """No tapes."""
        self._root.get_children().detach()

    def remove(self) -> None:
        """Takes them away for good."""
        self._root.remove_node()


def _line(points: NDArray[np.float32]) -> GeomNode:
    layout = GeomVertexFormat.register_format(
        GeomVertexFormat(GeomVertexArrayFormat("vertex", 3, GeomEnums.NT_float32, GeomEnums.C_point))
    )
    data = GeomVertexData("tape", layout, GeomEnums.UH_static)
    data.unclean_set_num_rows(len(points))
    memoryview(data.modify_array(0)).cast("B")[:] = points.data.cast("B")
    strip = GeomLinestrips(GeomEnums.UH_static)
    strip.add_consecutive_vertices(0, len(points))
    strip.close_primitive()
    geom = Geom(data)
    geom.add_primitive(strip)
    node = GeomNode("tape")
    node.add_geom(geom)
    node.set_bounds(OmniBoundingVolume())
    node.set_final(True)
    return node
