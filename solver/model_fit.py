"""The model's surface laid onto the seen one: a smooth displacement along the normals, beyond the shape space.

With d the displacement along the canonical normals n and r_v what a sweep over the depth images wants of it more
(`solver.surface_sweeps`), sum_v a_v c_v (e_v - r_v)^2 + length^4 integral (Laplacian (d + e))^2 is made small and d
moves by e; a_v are the vertices' areas, c_v how far what was seen is believed. What no ray saw follows what lies around
it with the least bending.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu
from scipy.spatial import cKDTree

from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, skin
from solver.fusion import outer_faces
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
INNER_NEIGHBOURS = 12
"""Eyes and what is inside the mouth move with so many vertices of the skin around them."""
FINE_PARTS = ("hand_l", "hand_r", "foot_l", "foot_r")
"""Parts whose detail is finer than the volume and whose fingers or toes are not followed: the model's shape is kept."""


class ModelFit:
    """The model's surface on its way to the seen one, in the canonical pose of the rest body it started from."""

    def __init__(self, model: BodyModel, rest_body: RestBody) -> None:
        """`rest_body` is the best guess by shape alone."""
        self._model = model
        self._joints = rest_body.joints
        transforms = joint_transforms(model, rest_body.joints, canonical_pose(model, rest_body.joints))
        self._transforms = np.ascontiguousarray(transforms[:, :3])
        self._start = skin(model, rest_body.vertices, transforms).astype(np.float64)
        faces = outer_faces(model)
        self._skin = np.unique(faces)
        laplacian, areas = cotangent_laplacian(self._start, faces, self._skin)
        self._areas = areas
        self._stiffness = SMOOTHING_LENGTH_M**4 * (laplacian @ sparse.diags(1.0 / areas) @ laplacian)
        raw = vertex_normals(self._start, faces)[self._skin].astype(np.float64)
        # Smooth directions do not cross in the folds of ears, eyelids and toes.
        smooth = factorised(sparse.diags(areas) + FOLD_LENGTH_M**2 * laplacian).solve(areas[:, None] * raw)
        self._directions = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
        trust = np.clip((self._directions * raw).sum(1), 0.0, 1.0) ** 4
        trust[np.isin(model.part_labels[self._skin], [model.part(name) for name in FINE_PARTS])] = 0.0
        self._trust = trust
        self._scalp = scalp_vertices(model)[self._skin]
        self._offset = np.zeros(len(self._skin))
        self._inner = np.setdiff1d(np.arange(model.vertex_count), self._skin)
        self._around = np.zeros((0, INNER_NEIGHBOURS), int)
        if len(self._inner):
            self._around = cKDTree(self._start[self._skin]).query(self._start[self._inner], INNER_NEIGHBOURS)[1]

    @property
    def vertices(self) -> NDArray[np.float32]:
        """Canonical vertices [m] (V, 3). Eyes and what is inside the mouth move with the skin around them."""
        displacement = np.zeros_like(self._start)
        displacement[self._skin] = self._offset[:, None] * self._directions
        return (self._start + self.carried_inwards(displacement)).astype(np.float32)

    @property
    def rest(self) -> RestBody:
        """The rest body whose canonical pose has `vertices`."""
        canonical, rest = self.vertices, np.empty(self._start.shape, np.float32)
        unskin_points(canonical, self._model.skin_joints, self._model.skin_weights, self._transforms, rest)
        return RestBody(rest, self._joints)

    def carried_inwards(self, values: NDArray) -> NDArray:
        """`values` (V, ...) as they are on the skin; inside it, the mean of the skin around."""
        values = values.copy()
        values[self._inner] = values[self._skin][self._around].mean(1)
        return values

    def advance(self, residual: NDArray[np.float32], seen: NDArray[np.float32]) -> None:
        """Takes a sweep's correction: residual [m] outwards at the vertices and how well each was seen, both (V,)."""
        wanted, weight = residual[self._skin].astype(np.float64), seen[self._skin].astype(np.float64)
        # Hair lies on the head, never in it: what is seen farther out says little.
        bald = np.where(self._scalp & (wanted > 0.0), FREE_SPRING, 1.0)
        distance = (self._offset + wanted) / FAR_M
        confidence = bald * self._trust * weight / (weight + FULL_WEIGHT) / np.square(1.0 + np.square(distance))
        pull = self._areas * confidence
        matrix = sparse.diags(pull + FREE_SPRING * self._areas) + self._stiffness
        right = pull * wanted - FREE_SPRING * self._areas * self._offset - self._stiffness @ self._offset
        self._offset += np.clip(factorised(matrix).solve(right), -LARGEST_STEP_M, LARGEST_STEP_M)


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
