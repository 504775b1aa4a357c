"""Reads back the body.glb that a scan wrote: the person at rest, their shape, the colours that the camera saw.

Only what `game.export.glb.write_body_glb` writes for this body model is accepted; the file may come from anyone.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from game.export.gltf import GLTF_FROM_BODY
from solver.atlas.layout import texture_coordinates
from solver.body import BodyModel, RestBody
from solver.errors import InputError
from solver.mesh import split_at_seams
from solver.types import read_only

MOST_BYTES = 64 << 20
MOST_PIXELS = 4096
FARTHEST_M = 10.0
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_FLOAT, _UNSIGNED_INT = 5126, 5125


@dataclass(frozen=True, slots=True)
class StoredBody:
    """What body.glb holds of a person."""

    rest: RestBody
    shape: NDArray[np.float64]
    """Coefficients, (K,)."""
    vertex_colors: NDArray[np.uint8] | None
    """sRGB, (V, 3), as near as the texture has them; None where no camera saw any."""
    atlas: NDArray[np.uint8] | None
    """The texture, (N, N, 3), row 0 at the top; None where no camera saw any colours."""


def read_body_glb(path: Path, model: BodyModel) -> StoredBody:
    """Reads `path`. Raises `InputError` that names the file and the cure."""
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give the folder that `cheval scan` wrote"
        ) from error
    except ValueError as error:
        raise InputError(f"{path}: no body of a scan ({error}); scan again") from error
    try:
        return _Glb(data).body(model)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: not the body of a scan by this version ({reason}); scan again") from error
    except (struct.error, cv2.error) as error:
        raise InputError(f"{path}: is damaged; scan again") from error


class _Glb:
    """A binary glTF: its JSON and its one buffer."""

    def __init__(self, data: bytes) -> None:
        magic, version, length, json_size, json_type = struct.unpack_from("<4sIIII", data)
        if (magic, version, length, json_type) != (b"glTF", 2, len(data), _JSON):
            raise ValueError("it is no GLB")
        self._content = json.loads(data[20 : 20 + json_size].decode("utf-8"))
        size, kind = struct.unpack_from("<II", data, 20 + json_size)
        self._buffer = memoryview(data)[28 + json_size : 28 + json_size + size]
        if kind != _BIN or len(self._buffer) != size:
            raise ValueError("its buffer is cut off")

    def body(self, model: BodyModel) -> StoredBody:
        node = next((n for n in self._content["nodes"] if n.get("name") == "body" and "skin" in n), None)
        if node is None:
            raise ValueError("there is no rigged body in it")
        mesh = self._content["meshes"][node["mesh"]]["primitives"][0]
        source, uv_index, faces = split_at_seams(model.faces, model.uv_faces)
        indices = self._accessor(mesh["indices"], _UNSIGNED_INT, "SCALAR", np.uint32, (faces.size,))
        if not np.array_equal(indices, faces.ravel()):
            raise ValueError("its triangles are those of another body model")
        positions = self._accessor(mesh["attributes"]["POSITION"], _FLOAT, "VEC3", np.float32, (len(source), 3))
        vertices = np.empty((model.vertex_count, 3), np.float32)
        vertices[source] = _to_body_axes(positions)
        skin = self._content["skins"][node["skin"]]
        inverse_bind = self._accessor(
            skin["inverseBindMatrices"], _FLOAT, "MAT4", np.float32, (model.joint_count, 4, 4)
        )
        joints = _to_body_axes(-inverse_bind[:, 3, :3]).astype(np.float64)
        shape = np.array([_number(value) for value in node["extras"]["shape"]], np.float64)
        if shape.shape != (model.shape_count,):
            raise ValueError(f"its shape has {len(shape)} coefficients instead of {model.shape_count}")
        if max(np.abs(vertices).max(), np.abs(joints).max()) > FARTHEST_M:
            raise ValueError("it is no body in metres")
        colors = atlas = None
        if node["extras"]["scanned"]:
            atlas = self._texture()
            colors = _vertex_colors(atlas, model, source, uv_index)
        return StoredBody(RestBody(read_only(vertices), read_only(joints)), read_only(shape), colors, atlas)

    def _accessor(self, index: Any, component: int, kind: str, dtype: type, shape: tuple[int, ...]) -> NDArray:
        accessor = self._content["accessors"][_index(index)]
        found = (accessor["componentType"], accessor["type"], accessor["count"], accessor.get("byteOffset", 0))
        if found != (component, kind, shape[0], 0):
            raise ValueError("its arrays have other sizes than the body model's")
        view = self._view(accessor["bufferView"])
        if view.nbytes != np.dtype(dtype).itemsize * int(np.prod(shape)):
            raise ValueError("its arrays have other sizes than the body model's")
        values = np.frombuffer(view, dtype).reshape(shape)
        if dtype is np.float32 and not np.isfinite(values).all():
            raise ValueError("its numbers are not finite")
        return values

    def _view(self, index: Any) -> memoryview:
        view = self._content["bufferViews"][_index(index)]
        begin, size = _index(view.get("byteOffset", 0)), _index(view["byteLength"])
        if begin + size > len(self._buffer):
            raise ValueError("its buffer is cut off")
        return self._buffer[begin : begin + size]

    def _texture(self) -> NDArray[np.uint8]:
        png = self._view(self._content["images"][0]["bufferView"])
        signature, kind, width, height = struct.unpack_from(">8s4x4sII", png)
        if signature != b"\x89PNG\r\n\x1a\n" or kind != b"IHDR" or not 1 <= width == height <= MOST_PIXELS:
            raise ValueError("its texture is no square PNG, or too large")
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError("its texture is damaged")
        return read_only(np.ascontiguousarray(picture[..., ::-1]))


def _vertex_colors(
    atlas: NDArray[np.uint8], model: BodyModel, source: NDArray[np.int32], uv_index: NDArray[np.int32]
) -> NDArray[np.uint8]:
    vertices, first = np.unique(source, return_index=True)
    uv = texture_coordinates(model)[uv_index[first]]
    # As bake_texture lays it: texel centres at (i + 0.5) / size.
    texels = np.rint(uv * len(atlas) - 0.5).astype(int)
    texels = np.clip(texels, 0, len(atlas) - 1)
    colors = np.empty((model.vertex_count, 3), np.uint8)
    colors[vertices] = atlas[texels[:, 1], texels[:, 0]]
    return read_only(colors)


def _to_body_axes(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of `to_gltf_axes`."""
    return np.ascontiguousarray(points.astype(np.float64) @ GLTF_FROM_BODY, np.float32)


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("an index in it is no number")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or not abs(value) < 100.0:
        raise ValueError("a coefficient in it is no number")
    return float(value)
