"""After the turn: everything that was seen, once more and together.

Shape and poses of all keyframes are fitted to their depth; the model is predicted in every depth image, and what
differs is carried back to its surface; the poses are fitted again to this person's own model; and so on. At the end the
depth is fused once in the canonical pose: the scan's own surface, with whatever the model does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solver.atlas.color_atlas import AtlasPainter, ColorAtlas, RatedView
from solver.batch_alignment import AlignmentReport, BatchAlignment
from solver.body import BodyModel, RestBody, joint_transforms, shape_body
from solver.errors import TrackingLostError
from solver.fusion import SIGMA_M, CanonicalVolume, FusedSurface, outer_faces
from solver.hair import scalp_vertices
from solver.keyframes import Keyframe, widest_gap
from solver.model_fit import ModelFit
from solver.one_body import two_body_gain
from solver.pieces import complete
from solver.surface_sweeps import SurfaceSweeps
from solver.team import Team
from solver.types import DepthNoise, Mesh, read_only

FEWEST_VIEWS = 3
LEAST_AGREEMENT = 0.4
ODD_VIEW = 0.88
"""A view that agrees so much less than others do was tracked wrongly, or shows someone else."""
MOST_ODD = 0.34
"""Share of such views from which nobody knows which are the odd ones."""
SETTLED_STEPS = 3
"""Steps of shape and poses after which odd views can be told; of as few as that, all but the last."""
TWO_BODY_GAIN = 130.0
"""Chi-square with 72 degrees of freedom; 19 to 86 were seen in turns of one person, 190 and more in those of two."""
ODDEST_SHAPE = 2.5
"""Mean square of the shape in standard deviations; 1 is expected, 0.3 to 1.9 were seen."""
NOT_ONE_BODY = "the views of the turn do not fit one body: stand alone, whole in the picture, and turn once more"
FULL_VIEWS = 3.0
"""Frontal observations at which a place counts as fully covered."""


@dataclass(frozen=True, slots=True)
class RefinementSettings:
    """What may be tuned."""

    voxel_m: float = 0.005
    sweeps: int = 2
    """Times that the person's own model is made and the poses are fitted to it."""
    shape_steps: tuple[tuple[int, float, float], ...] = (
        (20, 0.10, 0.008),
        (40, 0.08, 0.006),
        (72, 0.06, 0.005),
    )
    """Gauss-Newton steps of the shape and all poses: coefficients, gate [m], spread of the model's surface [m]. What
    two more of them would find, the steps with the person's own model find anyway."""
    own_steps: int = 2
    """Steps of shape and poses with the person's own model in every sweep. The shape must stay free: a body a
    little too thin, in poses a little too near to the camera, fits each picture alone nearly as well."""
    own_gate_m: float = 0.04
    own_sigma_m: float = 0.003
    on_floor: bool = True
    """z = 0 of the world is the floor that the person stands on."""
    surface: bool = True
    """Whether the scan's own surface is made too, a second's work that nothing else waits for."""


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """One person's body in the canonical A-pose (z up, facing -y, soles at z = 0), and how well it is known."""

    surface: Mesh | None
    """The scan: what was seen, closed by the model where nothing was; None where it was not asked for."""
    surface_coverage: NDArray[np.float32]
    """0 inferred .. 1 seen, at the vertices of `surface`, (N,)."""
    vertices: NDArray[np.float32]
    """The model's vertices laid onto the scan [m], (V, 3)."""
    rest: RestBody
    """The same body at rest: what `solver.body.skin` moves."""
    shape: NDArray[np.float64]
    """Shape coefficients, (K,). `vertices` holds detail beyond them."""
    coverage: NDArray[np.float32]
    """0 inferred .. 1 seen, at `vertices`, (V,)."""
    part_coverage: Mapping[str, float]
    """Mean coverage of each part of the body."""
    atlas: ColorAtlas | None
    """Colours as the camera saw them; None where the frames have no colour."""
    standing: NDArray[np.float32]
    """The model's vertices at the heights above the floor that they had while the person stood, upright [m], (V, 3)."""
    height_m: float
    """Crown to floor as the person stood, hair pressed down as far as the model's head shape does."""
    height_std_m: float
    rmse_m: float
    """RMS of the keyframes' depth about the posed body, along the normal: noise of the sensor and faults of the fit."""
    keyframe_count: int
    turn_seen: float
    """Share of the turn's 36 directions from which the person was seen."""
    unseen_turn: tuple[float, float]
    """Where the body faces, 0 the camera, in the middle of the widest part of the circle from which there is no view,
    and how wide that is [rad]."""
    seconds: Mapping[str, float]
    """Time spent by stage [s]; empty without a clock."""

    @property
    def vertex_colors(self) -> NDArray[np.uint8] | None:
        """sRGB of `vertices`, (V, 3); None where the frames have no colour."""
        return None if self.atlas is None else self.atlas.vertex_colors


