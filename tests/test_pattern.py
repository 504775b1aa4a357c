"""Drafting, panel checks, triangulation and sewing, by geometry alone."""

from __future__ import annotations

import numpy as np
import pytest

from solver.cloth.sewing import sew
from solver.errors import InputError
from solver.pattern.panel import Arc, Edge, EdgeRef, Panel, Pattern, Stitch, bezier, line, mirrored
from solver.pattern.triangulate import smallest_angles, triangulate
from solver.pattern.tshirt import CAP_EASE, MEASURES, OPTIONS, draft_tshirt

# Means and standard deviations of ANSUR II's 6,068 adults [mm], both sexes, and how strongly each goes with body size.
POPULATION = {
    "chest_girth": (1022, 102, 0.9),
    "waist_girth": (914, 116, 0.9),
    "hip_girth": (1020, 77, 0.8),
    "neck_girth": (376, 42, 0.8),
    "shoulder_width": (399, 31, 0.7),
    "shoulder_length": (145, 12, 0.5),
    "back_length": (461, 38, 0.6),
    "arm_length": (577, 35, 0.5),
    "upper_arm_girth": (341, 41, 0.8),
}


def random_measures(seed: int) -> dict[str, float]:
    """A person of ordinary to unusual proportions: sizes go together, each with a share of its own."""
    rng = np.random.default_rng(seed)
    size = rng.uniform(-2.2, 2.2)
    return {
        key: mean + sd * (share * size + np.sqrt(1.0 - share**2) * rng.uniform(-1.5, 1.5))
        for key, (mean, sd, share) in POPULATION.items()
    }


def both_ends(seed: int) -> list[dict[str, float]]:
    """All options at their least, all at their greatest, and each body a random corner."""
    corner = np.random.default_rng([seed, 1]).integers(0, 2, len(OPTIONS))
    low = {name: option.minimum for name, option in OPTIONS.items()}
    high = {name: option.maximum for name, option in OPTIONS.items()}
    return [low, high, {name: (low, high)[pick][name] for name, pick in zip(OPTIONS, corner, strict=True)}]


@pytest.mark.parametrize("seed", range(30))
def test_tshirt_is_sound_on_any_body_at_both_ends_of_every_option(seed):
    measures = random_measures(seed)
    for options in both_ends(seed):
        pattern = draft_tshirt(measures, options)
        pattern.check(tolerance_m=0.002)
        for side in "lr":
            front, back = (pattern.panel(name) for name in ("front", "back"))
            sleeve = pattern.panel(f"sleeve_{side}")
            for trunk, half in ((front, "cap_front"), (back, "cap_back")):
                armhole = trunk.edge(f"armhole_{side}").length
                assert sleeve.edge(half).length == pytest.approx(armhole * (1 + CAP_EASE), abs=1e-4)
            assert sleeve.edge("underarm_front").length == pytest.approx(sleeve.edge("underarm_back").length, abs=1e-6)
        # A shirt must let its wearer in: round chest and waist, and the arm into the sleeve.
        underarm = pattern.panel("front").edge("armhole_l").start[0]
        assert 4.0 * underarm == pytest.approx(measures["chest_girth"] / 1e3 + options["ease"])
        width = {panel.name: np.ptp(panel.outline[:, 0]) for panel in pattern.panels}
        assert width["front"] + width["back"] >= measures["waist_girth"] / 1e3 + min(options["ease"], 0.0)
        assert width["sleeve_l"] >= measures["upper_arm_girth"] / 1e3 + 0.03
        assert all(panel.area > 0.0 for panel in pattern.panels)


def test_options_and_measures_are_checked_in_one_line():
    measures = random_measures(0)
    with pytest.raises(InputError, match="unknown option 'sleave'"):
        draft_tshirt(measures, {"sleave": 0.1})
    with pytest.raises(InputError, match=r"option ease = 5 is outside -0.04 .. 0.3 m"):
        draft_tshirt(measures, {"ease": 5.0})
    with pytest.raises(InputError, match="measure neck_girth is missing"):
        draft_tshirt({key: value for key, value in measures.items() if key != "neck_girth"})
    with pytest.raises(InputError, match="check its unit"):
        draft_tshirt({**measures, "chest_girth": 1.02})


