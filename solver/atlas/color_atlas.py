"""A picture of the body's colours from the keyframes that show it best.

Every view is rated at every vertex that it shows: how large, how square on, how sharp, how far from outlines. Exposure,
white balance and the room's light are solved for and taken out (`solver.atlas.exposure`), and every picture is shifted
by a smooth field so that it lies on the others. Few views that together rate best are chosen (greedily: what they
gain is submodular, Nemhauser et al. 1978), triangles take their detail from one of them with short seams (iterated
conditional modes), the face as one piece. Two bands (Burt and Adelson 1983): what varies over more than some
centimetres is the mean of all views, what is finer comes from the chosen one. What no view saw takes the detail of the
body's other side, in colours carried on from around it, or those colours alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solver.atlas.exposure import correction, solve_exposure
from solver.atlas.layout import atlas_layout
from solver.atlas.surface import Surface, surface_of
from solver.body import BodyModel
from solver.hair import learn_hair
from solver.kernels.label_triangles import gain_of_views, rate_triangles, settle_labels
from solver.kernels.observe_vertices import rate_view, sample_vertices
from solver.kernels.paint_texels import BEST, fill_gutters, paint_texels, weigh_views
from solver.rasterizer import Rasterizer
from solver.types import DepthNoise, Intrinsics, read_only

SIZE = 1024
MARGIN_M = 0.006
"""How far poses and outlines may be off."""
MOST_CHOSEN = 12
LEAST_GAIN = 0.01
"""A view is chosen too if it betters the whole by this share."""
SEAM_M = 0.02
"""A seam costs as much as a strip of this width that is taken from the worst view instead of the best."""
SWEEPS = 12
SHIFT_ROUNDS = 1
MOST_SHIFT_PX = 3.0
STIFFNESS = 4.0
"""Slope of brightness [1/px] below which pictures are hardly shifted."""
EYE_REACH_M, EYE_RADIUS_M = 0.010, 0.014
"""How far an eye may be off, and how much about it moves along."""
EYE_STEPS = 4
"""Places a pixel that are tried."""
EYE_PRIOR = 25.0
"""How much darker [of 255] the iris must be at the farthest place than where it is thought to be."""
NOBODY = np.zeros((0, 0), np.float32)
HANDS = ("hand_l", "hand_r")
UNLIKE = 0.4
"""Of a hand's colours, natural logarithm."""
BRIGHTNESS = np.array([0.3, 0.6, 0.1], np.float32)
SQUARE_ON = 0.6
"""Sharpness is compared where views rate at least this share of the best there."""


@dataclass(frozen=True, slots=True)
class ColorAtlas:
    """Colours of a body over its model's texture coordinates (`solver.atlas.layout`)."""

    color: NDArray[np.uint8]
    """sRGB, (N, N, 3), row 0 at the top; gutters hold the colour of the nearest texel."""
    seen: NDArray[np.uint8]
    """How much of each texel's detail a camera saw at that place, (N, N): 255 all, 0 inferred, and 0 in gutters."""
    vertex_colors: NDArray[np.uint8]
    """sRGB of the model's vertices, (V, 3): the same without detail."""


