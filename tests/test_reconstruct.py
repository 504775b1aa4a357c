"""Iterative reconstruction: the obvious twins, floors of quality, constraints, masks, what ends it, what it refuses."""

import tracemalloc

import numpy as np
import pytest

from benchmarks._phantoms import count_photons, line_integrals, psnr_db, shepp_logan, voxel_means
from solver.errors import InputError, UsageError
from solver.kernels.float64_sums import combine, dot, squared_distance
from solver.kernels.subset_correction import correct_voxels, weigh_residuals
from solver.kernels.total_variation import total_variation, variation_gradient
from solver.tomography import (
    AsdPocs,
    Cgls,
    FistaTv,
    OsSart,
    Sart,
    Sirt,
    VolumeGrid,
    circular_geometry,
    project,
    reconstruct,
    reconstruction_steps,
)
from solver.tomography.problem import Problem
from solver.tomography.projector import Projector
from solver.tomography.subsets import turns, view_subsets
from solver.tomography.total_variation import TotalVariation
from tests.naive import reconstruction as naive
from tests.naive.joseph import system_matrix

GRID = VolumeGrid((6, 7, 5), (0.03, 0.03, 0.04), (-0.075, -0.09, -0.08))
GEOMETRY = circular_geometry(6, 0.5, 0.9, 7, 11, 0.05, start_rad=0.1)
HEAD = shepp_logan(0.1, 20.0)
HEAD_GRID = VolumeGrid.centred((32, 32, 32), 0.0066)
METHODS = [Sart(2), OsSart(2, 2), Sirt(2), Cgls(2), AsdPocs(2), FistaTv(2, 0.5)]


@pytest.fixture(scope="module")
def small():
    """A, a volume and its data with noise, weights with dead rays, a mask."""
    generator = np.random.default_rng(1)
    A = system_matrix(GEOMETRY, GRID)
    x = generator.random(GRID.shape)
    b = A @ x.ravel() + 0.001 * generator.normal(size=len(A))
    weights = generator.random(len(A)) * (generator.random(len(A)) > 0.1)
    weights /= weights.max()
    mask = generator.random(GRID.shape) > 0.2
    return A, x, b.reshape(GEOMETRY.projections_shape), weights.reshape(GEOMETRY.projections_shape), mask


@pytest.fixture(scope="module")
def head():
    geometry = circular_geometry(60, 0.6, 1.2, 40, 40, 0.0115)
    return geometry, line_integrals(HEAD, geometry), voxel_means(HEAD, HEAD_GRID)


@pytest.mark.parametrize("views_per_subset", [1, 2, None])
def test_sart_equals_its_twin(small, views_per_subset):
    A, _, b, weights, mask = small
    pixels = GEOMETRY.rows * GEOMETRY.columns
    subsets = view_subsets(6, views_per_subset or 6)
    rows = [
        np.concatenate([np.arange(v * pixels, (v + 1) * pixels) for v in subsets[s]])
        for s in turns(len(subsets), "golden")
    ]
    x = np.full(A.shape[1], 0.3)
    for n in range(3):
        x = naive.sart(
            A, b.ravel(), x, rows, 0.9 * 0.8**n, weights.ravel(), mask.ravel().astype(float), (0.2, 0.8), 3e-5
        )
    method = OsSart(3, views_per_subset, 0.9, 0.8)
    found = reconstruct(
        b,
        GEOMETRY,
        GRID,
        method,
        weights=weights,
        mask=mask,
        minimum=0.2,
        maximum=0.8,
        initial=np.full(GRID.shape, 0.3),
    )
    np.testing.assert_allclose(found.volume.ravel(), x, atol=2e-5)


def test_cgls_equals_its_twin(small):
    A, _, b, weights, _ = small
    found = reconstruct(b, GEOMETRY, GRID, Cgls(5), weights=weights)
    np.testing.assert_allclose(
        found.volume.ravel(), naive.conjugate_gradients(A, b.ravel(), weights.ravel(), 5), atol=1e-4
    )
    left = np.sqrt((weights.ravel() * (A @ found.volume.ravel() - b.ravel()) ** 2).sum())
    assert found.residuals[-1] * np.sqrt((weights * b**2).sum()) == pytest.approx(left, rel=1e-4)


