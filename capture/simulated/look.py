"""What a simulated shopper looks like: one mesh of body, clothes and hair, with colours for the shader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.simulated import clothes, hair
from capture.simulated.person import Person
from capture.simulated.surface_fields import SurfaceSmoother, openness, random_field, smoothstep
from solver.kernels.shade import FIELDS, OCCLUSION, PLAIN, REST, Layers
from solver.normals import NormalField
from solver.types import read_only

# Skin from the palest to the darkest, sRGB 0 .. 1, along the range of real skin.
SKIN_TONES = (
    (0.93, 0.80, 0.72), (0.90, 0.74, 0.63), (0.84, 0.66, 0.53), (0.76, 0.57, 0.43),
    (0.65, 0.46, 0.33), (0.53, 0.36, 0.25), (0.40, 0.27, 0.19), (0.28, 0.19, 0.14),
)  # fmt: skip
IRISES = ((0.24, 0.14, 0.08), (0.30, 0.20, 0.10), (0.33, 0.42, 0.50), (0.35, 0.40, 0.25), (0.16, 0.10, 0.07))
SCLERA = (0.86, 0.84, 0.82)
SKIN_GLOSS, CLOTH_GLOSS, HAIR_GLOSS = 0.035, 0.004, 0.05
INFRARED_FLOOR = 0.12
"""Skin and cloth reflect at least this much in the infrared, whatever their colour; dark hair does not."""


def linear(srgb: NDArray | tuple) -> NDArray[np.float64]:
    """Linear light of sRGB values 0 .. 1 (IEC 61966-2-1)."""
    srgb = np.asarray(srgb, np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


@dataclass(frozen=True, slots=True)
class Figure:
    """A mesh that can be posed and shaded. The first V vertices are the body model's, clothed."""

    vertices: NDArray[np.float32]
    """At rest, breathed out [m], shape (N, 3), frame b."""
    breath: NDArray[np.float32]
    """Displacement at the height of a breath [m], shape (N, 3)."""
    faces: NDArray[np.int32]
    """Shape (F, 3)."""
    skin_joints: NDArray[np.int32]
    """Shape (N, 4)."""
    skin_weights: NDArray[np.float32]
    """Shape (N, 4)."""
    attributes: NDArray[np.float32]
    """For `shade_surface`, shape (N, 7 + layers)."""
    layers: Layers
    description: str
    """For people: what is worn."""


