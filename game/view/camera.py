"""The camera of the picture. The one place where column-vector matrices become Panda3D's row-vector ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from panda3d.core import CS_yup_right, LMatrix4, MatrixLens, NodePath

from solver.types import Intrinsics

NEAR, FAR = 0.05, 40.0
# OpenCV's camera axes (x right, y down, z forward) in OpenGL's (x right, y up, z backward), and back.
OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def panda_matrix(matrix: NDArray) -> LMatrix4:
    """A column-vector matrix, shape (4, 4), as Panda3D wants it."""
    return LMatrix4(*np.asarray(matrix, np.float64).T.ravel().tolist())


def opengl_lens() -> MatrixLens:
    """A lens that takes OpenGL's projection matrices as they are.

    Panda3D takes the camera node's own axes to be in the lens's coordinate system: here x right, y up, z backward.
    """
    lens = MatrixLens()
    lens.set_coordinate_system(CS_yup_right)
    return lens


def set_view(node: NodePath, lens: MatrixLens, projection: NDArray, T_wc: NDArray) -> None:
    """Let the camera `node` with an `opengl_lens` draw through `projection` (4, 4) from `T_wc` (4, 4)."""
    lens.set_user_mat(panda_matrix(projection))
    node.set_mat(panda_matrix(T_wc @ OPENGL_FROM_OPENCV))


def opengl_projection(intrinsics: Intrinsics, near: float = NEAR, far: float = FAR) -> NDArray[np.float64]:
    """Clip from OpenGL camera coordinates, shape (4, 4): pixel centres at integers, row 0 on top."""
    width, height, fx, fy, cx, cy = intrinsics
    depth = far - near
    return np.array(
        [
            [2 * fx / width, 0, 1 - (2 * cx + 1) / width, 0],
            [0, 2 * fy / height, (2 * cy + 1) / height - 1, 0],
            [0, 0, -(far + near) / depth, -2 * far * near / depth],
            [0, 0, -1, 0],
        ]
    )


def look_from(eye: NDArray, target: NDArray) -> NDArray[np.float64]:
    """T_wc (4, 4) of a level camera at `eye` [m] that looks at `target` [m], both (3,), frame w."""
    eye = np.asarray(eye, np.float64)
    forward = np.asarray(target, np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    T_wc = np.eye(4)
    T_wc[:3, 0], T_wc[:3, 1], T_wc[:3, 2], T_wc[:3, 3] = right, np.cross(forward, right), forward, eye
    return T_wc


class Crop(NamedTuple):
    """How a camera's picture is cut to cover another one."""

    zoom: float = 1.0
    """Enlarged beyond what covering needs."""
    point: tuple[float, float] = (0.5, 0.5)
    """This point of the camera's picture (shares from left and top) ..."""
    at: tuple[float, float] = (0.5, 0.5)
    """... comes to lie at this one of the other, as far as there is picture."""


def covering(
    intrinsics: Intrinsics, size: tuple[int, int], crop: Crop | None = None
) -> tuple[Intrinsics, tuple[float, float, float, float]]:
    """The camera with `intrinsics`, its picture enlarged until it covers `size` (width, height) [px] and cut.

    Also the part of its picture that is left: left, top, width, height in shares of it.
    """
    crop = crop or Crop()
    width, height, fx, fy, cx, cy = intrinsics
    scale = max(size[0] / width, size[1] / height) * max(crop.zoom, 1.0)
    left, top = (
        min(
            max(crop.point[i] * (width, height)[i] * scale - crop.at[i] * size[i], 0.0),
            (width, height)[i] * scale - size[i],
        )
        for i in range(2)
    )
    cut = Intrinsics(
        size[0], size[1], fx * scale, fy * scale, (cx + 0.5) * scale - left - 0.5, (cy + 0.5) * scale - top - 0.5
    )
    shares = (left / (width * scale), top / (height * scale), size[0] / (width * scale), size[1] / (height * scale))
    return cut, shares