def brightness(colors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of `colors` (..., 3); shape (...)."""
    return colors[..., 0] * BRIGHTNESS[0] + colors[..., 1] * BRIGHTNESS[1] + colors[..., 2] * BRIGHTNESS[2]


def prepare_atlas(model: BodyModel, size: int = SIZE) -> None:
    """Finds what is the same for all bodies of `model` now, and not when one is waited for: it takes a second."""
    surface_of(model)
    atlas_layout(model, size)


class RatedView(NamedTuple):
    """What one picture shows of the vertices."""

    pixels: NDArray[np.float32]
    """Where, (V, 2)."""
    quality: NDArray[np.float32]
    """How well, (V,)."""
    normals: NDArray[np.float32]
    """Broad ones, (V, 3), frame c."""


class AtlasPainter:
    """Takes pictures of one body, then paints its atlas."""

    def __init__(self, model: BodyModel, noise: DepthNoise | None = None, size: int = SIZE) -> None:
        """For an atlas of `size` x `size` texels; `noise` is that of the depth camera."""
        self._model = model
        self._noise = noise
        self._size = size
        self._surface = surface_of(model)
        self._pictures: list[NDArray[np.uint8]] = []
        self._rows: list[RatedView] = []
        self._rasterizer: Rasterizer | None = None

    @property
    def view_count(self) -> int:
        """Pictures taken so far."""
        return len(self._pictures)

    def add(
        self,
        color: NDArray[np.uint8],
        depth: NDArray[np.float32] | None,
        intrinsics: Intrinsics,
        vertices_c: NDArray[np.float32],
        person: NDArray[np.float32] | None = None,
    ) -> None:
        """Take a picture (H, W, 3) sRGB, its depth (H, W) [m], and the vertices (V, 3) [m] in frame c.

        `person` (H, W) is the probability that a pixel is the person. All pictures are of one size. `color` is kept
        until the atlas is painted.
        """
        if self._rasterizer is None or self._rasterizer.intrinsics != intrinsics:
            self._rasterizer = Rasterizer(intrinsics)
        model_depth = self._rasterizer.render(vertices_c, self._model.faces).depth
        normals = self._surface.normals(vertices_c)
        self.take(color, self.rate(depth, self._rasterizer.intrinsics, vertices_c, normals, model_depth, person))

    def rate(
        self,
        depth: NDArray[np.float32] | None,
        intrinsics: Intrinsics,
        vertices_c: NDArray[np.float32],
        normals: NDArray[np.float32],
        model_depth: NDArray[np.float32],
        person: NDArray[np.float32] | None = None,
    ) -> RatedView:
        """What a picture is worth, for `take`; more than one thread may ask at a time.

        As for `add`, with the vertices' `normals` (V, 3) in frame c and their mesh's own depth picture (H, W).
        """
        count = self._model.vertex_count
        pixels, quality = np.empty((count, 2), np.float32), np.empty(count, np.float32)
        error = 0.0
        if self._noise is not None:
            error = self._noise.disparity_sigma_px / (intrinsics.fx * self._noise.baseline_m)
        rate_view(
            np.zeros_like(model_depth) if depth is None else depth,
            NOBODY if person is None else person,
            model_depth,
            intrinsics,
            vertices_c,
            normals,
            error,
            MARGIN_M,
            pixels,
            quality,
        )
        # Light is evened out broadly: in lids, lips and nostrils the model's normals are not the person's.
        return RatedView(pixels, quality, self._surface.broad_normals(normals))

    def take(self, color: NDArray[np.uint8], rated: RatedView) -> None:
        """Take a picture (H, W, 3) sRGB that was rated."""
        self._pictures.append(color)
        self._rows.append(rated)

    def paint(self) -> ColorAtlas:
        """The atlas of what was taken; there must be a picture."""
        work = _Painting(self._model, self._surface, self._pictures, self._rows)
        return work.paint(self._size)


class _Painting:
    """The work of one `paint`."""

    def __init__(self, model: BodyModel, surface: Surface, pictures, rows) -> None:
        self.model, self.surface, self.pictures = model, surface, pictures
        self.pixels, self.quality, self.normals = (np.stack(column) for column in zip(*rows, strict=True))
        shape = self.quality.shape
        self.colors, self.slopes = np.empty((*shape, 3), np.float32), np.empty((*shape, 2), np.float32)

    def paint(self, size: int) -> ColorAtlas:
        self._sample()
        self._rate_sharpness()
        exposures, light = solve_exposure(self.colors, self.quality, self.normals)
        self.gains = correction(exposures, light, self.normals)
        self._doubt_hands()
        for _ in range(SHIFT_ROUNDS):
            self._shift(self._mean())
            self._sample()
        mean = self._mean()
        chosen, labels = self._choose()
        self._aim_eyes(chosen[0])
        labels, mirrored = self._label_unseen(chosen, labels)
        return self._fill(size, mean, chosen, labels, mirrored)

    def _sample(self) -> None:
        for n, picture in enumerate(self.pictures):
            sample_vertices(picture, self.pixels[n], self.quality[n], self.colors[n], self.slopes[n])

    def _mean(self) -> NDArray[np.float32]:
        """Corrected colour of each vertex over all views, (V, 3); 0 where none sees it."""
        weights = np.minimum(self.quality, 1.0)
        sums = np.einsum("nv,nvc,nvc->vc", weights, self.colors, self.gains)
        return sums / np.maximum(weights.sum(0), 1e-9)[:, None]

    def _rate_sharpness(self) -> None:
        """What moved is blurred: views count less for parts of the body in which slopes are flatter than in others."""
        best = self.quality.max(0)
        square = self.quality > SQUARE_ON * best
        energy = np.where(square, np.square(self.slopes).sum(-1), 0.0)
        usual = energy.sum(0) / np.maximum(square.sum(0), 1)
        parts, count = self.model.part_labels, len(self.model.part_names)
        for n in range(len(self.quality)):
            here = np.bincount(parts, energy[n], count)
            expected = np.bincount(parts, usual * square[n], count)
            ratio = (here + 1e-3) / (expected + 1e-3)
            self.quality[n] *= np.clip(ratio, 0.5, 1.5).astype(np.float32)[parts]

    def _doubt_hands(self) -> None:
        """Fingers are seldom where they are thought: what is unlike the rest of a hand lies behind it."""
        for name in HANDS:
            hand = np.flatnonzero(self.model.part_labels == self.model.part(name))
            colors = np.log(self.colors[:, hand] * self.gains[:, hand] + 4.0)
            seen = self.quality[:, hand] > 0.0
            if np.any(seen):
                unlike = np.abs(colors - np.median(colors[seen], 0)).max(-1) > UNLIKE
                self.quality[:, hand] *= ~unlike

    def _shift(self, mean: NDArray[np.float32]) -> None:
        """Lays every picture onto `mean` by a smooth field of shifts (Lucas and Kanade 1981, over the surface)."""
        target = brightness(mean)
        for n in range(len(self.pictures)):
            quality = np.minimum(self.quality[n], 1.0) * self.surface.vertex_areas
            gain = brightness(self.gains[n])
            missing = target - brightness(self.colors[n] * self.gains[n])
            slope = self.slopes[n] * gain[:, None]
            # Where they differ by more than shifts explain, it is something else.
            weight = quality / (1.0 + np.square(missing / 25.0))
            x, y = slope[:, 0], slope[:, 1]
            sums = self.surface.fine.total(
                np.column_stack([weight * x * x, weight * x * y, weight * y * y, weight * x * missing,
                                 weight * y * missing, weight])
            )  # fmt: skip
            xx, xy, yy, bx, by, mass = sums.T
            xx, yy = xx + STIFFNESS**2 * mass + 1e-12, yy + STIFFNESS**2 * mass + 1e-12
            determinant = xx * yy - xy * xy
            shift = np.column_stack([yy * bx - xy * by, xx * by - xy * bx]) / determinant[:, None]
            self.pixels[n] += np.clip(shift, -MOST_SHIFT_PX, MOST_SHIFT_PX)

    def _choose(self) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The views (S,) that are chosen, and of each triangle the number 0 .. S - 1 of its own, (F,), -1 for none."""
        faces, surface = self.model.faces, self.surface
        scores = np.empty((len(self.quality), len(faces)), np.float32)
        rate_triangles(faces, self.quality, scores)
        top = scores.max(0)
        scores /= np.maximum(top, 1e-9)
        front = self._face_view(scores)
        chosen = [front]
        best, gains = scores[front].copy(), np.empty(len(scores))
        whole = float(surface.areas[top > 0.0].sum())
        while len(chosen) < min(MOST_CHOSEN, len(scores)):
            gain_of_views(scores, surface.areas, best, gains)
            if gains.max() < LEAST_GAIN * whole:
                break
            chosen.append(int(gains.argmax()))
            np.maximum(best, scores[chosen[-1]], out=best)
        scores = scores[chosen]
        labels = np.where(scores.max(0) > 0.0, scores.argmax(0), -1).astype(np.int32)
        fixed = surface.face & (scores[0] > 0.0)
        labels[fixed] = 0
        for _ in range(SWEEPS):
            if not settle_labels(scores, surface.areas, surface.neighbours, surface.lengths, fixed, SEAM_M, labels):
                break
        return np.array(chosen), labels

    def _face_view(self, scores: NDArray[np.float32]) -> int:
        """The view that shows the face best as a whole."""
        face = self.surface.face
        return int(np.einsum("nf,f->n", scores[:, face], self.surface.areas[face]).argmax())

    def _aim_eyes(self, view: int) -> None:
        """Shifts the picture about each eye so that its iris, the darkest there, lies on the model's.

        A head's shape is known to some millimetres, which is half an eye.
        """
        picture = self.pictures[view]
        height, width = picture.shape[:2]
        pixels = self.pixels[view]
        for iris in self.surface.irises:
            if not (self.quality[view, iris] > 0.0).all():
                continue
            at, place = pixels[iris], self.model.template[iris]
            # So many pixels are a metre there.
            scale = float(np.max(at.max(0) - at.min(0))) / max(float(np.max(place.max(0) - place.min(0))), 1e-6)
            reach = max(1, round(EYE_REACH_M * scale * EYE_STEPS))
            steps = np.arange(-reach, reach + 1) / EYE_STEPS
            dx, dy = (grid.ravel() for grid in np.meshgrid(steps, steps))
            columns = np.clip(np.rint(at[:, :1] + dx).astype(int), 0, width - 1)
            rows = np.clip(np.rint(at[:, 1:] + dy).astype(int), 0, height - 1)
            darkness = brightness(picture[rows, columns].astype(np.float32)).mean(0)
            far = (dx * dx + dy * dy) / (EYE_REACH_M * scale) ** 2
            best = int((darkness + EYE_PRIOR * far).argmin())
            distance = np.linalg.norm(self.model.template - place.mean(0), axis=1)
            near = np.exp(-0.5 * np.square(distance / EYE_RADIUS_M))
            pixels += near[:, None] * np.array([dx[best], dy[best]], np.float32)

    def _label_unseen(self, chosen, labels) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Triangles that no view saw take the view that shows the other side best, numbered S .. 2 S - 1."""
        mirror, faces = self.model.mirror, self.model.faces
        quality = np.ascontiguousarray(self.quality[chosen][:, mirror])
        scores = np.empty((len(chosen), len(faces)), np.float32)
        rate_triangles(faces, quality, scores)
        open_ = (labels < 0) & (scores.max(0) > 0.0)
        labels = labels.copy()
        labels[open_] = len(chosen) + scores[:, open_].argmax(0)
        return labels, quality > 0.0

    def _carried(self, mean: NDArray[np.float32]) -> NDArray[np.float32]:
        """Colours of all vertices: what no view saw takes those around it, but the crown those of the hair."""
        seen = self.quality.max(0) > 0.0
        known = self.surface.diffuse(mean, seen)
        surface, vertices = self.surface, np.flatnonzero(seen).astype(np.int32)
        look = learn_hair(surface.hair, vertices, mean[vertices])
        if look is not None:
            hair = seen & surface.scalp
            hair[hair] = look.likeness(mean[hair]) > 0.5
            crown = surface.scalp & ~seen
            known[crown] = surface.diffuse(mean, hair)[crown]
        return known

    def _fill(self, size, mean, chosen, labels, mirrored) -> ColorAtlas:
        surface, model = self.surface, self.model
        known = self._carried(mean)
        pixels, quality, gains = self.pixels[chosen], self.quality[chosen], self.gains[chosen]
        colors = self.colors[chosen] * gains
        mirror = model.mirror
        pixels = np.concatenate([pixels, pixels[:, mirror]])
        gains = np.concatenate([gains, gains[:, mirror]])
        shifts = np.empty_like(gains)
        for n in range(len(chosen)):
            weight = np.minimum(quality[n], 1.0) * surface.vertex_areas
            shifts[n] = surface.broad(known - colors[n], weight)
            across = weight[mirror]
            shifts[len(chosen) + n] = surface.broad(known - colors[n][mirror], across)
        view_of = np.empty((model.vertex_count, BEST), np.int32)
        weight_of = np.empty((model.vertex_count, BEST), np.float32)
        weigh_views(model.faces, labels, surface.areas, view_of, weight_of)
        visible = np.concatenate([quality > 0.0, mirrored])
        layout = atlas_layout(model, size)
        atlas, sight = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
        used = np.tile(np.arange(len(chosen), dtype=np.int32), 2)
        paint_texels(
            (layout.triangle, layout.barycentric),
            model.faces,
            np.stack([self.pictures[n] for n in chosen]),
            used,
            pixels,
            gains,
            shifts,
            (view_of, weight_of, visible, len(chosen)),
            known,
            atlas,
            sight,
        )
        fill_gutters(layout.gutter, layout.nearest, atlas)
        vertex_colors = np.clip(np.rint(known), 0.0, 255.0).astype(np.uint8)
        return ColorAtlas(read_only(atlas), read_only(sight), read_only(vertex_colors))
