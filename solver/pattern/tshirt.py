"""The T-shirt block: front, back, two set-in sleeves and a neck rib, drafted from the body's measures.

Front and back have y = 0 at the level of the nape (C7) and x = 0 in the middle. The proportions are those of ordinary
flat pattern cutting for knitted tops (W. Aldrich, *Metric Pattern Cutting*); where a figure is not among the measures
it is a regression on ANSUR II (4,082 men and 1,986 women), given beside it with its residual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import root_scalar

from solver.errors import InputError
from solver.pattern.options import Option, required_measures, resolve_options
from solver.pattern.panel import Edge, EdgeRef, Panel, Pattern, Stitch, bezier, line, mirrored

NAME = "tshirt"
MEASURES = (
    "chest_girth",
    "waist_girth",
    "hip_girth",
    "neck_girth",
    "shoulder_width",
    "shoulder_length",
    "back_length",
    "arm_length",
    "upper_arm_girth",
)
OPTIONS = {
    "ease": Option(0.10, -0.04, 0.30, "m", "girth added at the chest"),
    "length": Option(0.0, -0.15, 0.20, "m", "added to the length from nape to hem"),
    "sleeve": Option(0.0, -0.06, 0.30, "m", "added to the length of the sleeve, at most to the wrist"),
    "neckline": Option(0.0, -0.01, 0.09, "m", "added to the depth of the front neckline"),
    "shape": Option(0.0, 0.0, 1.0, "", "how far the sides follow the waist: 0 falls straight"),
}
CAP_EASE = 0.01
"""Share by which a sleeve cap is longer than its armhole."""
RIB_STRETCH = -0.12
"""Share by which the neck rib is shorter than the neckline that it is sewn to."""
RIB_WIDTH = 0.020
HEM_WIDTH = 0.020
HPS_RISE = 0.018
"""How far the neck point of the shoulder lies above the nape on the flat panel [m]."""


@dataclass(frozen=True)
class _Block:
    """Points of the wearer's left half of front and back, and what the sleeve needs."""

    neck: NDArray
    tip: NDArray
    underarm: NDArray
    waist: NDArray
    hem: NDArray
    neck_front: float
    neck_back: float
    biceps: float


def draft_tshirt(measures_mm: Mapping[str, float], options: Mapping[str, float] | None = None) -> Pattern:
    """A T-shirt for `measures_mm` (keys of the measurements file, mm) with `options` (names of `OPTIONS`, metres).

    Raises `InputError` for a missing measure, an unknown option or a value outside its bounds.
    """
    body = required_measures(NAME, measures_mm, MEASURES)
    chosen = resolve_options(NAME, OPTIONS, options or {})
    block = _block(body, chosen, measures_mm)
    front = _trunk("front", block, block.neck_front, scoop=0.012)
    back = replace(mirrored(_trunk("back", block, block.neck_back, scoop=0.0), "back"), place="trunk_back")
    wrist = body["upper_arm_girth"] * 0.55 + 0.05
    sleeve = _sleeve(
        front.edge("armhole_l").length,
        back.edge("armhole_l").length,
        block.biceps,
        min(0.37 * body["arm_length"] + chosen["sleeve"], body["arm_length"] + 0.01),
        (block.biceps - wrist) / body["arm_length"],
    )
    neckline = sum(panel.edge(f"neck_{side}").length for panel in (front, back) for side in "lr")
    sleeve_r = replace(mirrored(sleeve, "sleeve_r"), place="arm_r")
    panels = (front, back, sleeve, sleeve_r, _rib(neckline * (1.0 + RIB_STRETCH)))
    return Pattern(NAME, panels, _stitches())