def draw_figure(
    person: Person, smoother: SurfaceSmoother, clothes_style: str | None = None, hair_style: str | None = None
) -> Figure:
    """The person dressed and with hair; styles that are not given are drawn from the person's seed."""
    rng = np.random.default_rng([person.seed, 2])
    model = person.model
    drawn = str(rng.choice(hair.STYLES, p=(0.05, 0.10, 0.30, 0.20, 0.22, 0.13)))
    hair_style = hair_style or drawn
    clothes_style = clothes_style or "tight"
    outfit = clothes.draw_outfit(person, clothes_style, smoother, rng)
    surface = clothes.dress(person, outfit, smoother, rng)
    normal_field = NormalField(model.faces, model.vertex_count)
    scalp = hair.scalp_field(person, smoother, hair_style)
    normals = normal_field(surface)
    surface = hair.raise_scalp(person, hair_style, scalp, surface, normals, rng)
    normals = normal_field(surface)
    shell = hair.grow_shell(person, hair_style, surface, rng)

    tone = np.clip(rng.beta(1.1, 1.4) * (len(SKIN_TONES) - 1) + rng.normal(0.0, 0.1), 0, len(SKIN_TONES) - 1)
    low = min(int(tone), len(SKIN_TONES) - 2)
    skin_srgb = np.asarray(SKIN_TONES[low]) * (1 - tone + low) + np.asarray(SKIN_TONES[low + 1]) * (tone - low)
    hair_index = rng.choice(len(hair.COLORS), p=hair.COLOR_SHARES)
    if tone > 3.5:
        hair_index = min(hair_index, 2) if hair_index < 7 else hair_index
    hair_color = linear(hair.COLORS[hair_index])

    count = model.vertex_count + (0 if shell is None else len(shell.vertices))
    attributes = np.zeros((count, FIELDS + len(outfit) + 1), np.float32)
    body = attributes[: model.vertex_count]
    body[:, :3] = _skin_colors(person, skin_srgb, hair_color, IRISES[rng.integers(len(IRISES))], rng)
    body[:, OCCLUSION] = openness(surface, normals, smoother)
    body[:, REST : REST + 3] = person.rest.vertices
    for k, garment in enumerate(outfit):
        body[:, FIELDS + k] = garment.field
    body[:, FIELDS + len(outfit)] = scalp
    vertices, faces, breath = surface, model.faces, person.breath
    skin_joints, skin_weights = model.skin_joints, model.skin_weights
    if shell is not None:
        extra = attributes[model.vertex_count :]
        extra[:, OCCLUSION] = 0.85
        extra[:, REST : REST + 3] = shell.vertices
        extra[:, FIELDS:] = -1.0
        extra[:, FIELDS + len(outfit)] = 1.0
        vertices = np.concatenate([vertices, shell.vertices])
        faces = np.concatenate([faces, shell.faces + model.vertex_count])
        breath = np.concatenate([breath, np.zeros_like(shell.vertices)])
        skin_joints = np.concatenate([skin_joints, shell.skin_joints])
        skin_weights = np.concatenate([skin_weights, shell.skin_weights])

    colors = np.array([[linear(c) for c in garment.colors] for garment in outfit] + [[hair_color, hair_color]])
    layers = Layers(
        colors=colors.astype(np.float32),
        patterns=np.array([garment.pattern for garment in outfit] + [PLAIN], np.int32),
        periods=np.array([garment.period_m for garment in outfit] + [1.0], np.float32),
        glosses=np.array([CLOTH_GLOSS] * len(outfit) + [HAIR_GLOSS, SKIN_GLOSS], np.float32),
        reflectances=np.array([INFRARED_FLOOR] * len(outfit) + [0.02, INFRARED_FLOOR], np.float32),
    )
    return Figure(
        vertices=read_only(np.ascontiguousarray(vertices, np.float32)),
        breath=read_only(np.ascontiguousarray(breath, np.float32)),
        faces=read_only(np.ascontiguousarray(faces, np.int32)),
        skin_joints=read_only(np.ascontiguousarray(skin_joints, np.int32)),
        skin_weights=read_only(np.ascontiguousarray(skin_weights, np.float32)),
        attributes=read_only(attributes),
        layers=layers,
        description=f"{clothes_style} clothes, {hair_style} hair",
    )


def _skin_colors(
    person: Person, skin_srgb: NDArray, hair_color: NDArray, iris: tuple, rng: np.random.Generator
) -> NDArray[np.float64]:
    model, v = person.model, person.rest.vertices
    skin = linear(skin_srgb)
    colors = np.tile(skin, (model.vertex_count, 1))
    colors *= (1.0 + 0.04 * random_field(v, rng, (0.03, 0.2)))[:, None]
    # Blood shows in cheeks, nose, ears, knuckles, knees and elbows.
    flush = np.zeros(model.vertex_count)
    at = model.landmarks
    cheeks = (
        0.5 * (v[at["eye_outer_l"]] + v[at["mouth_corner_l"]]),
        0.5 * (v[at["eye_outer_r"]] + v[at["mouth_corner_r"]]),
    )
    spots = [(c, 0.025) for c in cheeks]
    spots += [(v[at[name]], 0.012) for name in ("nose_tip", "index_knuckle_l", "index_knuckle_r")]
    spots += [(v[at[f"{name}_{side}"]], 0.035) for name in ("elbow", "kneecap", "ear") for side in "lr"]
    for middle, radius in spots:
        flush = np.maximum(flush, 1.0 - smoothstep(np.linalg.norm(v - middle, axis=1) / (2.0 * radius)))
    colors *= 1.0 - flush[:, None] * np.array([0.02, 0.17, 0.15])
    lips = skin * np.array([0.80, 0.48, 0.48])
    painted = {
        "lips": lips,
        "mouth_inside": skin * np.array([0.25, 0.10, 0.10]),
        "brows": 0.25 * skin + 0.75 * hair_color,
        "eyes": linear(SCLERA),
        "irises": linear(iris),
        "pupils": np.full(3, 0.01),
        "nails": skin * np.array([1.02, 0.92, 0.92]),
        "areolae": skin * np.array([0.75, 0.55, 0.52]),
    }
    for name, color in painted.items():
        colors[model.in_region(name)] = color
    return colors
