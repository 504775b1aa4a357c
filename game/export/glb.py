"""Bodies and outfits as binary glTF: metres, y up, facing +z."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pygltflib as gl
from numpy.typing import NDArray

from game.appearance import BodyPaint
from game.export.gltf import GltfBuilder, to_gltf_axes
from game.export.texture import bake_texture
from game.materials import Optics, Print, optics_of, print_tile
from solver.atlas.layout import texture_coordinates
from solver.body import BodyModel, RestBody, canonical_pose
from solver.mesh import split_at_seams
from solver.normals import NormalField

SKIN_ROUGHNESS = 0.55


class Garment(NamedTuple):
    """A draped garment."""

    name: str
    vertices: NDArray[np.float32]
    """Particles [m], shape (P, 3), frame b."""
    faces: NDArray[np.int32]
    """Particle indices, counter-clockwise seen from outside, shape (F, 3)."""
    panel_uv: NDArray[np.float32]
    """Positions in the flat pattern [m], shape (T, 2)."""
    uv_faces: NDArray[np.int32]
    """Indices into `panel_uv`, shape (F, 3)."""
    fabric: str | Optics = "jersey"
    printed: Print = Print()


def write_body_glb(
    path: Path,
    model: BodyModel,
    body: RestBody,
    paint: BodyPaint,
    pose: NDArray | None = None,
    texture_size: int = 1024,
    shape: NDArray | None = None,
) -> None:
    """Writes a rigged, textured body: bound at rest, joints turned to `pose` (J, 3) (default: canonical A-pose).

    Every joint's axes are the model's at rest, so a joint's rotation is the same rotation that the solvers use. The
    person's shape coefficients `shape` (K,) go along as extras of the body's node, for `game.profiles.body_glb`.
    Raises `InputError` where the file cannot be written.
    """
    builder = GltfBuilder()
    source, uv_index, faces = split_at_seams(model.faces, model.uv_faces)
    normals = NormalField(model.faces, model.vertex_count)(body.vertices)
    material = builder.material(
        "skin", builder.texture(bake_texture(model, body.vertices, paint, texture_size), "body"), SKIN_ROUGHNESS
    )
    weights = model.skin_weights / model.skin_weights.sum(1, keepdims=True)
    # glTF wants unused influences to name joint 0.
    joints = np.where(weights > 0, model.skin_joints, 0).astype(np.uint8)
    mesh = builder.mesh(
        "body",
        material,
        to_gltf_axes(body.vertices)[source],
        to_gltf_axes(normals)[source],
        texture_coordinates(model)[uv_index],
        faces,
        joints[source],
        weights[source].astype(np.float32),
    )
    first = _add_skeleton(builder, model, body, canonical_pose(model, body.joints) if pose is None else pose)
    inverse_bind = np.tile(np.eye(4, dtype=np.float32), (model.joint_count, 1, 1))
    # Column-major: the translation is the last row of each matrix as numpy holds it.
    inverse_bind[:, 3, :3] = -to_gltf_axes(body.joints)
    builder.gltf.skins.append(
        gl.Skin(
            name="skeleton",
            joints=list(range(first, first + model.joint_count)),
            skeleton=first,
            inverseBindMatrices=builder.accessor(inverse_bind),
        )
    )
    extras = {} if shape is None else {"shape": np.asarray(shape, float).tolist(), "scanned": paint.scanned}
    builder.node(gl.Node(name="body", mesh=mesh, skin=0, extras=extras))
    builder.write(path)


def write_outfit_glb(
    path: Path,
    garments: Sequence[Garment],
    model: BodyModel | None = None,
    body_vertices: NDArray[np.float32] | None = None,
    rest: RestBody | None = None,
    paint: BodyPaint | None = None,
) -> None:
    """Writes draped garments, one node each, and the body under them as a node of its own where it is given.

    `body_vertices` (V, 3) are its posed vertices [m], frame b, in the pose that the garments were draped on.
    Raises `InputError` where the file cannot be written.
    """
    builder = GltfBuilder()
    for garment in garments:
        optics = optics_of(garment.fabric) if isinstance(garment.fabric, str) else garment.fabric
        texture = builder.texture(print_tile(garment.printed), f"{garment.name}-print")
        material = builder.material(garment.name, texture, optics.roughness, double_sided=True, sheen=optics.sheen)
        source, uv_index, faces = split_at_seams(garment.faces, garment.uv_faces)
        normals = NormalField(garment.faces, len(garment.vertices))(np.ascontiguousarray(garment.vertices, np.float32))
        repeats = garment.panel_uv[uv_index] / garment.printed.pitch * (1.0, -1.0)
        positions = to_gltf_axes(garment.vertices)
        mesh = builder.mesh(garment.name, material, positions[source], to_gltf_axes(normals)[source], repeats, faces)
        builder.node(gl.Node(name=garment.name, mesh=mesh))
    if model is not None and body_vertices is not None and rest is not None and paint is not None:
        source, uv_index, faces = split_at_seams(model.faces, model.uv_faces)
        normals = NormalField(model.faces, model.vertex_count)(np.ascontiguousarray(body_vertices, np.float32))
        material = builder.material(
            "skin", builder.texture(bake_texture(model, rest.vertices, paint), "body"), SKIN_ROUGHNESS
        )
        positions = to_gltf_axes(body_vertices)
        uv = texture_coordinates(model)[uv_index]
        mesh = builder.mesh("body", material, positions[source], to_gltf_axes(normals)[source], uv, faces)
        builder.node(gl.Node(name="body", mesh=mesh))
    builder.write(path)


def _add_skeleton(builder: GltfBuilder, model: BodyModel, body: RestBody, pose: NDArray) -> int:
    """Adds one node per joint, parents first, and returns the number of the first."""
    first = len(builder.gltf.nodes)
    for j, (name, parent) in enumerate(zip(model.joint_names, model.joint_parents, strict=True)):
        origin = body.joints[j] - (body.joints[parent] if parent >= 0 else 0.0)
        node = gl.Node(
            name=name, translation=to_gltf_axes(origin[None])[0].astype(float).tolist(), rotation=_quaternion(pose[j])
        )
        builder.node(node, in_scene=parent < 0)
        if parent >= 0:
            builder.gltf.nodes[first + parent].children.append(first + j)
    return first


def _quaternion(rotation_vector: NDArray) -> list[float]:
    """x, y, z, w of a rotation vector of frame b, in glTF's axes."""
    angle = float(np.linalg.norm(rotation_vector))
    axis = to_gltf_axes(np.asarray(rotation_vector)[None] / max(angle, 1e-12))[0].astype(float)
    return [*(np.sin(angle / 2) * axis).tolist(), float(np.cos(angle / 2))]
