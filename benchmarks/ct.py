"""Cone-beam reconstruction of the Shepp-Logan head, RTK beside it; few noisy views with and without total variation.

python -m benchmarks.ct
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks._phantoms import count_photons, line_integrals, pixel_means, psnr_db, shepp_logan, voxel_means
from solver.tomography import (
    AsdPocs,
    Cgls,
    ConeBeamGeometry,
    FistaTv,
    Iteration,
    OsSart,
    Sart,
    VolumeGrid,
    back_project,
    circular_geometry,
    project,
    reconstruct,
)
from solver.tomography.problem import Method

SOURCE_TO_AXIS_M, SOURCE_TO_PANEL_M, FIELD_M = 0.6, 1.2, 0.256
WATER = 20.0
"""Attenuation of water at X-ray tubes' energies [1/m]."""
CASES = ((64, 180), (96, 60))
"""Voxels and pixels along a side, views."""
RELAXATIONS = (0.3, 0.7)
"""The first is RTK's own."""
PHOTONS = 1e4
FEW_VIEWS = 30


def run(json: bool) -> dict[str, Any]:
    """Wall and processor seconds, mean absolute error relative to water, PSNR [dB]; ours and RTK's on the same data."""
    threads = numba.get_num_threads()
    rtk = _rtk(threads)
    result: dict[str, Any] = {"threads": threads, "rtk": "installed" if rtk else "not installed", "cases": {}}
    _warm_up()
    for size, views in CASES:
        result["cases"][f"{size}^3, {views} views"] = _against_rtk(size, views, rtk)
    result["adjoint"] = _adjoint_ratio()
    result["few noisy views"] = few_noisy_views()
    if not json:
        _print(result)
    return result


def scanner(size: int, view_count: int) -> tuple[ConeBeamGeometry, VolumeGrid]:
    """A circle with pixels of a voxel's size at the axis."""
    pixel_m = FIELD_M / size * SOURCE_TO_PANEL_M / SOURCE_TO_AXIS_M
    geometry = circular_geometry(view_count, SOURCE_TO_AXIS_M, SOURCE_TO_PANEL_M, size, size, pixel_m)
    return geometry, VolumeGrid.centred((size, size, size), FIELD_M / size)


def few_noisy_views(size: int = 128) -> dict[str, dict[str, float]]:
    """30 views with Poisson noise: every method at the best of its iterations."""
    return {name: {"PSNR dB": psnr, "iteration": n, "cpu s": s} for name, (psnr, n, s, _) in few_view_methods(size)}


def few_view_methods(size: int = 128) -> list[tuple[str, tuple[float, int, float, NDArray[np.float32]]]]:
    """Name, then PSNR, number and processor time of the best iteration, and its volume."""
    head = shepp_logan(0.1, WATER)
    geometry, grid = scanner(size, FEW_VIEWS)
    truth = voxel_means(head, grid)
    noisy, _ = count_photons(pixel_means(head, geometry), PHOTONS, np.random.default_rng(7))
    methods: dict[str, Method] = {
        "SART 0.3": Sart(20, 0.3),
        "SART 1": Sart(10, 1.0),
        "ASD-POCS": AsdPocs(24, data_tolerance=0.015, descent_share=0.01),
        "FISTA-TV": FistaTv(20, 0.0008 * WATER, 6),
    }
    found = []
    for name, method in methods.items():
        best: list[Any] = [-np.inf, 0, 0.0, None]
        begin = time.process_time()

        def look(iteration: Iteration, best: list[Any] = best, begin: float = begin) -> None:
            psnr = psnr_db(iteration.volume, truth)
            if psnr > best[0]:
                best[:] = psnr, iteration.number, time.process_time() - begin, iteration.volume.copy()

        reconstruct(noisy, geometry, grid, method, minimum=0.0, on_iteration=look)
        found.append((name, tuple(best)))
    return found


