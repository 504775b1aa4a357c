"""A recording of something that stands still becomes one surface: its poses given, or tracked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.features import OrbDetector
from capture.source import EndOfRecording, FrameSource, FrameTimeoutError, SourceInfo
from solver.errors import DeviceLostError, InputError, TrackingLostError, UsageError
from solver.ground import NoFloorError, estimate_ground, levelled_pose
from solver.odometry.mapping import Closure, RigidMapper, Status
from solver.odometry.trajectory import TrajectoryError, trajectory_error
from solver.surface import face_components
from solver.types import DepthNoise, Frame, Intrinsics, Mesh
from solver.volume.rigid import RigidVolume

PATIENT_READS = 5
"""Timeouts in a row before a recording is given up."""
LOOK_AHEAD = 30
"""Frames in which a recording that has poses must show one."""
TRACKING_VOXEL_M = 0.008
"""The model that frames are tracked against is no finer."""
SIGMA_LIMIT_M = 0.05
"""Depth that varies by more is too far away to be a surface."""
LEAST_TRIANGLES = 60
"""Smaller pieces that hang in the air are noise."""

Told = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Tracking:
    """How the camera was followed."""

    poses: dict[int, NDArray[np.float64]]
    """`T_wc` by sequence number of every frame that was placed for sure."""
    lost: list[tuple[int, str]]
    """Sequence number and reason of the frames that were not."""
    weak: list[int]
    """Of these, the frames that showed too little shape."""
    found_again: int
    lost_at_end: bool
    closures: list[Closure]
    corrections: int
    path_m: float
    against_given: TrajectoryError | None
    """Against the recording's own poses, where it has them."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """A fused recording."""

    mesh: Mesh
    """Frame w: the recording's own world."""
    colors: NDArray[np.uint8] | None
    """sRGB, (V, 3)."""
    source: SourceInfo
    frame_count: int
    fused_count: int
    tracking: Tracking | None
    """None where the poses were given."""


def fuse_source(
    open_frames: Callable[[], FrameSource], voxel_m: float, poses: str | None, tell: Told, seed: int = 0
) -> Fusion:
    """Fuses the recording that `open_frames` opens; it is read twice where its poses are tracked.

    `poses`: "given", "track", or None for given where the recording has any. `tell` hears what is being done and which
    share of it is. Raises `UsageError` for a live camera, `InputError` for a recording without depth, or without poses
    where they should be given, and `TrackingLostError` where tracking never began.
    """
    with open_frames() as source:
        info = source.info
        if info.live:
            raise UsageError(
                f"{info.name}: fuse reads a recording twice; record the camera first (cheval record), then fuse that"
            )
        if info.noise is None:
            raise InputError(f"{info.name}: no depth in it; fuse needs the recording of a depth camera")
        if poses is None:
            poses = "given" if has_poses(source) else "track"
    if poses == "track":
        with open_frames() as source:
            tracking = track_source(source, tell, seed, max(voxel_m, TRACKING_VOXEL_M))
        share = 0.6
    else:
        tracking, share = None, 0.0
    with open_frames() as source:
        volume: RigidVolume | None = None
        frame_count = fused_count = 0
        for frame in read_frames(source):
            frame_count += 1
            T_wc = frame.T_wc if tracking is None else tracking.poses.get(frame.sequence)
            if T_wc is None or frame.depth is None:
                continue
            volume = volume or make_volume(frame, info.noise, voxel_m)
            volume.integrate(frame.depth, frame.intrinsics, T_wc, frame.color)
            fused_count += 1
            tell("fusing", share + (0.95 - share) * progress_of(frame_count, info))
    if volume is None:
        raise InputError(f"{info.name}: the recording has no camera poses; use --poses track")
    tell("surface", 0.96)
    mesh, colors = surface_of(volume, fused_count)
    if not len(mesh.faces):
        raise InputError(f"{info.name}: no surface within reach in {fused_count} frames; check depth unit and poses")
    return Fusion(mesh, colors, info, frame_count, fused_count, tracking)


def read_frames(source: FrameSource) -> Iterator[Frame]:
    """All frames, a few timeouts notwithstanding. Raises `DeviceLostError` where the recording falls silent."""
    timeouts = 0
    while True:
        try:
            frame = source.read()
        except EndOfRecording:
            return
        except FrameTimeoutError:
            timeouts += 1
            if timeouts == PATIENT_READS:
                raise DeviceLostError(f"{source.info.name}: the recording does not answer; try it again") from None
            continue
        timeouts = 0
        yield frame