class Camera:
    """A pinhole camera in frame w that Panda3D draws through."""

    def __init__(self, node: NodePath, size: tuple[int, int]):
        self._node = node
        self._lens = opengl_lens()
        node.node().set_lens(self._lens)
        self.size = size
        self.intrinsics = Intrinsics(size[0], size[1], size[1], size[1], (size[0] - 1) / 2, (size[1] - 1) / 2)
        self.T_wc = np.eye(4)
        self.look_at((0.0, -3.0, 1.2), (0.0, 0.0, 1.0))

    def set(self, intrinsics: Intrinsics, T_wc: NDArray) -> None:
        """Draw as the camera with `intrinsics` at `T_wc` (4, 4) sees; they are scaled to the picture's height."""
        scale = self.size[1] / intrinsics.height
        self.intrinsics = Intrinsics(
            self.size[0],
            self.size[1],
            intrinsics.fx * scale,
            intrinsics.fy * scale,
            (intrinsics.cx - (intrinsics.width - 1) / 2) * scale + (self.size[0] - 1) / 2,
            (intrinsics.cy + 0.5) * scale - 0.5,
        )
        self.T_wc = np.array(T_wc, np.float64)
        set_view(self._node, self._lens, opengl_projection(self.intrinsics), self.T_wc)

    def look_at(self, eye: NDArray | tuple, target: NDArray | tuple, field_of_view: float = np.deg2rad(35.0)) -> None:
        """Stand at `eye` and look at `target` [m], frame w; `field_of_view` [rad] spans the picture's longer side."""
        width, height = self.size
        focal = max(width, height) / 2 / np.tan(field_of_view / 2)
        self.set(
            Intrinsics(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2),
            look_from(np.asarray(eye, np.float64), np.asarray(target, np.float64)),
        )

    def frame_body(
        self,
        vertices: NDArray,
        azimuth: float = 0.0,
        margin: float = 1.12,
        field_of_view: float = np.deg2rad(24.0),
        within: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    ) -> None:
        """Stand off so that `vertices` [m], (V, 3), frame w, fill the picture but for `margin`.

        `azimuth` [rad]: 0 looks along +y, as at a person who faces the mirror; positive walks round to the camera's
        right (the person's left side). `within` (left, top, right, bottom; shares of the picture) is the part of the
        picture to fill.
        """
        low, high = vertices.min(0).astype(np.float64), vertices.max(0).astype(np.float64)
        center = (low + high) / 2
        self._frame(center, (high[2] - low[2]) * margin, np.abs(vertices[:, :2] - center[:2]).max() * 2 * margin,
                    azimuth, field_of_view, within)  # fmt: skip

    def frame_head(self, vertices: NDArray, azimuth: float = 0.0, height: float = 0.45) -> None:
        """A portrait: the top `height` [m] of `vertices` (V, 3), frame w."""
        top = float(vertices[:, 2].max())
        head = vertices[vertices[:, 2] > top - 0.22]
        center = np.append((head[:, :2].min(0) + head[:, :2].max(0)) / 2, top + 0.06 - height / 2)
        self._frame(center, height, 0.0, azimuth, np.deg2rad(16.0))

    def _frame(
        self,
        center: NDArray,
        tall: float,
        wide: float,
        azimuth: float,
        field_of_view: float,
        within: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    ) -> None:
        width, height = self.size
        left, top, right, bottom = within
        free_width, free_height = (right - left) * width, (bottom - top) * height
        focal = height / 2 / np.tan(field_of_view / 2)
        distance = max(tall * focal / free_height, wide * focal / free_width)
        eye = center + distance * np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
        cx, cy = (left + right) / 2 * width - 0.5, (top + bottom) / 2 * height - 0.5
        self.set(Intrinsics(width, height, focal, focal, cx, cy), look_from(eye, center))

    @property
    def position(self) -> NDArray[np.float64]:
        """Where the camera is [m], shape (3,), frame w."""
        return self.T_wc[:3, 3]

    def project(self, points: NDArray) -> NDArray[np.float64]:
        """Pixels (N, 2) and depth [m] in the last column, shape (N, 3), of `points` (N, 3), frame w."""
        local = (np.asarray(points, np.float64) - self.T_wc[:3, 3]) @ self.T_wc[:3, :3]
        pixels = np.empty_like(local)
        pixels[:, 0] = self.intrinsics.fx * local[:, 0] / local[:, 2] + self.intrinsics.cx
        pixels[:, 1] = self.intrinsics.fy * local[:, 1] / local[:, 2] + self.intrinsics.cy
        pixels[:, 2] = local[:, 2]
        return pixels
