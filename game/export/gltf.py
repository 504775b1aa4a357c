"""Builds binary glTF 2.0 files: accessors, textures, materials, nodes, one buffer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pygltflib as gl
from numpy.typing import NDArray

from game.files import whole_file

# Frame b (z up, facing -y) to glTF (y up, facing +z); the wearer's left stays +x.
GLTF_FROM_BODY = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])

COMPONENTS = {
    np.dtype(np.uint8): gl.UNSIGNED_BYTE,
    np.dtype(np.uint32): gl.UNSIGNED_INT,
    np.dtype(np.float32): gl.FLOAT,
}
SHAPES = {1: gl.SCALAR, 2: gl.VEC2, 3: gl.VEC3, 4: gl.VEC4, 16: gl.MAT4}


def to_gltf_axes(vectors: NDArray) -> NDArray[np.float32]:
    """Points or directions of frame b, shape (N, 3), in glTF's axes."""
    return np.ascontiguousarray(np.asarray(vectors, np.float64) @ GLTF_FROM_BODY.T, np.float32)


class GltfBuilder:
    """Collects one asset and writes it whole."""

    def __init__(self) -> None:
        self._scene_nodes: list[int] = []
        self.gltf = gl.GLTF2(
            asset=gl.Asset(version="2.0", generator="Cheval"), scene=0, scenes=[gl.Scene(nodes=self._scene_nodes)]
        )
        self._blob = bytearray()

    def accessor(self, values: NDArray, target: int | None = None, bounds: bool = False) -> int:
        """Number of a new accessor on `values`, one row per element; positions need `bounds`."""
        width = 1 if values.ndim == 1 else int(np.prod(values.shape[1:]))
        accessor = gl.Accessor(
            bufferView=self._view(np.ascontiguousarray(values).tobytes(), target),
            componentType=COMPONENTS[values.dtype],
            count=len(values),
            type=SHAPES[width],
        )
        if bounds:
            rows = values.reshape(len(values), width)
            accessor.min, accessor.max = rows.min(0).tolist(), rows.max(0).tolist()
        self.gltf.accessors.append(accessor)
        return len(self.gltf.accessors) - 1

    def texture(self, picture: NDArray[np.uint8], name: str) -> int:
        """Number of a new repeating texture from `picture`, sRGB, shape (H, W, 3), embedded as PNG."""
        encoded = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
        self.gltf.images.append(gl.Image(name=name, mimeType="image/png", bufferView=self._view(encoded, None)))
        if not self.gltf.samplers:
            self.gltf.samplers.append(
                gl.Sampler(magFilter=gl.LINEAR, minFilter=gl.LINEAR_MIPMAP_LINEAR, wrapS=gl.REPEAT, wrapT=gl.REPEAT)
            )
        self.gltf.textures.append(gl.Texture(sampler=0, source=len(self.gltf.images) - 1))
        return len(self.gltf.textures) - 1

    def material(
        self,
        name: str,
        texture: int,
        roughness: float,
        double_sided: bool = False,
        sheen: float = 0.0,
    ) -> int:
        """Number of a new dielectric material; `sheen` uses KHR_materials_sheen."""
        material = gl.Material(
            name=name,
            pbrMetallicRoughness=gl.PbrMetallicRoughness(
                baseColorTexture=gl.TextureInfo(index=texture), metallicFactor=0.0, roughnessFactor=roughness
            ),
            doubleSided=double_sided,
            alphaCutoff=None,
        )
        if sheen > 0:
            material.extensions = {
                "KHR_materials_sheen": {"sheenColorFactor": [0.3 * sheen] * 3, "sheenRoughnessFactor": 0.6}
            }
            if "KHR_materials_sheen" not in self.gltf.extensionsUsed:
                self.gltf.extensionsUsed.append("KHR_materials_sheen")
        self.gltf.materials.append(material)
        return len(self.gltf.materials) - 1

    def mesh(
        self,
        name: str,
        material: int,
        positions: NDArray,
        normals: NDArray,
        uv: NDArray,
        faces: NDArray,
        joints: NDArray[np.uint8] | None = None,
        weights: NDArray[np.float32] | None = None,
    ) -> int:
        """Number of a new mesh: positions and normals (N, 3) in glTF's axes, uv (N, 2), faces (F, 3)."""
        attributes = gl.Attributes(
            POSITION=self.accessor(np.asarray(positions, np.float32), gl.ARRAY_BUFFER, bounds=True),
            NORMAL=self.accessor(np.asarray(normals, np.float32), gl.ARRAY_BUFFER),
            TEXCOORD_0=self.accessor(np.asarray(uv, np.float32), gl.ARRAY_BUFFER),
        )
        if joints is not None and weights is not None:
            attributes.JOINTS_0 = self.accessor(joints, gl.ARRAY_BUFFER)
            attributes.WEIGHTS_0 = self.accessor(weights, gl.ARRAY_BUFFER)
        indices = self.accessor(np.asarray(faces, np.uint32).ravel(), gl.ELEMENT_ARRAY_BUFFER)
        primitive = gl.Primitive(attributes=attributes, indices=indices, material=material)
        self.gltf.meshes.append(gl.Mesh(name=name, primitives=[primitive]))
        return len(self.gltf.meshes) - 1

    def node(self, node: gl.Node, in_scene: bool = True) -> int:
        """Number of a new node."""
        self.gltf.nodes.append(node)
        if in_scene:
            self._scene_nodes.append(len(self.gltf.nodes) - 1)
        return len(self.gltf.nodes) - 1

    def write(self, path: Path) -> None:
        """Writes the asset; the file appears whole or not at all."""
        self.gltf.buffers = [gl.Buffer(byteLength=len(self._blob))]
        self.gltf.set_binary_blob(bytes(self._blob))
        with whole_file(path) as temporary:
            self.gltf.save_binary(str(temporary))

    def _view(self, data: bytes, target: int | None) -> int:
        self._blob += b"\0" * (-len(self._blob) % 4)
        view = gl.BufferView(buffer=0, byteOffset=len(self._blob), byteLength=len(data), target=target)
        self.gltf.bufferViews.append(view)
        self._blob += data
        return len(self.gltf.bufferViews) - 1
