"""Bakes a body's appearance into a picture for its texture coordinates."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from game.appearance import BodyPaint, Eye
from game.materials import linear, srgb
from solver.atlas.layout import texture_coordinates
from solver.body import BodyModel
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

# The same eye as body.frag draws: angles from the gaze [rad].
LIMBUS, PUPIL = 0.43, 0.16


def bake_texture(model: BodyModel, rest: NDArray[np.float32], paint: BodyPaint, size: int = 1024) -> NDArray[np.uint8]:
    """The body's colours as a picture, sRGB, shape (size, size, 3). Seams are bled outwards."""
    uv = texture_coordinates(model)
    flat = np.column_stack((uv, np.ones(len(uv)))).astype(np.float32)
    position = np.zeros(len(uv), np.int32)
    position[model.uv_faces.ravel()] = model.faces.ravel()
    rasterizer = Rasterizer(Intrinsics(size, size, float(size), float(size), -0.5, -0.5))
    filled = rasterizer.render(flat, model.uv_faces, cull_back=False).triangle >= 0
    rows = np.column_stack((paint.color[:, :3], paint.surface, rest))[position]
    maps = rasterizer.interpolate(np.ascontiguousarray(rows, np.float32))
    color, surface, anchor = maps[..., :3], maps[..., 3:7] / 255.0, maps[..., 7:]

    light = np.empty_like(color)
    table = np.array([linear((level, level, level))[0] for level in range(256)], np.float32)
    light[:] = table[np.clip(color + 0.5, 0, 255).astype(np.uint8)]
    if paint.picture is not None:
        light = table[_resized(paint.picture.color, size)]
    if not paint.scanned:
        layers = ((surface[..., 0], 0.08, paint.look.hair), (surface[..., 1], 0.02, paint.look.base_layer))
        for share, soft, tone in layers:
            edge = _smoothstep(0.5 - soft, 0.5 + soft, share)[..., None]
            light += edge * (np.array(linear(tone), np.float32) - light)
    eye_texels = surface[..., 3] > 0.5
    left = anchor[..., 0] > 0
    for side, eye in ((left, paint.eyes[0]), (~left, paint.eyes[1])):
        chosen = eye_texels & side
        light[chosen] = _eye_light(anchor[chosen], eye, np.array(linear(paint.look.iris)), linear(paint.look.sclera))
    return _bleed(srgb(light), filled)


def _resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if len(picture) == size:
        return picture
    how = cv2.INTER_AREA if size < len(picture) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=how), np.uint8)


def _eye_light(points: NDArray, eye: Eye, iris: NDArray, sclera: tuple) -> NDArray[np.float64]:
    direction = points - eye.center
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    angle = np.arccos(np.clip(direction @ eye.gaze, -1.0, 1.0))[:, None]
    r = angle / LIMBUS
    ring = iris * (1.7 - 0.9 * np.minimum(r, 1.0)) * (1.0 - 0.8 * _smoothstep(0.75, 1.0, r))
    white = np.array(sclera) * (1.0 - np.array((0.17, 0.33, 0.38)) * _smoothstep(1.4, 2.6, r))
    seen = ring + _smoothstep(0.90, 1.10, r) * (white - ring)
    return 0.004 + _smoothstep(0.85, 1.10, angle / PUPIL) * (seen - 0.004)


def _smoothstep(low: float, high: float, x: NDArray) -> NDArray:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _bleed(picture: NDArray[np.uint8], filled: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Every empty texel takes the colour of the nearest filled one."""
    _, labels = cv2.distanceTransformWithLabels(
        (~filled).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = np.asarray(labels, np.int64)
    by_label = np.zeros(int(labels.max()) + 1, np.int64)
    flat = np.flatnonzero(filled)
    by_label[labels.ravel()[flat]] = flat
    return picture.reshape(-1, 3)[by_label[labels]]
