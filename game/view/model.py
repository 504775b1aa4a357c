"""A mesh on the stage: how simulation vertices become drawn ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from panda3d.core import BitMask32, CullFaceAttrib, NodePath

from game.view.drawing_order import drawing_order
from game.view.geometry import DynamicMesh, blend, index_type
from game.view.quality import Quality
from game.view.shaders import program
from solver.kernels.visible_parts import find_far_side, keep_seen_faces
from solver.mesh import thinned_cut_faces, thinned_faces
from solver.normals import NormalField

SEEN, CASTING = BitMask32.bit(0), BitMask32.bit(1)
"""What the eye sees and what throws shadows: cameras have one or the other as their mask."""
REFLECTED_M = 0.5
"""The floor mirrors what is lower than this."""
PROXY_CELL_M = 0.03
"""Details of a shadow finer than this are lost in its penumbra."""
COARSE_CELL_M = 0.006
"""A software rasteriser draws no finer body: two or three pixels of a whole person."""
ACROSS_CUTS = 0.02
"""Texture coordinates so far apart are of two places on the body, whatever lies where."""
HEAD_SHARE = 0.17
"""Of a body's height, from the top."""
AWAY = 0.3
"""Where normals look away from the eye by more than this (a cosine) is the far side, for some pictures more."""


def far_side(vertices: NDArray[np.float32], normals: NDArray[np.float32], eye: NDArray) -> NDArray[np.bool_]:
    """Which vertices (V, 3) [m], (V,), lie on the side that cannot be seen from `eye` [m], (3,), even after a few
    pictures more."""
    far = np.empty(len(vertices), bool)
    find_far_side(vertices, normals, eye.astype(np.float32), np.float32(AWAY), far)
    return far


def coarse_body(
    rest: NDArray[np.float32],
    faces: NDArray[np.int32],
    place: NDArray[np.float32] | None = None,
    source: NDArray[np.int32] | None = None,
) -> NDArray[np.int32]:
    """The triangles (F, 3) of a body at `rest` (V, 3) [m], coarser but for the head: faces must stay themselves.

    Where a picture lies on it, they index drawn vertices: copies of `source` (N,), at `place` (N, 2) in the picture.
    """
    height = rest[:, 2] - rest[:, 2].min()
    drawn = height if source is None else height[source]
    head = (drawn[faces] > (1.0 - HEAD_SHARE) * height.max()).any(1)
    if place is None or source is None:
        thinned = thinned_faces(rest, faces[~head], COARSE_CELL_M)
    else:
        thinned = thinned_cut_faces(rest, source, place, faces[~head], COARSE_CELL_M, ACROSS_CUTS)
    return np.concatenate((thinned, faces[head]))


class Part:
    """Some of a model's triangles, with the vertices they need and a shader of their own."""

    def __init__(
        self,
        name: str,
        shader: str,
        faces: NDArray[np.int32],
        columns: Mapping[str, NDArray],
        source: NDArray[np.int32] | None,
        rest: NDArray[np.float32],
        mask: BitMask32,
    ):
        """`faces` index drawn vertices, the rows of `columns`; `source` (N,) are their simulation vertices, by default
        the same ones, which lie at `rest` (V, 3) once."""
        used, faces = drawing_order(faces, rest if source is None else rest[source])
        columns = {column: np.ascontiguousarray(values[used]) for column, values in columns.items()}
        self._source = used if source is None else source[used]
        self._faces = faces
        self._seen_faces = np.empty(faces.shape, index_type(len(used)))
        self._drawn = np.zeros((2, len(next(iter(columns.values()))), 3), np.float32)
        self._mesh = DynamicMesh(name, faces, len(self._drawn[0]), columns)
        self.columns = frozenset(columns)
        self.path = NodePath(name)
        self.path.attach_new_node(self._mesh.node)
        self.path.set_shader(program(shader))
        self.path.hide(BitMask32.all_on())
        self.path.show_through(mask)

    def update(self, vertices: NDArray[np.float32], normals: NDArray[np.float32]) -> None:
        """Positions and normals of the simulation vertices."""
        np.take(vertices, self._source, 0, self._drawn[0], mode="clip")
        np.take(normals, self._source, 0, self._drawn[1], mode="clip")
        self._mesh.update(*self._drawn)

    def leave_out(self, unseen: NDArray[np.bool_]) -> None:
        """Draws no triangle between simulation vertices that are all `unseen`, (V,)."""
        count = keep_seen_faces(self._faces, self._source, unseen, self._seen_faces)
        self._mesh.set_faces(self._seen_faces[:count])

    def set_column(self, column: str, values: NDArray) -> None:
        """New values of a column, one row per simulation vertex."""
        self._mesh.set_column(column, values[self._source])