def test_every_option_changes_what_it_names():
    measures = random_measures(3)
    base = draft_tshirt(measures)
    assert set(MEASURES) == set(POPULATION)

    def change(option: str, value: float, of) -> float:
        return of(draft_tshirt(measures, {option: value})) - of(base)

    assert change("length", 0.1, lambda p: -p.panel("front").outline[:, 1].min()) == pytest.approx(0.1, abs=1e-6)
    assert change("sleeve", 0.1, lambda p: -p.panel("sleeve_l").outline[:, 1].min()) == pytest.approx(0.1, abs=1e-6)
    assert change("neckline", 0.05, lambda p: -p.panel("front").edge("neck_l").end[1]) == pytest.approx(0.05, abs=1e-6)
    chest = 4.0 * base.panel("front").edge("armhole_l").start[0]
    wide = 4.0 * draft_tshirt(measures, {"ease": 0.2}).panel("front").edge("armhole_l").start[0]
    assert wide - chest == pytest.approx(0.1, abs=1e-6)


def square(name: str = "square", size: float = 0.2) -> Panel:
    corners = [(0.0, 0.0), (size, 0.0), (size, size), (0.0, size)]
    return Panel(name, tuple(line(f"e{i}", corners[i], corners[(i + 1) % 4]) for i in range(4)))


def test_unsound_panels_are_named():
    good = square()
    good.check()
    with pytest.raises(InputError, match=r"panel square: open by 10\.0 mm between edges e0 and e1"):
        Panel("square", (line("e0", (0, 0), (0.21, 0)), *good.edges[1:])).check()
    clockwise = Panel("square", tuple(line(edge.name, edge.end, edge.start) for edge in reversed(good.edges)))
    with pytest.raises(InputError, match="clockwise"):
        clockwise.check()
    corners = [(0, 0), (0.2, 0.2), (0.2, 0), (0, 0.2)]
    bow = Panel("bow", tuple(line(f"e{i}", corners[i], corners[(i + 1) % 4]) for i in range(4)))
    with pytest.raises(InputError, match=r"edges .* cross"):
        bow.check()
    with pytest.raises(InputError, match="no edge 'e9'"):
        good.edge("e9")


def test_stitches_must_match():
    a, b = square("a"), square("b", 0.21)
    stitch = Stitch("s", (EdgeRef("a", "e1"),), (EdgeRef("b", "e3"),))
    with pytest.raises(InputError, match=r"stitch s: a.e1 and b.e3 differ by \+10.0 mm"):
        Pattern("p", (a, b), (stitch,)).check()
    Pattern("p", (a, b), (Stitch("s", stitch.a, stitch.b, ease=0.05),)).check()
    with pytest.raises(InputError, match="sewn twice"):
        Pattern("p", (a, square("b")), (stitch, Stitch("t", stitch.a, (EdgeRef("b", "e1"),)))).check()


def test_curves_have_their_analytic_length():
    half_circle = Edge("arc", Arc(np.array([0.1, 0.0]), np.array([-0.1, 0.0]), 0.1))
    assert half_circle.length == pytest.approx(0.1 * np.pi, rel=1e-4)
    assert half_circle.points[:, 1].max() == pytest.approx(0.1, rel=1e-4)  # counter-clockwise from +x: over the top
    quarter = Arc(np.array([0.1, 0.0]), np.array([0.0, 0.1]), 0.1, large=False, clockwise=False)
    np.testing.assert_allclose(np.linalg.norm(quarter.at(np.linspace(0, 1, 9)), axis=1), 0.1)
    around = Edge("arc", Arc(np.array([0.1, 0.0]), np.array([0.0, 0.1]), 0.1, large=True, clockwise=True))
    assert around.length == pytest.approx(1.5 * np.pi * 0.1, rel=1e-3)
    # A quadratic Bezier (0,0) (1,0) (1,1) has length (sqrt 2 + asinh 1) / sqrt 2.
    parabola = bezier("p", (0, 0), (1, 0), (1, 1))
    assert parabola.length == pytest.approx((np.sqrt(2.0) + np.arcsinh(1.0)) / np.sqrt(2.0), rel=1e-4)
    spaced = np.linalg.norm(np.diff(parabola.sample(np.linspace(0, 1, 21)), axis=0), axis=1)
    assert np.ptp(spaced) < 0.01 * spaced.mean()