def test_fista_finds_the_least_penalised_error(small):
    """At the minimum a proximal step changes nothing: tested with the dense matrix and the plain proximal map."""
    A, _, b, weights, _ = small
    smoothing = 0.02
    found = reconstruct(
        b, GEOMETRY, GRID, FistaTv(600, smoothing, denoising_steps=30), weights=weights, minimum=0.1, maximum=0.9
    )
    W = weights.ravel()
    L = (A.T @ (W * (A @ np.ones(A.shape[1])))).max()
    x = found.volume.astype(np.float64)
    step = x + (A.T @ (W * (b.ravel() - A @ x.ravel()))).reshape(GRID.shape) / L
    scale = np.exp(np.log(GRID.spacing_m).mean()) / np.array(GRID.spacing_m)
    np.testing.assert_allclose(naive.denoise(step, smoothing, scale, 0.1, 0.9, 3000), x, atol=3e-4)


def _problem(mask=None, limits=(-np.inf, np.inf)):
    mask = np.ones(GRID.shape, np.uint8) if mask is None else mask
    projector = Projector(GEOMETRY, GRID)
    return Problem(projector, projector.stack(), projector.stack(), mask, np.array(limits, np.float32))


def test_denoising_equals_its_twin():
    noisy = np.random.default_rng(2).normal(size=GRID.shape).astype(np.float32)
    scale = np.exp(np.log(GRID.spacing_m).mean()) / np.array(GRID.spacing_m)
    smooth = np.empty_like(noisy)
    TotalVariation(_problem(limits=(-0.5, 1.0))).denoise(noisy, 0.2, 300, smooth)
    np.testing.assert_allclose(smooth, naive.denoise(noisy, 0.2, scale, -0.5, 1.0, 3000), atol=2e-4)


def test_total_variation_and_its_gradient():
    generator = np.random.default_rng(3)
    volume = generator.normal(size=(4, 5, 3))
    scale = np.array([0.9, 1.0, 1.2])
    single = volume.astype(np.float32), scale.astype(np.float32)
    assert total_variation(*single, np.empty(4)) == pytest.approx(naive.total_variation(volume, scale), rel=1e-6)
    gradient = np.empty((4, 5, 3), np.float32)
    squared = variation_gradient(*single, 0.1, np.empty_like(gradient), gradient, np.empty(4))
    assert squared == pytest.approx((gradient.astype(np.float64) ** 2).sum(), rel=1e-5)
    for voxel in np.ndindex(volume.shape):
        ahead, behind = volume.copy(), volume.copy()
        ahead[voxel] += 1e-5
        behind[voxel] -= 1e-5
        slope = (naive.total_variation(ahead, scale, 0.1) - naive.total_variation(behind, scale, 0.1)) / 2e-5
        assert gradient[voxel] == pytest.approx(slope, abs=1e-4)


def test_a_step_down_has_its_length_and_leads_down():
    variation = TotalVariation(_problem())
    volume = np.random.default_rng(4).normal(size=GRID.shape).astype(np.float32)
    before = volume.copy()
    variation.descend(volume, 0.05, 1e-3)
    assert np.linalg.norm(volume - before) == pytest.approx(0.05, rel=1e-4)
    assert variation(volume) < variation(before)


def test_sums_are_those_of_float64():
    generator = np.random.default_rng(5)
    a, b = generator.normal(size=(2, 100_003)).astype(np.float32)
    partial = np.empty(25)
    assert dot(a, b, partial) == pytest.approx(np.dot(a.astype(np.float64), b), rel=1e-12)
    assert squared_distance(a, b, partial) == pytest.approx(np.sum((a.astype(np.float64) - b) ** 2), rel=1e-12)
    y = b.copy()
    combine(2.0, a, -0.5, y)
    np.testing.assert_allclose(y, 2.0 * a - 0.5 * b, atol=1e-6)


def test_residuals_and_corrections():
    measured = np.full((3, 4, 5), 2.0, np.float32)
    weights, gain = np.full_like(measured, 0.5), np.full_like(measured, 3.0)
    rays = np.full((1, 4, 5), 1.5, np.float32)
    assert weigh_residuals(measured, weights, gain, np.array([2], np.int32), rays, np.empty(16)) == 20 * 0.5 * 0.25
    assert (rays == 1.5).all()
    volume = np.zeros((2, 2, 2), np.float32)
    sums = np.full_like(volume, 2.0)
    sums[0, 0, 0] = 0.0
    mask = np.ones(volume.shape, np.uint8)
    mask[1, 1, 1] = 0
    correct_voxels(volume, np.full_like(volume, 3.0), sums, mask, 0.5, np.array([0.0, 0.7], np.float32))
    assert volume[0, 0, 0] == volume[1, 1, 1] == 0.0
    assert np.count_nonzero(volume == np.float32(0.7)) == 6


