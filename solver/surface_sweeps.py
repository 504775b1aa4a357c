"""Sweeps over the views of a turn: the model is predicted in every depth image, what differs is carried back to it.

The unknowns are the displacements of the model's vertices. Residuals are divided by row and column sums as in SART
(`solver.kernels.back_project`), all views of a sweep together (SIRT); what regularises lies between the sweeps
(`solver.model_fit`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.alignment import Articulation
from solver.body import BodyModel, RestBody, joint_transforms, skin
from solver.fusion import SIGMA_M
from solver.kernels.back_project import ResidualRule, VertexSums, back_project, gather_view
from solver.keyframes import Keyframe
from solver.normals import NormalField
from solver.rasterizer import Raster, Rasterizer
from solver.types import DepthNoise

LEAST_SHARE = np.float32(0.1)
"""Of a pixel: the face has vertices denser than that, and is seen none the worse."""
RULE = ResidualRule(gate_m=0.03, least_cosine=0.25, edge_jump_m=0.03, sigma_m=SIGMA_M)


class Prediction(NamedTuple):
    """A body as one keyframe's camera should see it, in buffers that its hand uses again."""

    vertices_c: NDArray[np.float32]
    """[m], (V, 3), frame c."""
    normals: NDArray[np.float32]
    """Outwards, (V, 3), frame c."""
    raster: Raster


class _Scratch:
    """What one hand of a team works with."""

    def __init__(self, model: BodyModel) -> None:
        count = model.vertex_count
        self.normal_field = NormalField(model.faces, count)
        self.rasterizer: Rasterizer | None = None
        self.vertices_c, self.normals = np.empty((2, count, 3), np.float32)
        self.view = VertexSums(*(np.zeros(count, np.float32) for _ in range(3)))


class SurfaceSweeps:
    """One sweep after the other: `begin`, `predict` and `add` every view, `end`."""

    def __init__(self, model: BodyModel, noise: DepthNoise, hands: int = 1) -> None:
        """`hands` threads may predict and add views at the same time (`solver.team`)."""
        self._model, self._noise = model, noise
        self._scratch = [_Scratch(model) for _ in range(hands)]
        self._residuals, self._weights = np.zeros((2, 0, model.vertex_count), np.float32)
        self.residual = np.zeros(model.vertex_count, np.float32)
        """Weighted mean after `end` [m], outwards."""
        self.weight = np.zeros(model.vertex_count, np.float32)
        """Sum of the views' weights."""

    def begin(self, view_count: int) -> None:
        """Forgets the last sweep; this one has so many views."""
        if view_count != len(self._weights):
            self._residuals, self._weights = np.zeros((2, view_count, self._model.vertex_count), np.float32)
        self._residuals[:] = 0.0
        self._weights[:] = 0.0

    def predict(self, keyframe: Keyframe, state: Articulation, rest: RestBody, hand: int = 0) -> Prediction:
        """The body `rest` in the pose `state` as the keyframe's camera should see it."""
        scratch, intrinsics = self._scratch[hand], keyframe.observation.frame.intrinsics
        if scratch.rasterizer is None or scratch.rasterizer.intrinsics != intrinsics:
            scratch.rasterizer = Rasterizer(intrinsics)
        transforms = joint_transforms(self._model, rest.joints, state.pose, state.T_wb)
        skin(self._model, rest.vertices, np.linalg.inv(keyframe.T_wc) @ transforms, scratch.vertices_c)
        scratch.normal_field(scratch.vertices_c, scratch.normals)
        raster = scratch.rasterizer.render(scratch.vertices_c, self._model.faces)
        return Prediction(scratch.vertices_c, scratch.normals, raster)

    def add(self, n: int, keyframe: Keyframe, predicted: Prediction, person: NDArray[np.uint8], hand: int = 0) -> None:
        """What keyframe number `n` says of what was `predicted` of it; `person` (H, W) is 1 where they are seen."""
        scratch, frame = self._scratch[hand], keyframe.observation.frame
        assert frame.depth is not None
        assert scratch.rasterizer is not None
        back_project(
            predicted.raster,
            self._model.faces,
            predicted.normals,
            frame.depth,
            person,
            scratch.rasterizer.intrinsics,
            self._noise,
            RULE,
            scratch.view,
        )
        gather_view(scratch.view, LEAST_SHARE, self._residuals[n], self._weights[n])

    def end(self) -> None:
        """Makes the views' sums the mean, in their order."""
        np.sum(self._weights, axis=0, out=self.weight)
        np.sum(self._residuals, axis=0, out=self.residual)
        np.divide(self.residual, self.weight, out=self.residual, where=self.weight > 0.0)
