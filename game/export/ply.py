"""Stanford PLY, binary little-endian."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from game.files import whole_file
from solver.errors import UsageError


def write_ply(
    path: Path,
    vertices: NDArray,
    faces: NDArray,
    colors: NDArray[np.uint8] | None = None,
    normals: NDArray | None = None,
    comment: str = "metres, z up, facing -y, floor at z = 0",
) -> None:
    """Writes a mesh: metres, z up, facing -y, floor at z = 0, as frame b has it, unless `comment` says otherwise.

    `vertices` (V, 3), `faces` (F, 3), `colors` (V, 3) sRGB, `normals` (V, 3). The file appears whole or not at all.
    Raises `InputError` where it cannot be written.
    """
    columns: list[tuple[str, str, NDArray]] = [(axis, "<f4", vertices[:, i]) for i, axis in enumerate("xyz")]
    if normals is not None:
        columns += [(f"n{axis}", "<f4", normals[:, i]) for i, axis in enumerate("xyz")]
    if colors is not None:
        columns += [(name, "u1", colors[:, i]) for i, name in enumerate(("red", "green", "blue"))]
    if any(len(values) != len(vertices) for _, _, values in columns):
        raise UsageError(f"{path}: colours and normals must have one row per vertex")
    table = np.empty(len(vertices), [(name, kind) for name, kind, _ in columns])
    for name, _, values in columns:
        table[name] = values
    triangles = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", (3,))])
    triangles["count"], triangles["corners"] = 3, faces
    types = {"<f4": "float", "u1": "uchar"}
    header = "\n".join(
        (
            "ply",
            "format binary_little_endian 1.0",
            f"comment {comment}",
            f"element vertex {len(vertices)}",
            *(f"property {types[kind]} {name}" for name, kind, _ in columns),
            f"element face {len(faces)}",
            "property list uchar int vertex_indices",
            "end_header\n",
        )
    )
    with whole_file(path) as temporary, temporary.open("wb") as file:
        file.write(header.encode("ascii"))
        file.write(table.tobytes())
        file.write(triangles.tobytes())
