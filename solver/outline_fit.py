"""The terms of tracking's least squares where there is no depth: landmarks in picture and space, and the outline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solver.alignment import BodyAlignment, robust_weights
from solver.average_body import average_prior, visible_directions
from solver.body import BodyModel, rotation_matrices
from solver.body_fit import BodyFit, TrackerSettings
from solver.kernels.pixel_association import find_nearest_person
from solver.person_region import BACKGROUND, PERSON, UNKNOWN
from solver.rasterizer import Raster
from solver.types import DepthNoise, Ground, Intrinsics, Landmarks

NO_DEPTH = DepthNoise(1.0, 0.0, 0.0)
WORLD_SIGMA_M = 0.12
"""How far the landmarker errs in space, beside how far a landmark is from the model's point."""
WORLD_WEIGHT = 0.1
LEAN_SPREAD = np.deg2rad(2.0)
"""How far the pelvis of a standing person leans; a picture hardly shows it, the landmarker sees bowing."""
LOW_LANDMARKS = {23: 0.10, 24: 0.10, 25: 0.08, 26: 0.08}
"""Hips and knees are seen 3 to 5 cm below the model's joints, which without depth would tilt the body: spread [m]."""
LEFT_TRUNK, RIGHT_TRUNK = (11, 23), (12, 24)
FACING_SPREAD = np.deg2rad(12.0)
"""How far the landmarker errs in the way that hips and shoulders face. It carries the body through profiles, where
landmarks in the picture say nothing of front and back."""
SWAP_MARGIN = np.deg2rad(40.0)
"""By how much better the facing of a back taken for a front must fit the last frames."""
OUTLINE_STRIDE = 2


