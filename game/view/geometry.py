"""Numpy buffers as Panda3D geometry, copied whole: no per-vertex Python."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from panda3d.core import (
    ColorBlendAttrib,
    Geom,
    GeomEnums,
    GeomNode,
    GeomTriangles,
    GeomVertexArrayFormat,
    GeomVertexData,
    GeomVertexFormat,
    InternalName,
    NodePath,
    OmniBoundingVolume,
    TransparencyAttrib,
)

NUMBERS = {np.dtype(np.float32): GeomEnums.NT_float32, np.dtype(np.uint8): GeomEnums.NT_uint8}


def index_type(vertex_count: int) -> np.dtype:
    """The smallest type of numbers that the triangles of so many vertices can be given in."""
    return np.dtype(np.uint16 if vertex_count <= 0xFFFF else np.uint32)


class DynamicMesh:
    """Triangles whose positions and normals change every frame and whose other columns do not.

    Positions and normals lie in buffers of their own, so that an update is one copy each.
    """

    def __init__(self, name: str, faces: NDArray[np.int32], vertex_count: int, columns: Mapping[str, NDArray]):
        """`columns` hold one row per vertex: float32, or uint8 that the shader sees as 0..1 (four columns then)."""
        layout = GeomVertexFormat()
        layout.add_array(GeomVertexArrayFormat("vertex", 3, GeomEnums.NT_float32, GeomEnums.C_point))
        layout.add_array(GeomVertexArrayFormat("normal", 3, GeomEnums.NT_float32, GeomEnums.C_normal))
        for column, values in columns.items():
            # C_color is the contents type whose bytes OpenGL normalises to 0..1.
            contents = GeomEnums.C_color if values.dtype == np.uint8 else GeomEnums.C_other
            layout.add_array(
                GeomVertexArrayFormat(InternalName.make(column), values.shape[1], NUMBERS[values.dtype], contents)
            )
        self._data = GeomVertexData(name, GeomVertexFormat.register_format(layout), GeomEnums.UH_dynamic)
        self._data.unclean_set_num_rows(vertex_count)
        self._columns = {column: 2 + i for i, column in enumerate(columns)}
        for column, values in columns.items():
            self.set_column(column, values)

        triangles = GeomTriangles(GeomEnums.UH_static)
        self._index = index_type(vertex_count)
        triangles.set_index_type(GeomEnums.NT_uint16 if self._index == np.uint16 else GeomEnums.NT_uint32)
        indices = triangles.modify_vertices()
        indices.unclean_set_num_rows(faces.size)
        self._copy(indices, np.ascontiguousarray(faces, self._index))
        triangles.close_primitive()
        self._geom = Geom(self._data)
        self._geom.add_primitive(triangles)
        self.node = GeomNode(name)
        self.node.add_geom(self._geom)
        # Positions are never read back to find bounds; there are few meshes and all are in view.
        self.node.set_bounds(OmniBoundingVolume())
        self.node.set_final(True)

    def update(self, vertices: NDArray[np.float32], normals: NDArray[np.float32]) -> None:
        """New positions [m] and unit normals, both (V, 3), float32, C-contiguous."""
        data = self.node.modify_geom(0).modify_vertex_data()
        self._copy(data.modify_array(0), vertices)
        self._copy(data.modify_array(1), normals)

    def set_faces(self, faces: NDArray[np.int32]) -> None:
        """Other triangles of the same vertices, (F, 3)."""
        indices = self.node.modify_geom(0).modify_primitive(0).modify_vertices()
        indices.unclean_set_num_rows(faces.size)
        self._copy(indices, np.ascontiguousarray(faces, self._index))

    def set_column(self, column: str, values: NDArray) -> None:
        """New values of one of the other columns."""
        data = self._data if not hasattr(self, "node") else self.node.modify_geom(0).modify_vertex_data()
        self._copy(data.modify_array(self._columns[column]), np.ascontiguousarray(values))

    @staticmethod
    def _copy(array, values: NDArray) -> None:
        memoryview(array).cast("B")[:] = values.data.cast("B")


def whole_picture(name: str) -> NodePath:
    """One triangle that covers a whole picture in clip coordinates, drawn whatever the depth."""
    mesh = DynamicMesh(name, np.array([[0, 1, 2]], np.int32), 3, {})
    corners = np.array([[-1, -1, 0], [3, -1, 0], [-1, 3, 0]], np.float32)
    mesh.update(corners, np.zeros_like(corners))
    root = NodePath(name)
    root.attach_new_node(mesh.node)
    root.set_depth_test(False)
    root.set_depth_write(False)
    return root


def blend(path: NodePath) -> None:
    """Lays `path` over what is there by its opacity; where nothing is there yet, colours are left multiplied by it."""
    path.set_transparency(TransparencyAttrib.M_alpha)
    path.set_attrib(
        ColorBlendAttrib.make(
            ColorBlendAttrib.M_add, ColorBlendAttrib.O_incoming_alpha, ColorBlendAttrib.O_one_minus_incoming_alpha,
            ColorBlendAttrib.M_add, ColorBlendAttrib.O_one, ColorBlendAttrib.O_one_minus_incoming_alpha,
        )
    )  # fmt: skip
