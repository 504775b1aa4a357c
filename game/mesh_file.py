"""Other people's meshes: OBJ, PLY, STL, GLB and glTF, made into one surface."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError

SUFFIXES = (".obj", ".ply", ".stl", ".glb", ".gltf")
MOST_FACES = 20_000_000
MOST_BYTES = 4_000_000_000
LEAST_FACES = 200
LEAST_POINTS = 2_000


class LoadedSurface(NamedTuple):
    """A surface in its file's own units and axes."""

    vertices: NDArray[np.float64]
    """Shape (V, 3)."""
    faces: NDArray[np.int32] | None
    """Shape (F, 3); None for a cloud of points."""
    normals: NDArray[np.float64] | None
    """Of a cloud's points, where its file has them, shape (V, 3)."""


def load_surface(path: Path) -> LoadedSurface:
    """Reads a mesh or a cloud of points; all parts of a scene become one. Raises `InputError`."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path}: not a mesh that can be read; give {', '.join(SUFFIXES)}")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the mesh file in it")
    if size == 0:
        raise InputError(f"{path}: the file is empty; export the mesh again")
    if size > MOST_BYTES:
        raise InputError(f"{path}: {size / 1e9:.1f} GB is too much; decimate the mesh to a million triangles")
    return _checked(path, *_read(path))


def _read(path: Path) -> tuple[list, list]:
    """Meshes and clouds of a file, each placed as its scene says."""
    import trimesh

    try:
        scene = trimesh.load_scene(path, process=False)
        parts = scene.dump(concatenate=False)
    except Exception as error:  # whatever a reader trips over in a foreign file
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: cannot be read as {path.suffix[1:].upper()} ({reason}); export it again") from error
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    clouds = [part for part in parts if isinstance(part, trimesh.PointCloud) or _faceless(part)]
    return meshes, clouds


def _faceless(part: object) -> bool:
    return hasattr(part, "faces") and hasattr(part, "vertices") and not len(part.faces)  # type: ignore[attr-defined]


def _checked(path: Path, meshes: list, clouds: list) -> LoadedSurface:
    if not meshes:
        if not clouds:
            raise InputError(f"{path}: there is no surface in it; export triangles")
        vertices = np.concatenate([np.asarray(cloud.vertices, np.float64) for cloud in clouds])
        _refuse_non_finite(path, vertices)
        if len(vertices) < LEAST_POINTS:
            raise InputError(
                f"{path}: {len(vertices)} points and no triangles are too few to measure; export triangles"
            )
        return LoadedSurface(vertices, None, _normals_of(clouds, len(vertices)))
    counts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    vertices = np.concatenate([np.asarray(mesh.vertices, np.float64) for mesh in meshes])
    faces = np.concatenate(
        [np.asarray(mesh.faces, np.int64) + start for mesh, start in zip(meshes, counts[:-1], strict=True)]
    )
    if len(faces) > MOST_FACES:
        raise InputError(f"{path}: {len(faces)} triangles are too many; decimate the mesh to a million")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise InputError(f"{path}: triangles name vertices that do not exist; export it again")
    _refuse_non_finite(path, vertices[np.unique(faces)])
    corners = vertices[faces]
    flat = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) == 0.0
    faces = faces[~flat]
    if len(faces) < LEAST_FACES:
        raise InputError(f"{path}: {len(faces)} triangles are too few for a body; export a finer mesh")
    used, faces = np.unique(faces, return_inverse=True)
    return LoadedSurface(vertices[used], faces.reshape(-1, 3).astype(np.int32), None)


def _refuse_non_finite(path: Path, vertices: NDArray) -> None:
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices).all(1)).sum())
        raise InputError(f"{path}: {bad} vertices are not finite numbers; repair the mesh")


def _normals_of(clouds: list, count: int) -> NDArray[np.float64] | None:
    normals = []
    for cloud in clouds:
        given = cloud.metadata.get("_ply_raw", {}).get("vertex", {}).get("data")
        if given is None or not {"nx", "ny", "nz"} <= set(getattr(given, "dtype", np.dtype([])).names or ()):
            return None
        normals.append(np.stack([given["nx"], given["ny"], given["nz"]], 1).reshape(-1, 3))
    stacked = np.concatenate(normals).astype(np.float64)
    usable = len(stacked) == count and np.isfinite(stacked).all() and (np.linalg.norm(stacked, axis=1) > 0.0).all()
    return stacked if usable else None
