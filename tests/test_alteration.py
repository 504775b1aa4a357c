"""Alterations that keep their drape: the same particles, another cut."""

import numpy as np
import pytest

from game.fabrics import load_fabric
from solver.cloth.dressing import altered, dress
from solver.pattern.triangulate import recut, smallest_angles, triangulate
from solver.pattern.tshirt import draft_tshirt
from tests.live_stages import BODY, LIFT, MEASURES, MODEL

MEASURES_MM = {key: measurement.value_mm for key, measurement in MEASURES.items()}
STANDING = BODY + np.array([0.0, 0.0, LIFT], np.float32)


@pytest.fixture(scope="module")
def shirt():
    return dress(draft_tshirt(MEASURES_MM), MODEL, STANDING, load_fabric("jersey"), edge_length_m=0.03)


@pytest.mark.parametrize(
    ("option", "value"), [("ease", 0.2), ("length", 0.1), ("length", -0.1), ("sleeve", 0.05), ("shape", 1.0)]
)
def test_a_recut_fills_the_new_outline_with_the_old_triangles(option, value):
    pattern = draft_tshirt(MEASURES_MM, {option: value})
    old = triangulate(draft_tshirt(MEASURES_MM), 0.015)
    new = recut(old, pattern)
    for before, after, panel in zip(old.panels, new.panels, pattern.panels, strict=True):
        assert np.array_equal(before.faces, after.faces)
        a, b, c = (after.points[after.faces[:, k]] for k in range(3))
        areas = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
        assert areas.min() > 0.0
        outline = np.concatenate([edge.points[:-1] for edge in panel.edges])
        x, y = outline.T
        shoelace = 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
        assert areas.sum() == pytest.approx(shoelace, rel=0.01)
        assert smallest_angles(after.points, after.faces).min() > np.deg2rad(8.0)


def test_the_same_pattern_recut_is_the_same():
    old = triangulate(draft_tshirt(MEASURES_MM), 0.015)
    for before, after in zip(old.panels, recut(old, draft_tshirt(MEASURES_MM)).panels, strict=True):
        np.testing.assert_allclose(after.points, before.points, atol=2e-4)


def test_what_differs_too_much_is_draped_from_the_start(shirt):
    long = draft_tshirt(MEASURES_MM, {"sleeve": 0.30})
    assert recut(shirt.cut, long) is None
    assert altered(shirt, long, load_fabric("jersey"), MODEL) is None


def test_an_altered_shirt_goes_on_where_the_old_one_is_and_becomes_what_it_was_cut_to(shirt):
    shift = np.array([0.0, 0.0, 0.002], np.float32)
    for k in range(1, 30):
        shirt.follow(STANDING + k * shift)
    before = shirt.simulation.positions.copy()
    longer = altered(shirt, draft_tshirt(MEASURES_MM, {"length": 0.08}), load_fabric("jersey"), MODEL)
    longer.take_over(shirt)
    np.testing.assert_array_equal(longer.simulation.positions, before)
    np.testing.assert_array_equal(shirt.simulation.positions, before)
    for _ in range(90):
        longer.follow(STANDING + 29 * shift)
    hem = before[:, 2].min() - longer.simulation.positions[:, 2].min()
    assert 0.05 < hem < 0.11
    strain = np.abs(longer.simulation.strains())
    assert np.percentile(strain, 99) < 1.5 * np.percentile(np.abs(shirt.simulation.strains()), 99) + 0.02
    longer.reset()
    assert np.isfinite(longer.follow(STANDING)).all()
