"""Open3D's rigid volume on the frames of a `Turn`, where it is installed."""

from __future__ import annotations

import ctypes
import importlib
import time
from typing import Any

import numpy as np

from benchmarks._turntable import Turn
from solver.types import Mesh

NEAREST_M, FARTHEST_M, LEAST_VIEWS = 0.3, 2.8, 3.0


def find_open3d() -> Any | None:
    """The module, or None where it is not installed."""
    try:
        usb = importlib.import_module("libusb_package")
        ctypes.CDLL(str(usb.get_library_path()), ctypes.RTLD_GLOBAL)
    except (ImportError, OSError):
        pass
    try:
        return importlib.import_module("open3d")
    except ImportError:
        return None


class Open3dVolume:
    """`VoxelBlockGrid` with the documented sequence of calls; wall and processor time [ms] of each step."""

    def __init__(self, open3d: Any, turn: Turn, voxel_m: float, truncation_voxels: float) -> None:
        core = open3d.core
        self._o3d, self._tensor = open3d, core.Tensor
        self._volume = open3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight"), (core.float32, core.float32), ((1), (1)), voxel_m, 8, 20000, core.Device("CPU:0")
        )
        K = turn.intrinsics
        self._size = K.width, K.height
        self._matrix = self._tensor(np.array([[K.fx, 0.0, K.cx], [0.0, K.fy, K.cy], [0.0, 0.0, 1.0]]))
        self._truncation = float(truncation_voxels)
        self.times: list[tuple[float, float]] = []
        self._blocks: list[Any] = []
        for depth, T_wc in zip(turn.depths, turn.poses, strict=True):
            image = open3d.t.geometry.Image(self._tensor(np.array(depth)))
            extrinsic = self._tensor(np.ascontiguousarray(np.linalg.inv(T_wc)))
            begin = time.perf_counter(), time.process_time()
            blocks = self._volume.compute_unique_block_coordinates(
                image, self._matrix, extrinsic, 1.0, FARTHEST_M, self._truncation
            )
            self._volume.integrate(blocks, image, self._matrix, extrinsic, 1.0, FARTHEST_M, self._truncation)
            self.times.append(since(begin))
            self._blocks.append(blocks)

    def raycast(self, n: int, T_wc: np.ndarray) -> tuple[float, float]:
        """Depth and normals of view `n`, the times [ms]."""
        extrinsic = self._tensor(np.ascontiguousarray(np.linalg.inv(T_wc)))
        begin = time.perf_counter(), time.process_time()
        self._volume.ray_cast(
            self._blocks[n],
            self._matrix,
            extrinsic,
            *self._size,
            ["depth", "normal"],
            1.0,
            NEAREST_M,
            FARTHEST_M,
            LEAST_VIEWS,
            self._truncation,
        )
        return since(begin)

    def mesh(self) -> tuple[Mesh, tuple[float, float]]:
        """The surface and the times [ms]."""
        begin = time.perf_counter(), time.process_time()
        mesh = self._volume.extract_triangle_mesh(LEAST_VIEWS)
        times = since(begin)
        return Mesh(mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy()), times


def since(begin: tuple[float, float]) -> tuple[float, float]:
    """Wall and processor time [ms] since `begin`."""
    return 1e3 * (time.perf_counter() - begin[0]), 1e3 * (time.process_time() - begin[1])
