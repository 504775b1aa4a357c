"""Draws what is really there, before any sensor: room and shopper, depth and light, in one camera's picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capture.simulated.look import Figure
from capture.simulated.room import BARE, Scenery
from solver.kernels.shade import Lighting, compose_over_room, shade_surface
from solver.kernels.skinning import skin_vertices
from solver.normals import NormalField
from solver.rasterizer import Raster, Rasterizer
from solver.types import Intrinsics


class CleanPicture(NamedTuple):
    """What a camera without any error would see. The arrays are overwritten by the next picture."""

    depth: NDArray[np.float32]
    """[m], shape (H, W), 0 where nothing is."""
    light: NDArray[np.float32]
    """Linear, 1 = white, shape (H, W, 3)."""
    surface: NDArray[np.float32]
    """Cosine to the viewing ray and infrared reflectance, shape (H, W, 2)."""
    person: Raster
    """The person alone."""
    other: NDArray[np.bool_] | None = None
    """Where a second person is seen, shape (H, W)."""


class _Pose:
    """Buffers for posing one figure."""

    def __init__(self, figure: Figure) -> None:
        self.normal_field = NormalField(figure.faces, len(figure.vertices))
        self.rest = np.empty(figure.vertices.shape, np.float32)
        self.vertices = np.empty_like(self.rest)
        self.normals = np.empty_like(self.rest)


class Stage:
    """One room, lights and a camera at T_wc; the room is drawn once."""

    def __init__(self, intrinsics: Intrinsics, T_wc: NDArray[np.float64], scenery: Scenery, lights: Lighting) -> None:
        shape = (intrinsics.height, intrinsics.width)
        self._rasterizer = Rasterizer(intrinsics)
        self._intrinsics = self._rasterizer.intrinsics
        self._T_wc, self._T_cw = T_wc, np.linalg.inv(T_wc)
        self._lights = lights
        self._depth = np.zeros(shape, np.float32)
        self._light = np.zeros((*shape, 3), np.float32)
        self._surface = np.zeros((*shape, 2), np.float32)
        turn = self._T_cw[:3, :3]
        vertices = np.ascontiguousarray(scenery.vertices @ turn.T + self._T_cw[:3, 3], np.float32)
        normals = np.ascontiguousarray(scenery.normals @ turn.T, np.float32)
        raster = self._rasterizer.render(vertices, scenery.faces)
        self._shade(raster, scenery.faces, normals, scenery.attributes, BARE)
        self._room = raster.depth.copy(), self._light.copy(), self._surface.copy()
        self._poses: dict[int, tuple[Figure, _Pose]] = {}
        self._crowd = tuple(np.empty_like(part) for part in self._room)

    def add_bystander(self, figure: Figure, transforms: NDArray[np.float64]) -> None:
        """Someone who stands still in the room, from joint transforms (J, 4, 4) to the world."""
        picture = self.draw(figure, transforms, 0.0, np.zeros((0, 4)))
        self._room = picture.depth.copy(), picture.light.copy(), picture.surface.copy()

    @staticmethod
    def pose_figure(figure: Figure, transforms: NDArray[np.float64], breath: float) -> NDArray[np.float32]:
        """Posed vertices of a figure [m], shape (N, 3), from joint transforms (J, 4, 4) to any frame."""
        vertices = np.empty(figure.vertices.shape, np.float32)
        _pose(figure, transforms, breath, np.empty_like(vertices), vertices)
        return vertices

    def draw_room(self) -> CleanPicture:
        """The room alone."""
        depth, light, surface = self._room
        return CleanPicture(depth, light, surface, self._rasterizer.clear())

    def draw(
        self,
        figure: Figure,
        transforms: NDArray[np.float64],
        breath: float,
        shadows: NDArray[np.float64],
        other: tuple[Figure, NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> CleanPicture:
        """The room with a figure: joint transforms (J, 4, 4) to the world, `breath` 0 .. 1, shadows as in
        `compose_over_room`; `other` is a second figure with its transforms and shadows.
        """
        if other is None:
            raster = self._draw_over(self._room, figure, transforms, breath, shadows)
            return CleanPicture(self._depth, self._light, self._surface, raster)
        drawn = self._draw_over(self._room, other[0], other[1], 0.0, other[2]).depth
        seen = (drawn > 0.0) & (drawn == self._depth)
        for kept, part in zip(self._crowd, (self._depth, self._light, self._surface), strict=True):
            np.copyto(kept, part)
        raster = self._draw_over(self._crowd, figure, transforms, breath, shadows)
        seen &= self._depth == self._crowd[0]
        return CleanPicture(self._depth, self._light, self._surface, raster, seen)

    def _draw_over(self, room, figure: Figure, transforms: NDArray, breath: float, shadows: NDArray) -> Raster:
        if id(figure) not in self._poses:
            self._poses[id(figure)] = figure, _Pose(figure)
        pose = self._poses[id(figure)][1]
        _pose(figure, self._T_cw @ transforms, breath, pose.rest, pose.vertices)
        pose.normal_field(pose.vertices, pose.normals)
        raster = self._rasterizer.render(pose.vertices, figure.faces)
        self._shade(raster, figure.faces, pose.normals, figure.attributes, figure.layers)
        compose_over_room(
            raster.depth, room, self._intrinsics, self._T_wc, shadows, self._depth, self._light, self._surface
        )
        return raster

    def _shade(self, raster: Raster, faces, normals, attributes, layers) -> None:
        shade_surface(
            faces, raster, self._intrinsics, normals, attributes, layers, self._lights, self._light, self._surface
        )


def _pose(figure: Figure, transforms: NDArray, breath: float, rest: NDArray, out: NDArray) -> None:
    np.multiply(figure.breath, np.float32(breath), out=rest)
    rest += figure.vertices
    matrices = np.ascontiguousarray(transforms[:, :3], np.float32)
    skin_vertices(rest, figure.skin_joints, figure.skin_weights, matrices, out)
