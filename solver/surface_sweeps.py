"""Sweeps over the views of a turn: the model is predicted in every depth image, what differs is carried back to it.

The unknowns are the displacements of the model's vertices. Residuals are divided by row and column sums as in SART
(`solver.kernels.back_project`), all views of a sweep together (SIRT); what regularises lies between the sweeps
(`solver.model_fit`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation
from solver.body import BodyModel, RestBody, joint_transforms, skin
from solver.fusion import SIGMA_M
from solver.kernels.back_project import ResidualRule, VertexSums, back_project, gather_view
from solver.keyframes import Keyframe
from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.types import DepthNoise

LEAST_SHARE = np.float32(0.1)
"""Of a pixel: the face has vertices denser than that, and is seen none the worse."""
RULE = ResidualRule(gate_m=0.03, least_cosine=0.25, edge_jump_m=0.03, sigma_m=SIGMA_M)


class SurfaceSweeps:
    """One sweep after the other: `begin`, `add` every view, `end`."""

    def __init__(self, model: BodyModel, noise: DepthNoise) -> None:
        self._model, self._noise = model, noise
        self._normal_field = NormalField(model.faces, model.vertex_count)
        self._rasterizer: Rasterizer | None = None
        count = model.vertex_count
        self._normals = np.empty((count, 3), np.float32)
        self._view = VertexSums(*(np.zeros(count, np.float32) for _ in range(3)))
        self.residual = np.zeros(count, np.float32)
        """Weighted mean after `end` [m], outwards."""
        self.weight = np.zeros(count, np.float32)
        """Sum of the views' weights."""

    def begin(self) -> None:
        """Forgets the last sweep."""
        self.residual[:] = 0.0
        self.weight[:] = 0.0

    def add(self, keyframe: Keyframe, state: Articulation, rest: RestBody, person: NDArray[np.uint8]) -> None:
        """What the keyframe says of the body `rest` in the pose `state`; `person` (H, W) is 1 where it is seen."""
        frame = keyframe.observation.frame
        assert frame.depth is not None
        if self._rasterizer is None or self._rasterizer.intrinsics != frame.intrinsics:
            self._rasterizer = Rasterizer(frame.intrinsics)
        transforms = joint_transforms(self._model, rest.joints, state.pose, state.T_wb)
        vertices_c = skin(self._model, rest.vertices, np.linalg.inv(keyframe.T_wc) @ transforms)
        self._normal_field(vertices_c, self._normals)
        raster = self._rasterizer.render(vertices_c, self._model.faces)
        faces, intrinsics = self._model.faces, self._rasterizer.intrinsics
        back_project(raster, faces, self._normals, frame.depth, person, intrinsics, self._noise, RULE, self._view)
        gather_view(self._view, LEAST_SHARE, self.residual, self.weight)

    def end(self) -> None:
        """Makes sums the mean."""
        np.divide(self.residual, self.weight, out=self.residual, where=self.weight > 0.0)