FLOORS = [
    (Sart(2, 0.5), 27.0),
    (OsSart(6, 6), 27.0),
    (Sirt(60, 1.9), 25.0),
    (Cgls(10), 22.0),
    (AsdPocs(8, views_per_subset=6), 28.0),
]


@pytest.mark.parametrize(("method", "floor_db"), [*FLOORS, (FistaTv(15, 0.03, 10), 27.5)])
def test_head_is_reconstructed(head, method, floor_db):
    """From exact line integrals without noise."""
    geometry, integrals, truth = head
    limits = {} if isinstance(method, Cgls) else {"minimum": 0.0}
    found = reconstruct(integrals, geometry, HEAD_GRID, method, **limits)
    assert psnr_db(found.volume, truth) > floor_db
    assert found.residuals[-1] < 0.5 * found.residuals[0]
    assert not found.volume.flags.writeable
    assert found.ended == "iterations"


def test_cgls_falls_and_beats_sirt_to_the_data(head):
    geometry, integrals, _ = head
    conjugate = reconstruct(integrals, geometry, HEAD_GRID, Cgls(8)).residuals
    assert (np.diff(conjugate) < 0.0).all()
    assert conjugate[-1] < reconstruct(integrals, geometry, HEAD_GRID, Sirt(9)).residuals[-1]


def test_total_variation_beats_sart_on_few_noisy_views(head):
    geometry, integrals, truth = head
    few = geometry.views(slice(None, None, 3))
    noisy, _ = count_photons(integrals[::3], 2e3, np.random.default_rng(6))
    best = {}
    for method in (Sart(8, 0.5), AsdPocs(12, 0.03, descent_share=0.02)):
        found = []
        reconstruct(
            noisy,
            few,
            HEAD_GRID,
            method,
            minimum=0.0,
            on_iteration=lambda i, f=found: f.append(psnr_db(i.volume, truth)),
        )
        best[type(method)] = max(found)
    assert best[AsdPocs] > best[OsSart] + 1.0


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'views_per_subset', '')}")
def test_limits_and_mask_hold(small, method):
    _, _, b, _, mask = small
    initial = np.full(GRID.shape, 0.4, np.float32)
    initial[0] = -3.0
    limits = {} if isinstance(method, Cgls) else {"minimum": 0.35, "maximum": 0.55}
    found = reconstruct(b, GEOMETRY, GRID, method, mask=mask, initial=initial, **limits).volume
    assert np.array_equal(found[~mask], initial[~mask])
    assert np.abs(found[mask] - initial[mask]).max() > 0.0
    if limits:
        assert found[mask].min() >= np.float32(0.35)
        assert found[mask].max() <= np.float32(0.55)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: f"{type(m).__name__}-{getattr(m, 'views_per_subset', '')}")
def test_dead_rays_do_not_count(small, method):
    _, _, b, weights, _ = small
    spoilt = np.where(weights > 0.0, b, 1e6)
    first = reconstruct(b, GEOMETRY, GRID, method, weights=weights).volume
    assert np.array_equal(first, reconstruct(spoilt, GEOMETRY, GRID, method, weights=weights).volume)


def test_the_truth_is_a_fixed_point():
    x = np.random.default_rng(7).random(GRID.shape).astype(np.float32)
    b = project(x, GEOMETRY, GRID)
    for method in (Sart(3), Sirt(3), Cgls(3)):
        found = reconstruct(b, GEOMETRY, GRID, method, initial=x)
        np.testing.assert_allclose(found.volume, x, atol=2e-5)
        assert found.residuals[0] < 1e-5


def test_a_warm_start_goes_on(head):
    geometry, integrals, _ = head
    first = reconstruct(integrals, geometry, HEAD_GRID, Sirt(3, 1.5), minimum=0.0)
    second = reconstruct(integrals, geometry, HEAD_GRID, Sirt(2, 1.5), minimum=0.0, initial=first.volume)
    whole = reconstruct(integrals, geometry, HEAD_GRID, Sirt(5, 1.5), minimum=0.0)
    np.testing.assert_allclose(second.volume, whole.volume, atol=1e-4)