def _block(body: Mapping[str, float], chosen: Mapping[str, float], measures_mm: Mapping[str, float]) -> _Block:
    ease = chosen["ease"]
    back_length = body["back_length"]
    # Neck base girth = 0.930 neck girth + 65 mm (residual 9 mm); taken as a circle, and the rib stands inside the seam.
    neck_base = (0.930 * body["neck_girth"] + 0.065) / (2.0 * np.pi)
    half_shoulder = body["shoulder_width"] / 2.0
    slope = np.arccos(np.clip((half_shoulder - neck_base) / body["shoulder_length"], 0.0, 1.0))
    slope = np.clip(slope, np.deg2rad(15.0), np.deg2rad(28.0))
    direction = np.array([np.cos(slope), -np.sin(slope)])
    neck_point = np.array([neck_base, HPS_RISE])
    neck = neck_point + direction * (RIB_WIDTH + 0.003)

    chest = (body["chest_girth"] + ease) / 4.0
    tip = neck_point + direction * ((half_shoulder - neck_base) / direction[0] + 0.006 + 0.08 * max(ease, 0.0))
    tip = np.minimum(tip, [chest - 0.015, tip[1] + 1.0])
    tip[1] = neck_point[1] + (tip[0] - neck_point[0]) * direction[1] / direction[0]
    if tip[0] < neck[0] + 0.03:
        raise InputError(f"{NAME}: no shoulder is left between neck and arm; check neck_girth and shoulder_width")

    biceps = body["upper_arm_girth"] + 0.05 + 0.3 * ease
    # Nape to the axilla = 0.030 chest girth + 0.349 back length - 14 mm (residual 14 mm), and room below it.
    scye = 0.030 * body["chest_girth"] + 0.349 * back_length - 0.014
    depth = _armhole_depth(tip, chest, scye + 0.045 + 0.12 * max(ease, 0.0), biceps)

    waist_needs = (body["waist_girth"] + 0.02 + 0.8 * ease) / 4.0
    hip_needs = (body["hip_girth"] + 0.02 + 0.6 * ease) / 4.0
    hem_y = -(_nape_to_hem(measures_mm, back_length) + chosen["length"])
    waist_y = max(-back_length, (hem_y - depth) / 2.0)
    straight = max(chest, waist_needs)
    waist_x = straight + (max(waist_needs, 0.85 * chest) - straight) * chosen["shape"]
    hem_x = max(hip_needs, chest + (waist_x - chest) * 0.5)
    return _Block(
        neck=neck,
        tip=tip,
        underarm=np.array([chest, -depth]),
        waist=np.array([waist_x, waist_y]),
        hem=np.array([hem_x, hem_y]),
        neck_front=-(1.0 * neck_base + 0.75 * RIB_WIDTH + chosen["neckline"]),
        neck_back=-0.6 * RIB_WIDTH,
        biceps=biceps,
    )


def _nape_to_hem(measures_mm: Mapping[str, float], back_length: float) -> float:
    """Down to the crotch's level where that is known, else half as far again as to the waist."""
    nape, crotch = measures_mm.get("neck_height"), measures_mm.get("crotch_height")
    if nape is None or crotch is None:
        return 1.5 * back_length
    return float(np.clip((nape - crotch) / 1000.0, 1.25 * back_length, 1.7 * back_length))


def _armhole(tip: NDArray, underarm: NDArray, shoulder: NDArray, scoop: float) -> Edge:
    """From the underarm point, where it runs level, up to the shoulder tip, where it meets the shoulder squarely."""
    rise = tip[1] - underarm[1]
    inward = underarm[0] - tip[0]
    square = np.array([shoulder[1], -shoulder[0]]) / np.linalg.norm(shoulder)
    square = square if square[1] < 0.0 else -square
    reach = max(0.55 * inward, 0.03) + 0.02 + scoop
    return bezier("armhole_l", underarm, underarm - [reach, 0.0], tip + 0.55 * rise * square - [scoop, 0.0], tip)


def _armhole_depth(tip: NDArray, chest: float, wanted: float, biceps: float) -> float:
    """How far below the nape the armhole ends: as `wanted`, or deeper where the sleeve would not fit into it."""

    def spare(depth: float) -> float:
        length = _armhole(tip, np.array([chest, -depth]), np.array([1.0, -0.4]), 0.0).length
        return length - 1.12 * biceps / 2.0

    if spare(wanted) >= 0.0:
        return wanted
    return _root(spare, wanted, wanted + biceps)


def _trunk(name: str, block: _Block, neck_y: float, scoop: float) -> Panel:
    """Front or back as seen with the wearer's left at +x."""
    neck, tip, underarm, waist, hem = block.neck, block.tip, block.underarm, block.waist, block.hem
    # The side is a cubic whose two inner control points share an x such that it passes the waist's width half way.
    side_x = (8.0 * waist[0] - underarm[0] - hem[0]) / 6.0
    fall = underarm[1] - hem[1]
    side = bezier("side_l", hem, (side_x, hem[1] + fall / 3.0), (side_x, underarm[1] - fall / 3.0), underarm)
    middle = np.array([0.0, neck_y])
    drop = neck[1] - neck_y
    level = np.array([0.58 * neck[0], neck_y])
    half_neck = bezier("neck_l", neck, neck - [0.1 * neck[0], 0.62 * drop], level, middle)
    left = [side, _armhole(tip, underarm, tip - neck, scoop), line("shoulder_l", tip, neck), half_neck]
    bottom = line("hem", hem * (-1.0, 1.0), hem, HEM_WIDTH)
    right = mirrored(Panel(name, tuple(left)), name, {edge.name: edge.name[:-1] + "r" for edge in left})
    return Panel(name, (bottom, *left, *right.edges), place="trunk_front")