class Model:
    """Positions come in per simulation vertex; where a texture is cut, one such vertex is drawn more than once."""

    def __init__(
        self,
        kind: str,
        quality: Quality,
        faces: NDArray[np.int32],
        columns: Mapping[str, NDArray],
        rest: NDArray[np.float32],
        source: NDArray[np.int32] | None = None,
        drawn_faces: NDArray[np.int32] | None = None,
        eyes: NDArray[np.bool_] | None = None,
    ):
        """`faces` (F, 3) index simulation vertices, which lie at `rest` (V, 3) [m] once; `drawn_faces` drawn ones,
        vertex i of which is `source[i]`; `eyes` (F,) are triangles of eyeballs. A column `place` are texture
        coordinates in a picture of all colours, the shader's `atlas`."""
        self.faces = faces
        self.vertex_count = int(faces.max()) + 1 if source is None else max(int(faces.max()), int(source.max())) + 1
        self._normal_field = NormalField(faces, self.vertex_count)
        self.vertices = np.zeros((self.vertex_count, 3), np.float32)
        """Positions [m] of the last update, shape (V, 3), frame w."""
        self.normals = np.zeros((self.vertex_count, 3), np.float32)
        self._covered = np.zeros(self.vertex_count, bool)
        self._open_inside = np.zeros(self.vertex_count, bool)
        drawn = faces if drawn_faces is None else drawn_faces
        shader = f"{kind}_atlas" if "place" in columns else kind
        if quality.detail:
            shader = f"{shader}_detail"
        self.path = NodePath(kind)
        self.mirrored = NodePath(f"{kind}-mirrored")
        skin = drawn if eyes is None or not eyes.any() else drawn[~eyes]
        if quality.still_backdrop and source is None:
            skin = coarse_body(rest, skin)
        elif quality.still_backdrop and source is not None and "place" in columns:
            skin = coarse_body(rest, skin, columns["place"], source)
        # A software rasteriser throws the shadow of a coarser mesh.
        self._parts = [
            Part(kind, shader, skin, columns, source, rest, SEEN if quality.still_backdrop else SEEN | CASTING)
        ]
        self._caster: Part | None = None
        if quality.still_backdrop:
            proxy = thinned_faces(rest, faces, PROXY_CELL_M)
            blank = {"offset": np.zeros((self.vertex_count, 1), np.float32)}
            self._caster = Part(f"{kind}-caster", "shadow", proxy, blank, None, rest, CASTING)
            self._caster.path.reparent_to(self.path)
        if eyes is not None and eyes.any():
            eyed = f"{kind}_detail_eyes" if quality.detail else f"{kind}_eyes"
            self._parts.append(Part("eyes", eyed, drawn[eyes], columns, source, rest, SEEN))
        for part in self._parts:
            part.path.reparent_to(self.path)
        self.path.set_bin("fixed", 10)
        self._reflection: Part | None = None
        if quality.reflection:
            self._add_reflection(kind, quality, drawn, columns, rest, source)

    def update(self, vertices: NDArray[np.float32]) -> None:
        """New positions [m], shape (V, 3), float32, frame w."""
        np.copyto(self.vertices, vertices)
        self._normal_field(self.vertices, self.normals)
        for part in self._parts:
            part.update(self.vertices, self.normals)
        if self._reflection is not None:
            # Most garments end far above the floor.
            if float(self.vertices[:, 2].min()) < REFLECTED_M:
                self._reflection.path.show()
                self._reflection.update(self.vertices, self.normals)
            else:
                self._reflection.path.hide()

    def cast(self) -> None:
        """The next picture's shadow is thrown anew."""
        if self._caster is not None:
            self._caster.update(self.vertices, self.normals)

    def set_column(self, column: str, values: NDArray) -> None:
        """New values of a column, one row per simulation vertex."""
        for part in (*self._parts, *((self._reflection,) if self._reflection else ())):
            if column in part.columns:
                part.set_column(column, values)

    def cover(self, covered: NDArray[np.bool_]) -> None:
        """Nobody can see what lies between simulation vertices that are all `covered`, (V,): it throws its shadow
        only."""
        self._covered = covered

    def open_inside(self, seen: NDArray[np.bool_]) -> None:
        """Of simulation vertices that are `seen`, (V,), the wrong side may be seen as well: they have no far side."""
        self._open_inside = seen

    def leave_out(self, eye: NDArray) -> None:
        """Draws neither what is covered nor the far side, seen from `eye` [m], (3,), until it is called again."""
        away = far_side(self.vertices, self.normals, eye)
        self._parts[0].leave_out(away & ~self._open_inside | self._covered)

    def set_inputs(self, inputs: Mapping[str, object]) -> None:
        """Sets uniforms."""
        for name, value in inputs.items():
            self.path.set_shader_input(name, value)
            self.mirrored.set_shader_input(name, value)

    def remove(self) -> None:
        """Takes the mesh off the stage."""
        self.path.remove_node()
        self.mirrored.remove_node()

    def _add_reflection(self, kind, quality, drawn, columns, rest, source) -> None:
        """Of a body the legs only; a garment may hang anywhere."""
        faces = drawn
        if kind == "body":
            low = rest[:, 2] < rest[:, 2].min() + REFLECTED_M + 0.15
            faces = drawn[(low if source is None else low[source])[drawn].all(1)]
        if not len(faces):
            return
        over = "_over" if quality.still_backdrop else ""
        self._reflection = Part(f"{kind}-mirrored", f"{kind}_mirrored{over}", faces, columns, source, rest, SEEN)
        self._reflection.path.reparent_to(self.mirrored)
        self.mirrored.set_bin("fixed", 20)
        self.mirrored.set_attrib(CullFaceAttrib.make(CullFaceAttrib.M_cull_counter_clockwise))
        if quality.still_backdrop:
            blend(self.mirrored)
