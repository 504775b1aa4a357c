"""Eight lanes against the same arithmetic in numpy."""

import numpy as np
import pytest
from numba import njit

from solver.kernels.eight_lanes import (
    as_floats,
    bits,
    choose,
    crossed,
    gather,
    gather_squares,
    greatest,
    lane,
    least,
    load8,
    ramp,
    spread,
    store8,
    truncate,
)


@njit
def arithmetic(a, b, out):
    x = load8(a, 0)
    y = load8(b, 0)
    store8(out, 0, x + y)
    store8(out, 8, x - np.float32(2.0) * y)
    store8(out, 16, x / y)
    store8(out, 24, -x)
    store8(out, 32, least(x, y))
    store8(out, 40, greatest(x, y))
    store8(out, 48, ramp() + x)
    store8(out, 56, as_floats(truncate(x) * np.int32(3) - truncate(y)))
    store8(out, 64, spread(lane(x, 5)))


@njit
def choices(a, b, out):
    x = load8(a, 0)
    y = load8(b, 0)
    store8(out, 0, choose(x < y, x, np.float32(7.0)))
    store8(out, 8, choose((x <= y) & (y > np.float32(0.0)), x, y))
    store8(out, 16, choose((x >= y) | ~(y != np.float32(1.0)), x, y))
    return bits(x < y), bits(x != x)


@njit
def crossings(a, out):
    x = load8(a, 0)
    store8(out, 0, crossed(x, 1))
    store8(out, 8, crossed(x, 2))
    store8(out, 16, crossed(x, 4))


@njit
def gathered(picture, places, row, out):
    index = truncate(load8(places, 0))
    a, b, c, d = gather_squares(picture, index, row)
    store8(out, 0, a)
    store8(out, 8, b)
    store8(out, 16, c)
    store8(out, 24, d)
    store8(out, 32, gather(picture, index))


@pytest.fixture
def pair():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.0, 4.0, (2, 8)).astype(np.float32)
    b[2] = 1.0
    return a, b


def test_arithmetic(pair):
    a, b = pair
    out = np.zeros((9, 8), np.float32)
    arithmetic(a, b, out.ravel())
    whole = np.trunc(a) * 3 - np.trunc(b)
    expected = [a + b, a - 2 * b, a / b, -a, np.minimum(a, b), np.maximum(a, b), np.arange(8) + a, whole, [a[5]] * 8]
    assert np.allclose(out, expected, rtol=1e-6)


def test_comparison_and_choice(pair):
    a, b = pair
    out = np.zeros((3, 8), np.float32)
    below, different = choices(a, b, out.ravel())
    assert np.array_equal(out[0], np.where(a < b, a, np.float32(7.0)))
    assert np.array_equal(out[1], np.where((a <= b) & (b > 0.0), a, b))
    assert np.array_equal(out[2], np.where((a >= b) | ~(b != 1.0), a, b))
    assert below == np.packbits(a < b, bitorder="little")[0]
    assert different == 0


def test_what_is_unknown_compares_as_false_and_is_not_chosen(pair):
    a, b = pair
    a[4] = np.nan
    out = np.zeros((9, 8), np.float32)
    arithmetic(a, b, out.ravel())
    assert out[4, 4] == b[4]
    assert out[5, 4] == b[4]
    below, _ = choices(a, b, out.ravel())
    assert not below & 16


def test_crossings():
    a = np.arange(8, dtype=np.float32)
    out = np.zeros((3, 8), np.float32)
    crossings(a, out.ravel())
    assert np.array_equal(out, [np.arange(8) ^ k for k in (1, 2, 4)])


def test_gathers():
    picture = np.random.default_rng(4).random((9, 11)).astype(np.float32)
    j, i = np.random.default_rng(5).integers(0, (8, 10), (8, 2)).T
    out = np.zeros((5, 8), np.float32)
    gathered(picture.ravel(), (j * 11 + i).astype(np.float32), np.int32(11), out.ravel())
    assert np.array_equal(out[:4], [picture[j, i], picture[j, i + 1], picture[j + 1, i], picture[j + 1, i + 1]])
    assert np.array_equal(out[4], picture[j, i])