def test_what_ends_it(small):
    _, _, b, _, _ = small
    assert len(reconstruct(b, GEOMETRY, GRID, Sirt(7)).residuals) == 7
    early = reconstruct(b, GEOMETRY, GRID, Cgls(50), residual_tolerance=0.05)
    assert early.ended == "residual"
    assert early.residuals[-1] <= 0.05 < early.residuals[-2]
    stalled = reconstruct(b, GEOMETRY, GRID, Sirt(500), stall_tolerance=0.01)
    assert stalled.ended == "stalled"
    assert len(stalled.residuals) < 500
    seen = []
    stopped = reconstruct(b, GEOMETRY, GRID, Sirt(9), on_iteration=lambda i: seen.append(i.number) or i.number == 3)
    assert stopped.ended == "caller"
    assert seen == [1, 2, 3]


def test_in_pieces_it_is_the_same(small):
    _, _, b, _, _ = small
    steps = reconstruction_steps(b, GEOMETRY, GRID, OsSart(3, 2))
    numbers = []
    while True:
        try:
            iteration = next(steps)
        except StopIteration as end:
            whole = end.value
            break
        numbers.append((iteration.number, iteration.of))
        assert not iteration.volume.flags.writeable
    assert numbers == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(whole.volume, reconstruct(b, GEOMETRY, GRID, OsSart(3, 2)).volume)


def test_nothing_measured_is_nothing():
    found = reconstruct(np.zeros(GEOMETRY.projections_shape), GEOMETRY, GRID, Sart(2))
    assert not found.volume.any()
    assert np.isfinite(found.residuals).all()


@pytest.mark.parametrize(
    "method", [Sart(4), OsSart(4, 12), Sirt(4), Cgls(4), AsdPocs(4), FistaTv(4, 0.1)], ids=lambda m: type(m).__name__
)
def test_iterations_allocate_no_arrays(head, method):
    geometry, integrals, _ = head
    steps = reconstruction_steps(integrals, geometry, HEAD_GRID, method)
    next(steps)
    next(steps)
    tracemalloc.start()
    next(steps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A volume of 32^3 has 131,072 bytes; NumPy's own buffers for mixed types and small index arrays are less.
    assert peak < 100_000


@pytest.mark.parametrize("order", ["sequential", "bit-reversed", "golden", "random"])
@pytest.mark.parametrize("count", [1, 2, 7, 16, 30])
def test_every_subset_has_its_turn(order, count):
    found = turns(count, order, np.random.default_rng(0))
    assert sorted(found) == list(range(count))


def test_far_apart_comes_next():
    for order in ("golden", "bit-reversed"):
        gaps = np.abs(np.diff(turns(32, order)))
        assert np.minimum(gaps, 32 - gaps).mean() > 6.0
    subsets = view_subsets(10, 4)
    assert sorted(np.concatenate(subsets)) == list(range(10))
    assert max(len(s) for s in subsets) <= 4


NAN = np.full(GEOMETRY.projections_shape, np.nan)
ONES = np.ones(GEOMETRY.projections_shape)
BAD = {
    "shape": (InputError, lambda: reconstruct(ONES[:, :, :-1], GEOMETRY, GRID)),
    "nan": (InputError, lambda: reconstruct(NAN, GEOMETRY, GRID)),
    "text": (InputError, lambda: reconstruct(np.full(ONES.shape, "x"), GEOMETRY, GRID)),
    "weights": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, weights=-ONES)),
    "no weight": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, weights=0.0 * ONES)),
    "mask": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, mask=np.zeros(GRID.shape))),
    "mask shape": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, mask=np.ones(3))),
    "limits": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, minimum=1.0, maximum=0.0)),
    "nan limit": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, minimum=np.nan)),
    "initial": (InputError, lambda: reconstruct(ONES, GEOMETRY, GRID, initial=np.full(GRID.shape, np.inf))),
    "no iteration": (UsageError, lambda: reconstruct(ONES, GEOMETRY, GRID, Sart(0))),
    "relaxation": (UsageError, lambda: reconstruct(ONES, GEOMETRY, GRID, Sart(1, 2.5))),
    "order": (UsageError, lambda: reconstruct(ONES, GEOMETRY, GRID, Sart(1, order="best"))),
    "subset": (UsageError, lambda: reconstruct(ONES, GEOMETRY, GRID, OsSart(1, 0))),
    "limits of CGLS": (UsageError, lambda: reconstruct(ONES, GEOMETRY, GRID, Cgls(), minimum=0.0)),
    "smoothing": (UsageError, lambda: reconstruct(ONES, GEOMETRY, GRID, FistaTv(1, 0.0))),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    error, call = BAD[name]
    with pytest.raises(error) as caught:
        call()
    assert "\n" not in str(caught.value)