def _sleeve(armhole_front: float, armhole_back: float, biceps: float, length: float, taper: float) -> Panel:
    """The left sleeve, its shoulder notch at x = 0, the biceps line at y = 0; the front half at -x.

    The cap's height and the share of the front are solved so that each half of the cap has its armhole's length.
    `taper` is the loss of girth per metre down the arm.
    """
    wanted = (armhole_front * (1.0 + CAP_EASE), armhole_back * (1.0 + CAP_EASE))

    def cap(width: float, height: float) -> Edge:
        return bezier("cap", (width, 0.0), (0.56 * width, 0.0), (0.50 * width, height), (0.0, height))

    def height_for(width: float, length: float) -> float:
        return _root(lambda h: cap(width, h).length - length, 0.0, length)

    def difference(front: float) -> float:
        return height_for(front, wanted[0]) - height_for(biceps - front, wanted[1])

    # Neither half may be wider than its own armhole is long.
    low, high = max(biceps - 0.999 * wanted[1], 0.3 * biceps), min(0.999 * wanted[0], 0.7 * biceps)
    front = _root(difference, low, high)
    back = biceps - front
    height = height_for(front, wanted[0])
    fall = max(length - height, 0.035)
    loss = min(taper * fall / 2.0, 0.25 * biceps)
    cuff = line("hem", (-front + loss, -fall), (back - loss, -fall), HEM_WIDTH)
    cap_front = mirrored(Panel("", (cap(front, height),)), "", {"cap": "cap_front"}).edges[0]
    return Panel(
        "sleeve_l",
        (
            cuff,
            line("underarm_back", cuff.end, (back, 0.0)),
            replace(cap(back, height), name="cap_back"),
            cap_front,
            line("underarm_front", (-front, 0.0), cuff.start),
        ),
        place="arm_l",
    )


def _rib(length: float) -> Panel:
    """The folded band round the neck, closed at the left shoulder."""
    left, right = -length / 2.0, length / 2.0
    return Panel(
        "rib",
        (
            line("seam", (left, 0.0), (right, 0.0)),
            line("end", (right, 0.0), (right, RIB_WIDTH)),
            line("fold", (right, RIB_WIDTH), (left, RIB_WIDTH)),
            line("start", (left, RIB_WIDTH), (left, 0.0)),
        ),
        layers=2,
        place="neck",
    )


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function` is zero between `low` and `high`."""
    if function(low) * function(high) > 0.0:
        raise InputError(f"{NAME}: no sleeve fits these measures; check upper_arm_girth, chest_girth and back_length")
    return float(root_scalar(function, bracket=(low, high), xtol=1e-7).root)


def _stitches() -> tuple[Stitch, ...]:
    def stitch(name: str, a: str, b: str, ease: float = 0.0) -> Stitch:
        def run(text: str) -> tuple[EdgeRef, ...]:
            return tuple(EdgeRef(*item.split(".")) for item in text.split())

        return Stitch(name, run(a), run(b), ease)

    sides = []
    for s in "lr":
        sides += [
            stitch(f"shoulder_{s}", f"front.shoulder_{s}", f"back.shoulder_{s}"),
            stitch(f"side_{s}", f"front.side_{s}", f"back.side_{s}"),
            stitch(f"armhole_front_{s}", f"front.armhole_{s}", f"sleeve_{s}.cap_front", CAP_EASE),
            stitch(f"armhole_back_{s}", f"back.armhole_{s}", f"sleeve_{s}.cap_back", CAP_EASE),
            stitch(f"underarm_{s}", f"sleeve_{s}.underarm_front", f"sleeve_{s}.underarm_back"),
        ]
    neck = stitch("neck", "front.neck_l front.neck_r back.neck_r back.neck_l", "rib.seam", RIB_STRETCH)
    return (*sides, neck, stitch("rib", "rib.end", "rib.start"))