def _against_rtk(size: int, views: int, rtk: Any) -> dict[str, dict[str, float]]:
    head = shepp_logan(0.1, WATER)
    geometry, grid = scanner(size, views)
    truth = voxel_means(head, grid)
    integrals = line_integrals(head, geometry).astype(np.float32)
    peer = RtkScanner(rtk, integrals, grid) if rtk else None
    rows: dict[str, dict[str, float]] = {}

    def enter(name: str, work: Callable[[], NDArray[np.float32]]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        volume = work()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        error = float(np.abs(volume - truth).mean()) / WATER
        rows[name] = {"wall s": wall, "cpu s": cpu, "MAE": error, "PSNR dB": psnr_db(volume, truth)}

    for block in (1, 10):
        method = "SART" if block == 1 else f"OS-SART {block}"
        for step in RELAXATIONS:
            ours = OsSart(1, block, step) if block == 1 else OsSart(3, block, step)
            enter(f"{method} {step}", lambda m=ours: reconstruct(integrals, geometry, grid, m, minimum=0.0).volume)
            if peer:
                for back in ("VOXELBASED", "JOSEPH"):
                    name = f"RTK {method} {step} {back.lower()}"
                    enter(name, lambda m=ours, b=back: peer.sart(m, b))
    enter("CGLS 8", lambda: reconstruct(integrals, geometry, grid, Cgls(8)).volume)
    if peer:
        for back in ("VOXELBASED", "JOSEPH"):
            enter(f"RTK CG 8 {back.lower()}", lambda b=back: peer.conjugate_gradients(8, b))
    return rows


class RtkScanner:
    """The same data in RTK's frame and millimetres: the axis of turning is its y, the source starts at its +z."""

    def __init__(self, rtk: Any, integrals: NDArray[np.float32], grid: VolumeGrid) -> None:
        self._itk, self._rtk = rtk
        self._image = self._itk.Image[self._itk.F, 3]
        count, rows, columns = integrals.shape
        self._geometry = self._rtk.ThreeDCircularProjectionGeometry.New()
        for n in range(count):
            self._geometry.AddProjection(1e3 * SOURCE_TO_AXIS_M, 1e3 * SOURCE_TO_PANEL_M, 360.0 * n / count)
        pixel = 1e3 * FIELD_M / columns * SOURCE_TO_PANEL_M / SOURCE_TO_AXIS_M
        # Rows upwards.
        self._stack = self._itk.image_from_array(np.ascontiguousarray(integrals[:, ::-1]))
        self._stack.SetSpacing([pixel, pixel, 1.0])
        self._stack.SetOrigin([-0.5 * (columns - 1) * pixel, -0.5 * (rows - 1) * pixel, 0.0])
        self._start = self._rtk.ConstantImageSource[self._image].New()
        self._start.SetSize([grid.shape[1], grid.shape[2], grid.shape[0]])
        self._start.SetSpacing([1e3 * s for s in grid.spacing_m])
        self._start.SetOrigin([1e3 * o for o in grid.origin_m])
        self._start.Update()

    def sart(self, method: OsSart, back: str) -> NDArray[np.float32]:
        """As many sweeps, views a subset and relaxation as `method`."""
        solver = self._rtk.SARTConeBeamReconstructionFilter[self._image, self._image].New()
        solver.SetNumberOfProjectionsPerSubset(method.views_per_subset)
        solver.SetNumberOfIterations(method.iterations)
        solver.SetLambda(method.relaxation)
        solver.SetEnforcePositivity(True)
        return self._solved(solver, back)

    def conjugate_gradients(self, iterations: int, back: str) -> NDArray[np.float32]:
        """RTK's conjugate gradients, every ray counting the same."""
        solver = self._rtk.ConjugateGradientConeBeamReconstructionFilter[self._image].New()
        weights = self._rtk.ConstantImageSource[self._image].New()
        weights.SetInformationFromImage(self._stack)
        weights.SetConstant(1.0)
        solver.SetInput(2, weights.GetOutput())
        solver.SetNumberOfIterations(iterations)
        return self._solved(solver, back)

    def _solved(self, solver: Any, back: str) -> NDArray[np.float32]:
        solver.SetInput(0, self._start.GetOutput())
        solver.SetInput(1, self._stack)
        solver.SetGeometry(self._geometry)
        solver.SetForwardProjectionFilter(solver.ForwardProjectionType_FP_JOSEPH)
        solver.SetBackProjectionFilter(getattr(solver, f"BackProjectionType_BP_{back}"))
        solver.Update()
        # Its array is (z, y, x) = our (x, z, y); 1/mm.
        return 1e3 * self._itk.array_from_image(solver.GetOutput()).transpose(0, 2, 1)


def _rtk(threads: int) -> Any:
    try:
        itk: Any = importlib.import_module("itk")
        rtk = itk.RTK
    except (ImportError, AttributeError):
        return None
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(threads)
    itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(threads)
    return itk, rtk


def _warm_up() -> None:
    geometry, grid = scanner(8, 4)
    integrals = line_integrals(shepp_logan(0.1, WATER), geometry)
    for method in (Sart(1), OsSart(1, 2), Cgls(1)):
        reconstruct(integrals, geometry, grid, method)


def _adjoint_ratio() -> float:
    """<A x, y> / <x, A^T y>."""
    geometry, grid = scanner(64, 30)
    generator = np.random.default_rng(0)
    x, y = generator.random(grid.shape, np.float32), generator.random(geometry.projections_shape, np.float32)
    there = np.sum(project(x, geometry, grid) * y.astype(np.float64))
    return float(there / np.sum(back_project(y, geometry, grid) * x.astype(np.float64)))


def _print(result: dict[str, Any]) -> None:
    print(f"{result['threads']} threads; RTK (pip install itk-rtk): {result['rtk']}")
    for name, rows in (*result["cases"].items(), (f"{FEW_VIEWS} views, 1e4 photons", result["few noisy views"])):
        print(f"\n{name}")
        for row, values in rows.items():
            print("  " + row.ljust(28), "  ".join(f"{key} {value:.4g}" for key, value in values.items()))
    print(f"\n<A x, y> / <x, A^T y> - 1 = {result['adjoint'] - 1.0:.1e}")


if __name__ == "__main__":
    run(False)
