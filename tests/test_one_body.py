"""The gain of a second body, on linear problems whose answer is known."""

import numpy as np
import pytest

from solver.one_body import ShapeOpinion, two_body_gain

COUNT, VIEWS, ROWS = 10, 12, 400


def opinions_of(shapes, rng):
    """Views that measure each its shape with noise 1, at the optimum of one common shape."""
    designs = rng.normal(size=(len(shapes), ROWS, COUNT)) / np.sqrt(10.0)
    measured = [rows @ shape + rng.normal(size=ROWS) for rows, shape in zip(designs, shapes, strict=True)]
    whole, values = designs.reshape(-1, COUNT), np.concatenate(measured)
    common = np.linalg.solve(whole.T @ whole + np.eye(COUNT), whole.T @ values)
    return [
        ShapeOpinion(rows.T @ rows, rows.T @ (value - rows @ common))
        for rows, value in zip(designs, measured, strict=True)
    ]


def test_one_body_gains_as_much_as_it_has_coefficients():
    rng = np.random.default_rng(0)
    gains = [two_body_gain(opinions_of([np.zeros(COUNT)] * VIEWS, rng), range(VIEWS)) for _ in range(40)]
    # The greatest of several correlated chi-squares of 10 degrees of freedom.
    assert COUNT < np.mean(gains) < 2.0 * COUNT
    assert max(gains) < 4.0 * COUNT


def test_two_bodies_gain_what_lies_between_them():
    """n views each of information I: halves apart by d gain n/4 d^T I d, far above the noise's own."""
    rng = np.random.default_rng(1)
    apart = 0.5 * rng.normal(size=COUNT)
    shapes = [np.zeros(COUNT)] * (VIEWS // 2) + [apart] * (VIEWS // 2)
    expected = VIEWS / 4.0 * ROWS / 10.0 * apart @ apart
    assert two_body_gain(opinions_of(shapes, rng), range(VIEWS)) == pytest.approx(expected, rel=0.25)


def test_the_order_is_that_of_time_and_few_views_say_nothing():
    rng = np.random.default_rng(2)
    shapes = [np.full(COUNT, 0.5 * (n % 2)) for n in range(VIEWS)]
    opinions = opinions_of(shapes, rng)
    by_turns = [n % 2 * VIEWS + n for n in range(VIEWS)]
    assert two_body_gain(opinions, by_turns) > 5.0 * two_body_gain(opinions, range(VIEWS))
    assert two_body_gain(opinions[:7], range(7)) == 0.0