def has_poses(source: FrameSource) -> bool:
    """Whether one of the first frames has a pose."""
    return any(frame.T_wc is not None for frame, _ in zip(read_frames(source), range(LOOK_AHEAD), strict=False))


def progress_of(count: int, info: SourceInfo) -> float:
    """Share of the recording read; a half where its length is unknown."""
    return min(1.0, count / info.frame_count) if info.frame_count else 0.5


def track_source(source: FrameSource, tell: Told, seed: int, voxel_m: float = TRACKING_VOXEL_M) -> Tracking:
    """Follows the camera through a recording. Raises `TrackingLostError` where it never began."""
    info = source.info
    assert info.noise is not None
    mapper: RigidMapper | None = None
    given: dict[int, NDArray[np.float64]] = {}
    lost: list[tuple[int, str]] = []
    weak: list[int] = []
    found_again = 0
    for count, frame in enumerate(read_frames(source), 1):
        if frame.T_wc is not None:
            given[frame.sequence] = frame.T_wc
        if mapper is None:
            model = make_volume(frame, info.noise, voxel_m)
            detect = None if frame.color is None else OrbDetector()
            start = starting_pose(frame, info.noise)
            mapper = RigidMapper(frame.intrinsics, info.noise, model, detect, T_wc=start, seed=seed)
        step = mapper.step(frame)
        if step.status in (Status.LOST, Status.WEAK):
            lost.append((frame.sequence, step.reason))
        if step.status is Status.WEAK:
            weak.append(frame.sequence)
        found_again += step.status is Status.FOUND
        tell("tracking" if step.status is not Status.LOST else "lost: looking", 0.6 * progress_of(count, info))
    if mapper is None or not mapper.keyframes:
        raise TrackingLostError(
            f"{info.name}: tracking never began: {lost[0][1] if lost else 'no frames'}; check depth and its unit"
        )
    poses = mapper.poses()
    order = sorted(poses)
    positions = np.array([poses[k][:3, 3] for k in order])
    common = [k for k in order if k in given]
    against = None
    if len(common) >= 3:
        against = trajectory_error(np.array([poses[k] for k in common]), np.array([given[k] for k in common]))
    return Tracking(
        poses,
        lost,
        weak,
        found_again,
        mapper.lost,
        mapper.closures,
        mapper.corrections,
        float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum()),
        against,
    )


def starting_pose(frame: Frame, noise: DepthNoise) -> NDArray[np.float64]:
    """`T_wc` of the first frame: the recording's own, else from the floor in view, else levelled at z = 0."""
    if frame.T_wc is not None:
        return frame.T_wc
    assert frame.depth is not None
    try:
        return estimate_ground(frame.depth, frame.intrinsics, noise, frame.gravity).T_wc
    except NoFloorError:
        up = np.array([0.0, -1.0, 0.0]) if frame.gravity is None else -frame.gravity
        return levelled_pose(up, 0.0)


def make_volume(frame: Frame, noise: DepthNoise, voxel_m: float) -> RigidVolume:
    """A volume whose truncation suits the noise at the distance of what `frame` shows."""
    growth = disparity_growth(frame.intrinsics, noise)
    seen = frame.depth[frame.depth > 0.0] if frame.depth is not None else np.zeros(0)
    middle = float(np.median(seen)) if len(seen) else 2.0
    truncation_m = max(5.0 * voxel_m, 4.0 * float(np.hypot(growth * middle**2, noise.floor_m)))
    return RigidVolume(voxel_m, truncation_m, noise, min(10.0, float(np.sqrt(SIGMA_LIMIT_M / growth))))


def disparity_growth(intrinsics: Intrinsics, noise: DepthNoise) -> float:
    """sigma_z / z^2 [1/m]."""
    return max(noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m), 1e-5)


def surface_of(volume: RigidVolume, fused_count: int) -> tuple[Mesh, NDArray[np.uint8] | None]:
    """The surface that enough observations stand behind, without crumbs."""
    found = volume.mesh(min(1.0, 0.1 * fused_count))
    vertices, faces = found.surface.mesh
    if not len(faces):
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)), None
    component = face_components(faces, len(vertices))
    faces = faces[np.bincount(component)[component] >= LEAST_TRIANGLES]
    used, renumbered = np.unique(faces, return_inverse=True)
    faces = renumbered.reshape(-1, 3).astype(np.int32)
    return Mesh(vertices[used], faces), None if found.colors is None else found.colors[used]
