"""What a simulated shopper wears: shells over the body, tight or hanging loosely in folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.simulated.person import Person
from capture.simulated.surface_fields import SurfaceSmoother, random_field, smoothstep
from solver.kernels.shade import CHECKS, PLAIN, SPECKLES, STRIPES
from solver.normals import NormalField

OUTSIDE_M = -1.0
STYLES = ("tight", "loose", "underwear")


@dataclass(frozen=True, slots=True)
class Garment:
    """One piece of clothing."""

    field: NDArray[np.float32]
    """Distance inside its edges [m] along the surface, negative outside, shape (V,)."""
    thickness_m: float
    """Of the cloth, where it lies on the body."""
    ease_m: float
    """How far it stands off on average beyond that."""
    fold_m: float
    """Spread of its folds."""
    colors: tuple[tuple[float, float, float], tuple[float, float, float]]
    """First and second colour, sRGB 0 .. 1."""
    pattern: int
    period_m: float


COLORS = (
    (0.09, 0.10, 0.13), (0.16, 0.18, 0.30), (0.75, 0.74, 0.71), (0.45, 0.46, 0.47), (0.53, 0.12, 0.14), (0.12, 0.36, 0.30),
    (0.20, 0.40, 0.62), (0.80, 0.62, 0.24), (0.42, 0.30, 0.48), (0.83, 0.55, 0.50), (0.28, 0.31, 0.22), (0.62, 0.45, 0.33),
)  # fmt: skip


def draw_outfit(person: Person, style: str, rng: np.random.Generator) -> tuple[Garment, ...]:
    """Socks, trousers and top of a style, lowest first, cut for the person."""
    model, rest = person.model, person.rest
    v, joints, at = rest.vertices, rest.joints, model.landmarks
    label = model.part_labels

    def parts(*names: str) -> NDArray[np.bool_]:
        return np.isin(label, [model.part(name) for name in names])

    arms = parts("upper_arm_l", "upper_arm_r", "lower_arm_l", "lower_arm_r", "hand_l", "hand_r")
    legs = parts("thigh_l", "thigh_r", "calf_l", "calf_r", "foot_l", "foot_r")
    head = parts("head")
    z = v[:, 2]
    waist = float(v[[at["waist_side_l"], at["waist_side_r"]], 2].mean())
    crotch = float(v[at["crotch"], 2])
    ankle = float(v[at["ankle_lateral_l"], 2])

    along_arm = np.full(len(v), -0.2)
    for side in "lr":
        a, b = joints[model.joint(f"upperarm_{side}")], joints[model.joint(f"lowerarm_{side}")]
        mine = parts(f"upper_arm_{side}", f"lower_arm_{side}", f"hand_{side}")
        along_arm[mine] = (v[mine] - a) @ (b - a) / np.linalg.norm(b - a)
    upper_arm = float(np.linalg.norm(joints[model.joint("lowerarm_l")] - joints[model.joint("upperarm_l")]))

    front, back = v[at["suprasternal"]], v[at["c7"]]
    scoop = {"tight": 0.02, "loose": 0.01, "underwear": 0.10}[style]
    rise = ((back[2] - 0.01) - (front[2] - scoop)) / (back[1] - front[1])
    collar = (front[2] - scoop) + rise * (v[:, 1] - front[1]) - z
    collar[head] = OUTSIDE_M
    collar[arms] = 1.0

    sleeve = {
        "tight": rng.choice([-0.01, 0.45 * upper_arm]),
        "loose": rng.choice([0.65, 1.0]) * upper_arm,
        "underwear": -0.04,
    }[style]
    hem = {"tight": waist - 0.10, "loose": crotch - 0.02, "underwear": v[at["underbust_l"], 2] - 0.02}[style]
    body_hem = np.where(arms, 1.0, z - hem)
    body_hem[legs & (z < hem)] = OUTSIDE_M
    top = np.minimum.reduce([collar, sleeve - along_arm, body_hem])

    shorts = style == "tight" and rng.random() < 0.5
    leg_end = {"tight": crotch - 0.22 if shorts else ankle + 0.03, "loose": ankle + 0.01, "underwear": crotch - 0.03}[
        style
    ]
    waistband = {"tight": waist - 0.03, "loose": waist - 0.05, "underwear": waist - 0.10}[style]
    bottom = np.where(arms | head, OUTSIDE_M, np.minimum(waistband - z, z - leg_end))
    feet = parts("foot_l", "foot_r", "calf_l", "calf_r")
    sock_height = rng.choice([ankle + 0.02, ankle + 0.06]) if style != "underwear" and rng.random() < 0.7 else -1.0
    socks = np.where(feet, sock_height - z, OUTSIDE_M)

    loose = style == "loose"
    thin = 0.0012 if style == "underwear" else float(rng.uniform(0.0015, 0.003))
    top_colors, bottom_colors = _two_colors(rng), _two_colors(rng)
    patterns = (PLAIN, PLAIN, STRIPES, CHECKS, SPECKLES)
    top_pattern = int(rng.choice(patterns))
    bottom_pattern = int(rng.choice(patterns)) if rng.random() < 0.2 else PLAIN
    sock_color = COLORS[rng.integers(len(COLORS))]

    def garment(field, ease, fold, colors, pattern):
        period = float(rng.uniform(0.03, 0.08))
        return Garment(
            field.astype(np.float32), thin, ease if loose else 0.0, fold if loose else 0.0, colors, pattern, period
        )

    return (
        Garment(socks.astype(np.float32), 0.001, 0.0, 0.0, (sock_color, sock_color), PLAIN, 1.0),
        garment(bottom, float(rng.uniform(0.010, 0.020)), 0.004, bottom_colors, bottom_pattern),
        garment(top, float(rng.uniform(0.014, 0.028)), 0.006, top_colors, top_pattern),
    )


def _two_colors(rng: np.random.Generator) -> tuple:
    first, second = rng.choice(len(COLORS), 2, replace=False)
    return COLORS[first], COLORS[second]


def dress(
    person: Person, outfit: tuple[Garment, ...], smoother: SurfaceSmoother, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The clothed surface at rest [m], shape (V, 3): the body's own vertices moved out to where the cloth is."""
    naked = person.rest.vertices
    surface = naked.copy()
    normal_field = NormalField(person.model.faces, person.model.vertex_count)
    outward = smoother(normal_field(naked), 4)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    for garment in outfit:
        inside = garment.field > 0.0
        if not inside.any():
            continue
        edge = smoothstep(garment.field / 0.012)
        stands_off = np.full(len(naked), garment.thickness_m)
        if garment.ease_m > 0.0:
            folds = random_field(naked, rng, (0.07, 0.16), stretch=(1.0, 1.0, 2.5))
            stands_off = stands_off + np.maximum(garment.ease_m + garment.fold_m * folds, 0.0)
        # Soles stay on the floor.
        lifted = smoothstep((naked[:, 2] - 0.004) / 0.012)
        moved = surface + ((stands_off * edge * lifted)[:, None] * outward).astype(np.float32)
        if garment.ease_m > 0.0:
            moved = _span_hollows(surface, moved, outward, inside, garment.thickness_m, smoother)
        surface = np.where(inside[:, None], moved, surface).astype(np.float32)
    return surface


def _span_hollows(
    under: NDArray, cloth: NDArray, outward: NDArray, inside: NDArray, thickness_m: float, smoother: SurfaceSmoother
) -> NDArray:
    """Loose cloth bridges hollows: smooth it, but never into what lies under it."""
    for _ in range(24):
        relaxed = np.where(inside[:, None], smoother(cloth, 1), cloth)
        height = np.einsum("vi,vi->v", relaxed - under, outward)
        too_low = np.maximum(thickness_m - height, 0.0) * inside
        cloth = relaxed + too_low[:, None] * outward
    return cloth
