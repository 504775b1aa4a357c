"""Bodies with drawn measures: macro and local parameters of the source solved for by regularised Gauss-Newton.

Each body starts from randomly drawn parameters p0 with spread S; the parameters that meet the measures t best are the
iterated extended Kalman update (Bell and Cathey 1993): p = p0 + S J' (J S J' + R)^-1 (t - m(p) + J (p - p0)).
Parameters that reach the end of their range stay there and the others take over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tools.body.anthropometry import Population, draw_measures
from tools.body.measures import TISSUE_DENSITY, MeasureTape, volumes
from tools.body.source import Source

FREE_MACROS = ("muscle", "weight", "height", "proportions", "cupsize")
MACRO_SPREAD = np.array([0.15, 0.25, 0.25, 0.2, 0.2])
CHUNK = 128
STEPS = 5
WEIGHT_TOLERANCE = 1.0
"""[kg]"""

# Spread of local parameters by what they change; posture-like shifts stay small, faces vary most.
LOCAL_SPREADS = (
    (r"ear-shape|wing|flap|epicanthus|double|asym", 0.12),
    (r"(head|neck|torso|hip|hand|foot)-trans|trans-forward|head-angle|valgus|pregnant|bulge", 0.12),
    (r"^(chin|mouth|nose|forehead|eyebrows|head)-|-(eye|cheek|ear)-", 0.25),
    (r".", 0.2),
)
ASYMMETRY = 0.12
"""Difference between left and right in units of the parameter's spread."""
LEVEL = r"leg-scale-vert|foot-trans-up|foot-scale"
"""What stays alike left and right, so that both feet stand on the floor."""
FLATNESS = 0.0005
"""How level heel and ball of the foot should be [m]."""


@dataclass(frozen=True)
class Bodies:
    """N sampled adults."""

    macros: NDArray
    """In the order of the source's phenotype labels, shape (N, 11)."""
    locals: NDArray
    """In the order of the source's local labels, shape (N, L)."""
    female: NDArray[np.bool_]
    civilian: NDArray[np.bool_]
    drawn: NDArray
    """Measures asked for [m, kg], shape (N, M)."""
    met: NDArray
    """Measures reached [m, kg], shape (N, M)."""


class ShapeSpace:
    """The source's parameters with left and right tied: macros, then one parameter for every pair or single local."""

    def __init__(self, source: Source):
        self.source = source
        model = source.model
        self.macro_names = list(model.phenotype_labels)
        self.local_names = list(model.local_change_labels)
        self.free = [self.macro_names.index(name) for name in FREE_MACROS]
        stems = [re.sub(r"^[lr]-", "", name) for name in self.local_names]
        self.stems = list(dict.fromkeys(stems))
        self.stem_of = np.array([self.stems.index(stem) for stem in stems])
        self.side = np.array(
            [1.0 if n.startswith("l-") else -1.0 if n.startswith("r-") else 0.0 for n in self.local_names]
        )
        self.spread = np.array([next(s for rule, s in LOCAL_SPREADS if re.search(rule, n)) for n in self.local_names])
        self.stem_spread = np.array([self.spread[self.stem_of == i].mean() for i in range(len(self.stems))])
        self.macro_count = len(source.targets) - 2 * len(self.local_names)

    def coefficients(self, macros: NDArray, locals_: NDArray) -> NDArray:
        """Blend shape coefficients, shape (N, B)."""
        none = torch.zeros(len(macros), 0, dtype=torch.float64)
        model = self.source.model
        return model._get_phenotype_blendshape_coefficients(  # pyright: ignore
            torch.as_tensor(macros), torch.as_tensor(locals_), none
        ).numpy()

    def free_jacobian(self, by_coefficient: NDArray, macros: NDArray, locals_: NDArray) -> NDArray:
        """Chain rule from coefficients (N, M, B) to free macros and stems, shape (N, M, F)."""
        count, measures, _ = by_coefficient.shape
        jacobian = np.zeros((count, measures, len(self.free) + len(self.stems)))
        zero = np.zeros((len(macros), len(self.local_names)))
        for column, macro in enumerate(self.free):
            step = np.where(macros[:, macro] > 0.5, -1e-4, 1e-4)
            moved = macros.copy()
            moved[:, macro] += step
            slope = (self.coefficients(moved, zero) - self.coefficients(macros, zero)) / step[:, None]
            jacobian[:, :, column] = np.einsum(
                "nmb,nb->nm", by_coefficient[:, :, : self.macro_count], slope[:, : self.macro_count]
            )
        local = by_coefficient[:, :, self.macro_count :].reshape(count, measures, -1, 2)
        positive = (locals_ >= 0.0)[:, None, :]
        by_local = np.where(positive, local[..., 0], -local[..., 1])
        for index, stem in enumerate(self.stem_of):
            jacobian[:, :, len(self.free) + stem] += by_local[:, :, index]
        return jacobian


def sample_bodies(
    space: ShapeSpace, tape: MeasureTape, populations: dict[str, Population], count: int, rng: np.random.Generator
) -> Bodies:
    """`count` adults, as many women as men."""
    female = np.arange(count) % 2 == 1
    drawn = np.empty((count, len(tape.names) + 1))
    civilian = np.empty(count, bool)
    for sex, members in (("male", ~female), ("female", female)):
        drawn[members], civilian[members] = draw_measures(populations[sex], int(members.sum()), rng)
    macros = _draw_macros(space, female, rng)
    stems = rng.normal(0.0, 1.0, (count, len(space.stems))) * space.stem_spread
    uneven = np.array([not re.search(LEVEL, name) for name in space.local_names])
    skew = rng.normal(0.0, 1.0, (count, len(space.stems)))[:, space.stem_of]
    skew = skew * ASYMMETRY * space.spread * space.side * uneven
    return _solve(space, tape, macros, stems, skew, drawn, female, civilian)


