"""A mesh on the stage: how simulation vertices become drawn ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from panda3d.core import CullFaceAttrib, NodePath

from game.view.geometry import DynamicMesh
from game.view.shaders import program
from solver.normals import NormalField


class Model:
    """Positions come in per simulation vertex; where a texture is cut, one such vertex is drawn more than once."""

    def __init__(
        self,
        kind: str,
        detail: bool,
        faces: NDArray[np.int32],
        columns: Mapping[str, NDArray],
        source: NDArray[np.int32] | None = None,
        drawn_faces: NDArray[np.int32] | None = None,
    ):
        """`faces` (F, 3) index simulation vertices; `drawn_faces` drawn ones, vertex i of which is `source[i]`."""
        self._source = source
        self.faces = faces
        self.vertex_count = int(faces.max()) + 1 if source is None else max(int(faces.max()), int(source.max())) + 1
        drawn_count = len(next(iter(columns.values())))
        self._mesh = DynamicMesh(kind, faces if drawn_faces is None else drawn_faces, drawn_count, columns)
        self._normal_field = NormalField(faces, self.vertex_count)
        self.vertices = np.zeros((self.vertex_count, 3), np.float32)
        """Positions [m] of the last update, shape (V, 3), frame w."""
        self.normals = np.zeros((self.vertex_count, 3), np.float32)
        self._drawn_vertices = self.vertices if source is None else np.zeros((drawn_count, 3), np.float32)
        self._drawn_normals = self.normals if source is None else np.zeros((drawn_count, 3), np.float32)
        self.path = NodePath(kind)
        self.path.attach_new_node(self._mesh.node)
        self.path.set_shader(program(f"{kind}_detail" if detail else kind))
        self.path.set_bin("fixed", 10)
        self.mirrored = NodePath(f"{kind}-mirrored")
        self.mirrored.attach_new_node(self._mesh.node)
        self.mirrored.set_shader(program(f"{kind}_mirrored"))
        self.mirrored.set_bin("fixed", 20)
        self.mirrored.set_attrib(CullFaceAttrib.make(CullFaceAttrib.M_cull_counter_clockwise))

    def update(self, vertices: NDArray[np.float32]) -> None:
        """New positions [m], shape (V, 3), float32, frame w."""
        np.copyto(self.vertices, vertices)
        self._normal_field(self.vertices, self.normals)
        if self._source is not None:
            np.take(self.vertices, self._source, 0, self._drawn_vertices, mode="clip")
            np.take(self.normals, self._source, 0, self._drawn_normals, mode="clip")
        self._mesh.update(self._drawn_vertices, self._drawn_normals)

    def set_column(self, column: str, values: NDArray) -> None:
        """New values of a column, one row per simulation vertex."""
        self._mesh.set_column(column, values if self._source is None else values[self._source])

    def set_inputs(self, inputs: Mapping[str, object]) -> None:
        """Sets uniforms."""
        for name, value in inputs.items():
            self.path.set_shader_input(name, value)
            self.mirrored.set_shader_input(name, value)

    def remove(self) -> None:
        """Takes the mesh off the stage."""
        self.path.remove_node()
        self.mirrored.remove_node()
