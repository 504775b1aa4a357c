"""Depth fusion: the canonical volume of a turning person; the rigid volume and its refinement beside Open3D's."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks._open3d_volume import find_open3d
from benchmarks._rigid_fusion import print_rigid, run_rigid
from capture.simulated.source import SimulatedSource
from game.assets import load_body_model
from solver.body import BodyModel, joint_transforms
from solver.fusion import CanonicalVolume
from solver.keyframes import Keyframe
from solver.refinement import reconstruct
from solver.types import BodyState, Frame, Observation

SPEC = "sim:visit=scan,seed=150,fps=3"
VOXELS_M = (0.005, 0.004, 0.003)


def run(json: bool) -> dict[str, Any]:
    """Times in milliseconds a frame, p50 over the turn; true poses, so that only fusion is timed."""
    model = load_body_model()
    source = SimulatedSource.from_spec(SPEC, model)
    frames = [source.read() for _ in range(source.info.frame_count or 0)]
    result: dict[str, Any] = {"frames": len(frames), "voxels": {}}
    for voxel_m in VOXELS_M:
        row = _canonical(model, source, frames, voxel_m)
        row |= _open3d(source, frames, voxel_m)
        result["voxels"][f"{1e3 * voxel_m:g} mm"] = row
    result["refinement"] = _refinement(model, source, frames)
    result["rigid"] = run_rigid()
    if not json:
        for name, row in result["voxels"].items():
            print(name.ljust(8), "  ".join(f"{key} {value:.1f}" for key, value in row.items()))
        print_rigid(result["rigid"])
        print("refinement [s]", "  ".join(f"{key} {value:.2f}" for key, value in result["refinement"].items()))
    return result


def _canonical(model: BodyModel, source: SimulatedSource, frames: list[Frame], voxel_m: float) -> dict[str, float]:
    rest = source.person.rest
    T_cw = np.linalg.inv(source.T_wc)
    assert source.info.noise is not None
    begin = time.perf_counter()
    volume = CanonicalVolume(model, rest, voxel_m)
    row = {"lay out ms": 1e3 * (time.perf_counter() - begin)}
    times = []
    for frame in frames:
        truth = source.truth(frame.sequence)
        transforms = joint_transforms(model, rest.joints, truth.pose, truth.T_wb)
        assert frame.depth is not None
        begin = time.perf_counter()
        volume.integrate(frame.depth, frame.intrinsics, T_cw, transforms, source.info.noise)
        times.append(1e3 * (time.perf_counter() - begin))
    row["integrate ms"] = float(np.median(times[1:]))
    volume.surface()
    begin = time.perf_counter()
    volume.surface()
    row["surface ms"] = 1e3 * (time.perf_counter() - begin)
    return row


def _open3d(source: SimulatedSource, frames: list[Frame], voxel_m: float) -> dict[str, float]:
    """The same frames into Open3D's rigid CPU volume (its camera moves; ours warps each voxel as well)."""
    o3d = find_open3d()
    if o3d is None:
        return {}
    tensor, device = o3d.core.Tensor, o3d.core.Device("CPU:0")
    volume = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight"), (o3d.core.float32, o3d.core.float32), ((1), (1)), voxel_m, 8, 4000, device
    )
    K = frames[0].intrinsics
    matrix = tensor(np.array([[K.fx, 0.0, K.cx], [0.0, K.fy, K.cy], [0.0, 0.0, 1.0]]))
    times = []
    for frame in frames:
        T_bc = np.linalg.inv(source.truth(frame.sequence).T_wb) @ source.T_wc
        extrinsic = tensor(np.ascontiguousarray(np.linalg.inv(T_bc)))
        depth = o3d.t.geometry.Image(tensor(np.array(frame.depth)))
        begin = time.perf_counter()
        blocks = volume.compute_unique_block_coordinates(depth, matrix, extrinsic, 1.0, 3.0, 6.0)
        volume.integrate(blocks, depth, matrix, extrinsic, 1.0, 3.0, 6.0)
        times.append(1e3 * (time.perf_counter() - begin))
    begin = time.perf_counter()
    volume.extract_triangle_mesh()
    return {"open3d integrate ms": float(np.median(times[1:])), "open3d mesh ms": 1e3 * (time.perf_counter() - begin)}


def _refinement(model: BodyModel, source: SimulatedSource, frames: list[Frame]) -> dict[str, float]:
    """The whole refinement of the turn's keyframes, warm, from the true poses and the mean shape [s]."""
    assert source.info.noise is not None
    keyframes = []
    for frame in frames:
        truth = source.truth(frame.sequence)
        state = BodyState(
            frame.sequence,
            frame.captured_at,
            np.zeros(model.shape_count),
            truth.pose,
            truth.T_wb,
            truth.naked,
            1.0,
        )
        keyframes.append(Keyframe(Observation(frame, None, None), source.T_wc, state))
    reconstruct(model, keyframes, source.info.noise)
    found = reconstruct(model, keyframes, source.info.noise, clock=time.perf_counter)
    return {**found.seconds, "total": sum(found.seconds.values()), "keyframes": float(len(keyframes))}
