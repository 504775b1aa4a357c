"""The model's surface laid onto the fused one: a smooth displacement along the normals, beyond the shape space.

With d the displacement along the canonical normals, the signed distance phi and its weight are sampled where the
vertices are and sum_v a_v c_v phi(v + d_v n_v)^2 / sigma^2 + length^4 integral (Laplacian d)^2 is made small by
Gauss-Newton; a_v are the vertices' areas. What no ray saw follows what lies around it with the least bending.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu
from scipy.spatial import cKDTree

from solver.body import RestBody
from solver.fusion import CanonicalVolume, sample
from solver.hair import scalp_vertices
from solver.kernels.voxel_warp import unskin_points
from solver.surface import vertex_normals

SMOOTHING_LENGTH_M = 0.012
"""Detail much shorter than 2 pi times this is taken for noise."""
FOLD_LENGTH_M = 0.012
"""Folds smaller than this are bridged by the directions of displacement."""
FULL_WEIGHT = 4.0
"""Sum of weights in the volume at which a vertex is believed half as much as one seen without end."""
FAR_M = 0.03
"""A surface so far from the model's is as likely hair, or another limb, as the body: it counts a quarter."""
LARGEST_STEP_M = 0.02
FREE_SPRING = 1e-3
"""Weight of staying where the shape put it, against 1 for a well-seen place."""
FINE_PARTS = ("hand_l", "hand_r", "foot_l", "foot_r")
"""Parts whose detail is finer than the volume and whose fingers or toes are not followed: the model's shape is kept."""


def fit_displacement(
    volume: CanonicalVolume, iterations: int = 4, fill_weight: float = 0.02
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Canonical vertices [m] (V, 3) on the fused surface, and the volume's weight at each (V,).

    The volume's rest body is the start. Eyes and what is inside the mouth move with the skin around them.
    """
    model = volume.model
    start = volume.canonical_vertices.astype(np.float64)
    skin_vertices = np.unique(volume.skin_faces)
    laplacian, areas = cotangent_laplacian(start, volume.skin_faces, skin_vertices)
    stiffness = SMOOTHING_LENGTH_M**4 * (laplacian @ sparse.diags(1.0 / areas) @ laplacian)
    distance, weight = volume.distance(fill_weight)
    raw = vertex_normals(start, volume.skin_faces)[skin_vertices].astype(np.float64)
    # Smooth directions do not cross in the folds of ears, eyelids and toes.
    smoothing = factorised(sparse.diags(areas) + FOLD_LENGTH_M**2 * laplacian)
    n = smoothing.solve(areas[:, None] * raw)
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    trust = np.clip((n * raw).sum(1), 0.0, 1.0) ** 4
    trust[np.isin(model.part_labels[skin_vertices], [model.part(name) for name in FINE_PARTS])] = 0.0
    scalp = scalp_vertices(model)[skin_vertices]
    offset = np.zeros(len(skin_vertices))
    for _ in range(iterations):
        places = start[skin_vertices] + offset[:, None] * n
        phi, gradient = sample(volume.grid, distance, places)
        seen, _ = sample(volume.grid, weight, places)
        slope = np.einsum("vi,vi->v", gradient, n)
        usable = np.isfinite(phi) & np.isfinite(seen) & (slope > 0.3)
        phi, slope, seen = (np.where(usable, values, 0.0).astype(np.float64) for values in (phi, slope, seen))
        # Hair lies on the head, never in it: what is seen farther out says little.
        bald = np.where(scalp & (phi < 0.0), FREE_SPRING, 1.0)
        confidence = bald * trust * seen / (seen + FULL_WEIGHT) / np.square(1.0 + np.square((offset - phi) / FAR_M))
        pull = areas * confidence * slope
        matrix = sparse.diags(pull * slope + FREE_SPRING * areas) + stiffness
        right = -pull * phi - FREE_SPRING * areas * offset - stiffness @ offset
        step = factorised(matrix).solve(right)
        offset += np.clip(step, -LARGEST_STEP_M, LARGEST_STEP_M)
    displacement = np.zeros_like(start)
    displacement[skin_vertices] = offset[:, None] * n
    inner = np.setdiff1d(np.arange(model.vertex_count), skin_vertices)
    if len(inner):
        _, around = cKDTree(start[skin_vertices]).query(start[inner], 12)
        displacement[inner] = displacement[skin_vertices][around].mean(1)
    fitted = (start + displacement).astype(np.float32)
    seen, _ = sample(volume.grid, weight, fitted)
    return fitted, np.nan_to_num(seen).astype(np.float32)


def to_rest(volume: CanonicalVolume, canonical: NDArray[np.float32]) -> RestBody:
    """The rest body whose canonical pose has vertices `canonical` (V, 3); joints are those of the volume's."""
    model = volume.model
    rest = np.empty_like(canonical)
    transforms = np.ascontiguousarray(volume.canonical_transforms[:, :3])
    unskin_points(canonical, model.skin_joints, model.skin_weights, transforms, rest)
    return RestBody(rest, volume.rest_body.joints)


def factorised(matrix: sparse.sparray) -> SuperLU:
    """Sparse factors of a symmetric positive definite matrix."""
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def cotangent_laplacian(
    vertices: NDArray, faces: NDArray[np.int32], used: NDArray
) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    """Matrix L with d^T L d = integral of |grad d|^2, and the vertices' areas [m^2]; L d / areas = -Laplacian d.

    Rows and columns are the vertices `used` (U,). Cotangent weights (Pinkall and Polthier 1993), not below zero.
    """
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    triangles = number[faces]
    corners = np.asarray(vertices, np.float64)[faces]
    count = len(used)
    rows, columns, values = [], [], []
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    for c in range(3):
        a, b = corners[:, c - 2] - corners[:, c], corners[:, c - 1] - corners[:, c]
        cotangent = (a * b).sum(1) / np.maximum(np.linalg.norm(np.cross(a, b), axis=1), 1e-12)
        cotangent = np.clip(0.5 * cotangent, 0.0, 10.0)
        i, j = triangles[:, c - 2], triangles[:, c - 1]
        rows += [i, j]
        columns += [j, i]
        values += [cotangent, cotangent]
    weights = sparse.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count)
    )
    weights = weights.tocsr()
    laplacian = sparse.diags(np.asarray(weights.sum(1)).ravel()) - weights
    areas = np.maximum(np.bincount(triangles.ravel(), np.repeat(area / 3.0, 3), count), 1e-9)
    return sparse.csr_array(laplacian), areas