Progress = Callable[[str, float], None]


def reconstruct(
    model: BodyModel,
    keyframes: Sequence[Keyframe],
    noise: DepthNoise,
    settings: RefinementSettings | None = None,
    progress: Progress | None = None,
    clock: Callable[[], float] | None = None,
) -> Reconstruction:
    """The body of the person in `keyframes` (ordered around the turn).

    `progress(stage, share)` is told how far the work is, 0 to 1; `clock()` [s] makes `seconds`. Raises
    `TrackingLostError` where there are too few keyframes, or they do not show the tracked person.
    """
    work = refine(model, keyframes, noise, settings, clock)
    return complete(work, None if progress is None else lambda step: progress(*step))


def refine(
    model: BodyModel,
    keyframes: Sequence[Keyframe],
    noise: DepthNoise,
    settings: RefinementSettings | None = None,
    clock: Callable[[], float] | None = None,
) -> Generator[tuple[str, float], None, Reconstruction]:
    """`reconstruct` in pieces of a fraction of a second; yields the stage and the share that is done."""
    return _Refinement(model, keyframes, noise, settings or RefinementSettings(), clock).run()


class _Refinement:
    """The work of one `reconstruct`."""

    def __init__(
        self,
        model: BodyModel,
        keyframes: Sequence[Keyframe],
        noise: DepthNoise,
        settings: RefinementSettings,
        clock: Callable[[], float] | None,
    ) -> None:
        if len(keyframes) < FEWEST_VIEWS:
            raise TrackingLostError(
                f"too few usable views of the person ({len(keyframes)}): turn once, slowly, arms a little away from the"
                " body"
            )
        self.model = model
        self.keyframes = list(keyframes)
        self.noise = noise
        self.settings = settings
        self._clock = clock
        self._seconds: dict[str, float] = {}
        self._steps_done = 0
        # The surface is swept once more than it is refined; pictures and colour.
        self._steps = len(settings.shape_steps) + settings.sweeps * (settings.own_steps + 1) + settings.surface + 3

    def run(self) -> Generator[tuple[str, float], None, Reconstruction]:
        with Team() as self._team:
            return (yield from self._run())

    def _run(self) -> Generator[tuple[str, float], None, Reconstruction]:
        settings = self.settings
        batch = BatchAlignment(self.model, self.keyframes, self.noise, settings.on_floor, self._team)
        report = None
        for n, (count, gate, sigma) in enumerate(settings.shape_steps):
            yield self._at("shape and poses")
            with self._stage("shape and poses"):
                report = batch.align(min(count, self.model.shape_count), gate, sigma)
            if n + 1 == min(SETTLED_STEPS, len(settings.shape_steps) - 1):
                self._drop_odd_views(batch, report)
        assert report is not None
        self._require_one_body(batch, report)
        self._require_likely_body(batch)
        sweeps = SurfaceSweeps(self.model, self.noise, self._team.size)
        rest = shape_body(self.model, batch.shape)
        fit = yield from self._lay(rest, batch, sweeps)
        for _ in range(settings.sweeps):
            own = replace(self.model, template=self._own_template(fit.rest, batch.shape))
            batch.set_model(own, batch.shape)
            for _ in range(settings.own_steps):
                yield self._at("shape and poses")
                with self._stage("shape and poses"):
                    report = batch.align(self.model.shape_count, settings.own_gate_m, settings.own_sigma_m)
            fit = yield from self._lay(shape_body(own, batch.shape), batch, sweeps)
        self._require_likely_body(batch)
        rest, fitted = fit.rest, fit.vertices
        seen = fit.carried_inwards(sweeps.weight)
        fused = (yield from self._fuse(rest, batch)) if settings.surface else None
        yield self._at("colour")
        with self._stage("colour"):
            painter, levels = self._look_again(batch, rest, sweeps)
        if batch.hair is not None:
            # Of the scalp hair is what can be seen.
            scalp = scalp_vertices(self.model)
            seen[scalp] = sweeps.weight[scalp]
        yield self._at("colour")
        with self._stage("colour"):
            atlas = painter.paint() if painter.view_count else None
        yield self._at("colour")
        head = np.flatnonzero(self.model.part_labels == self.model.part("head"))
        heights = levels[:, head].max(1)
        lift = -float(fitted[outer_faces(self.model)].min((0, 1))[2])
        up = np.array([0.0, 0.0, lift], np.float32)
        full = FULL_VIEWS * self._weight_of_view(batch)
        coverage = np.clip(seen / full, 0.0, 1.0).astype(np.float32)
        surface, surface_coverage = None, np.zeros(0, np.float32)
        if fused is not None:
            mesh = fused.surface.mesh
            surface = Mesh(read_only(mesh.vertices + up), read_only(mesh.faces))
            surface_coverage = np.clip(fused.weight / full, 0.0, 1.0).astype(np.float32)
        spread = 1.4826 * float(np.median(np.abs(heights - np.median(heights))))
        labels = self.model.part_labels
        return Reconstruction(
            surface=surface,
            surface_coverage=read_only(surface_coverage),
            vertices=read_only(fitted + up),
            rest=RestBody(read_only(rest.vertices), rest.joints),
            shape=read_only(batch.shape.copy()),
            coverage=read_only(coverage),
            part_coverage={name: float(coverage[labels == n].mean()) for n, name in enumerate(self.model.part_names)},
            atlas=atlas,
            standing=read_only(np.column_stack([fitted[:, :2], np.median(levels, 0)]).astype(np.float32)),
            height_m=float(np.median(heights)),
            height_std_m=float(np.hypot(spread / np.sqrt(len(heights)), 0.002)),
            rmse_m=report.residual_m,
            keyframe_count=len(self.keyframes),
            turn_seen=_turn_seen(batch),
            unseen_turn=widest_gap(batch.states),
            seconds=dict(self._seconds),
        )

    def _drop_odd_views(self, batch: BatchAlignment, report: AlignmentReport) -> None:
        """Does without the few views that the common body does not fit. Raises where they are not few."""
        kept = report.agreements >= ODD_VIEW * np.median(report.agreements)
        if kept.sum() < max(FEWEST_VIEWS, (1.0 - MOST_ODD) * len(kept)):
            raise TrackingLostError(NOT_ONE_BODY)
        batch.keep(kept)
        self.keyframes = [keyframe for keyframe, wanted in zip(self.keyframes, kept, strict=True) if wanted]

    def _require_one_body(self, batch: BatchAlignment, report: AlignmentReport) -> None:
        """Raises where what was found cannot be one person's body."""
        times = [keyframe.state.captured_at for keyframe in self.keyframes]
        agrees = report.agreement >= LEAST_AGREEMENT
        if not agrees or two_body_gain(batch.opinions, times) > TWO_BODY_GAIN:
            raise TrackingLostError(NOT_ONE_BODY)

    def _require_likely_body(self, batch: BatchAlignment) -> None:
        """Raises where nobody has such a body: poses that were tracked wrongly bend the shape."""
        if np.mean(np.square(batch.shape)) > ODDEST_SHAPE:
            raise TrackingLostError(NOT_ONE_BODY)

    def _lay(
        self, rest: RestBody, batch: BatchAlignment, sweeps: SurfaceSweeps
    ) -> Generator[tuple[str, float], None, ModelFit]:
        """The model laid onto what the keyframes show in the present poses, but for the hair."""
        yield self._at("surface")
        with self._stage("surface"):
            fits: list[ModelFit] = []
            sweeps.begin(len(self.keyframes))

            def work(item: int, hand: int) -> None:
                if item == 0:
                    # What takes longest comes first.
                    fits.append(ModelFit(self.model, rest))
                    return
                n, keyframe = item - 1, self.keyframes[item - 1]
                predicted = sweeps.predict(keyframe, batch.states[n], rest, hand)
                sweeps.add(n, keyframe, predicted, batch.person_mask(n, with_hair=False), hand)

            self._team.each(work, 1 + len(self.keyframes))
            sweeps.end()
            fits[0].advance(sweeps.residual, sweeps.weight)
        return fits[0]

    def _own_template(self, rest: RestBody, shape: NDArray) -> NDArray[np.float32]:
        """The template with which `shape` gives `rest`."""
        shift = rest.vertices - shape_body(self.model, shape).vertices
        return (self.model.template + shift).astype(np.float32)

    def _weight_of_view(self, batch: BatchAlignment) -> float:
        """What one observation at the person's distance counts in the volume."""
        pairs = zip(self.keyframes, batch.states, strict=True)
        depth = float(np.median([(np.linalg.inv(k.T_wc) @ s.T_wb @ (0.0, 0.0, 0.9, 1.0))[2] for k, s in pairs]))
        focal = self.keyframes[0].observation.frame.intrinsics.fx
        sigma = self.noise.disparity_sigma_px * depth**2 / (focal * self.noise.baseline_m)
        return SIGMA_M**2 / (sigma**2 + self.noise.floor_m**2)

    def _fuse(self, rest: RestBody, batch: BatchAlignment) -> Generator[tuple[str, float], None, FusedSurface]:
        """Everything that was seen, hair too, in the canonical pose."""
        with self._stage("fusion"):
            volume = CanonicalVolume(self.model, rest, self.settings.voxel_m)
            views = zip(self.keyframes, batch.states, batch.person_masks(with_hair=True), strict=True)
            for number, (keyframe, state, person) in enumerate(views):
                yield self._at("fusion", number / len(self.keyframes))
                frame = keyframe.observation.frame
                assert frame.depth is not None
                transforms = joint_transforms(self.model, rest.joints, state.pose, state.T_wb)
                T_cw = np.linalg.inv(keyframe.T_wc)
                volume.integrate(frame.depth, frame.intrinsics, T_cw, transforms, self.noise, person)
            return volume.surface()

    def _look_again(self, batch: BatchAlignment, rest: RestBody, sweeps: SurfaceSweeps) -> tuple[AtlasPainter, NDArray]:
        """The pictures for the atlas, and heights of the vertices above the floor in every keyframe [m], (keyframes,
        V). Where there is hair `sweeps` tells afterwards what was seen with it."""
        painter = AtlasPainter(self.model, self.noise)
        levels = np.empty((len(self.keyframes), self.model.vertex_count))
        rated: list[RatedView | None] = [None] * len(self.keyframes)
        sweeps.begin(len(self.keyframes))

        def look(n: int, hand: int) -> None:
            keyframe = self.keyframes[n]
            frame, T_wc = keyframe.observation.frame, keyframe.T_wc
            predicted = sweeps.predict(keyframe, batch.states[n], rest, hand)
            vertices_c, normals, raster = predicted
            levels[n] = vertices_c @ T_wc[2, :3] + T_wc[2, 3]
            if not self.settings.on_floor:
                levels[n] -= levels[n].min()
            if batch.hair is not None:
                sweeps.add(n, keyframe, predicted, batch.person_mask(n, with_hair=True), hand)
            if frame.color is not None:
                mask = keyframe.observation.mask
                rated[n] = painter.rate(frame.depth, frame.intrinsics, vertices_c, normals, raster.depth, mask)

        self._team.each(look, len(self.keyframes))
        sweeps.end()
        for keyframe, view in zip(self.keyframes, rated, strict=True):
            color = keyframe.observation.frame.color
            if view is not None and color is not None:
                painter.take(color, view)
        return painter, levels

    def _at(self, name: str, part: float = 0.0) -> tuple[str, float]:
        """How far the work is when `part` of the stage `name` is done."""
        return name, min((self._steps_done + part) / self._steps, 1.0)

    @contextmanager
    def _stage(self, name: str, steps: int = 1) -> Iterator[None]:
        """Counts a part of the work and takes its time."""
        begin = self._clock() if self._clock else 0.0
        yield
        self._steps_done += steps
        if self._clock:
            self._seconds[name] = self._seconds.get(name, 0.0) + self._clock() - begin


def _turn_seen(batch: BatchAlignment, sectors: int = 36) -> float:
    angles = np.array([np.arctan2(state.T_wb[1, 0], state.T_wb[0, 0]) for state in batch.states])
    return len(np.unique(np.floor(angles / (2.0 * np.pi) * sectors).astype(int) % sectors)) / sectors
