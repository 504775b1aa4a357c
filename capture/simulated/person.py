"""The true naked body of a simulated shopper: a draw from the body model's population, and then an individual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.simulated.surface_fields import SurfaceSmoother, random_field, smoothstep
from solver.body import BodyModel, RestBody, canonical_pose, joint_transforms, shape_body, skin
from solver.normals import NormalField

LARGEST_COEFFICIENT = 2.5
INDIVIDUAL_SIGMA_M = 0.003
INDIVIDUAL_WAVELENGTHS_M = (0.12, 0.5)
LARGEST_INDIVIDUAL_M = 0.010
"""How an individual differs from every body of the model: smoothly, by a few millimetres, up to a centimetre."""
ASYMMETRY_SIGMA_M = 0.0025
ASYMMETRY_WAVELENGTHS_M = (0.7, 1.5)
"""One side differs from the other: shoulder, hip and limb lie a little higher, further out or further forward."""
BREATH_M = 0.0016
"""How far the chest wall moves along its normal at the height of a quiet breath."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person's true body."""

    model: BodyModel
    seed: int
    coefficients: NDArray[np.float64]
    """Draw from the model's population, shape (K,). The body below is this and the individual displacement."""
    rest: RestBody
    """Naked, breathed out, soles on the floor."""
    breath: NDArray[np.float32]
    """Displacement of `rest.vertices` at the height of a breath [m], shape (V, 3)."""

    @property
    def height_m(self) -> float:
        """Sole to crown, as at rest."""
        return float(np.ptp(self.rest.vertices[:, 2]))

    def breathing(self, share: float) -> NDArray[np.float32]:
        """The naked body at rest, `share` 0 breathed out .. 1 breathed in, shape (V, 3)."""
        return (self.rest.vertices + np.float32(share) * self.breath).astype(np.float32, copy=False)

    def canonical_vertices(self) -> NDArray[np.float32]:
        """The true naked surface in the canonical A-pose, breathed half in, soles at z = 0, shape (V, 3), frame b."""
        pose = canonical_pose(self.model, self.rest.joints)
        transforms = joint_transforms(self.model, self.rest.joints, pose)
        vertices = skin(self.model, self.breathing(0.5), transforms)
        vertices[:, 2] -= vertices[:, 2].min()
        return vertices


def draw_person(model: BodyModel, seed: int, smoother: SurfaceSmoother) -> Person:
    """The person of number `seed`."""
    rng = np.random.default_rng([seed, 1])
    coefficients = np.clip(rng.standard_normal(model.shape_count), -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT)
    body = shape_body(model, coefficients)
    normals = NormalField(model.faces, model.vertex_count)(body.vertices)
    # Hands, feet and face have detail of their own that a displacement would spoil.
    fine = np.isin(model.part_labels, [model.part(n) for n in ("hand_l", "hand_r", "foot_l", "foot_r", "head")])
    freedom = 1.0 - 0.85 * smoother(fine, 25)
    bulge = INDIVIDUAL_SIGMA_M * random_field(body.vertices, rng, INDIVIDUAL_WAVELENGTHS_M)
    bulge = np.clip(bulge, -LARGEST_INDIVIDUAL_M, LARGEST_INDIVIDUAL_M) * freedom
    shift = np.stack([random_field(body.vertices, rng, ASYMMETRY_WAVELENGTHS_M) for _ in range(3)], axis=1)
    shift *= ASYMMETRY_SIGMA_M * freedom[:, None]
    vertices = body.vertices + bulge[:, None] * normals + shift
    ground = vertices[:, 2].min()
    lowered = np.array([0.0, 0.0, ground])
    rest = RestBody((vertices - lowered).astype(np.float32), body.joints - lowered)
    return Person(model, seed, coefficients, rest, _breath(model, rest, normals, smoother))


def _breath(model: BodyModel, rest: RestBody, normals: NDArray, smoother: SurfaceSmoother) -> NDArray[np.float32]:
    z = rest.vertices[:, 2]
    low, high = rest.joints[model.joint("spine_01"), 2], rest.joints[model.joint("clavicle_l"), 2]
    middle, reach = 0.5 * (low + high), 0.62 * (high - low)
    trunk = smoother(model.part_labels == model.part("trunk"), 12)
    level = 1.0 - smoothstep(np.abs(z - middle) / reach)
    frontal = 0.65 - 0.35 * normals[:, 1]
    return (BREATH_M * (trunk * level * frontal)[:, None] * normals).astype(np.float32)
