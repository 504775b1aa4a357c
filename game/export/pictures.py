"""Pictures of a visit for people: what the camera sees with the followed body over it, what the mirror shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from game.export.lettering import break_lines, text_width, write
from solver.normals import NormalField
from solver.rasterizer import Rasterizer
from solver.types import BodyState, Ground, Intrinsics

WHITE, INK = (255, 255, 255), (38, 36, 34)
GLOW = np.array([96, 214, 226], np.float32)
INSET_SHARE = 0.17


class CameraPicture:
    """The camera's picture as in a mirror, the followed body as a glow on it, the turn as a ring."""

    def __init__(self, faces: NDArray[np.int32], vertex_count: int, intrinsics: Intrinsics, size: tuple[int, int]):
        """`size` (width, height) [px] of the pictures made."""
        self._faces = faces
        self._normals = NormalField(faces, vertex_count)
        self._rasterizer = Rasterizer(intrinsics)
        self._size = size

    def draw(
        self,
        color: NDArray[np.uint8],
        state: BodyState | None,
        ground: Ground | None,
        turned_share: float,
        title: str,
        caption: str,
    ) -> NDArray[np.uint8]:
        """The picture, sRGB. `turned_share` 0..1 fills the ring; `state` None draws no body."""
        picture = color.astype(np.float32)
        if state is not None and ground is not None:
            self._add_glow(picture, state, ground)
        mirrored = cover(np.clip(picture, 0, 255).astype(np.uint8)[:, ::-1], self._size)
        shade(mirrored)
        width, height = self._size
        write(mirrored, title.upper(), (width / 2, 0.060 * height), round(0.017 * height), WHITE, "Bold", "center", 4)
        lines = break_lines(caption, 0.9 * width, round(0.024 * height), even=True)
        for i, line in enumerate(lines):
            y = (0.952 + 0.032 * (i - (len(lines) - 1) / 2)) * height
            write(mirrored, line, (width / 2, y), round(0.024 * height), WHITE, "Regular", "center")
        draw_ring(mirrored, (width / 2, 0.868 * height), 0.034 * height, turned_share)
        return mirrored

    def _add_glow(self, picture: NDArray[np.float32], state: BodyState, ground: Ground) -> None:
        """Rim light over the model where it lies in the picture: brightest where the surface turns away."""
        T_cw = np.linalg.inv(ground.T_wc).astype(np.float32)
        vertices = np.ascontiguousarray(state.vertices @ T_cw[:3, :3].T + T_cw[:3, 3])
        raster = self._rasterizer.render(vertices, self._faces)
        hit = raster.triangle >= 0
        normals = self._normals(vertices)
        toward = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
        facing = np.clip(np.abs(np.einsum("vi,vi->v", normals, toward)), 0.0, 1.0)
        corners = facing[self._faces[raster.triangle[hit]]]
        b = raster.barycentric[hit]
        shade_ = corners[:, 0] * (1.0 - b.sum(1)) + corners[:, 1] * b[:, 0] + corners[:, 2] * b[:, 1]
        alpha = (0.10 + 0.62 * np.square(1.0 - shade_))[:, None]
        picture[hit] = (1.0 - alpha) * picture[hit] + alpha * GLOW


def mirror_picture(
    picture: NDArray[np.uint8], camera: NDArray[np.uint8] | None, title: str, caption: str
) -> NDArray[np.uint8]:
    """The mirror's picture with the camera's, mirrored, set into its corner, and words at top and bottom."""
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    write(picture, title.upper(), (width / 2, 0.060 * height), round(0.017 * height), INK, "Bold", "center", 4)
    size = round(0.024 * height)
    while text_width(caption, size) > 0.92 * width and size > 8:
        size -= 1
    write(picture, caption, (width / 2, 0.965 * height), size, INK, "Regular", "center")
    if camera is not None:
        inset_width = round(INSET_SHARE * width)
        inset = cover(camera[:, ::-1], (inset_width, round(inset_width * 16 / 9)))
        edge = round(0.025 * height)
        top, left = round(0.025 * height), width - edge - inset_width
        mask = rounded(inset.shape[:2], round(0.014 * height))[..., None]
        region = picture[top : top + inset.shape[0], left : left + inset.shape[1]]
        region[:] = (mask * inset + (1.0 - mask) * region + 0.5).astype(np.uint8)
    return picture


def cover(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """`picture` scaled to cover `size` (width, height), cut evenly."""
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    grown = cv2.resize(
        np.ascontiguousarray(picture), (max(size[0], round(width * scale)), max(size[1], round(height * scale))),
        interpolation=method,
    )  # fmt: skip
    x, y = (grown.shape[1] - size[0]) // 2, (grown.shape[0] - size[1]) // 2
    return np.ascontiguousarray(grown[y : y + size[1], x : x + size[0]], np.uint8)


def shade(picture: NDArray[np.uint8]) -> None:
    """Darkens top and bottom, so that white words can be read on anything."""
    height = len(picture)
    y = np.linspace(0.0, 1.0, height, dtype=np.float32)
    dark = 0.45 * np.clip(1.0 - y / 0.13, 0.0, 1.0) + 0.62 * np.clip((y - 0.78) / 0.22, 0.0, 1.0)
    picture[:] = (picture * (1.0 - dark)[:, None, None]).astype(np.uint8)


def draw_ring(picture: NDArray[np.uint8], center: tuple[float, float], radius: float, share: float) -> None:
    """A ring, `share` of which is filled, clockwise from the top."""
    shift = 4
    at = tuple(round(c * 2**shift) for c in center)
    axes = (round(radius * 2**shift),) * 2
    thick = max(2, round(0.16 * radius))
    faint = picture.copy()
    cv2.ellipse(faint, at, axes, 0, 0, 360, WHITE, thick, cv2.LINE_AA, shift)
    cv2.addWeighted(faint, 0.35, picture, 0.65, 0.0, picture)
    if share > 0.0:
        full = tuple(int(c) for c in GLOW)
        cv2.ellipse(picture, at, axes, -90, 0, 360 * min(share, 1.0), full, thick, cv2.LINE_AA, shift)


def rounded(shape: tuple[int, int], radius: int) -> NDArray[np.float32]:
    """Coverage of a rectangle `shape` (H, W) with round corners, 0..1."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    dx = np.maximum(np.maximum(radius - x, x - (shape[1] - 1 - radius)), 0.0)
    dy = np.maximum(np.maximum(radius - y, y - (shape[0] - 1 - radius)), 0.0)
    return np.clip(radius + 0.5 - np.hypot(dx, dy), 0.0, 1.0)
