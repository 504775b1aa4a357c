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
    ease_m: NDArray[np.float32] | None
    """How far it stands off on average beyond that, shape (V,); None where it clings."""
    fold_m: float
    """Spread of its folds, where it does not cling."""
    colors: tuple[tuple[float, float, float], tuple[float, float, float]]
    """First and second colour, sRGB 0 .. 1."""
    pattern: int
    period_m: float


COLORS = (
    (0.09, 0.10, 0.13), (0.16, 0.18, 0.30), (0.75, 0.74, 0.71), (0.45, 0.46, 0.47), (0.53, 0.12, 0.14),
    (0.12, 0.36, 0.30), (0.20, 0.40, 0.62), (0.80, 0.62, 0.24), (0.42, 0.30, 0.48), (0.83, 0.55, 0.50),
    (0.28, 0.31, 0.22), (0.30, 0.52, 0.50),
)  # fmt: skip


def draw_outfit(person: Person, style: str, smoother: SurfaceSmoother, rng: np.random.Generator) -> tuple[Garment, ...]:
    """Socks, trousers and top of a style, lowest first, cut for the person."""
    model, rest = person.model, person.rest
    v, joints, at = rest.vertices, rest.joints, model.landmarks
    label = model.part_labels

    def parts(*names: str) -> NDArray[np.bool_]:
        return np.isin(label, [model.part(name) for name in names])

    arms = parts("upper_arm_l", "upper_arm_r", "lower_arm_l", "lower_arm_r", "hand_l", "hand_r")
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

    # The neckline: below a plane that is lower in front, or far enough from the neck to the side.
    front, back = v[at["suprasternal"]], v[at["c7"]]
    scoop = {"tight": 0.02, "loose": 0.01, "underwear": 0.045}[style]
    rise = ((back[2] - 0.01) - (front[2] - scoop)) / (back[1] - front[1])
    below = (front[2] - scoop) + rise * (v[:, 1] - front[1]) - z
    neck = 0.5 * abs(v[at["neck_point_l"], 0] - v[at["neck_point_r"], 0])
    beside = np.abs(v[:, 0]) - neck - {"tight": 0.03, "loose": 0.02, "underwear": 0.035}[style]
    collar = np.where(head, OUTSIDE_M, np.maximum(below, beside))

    sleeve = {
        "tight": rng.choice([-0.01, 0.45 * upper_arm]),
        "loose": rng.choice([0.65, 1.0]) * upper_arm,
        "underwear": -0.04,
    }[style]
    hem = {"tight": waist - 0.10, "loose": crotch - 0.02, "underwear": v[at["underbust_l"], 2] - 0.02}[style]
    body_hem = np.where(arms, 1.0, z - hem)
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

    shoulder = float(joints[model.joint("upperarm_l"), 2])
    trunk_share = np.clip((shoulder - z) / (shoulder - hem), 0.0, 1.2)
    sleeve_share = np.clip(along_arm / max(sleeve, 0.1), 0.0, 1.2)
    top_ease = rng.uniform(0.010, 0.018) * (0.35 + 1.5 * np.where(arms, sleeve_share, trunk_share))
    leg_share = np.clip((waist - z) / (waist - ankle), 0.0, 1.0)
    bottom_ease = rng.uniform(0.008, 0.014) * (0.25 + 2.2 * leg_share)
    loose = style == "loose"
    thin = 0.0012 if style == "underwear" else float(rng.uniform(0.0015, 0.003))
    first, second, third, fourth, fifth = (COLORS[k] for k in rng.choice(len(COLORS), 5, replace=False))
    top_colors, bottom_colors, sock_color = (first, second), (third, fourth), fifth
    patterns = (PLAIN, PLAIN, STRIPES, CHECKS, SPECKLES)
    top_pattern = int(rng.choice(patterns))
    bottom_pattern = int(rng.choice(patterns)) if rng.random() < 0.2 else PLAIN

    def garment(field, ease, fold, colors, pattern):
        period = float(rng.uniform(0.03, 0.08))
        eased = smoother(ease, 6) if loose else None
        return Garment(field.astype(np.float32), thin, eased, fold, colors, pattern, period)

    return (
        Garment(
            socks.astype(np.float32), 0.0015, np.zeros(len(v), np.float32), 0.0, (sock_color, sock_color), PLAIN, 1.0
        ),
        garment(bottom, bottom_ease, 0.005, bottom_colors, bottom_pattern),
        garment(top, top_ease, 0.007, top_colors, top_pattern),
    )


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
        # Soles stay on the floor.
        edge = edge * smoothstep((naked[:, 2] - 0.004) / 0.012)
        if garment.ease_m is None:
            moved = surface + (garment.thickness_m * edge)[:, None] * outward
        else:
            moved = surface + ((garment.thickness_m + garment.ease_m) * edge)[:, None] * outward
            moved = _span_hollows(moved, outward, edge, smoother)
            folds = random_field(naked, rng, (0.06, 0.15), stretch=(1.0, 1.0, 2.5))
            depth = np.maximum(garment.fold_m * folds, -0.7 * garment.ease_m)
            moved = moved + (depth * edge)[:, None] * outward
        surface = np.where(inside[:, None], moved, surface).astype(np.float32)
    return surface


def _span_hollows(cloth: NDArray, outward: NDArray, edge: NDArray, smoother: SurfaceSmoother) -> NDArray:
    """Loose cloth bridges hollows: it moves outward, along the normal, to the middle of its neighbours."""
    for _ in range(40):
        rise = np.einsum("vi,vi->v", smoother(cloth, 1) - cloth, outward)
        cloth = cloth + (np.maximum(rise, 0.0) * edge)[:, None] * outward
    return cloth