def test_mirrored_panel_keeps_area_and_lengths():
    panel = draft_tshirt(random_measures(1)).panel("sleeve_l")
    twin = mirrored(panel, "twin")
    twin.check()
    assert twin.area == pytest.approx(panel.area)
    for edge in panel.edges:
        assert twin.edge(edge.name).length == pytest.approx(edge.length)


@pytest.mark.parametrize(("seed", "edge_length"), [(0, 0.012), (1, 0.018), (2, 0.03)])
def test_triangles_are_even_and_fill_the_panels(seed, edge_length):
    mesh = triangulate(draft_tshirt(random_measures(seed), both_ends(seed)[2]), edge_length)
    for panel in mesh.panels:
        a, b, c = (panel.points[panel.faces[:, i]] for i in range(3))
        area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
        assert (area > 0.0).all()
        polygon = Panel("outline", tuple(line(str(i), p, q) for i, (p, q) in enumerate(outline_segments(panel))))
        assert area.sum() == pytest.approx(polygon.area, rel=1e-9)
        assert np.rad2deg(smallest_angles(panel.points, panel.faces).min()) > 18.0
        sides = np.linalg.norm(np.concatenate([b - a, c - b, a - c]), axis=1)
        assert np.percentile(sides, 1) > 0.5 * edge_length
        assert np.percentile(sides, 99) < 1.6 * edge_length


def outline_segments(panel):
    indices = np.concatenate([panel.edge_points[edge.name][:-1] for edge in panel.panel.edges])
    points = panel.points[indices]
    return zip(points, np.roll(points, -1, axis=0), strict=True)


def test_both_sides_of_every_seam_have_the_same_points_in_the_same_places():
    pattern = draft_tshirt(random_measures(4))
    mesh = triangulate(pattern, 0.015)
    for stitch in pattern.stitches:
        runs = []
        for run in (stitch.a, stitch.b):
            points = [mesh.panel(ref.panel).points[mesh.panel(ref.panel).edge_points[ref.edge]] for ref in run]
            steps = np.concatenate([np.linalg.norm(np.diff(p, axis=0), axis=1) for p in points])
            runs.append(np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum())
        assert len(runs[0]) == len(runs[1])
        np.testing.assert_allclose(runs[0], 1.0 - runs[1][::-1], atol=0.01)


def test_sewn_shirt_is_one_sheet_with_four_openings():
    pattern = draft_tshirt(random_measures(5))
    mesh = sew(triangulate(pattern, 0.02))
    triangles = mesh.triangles
    directed = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)  # consistently oriented: right side out everywhere
    edges, count = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    assert count.max() == 2
    assert mesh.particle_count - len(edges) + len(triangles) == -2  # a sphere with four holes
    following = dict(directed[np.isin(encode(directed), encode(edges[count == 1]))])
    loops = 0
    while following:
        start, at = following.popitem()
        while at != start:
            at = following.pop(at)
        loops += 1
    assert loops == 4
    hem = mesh.particles[mesh.edges[EdgeRef("front", "hem")]]
    assert mesh.layers[np.isin(triangles, hem).any(axis=1)].min() == 2  # the hem lies double


def encode(pairs):
    pairs = np.sort(pairs, axis=1).astype(np.int64)
    return pairs[:, 0] << 32 | pairs[:, 1]