def _draw_macros(space: ShapeSpace, female: NDArray, rng: np.random.Generator) -> NDArray:
    count = len(female)
    origin = rng.dirichlet((0.7, 0.7, 0.7), count)
    age = 0.64 + 0.3 * rng.beta(1.1, 1.6, count)
    values = {
        "gender": np.where(female, 1.0, 0.0) + np.where(female, -1, 1) * np.abs(rng.normal(0.0, 0.07, count)),
        "age": age,
        "muscle": np.where(female, 0.45, 0.55) + rng.normal(0.0, 0.12, count),
        "weight": rng.normal(0.5, 0.1, count),
        "height": rng.normal(0.5, 0.1, count),
        "proportions": rng.normal(0.6, 0.15, count),
        "cupsize": rng.normal(0.5, 0.18, count),
        "firmness": rng.normal(0.55, 0.15, count) - 0.8 * (age - 0.7),
        "african": origin[:, 0],
        "asian": origin[:, 1],
        "caucasian": origin[:, 2],
    }
    return np.clip(np.stack([values[name] for name in space.macro_names], 1), 0.02, 0.98)


def _solve(space, tape, macros, stems, skew, drawn, female, civilian) -> Bodies:
    source = space.source
    base, shapes = tape.restrict(source.template, source.joints, source.targets, source.joint_targets)
    whole_base = torch.tensor(source.template, dtype=torch.float32)
    whole_shapes = torch.tensor(source.targets.reshape(len(source.targets), -1), dtype=torch.float32)
    faces = torch.tensor(source.faces.astype(np.int64))
    noise = np.concatenate([tape.tolerances, [WEIGHT_TOLERANCE, FLATNESS]]) ** 2
    wished = np.column_stack([drawn, np.zeros(len(drawn))])
    low = np.concatenate([np.full(len(space.free), 0.0), np.full(len(space.stems), -0.9)])
    high = np.concatenate([np.full(len(space.free), 1.0), np.full(len(space.stems), 0.9)])
    final_macros, final_locals, met = macros.copy(), np.empty((len(macros), len(space.local_names))), drawn.copy()
    for first in range(0, len(macros), CHUNK):
        rows = slice(first, min(first + CHUNK, len(macros)))
        start = np.concatenate([macros[rows][:, space.free], stems[rows]], 1)
        anchor, value = start.copy(), start.copy()
        variance = np.tile(np.concatenate([MACRO_SPREAD, space.stem_spread]) ** 2, (len(start), 1))
        own = macros[rows].copy()
        for step in range(STEPS + 1):
            own[:, space.free] = value[:, : len(space.free)]
            locals_ = np.clip(value[:, len(space.free) :][:, space.stem_of] + skew[rows], -1.0, 1.0)
            coefficients = space.coefficients(own, locals_)
            measured, by_coefficient = _measure(
                tape, base, shapes, whole_base, whole_shapes, faces, coefficients, step < STEPS
            )
            if step == STEPS:
                break
            jacobian = space.free_jacobian(by_coefficient, own, locals_)
            residual = wished[rows] - measured + np.einsum("nmf,nf->nm", jacobian, value - anchor)
            weighted = jacobian * variance[:, None, :]
            innovation = weighted @ jacobian.transpose(0, 2, 1) + np.diag(noise)
            update = np.einsum("nmf,nm->nf", weighted, np.linalg.solve(innovation, residual[..., None])[..., 0])
            wanted = anchor + update
            value = np.clip(value + 0.8 * (wanted - value), low, high)
            stuck = (wanted < low) | (wanted > high)
            anchor = np.where(stuck, value, anchor)
            variance = np.where(stuck, 1e-8, variance)
        final_macros[rows], final_locals[rows], met[rows] = own, locals_, measured[:, :-1]
    return Bodies(final_macros, final_locals, female, civilian, drawn, met)


def _measure(tape, base, shapes, whole_base, whole_shapes, faces, coefficients, with_jacobian):
    """Measures, weight and foot pitch (N, M + 2) and their derivatives by coefficient (N, M + 2, B)."""
    weights = torch.tensor(coefficients, dtype=torch.float32)
    points = (base + torch.einsum("nb,bpd->npd", weights, shapes)).requires_grad_(with_jacobian)
    taken = [*tape.take(points), tape.foot_pitch(points)]
    bodies = (whole_base + (weights @ whole_shapes).reshape(len(weights), -1, 3)).requires_grad_(with_jacobian)
    mass = TISSUE_DENSITY * volumes(bodies, faces)
    measured = torch.stack([*taken[:-1], mass, taken[-1]], 1).detach().numpy().astype(np.float64)
    if not with_jacobian:
        return measured, None
    jacobian = np.empty((*measured.shape, len(shapes)))
    for column, value in zip([*range(len(tape.measures)), -1], taken, strict=True):
        gradient = torch.autograd.grad(value.sum(), points, retain_graph=True)[0]
        touched = torch.nonzero(gradient.abs().sum((0, 2)))[:, 0]
        jacobian[:, column] = (gradient[:, touched].flatten(1) @ shapes[:, touched].flatten(1).T).numpy()
    gradient = torch.autograd.grad(mass.sum(), bodies)[0]
    jacobian[:, -2] = (gradient.reshape(len(weights), -1) @ whole_shapes.T).numpy()
    return measured, jacobian