class OutlineFit(BodyFit):
    """As `BodyFit`, for frames with a mask and no depth. Only stature and breadth of the shape may change."""

    def __init__(self, model: BodyModel, intrinsics: Intrinsics, settings: TrackerSettings):
        """For pictures with `intrinsics`."""
        super().__init__(model, intrinsics, NO_DEPTH, settings)
        spread = self.landmarks.spread.copy()
        for index, low in LOW_LANDMARKS.items():
            spread[self.landmarks.indices == index] = low
        self.landmarks = replace(self.landmarks, spread=spread)
        grid = self.region.intrinsics
        self._drawn = np.zeros((grid.height, grid.width), np.uint8)
        self._nearest_drawn = np.full((grid.height, grid.width), -1, np.int32)
        self._figure: NDArray[np.float64] | None = None
        hips = model.joint("thigh_l"), model.joint("thigh_r")
        self._hips = np.array([model.vertex_count + joint for joint in hips])

    def set_ground(self, ground: Ground) -> None:
        """Where the camera stands. On a floor that is only guessed stature stays what the guess was made with."""
        super().set_ground(ground)
        directions = visible_directions(self.model, self.settings.shape_count, with_stature=self.floor_known)
        self._view = self.T_wc[:3, 2] * (1.0, 1.0, 0.0) / np.linalg.norm(self.T_wc[:2, 2])
        self._shape_prior = average_prior(directions)
        self.floor_known = True

    def add_pixels(self, alignment: BodyAlignment, raster: Raster, gate: float) -> None:
        """Outline pulls, in the picture's plane; also brings the status up to date. There is nothing for `gate`."""
        labels = self.region.labels
        drawn, person = raster.depth > 0.0, labels == PERSON
        shared = np.count_nonzero(drawn & person)
        self._person_pixels = int(np.count_nonzero(person))
        self.status.agreement = shared / max(int(np.count_nonzero(drawn & (labels != UNKNOWN))), 1)
        self.status.coverage = shared / max(self._person_pixels, 1)
        np.copyto(self._drawn, drawn)
        find_nearest_person(self._drawn, self._nearest_drawn)
        # Where the model sticks out its own point is pulled to the person; where it falls short its nearest one is.
        out = _every_other(drawn & (labels == BACKGROUND) & (self.region.nearest >= 0))
        short = _every_other(person & ~drawn & (self._nearest_drawn >= 0))
        points = np.concatenate([out, self._nearest_drawn.ravel()[short]])
        targets = np.concatenate([self.region.nearest.ravel()[out], short])
        if len(points) == 0:
            self.status.residual_m = self.status.misfit = 0.0
            return
        grid = self.region.intrinsics
        step = np.stack([points % grid.width - targets % grid.width, points // grid.width - targets // grid.width], 1)
        pixels = np.linalg.norm(step, axis=1)
        across = step / pixels[:, None]
        depths = raster.depth.ravel()[points].astype(np.float64)
        offsets = pixels * depths / grid.fx
        ray = np.stack([(points % grid.width - grid.cx) / grid.fx, (points // grid.width - grid.cy) / grid.fy], 1)
        directions = np.column_stack([across, -(across * ray).sum(1)])
        sigma = self.settings.outline_sigma_m
        self.status.residual_m = float(np.sqrt(np.mean(np.square(offsets))))
        self.status.misfit = self.status.residual_m / sigma
        weights = robust_weights(offsets, 3.0 * sigma, "geman_mcclure") / sigma**2
        weights *= OUTLINE_STRIDE * self.settings.pixel_independence
        corners = self._proxy.model_faces[raster.triangle.ravel()[points]]
        second_third = raster.barycentric.reshape(-1, 2)[points].astype(np.float64)
        barycentric = np.column_stack([1.0 - second_third.sum(1), second_third])
        alignment.add_rows(corners, directions @ self._T_cw[:3, :3], offsets, weights, barycentric)

    def set_figure(self, landmarks: Landmarks | None, flipped: bool) -> None:
        """The landmarks in space that `add_landmarks` shall add, with left and right (and depth) as `flipped` says."""
        self._figure = None if landmarks is None else self._figures(landmarks)[int(flipped)]

    def _figures(self, landmarks: Landmarks) -> tuple[NDArray[np.float64], ...]:
        """World landmarks about the hips, axes of frame w, (L, 3): as they are, as a back taken for a front, and with
        nothing but left and right exchanged.

        A left for a right is a picture from behind: mostly the landmarker's depths then point the wrong way too.
        """
        turn = self.T_wc[:3, :3].T
        straight = landmarks.world[self.landmarks.indices].astype(np.float64) @ turn
        mirrored = landmarks.world[self.landmarks.mirrored].astype(np.float64) @ turn
        return straight, mirrored - 2.0 * np.outer(mirrored @ self._view, self._view), mirrored

    def sorted_landmarks(self, alignment: BodyAlignment, landmarks: Landmarks) -> tuple[NDArray, NDArray]:
        """As in `BodyFit`; in space a back taken for a front is turned round where the last frames say so."""
        seen = super().sorted_landmarks(alignment, landmarks)
        now = float(np.arctan2(alignment.state.T_wb[1, 0], alignment.state.T_wb[0, 0]))
        figures = self._figures(landmarks)
        away = [abs(np.angle(np.exp(1j * (self._facing(figure) - now)))) for figure in figures]
        doubt = np.array([0.0, SWAP_MARGIN, SWAP_MARGIN])
        self._figure = figures[int(np.argmin(away + doubt))]
        return seen

    def _facing(self, figure: NDArray) -> float:
        """Which way hips and shoulders of a figure (L, 3) face [rad], as `keyframes.facing_angle`."""
        left, right = (np.isin(self.landmarks.indices, side) for side in (LEFT_TRUNK, RIGHT_TRUNK))
        across = figure[left].sum(0) - figure[right].sum(0)
        return float(np.arctan2(across[1], across[0]))

    def add_landmarks(
        self,
        alignment: BodyAlignment,
        pixels: NDArray,
        visibility: NDArray,
        model_depth: NDArray[np.float32] | None = None,
    ) -> None:
        """Reprojection as in `BodyFit`, and the figure in space about the hips."""
        super().add_landmarks(alignment, pixels, visibility, model_depth)
        if self._figure is None:
            return
        targets = self._hips_of(alignment) + self._figure
        sigma = self.landmarks.spread + WORLD_SIGMA_M
        off = (alignment.positions(self.landmarks.points) - targets) @ self._view
        weights = WORLD_WEIGHT * visibility * robust_weights(off, 2.0 * sigma, "huber") / np.square(sigma)
        # Across the view the picture itself says it better, whatever the person's size.
        turn = np.zeros((1, 3))
        turn[0, 2] = self._facing(self._figure) - np.arctan2(alignment.state.T_wb[1, 0], alignment.state.T_wb[0, 0])
        faced = alignment.state.T_wb.copy()
        faced[:3, :3] = rotation_matrices(turn)[0] @ faced[:3, :3]
        alignment.add_root_prior(faced, (0.0, 0.0, 1.0 / FACING_SPREAD**2), 0.0)
        alignment.add_point_to_plane(self.landmarks.points, targets, np.tile(self._view, (len(targets), 1)), weights)

    def _hips_of(self, alignment: BodyAlignment) -> NDArray[np.float64]:
        return alignment.positions(self._hips).mean(0)

    def add_priors(self, alignment: BodyAlignment, upright: bool) -> None:
        """As in `BodyFit`; who stands is upright, and what of the shape a picture cannot show is the average."""
        super().add_priors(alignment, upright)
        up = alignment.state.T_wb[:3, 2]
        lean = np.cross(up, (0.0, 0.0, 1.0))
        straight = alignment.state.T_wb.copy()
        straight[:3, :3] = rotation_matrices(lean[None])[0] @ straight[:3, :3]
        alignment.add_root_prior(straight, (1.0 / LEAN_SPREAD**2, 1.0 / LEAN_SPREAD**2, 0.0), 0.0)
        if alignment.shape_count:
            alignment.add_shape_prior(0.0, self._shape_prior)


def _every_other(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Flat indices of `chosen` pixels (H, W) on a quincunx of one in `OUTLINE_STRIDE`."""
    v, u = np.nonzero(chosen)
    keep = (u + v) % OUTLINE_STRIDE == 0
    return v[keep] * chosen.shape[1] + u[keep]
