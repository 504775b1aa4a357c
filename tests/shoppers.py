"""Simple shoppers with known truth: the body model itself, posed, drawn in a room, with landmarks of its own points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from game.assets import load_body_model
from solver.alignment import Articulation
from solver.body import canonical_pose, rotation_matrices, shape_body
from solver.landmark_points import landmark_points
from solver.rasterizer import Rasterizer
from solver.types import DepthNoise, Frame, Intrinsics, Landmarks, Observation
from tests.rooms import camera_pose, joined, measured, room, to_camera

MODEL = load_body_model()
CAMERA = Intrinsics(566, 320, 283.0, 283.0, 282.5, 159.5)
NOISE = DepthNoise(0.095, 0.055, 0.001)
POINTS = landmark_points(MODEL)


@dataclass
class Shopper:
    """Stands in A-pose `distance` before the camera, at `yaw`, with a little sway."""

    seed: int = 0
    distance: float = 2.2
    swap_behind: bool = True
    """The landmarker takes left for right while the back is turned."""
    landmark_sigma_px: float = 4.0
    floor: bool = True
    pitch: float = np.deg2rad(8.0)
    height: float = 1.3

    def __post_init__(self):
        self.rng = np.random.default_rng(self.seed)
        self.shape = np.zeros(MODEL.shape_count)
        self.shape[:30] = self.rng.normal(size=30)
        rest = shape_body(MODEL, self.shape)
        self.stature = float(np.ptp(rest.vertices[:, 2]))
        self.pose = canonical_pose(MODEL, rest.joints)
        self.phases = self.rng.uniform(0.0, 6.0, 8)
        self.T_wc = camera_pose(self.height, self.pitch)
        self.room = room(4.5, floor=self.floor)
        self.rasterizer = Rasterizer(CAMERA)

    def state(self, time, yaw, aside=0.0):
        """The true body."""
        pose = self.pose.copy()
        sway = np.sin(2.0 * np.pi * 0.3 * time + self.phases)
        pose[MODEL.joint("spine_02")] += 0.04 * sway[:3]
        pose[MODEL.joint("upperarm_l")] += (0.08 * sway[3], 0.08 * sway[4], 0.0)
        pose[MODEL.joint("upperarm_r")] += (0.08 * sway[5], 0.08 * sway[6], 0.0)
        T_wb = np.eye(4)
        T_wb[:3, :3] = rotation_matrices(np.array([[0.0, 0.0, yaw]]))[0]
        T_wb[:3, 3] = (aside + 0.02 * sway[7], self.distance, 0.0)
        state = Articulation(self.shape, pose, T_wb)
        T_wb[2, 3] -= state.vertices(MODEL)[:, 2].min()
        return state

    def observe(self, sequence, time, state):
        """What camera and landmarker make of it."""
        body = state.vertices(MODEL)
        vertices, faces = joined([(body, MODEL.faces), *self.room])
        raster = self.rasterizer.render(to_camera(vertices, self.T_wc), faces)
        mask = ((raster.triangle >= 0) & (raster.triangle < len(MODEL.faces))).astype(np.float32)
        depth = measured(raster.depth.copy(), CAMERA, NOISE, self.rng)
        return Observation(Frame(sequence, time, CAMERA, None, depth), mask, self.landmarks(state))

    def landmarks(self, state):
        """The model's landmark points in the picture, with noise, swapped while the back is turned."""
        points = np.concatenate([state.vertices(MODEL), state.joints(MODEL)])[POINTS.points]
        seen = (points - self.T_wc[:3, 3]) @ self.T_wc[:3, :3]
        behind = (state.T_wb[:3, :3] @ (0.0, -1.0, 0.0))[1] > 0.2
        order = POINTS.mirrored if behind and self.swap_behind else POINTS.indices
        pixels = np.stack(
            [CAMERA.fx * seen[:, 0] / seen[:, 2] + CAMERA.cx, CAMERA.fy * seen[:, 1] / seen[:, 2] + CAMERA.cy], 1
        )
        image, visibility = np.full((33, 2), -1.0, np.float32), np.zeros(33, np.float32)
        world = np.zeros((33, 3), np.float32)
        image[order] = pixels + self.rng.normal(0.0, self.landmark_sigma_px, pixels.shape)
        visibility[order] = 0.9
        hips = 0.5 * (seen[POINTS.indices == 23] + seen[POINTS.indices == 24])
        world[order] = seen - hips + self.rng.normal(0.0, 0.03, seen.shape)
        return Landmarks(image, visibility, world)

    def empty_room(self, sequence, time):
        """Nobody there."""
        vertices, faces = joined(self.room)
        depth = self.rasterizer.render(to_camera(vertices, self.T_wc), faces).depth.copy()
        return Observation(Frame(sequence, time, CAMERA, None, measured(depth, CAMERA, NOISE, self.rng)), None, None)
