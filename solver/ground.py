"""Where the floor is: its plane from one depth image, and whether the camera has been knocked since.

A plane that the camera sees is linear in inverse depth: with ray = ((u - cx) / fx, (v - cy) / fy, 1) and the plane
n . p + h = 0 (n up, h the camera's height), 1 / z = m . ray with m = -n / h. Stereo noise is even in inverse depth,
so a plain least-squares fit of m is unbiased where a fit of points is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.errors import InputError
from solver.types import DepthNoise, Ground, Intrinsics, Observation, read_only

BLOCK = 4
"""Pixels are averaged in squares of this side before anything else looks at them."""
MAX_PITCH = np.deg2rad(35.0)
MAX_ROLL = np.deg2rad(12.0)
MAX_GRAVITY_ERROR = np.deg2rad(8.0)
MIN_HEIGHT_M = 0.25
MAX_HEIGHT_M = 3.5
MIN_AREA_M2 = 0.2
MIN_SHARE = 0.01
HYPOTHESES = 400
GUESS_RMS_M = 0.05
MEAN_HIP_HEIGHT_M = 0.963
MEAN_SHOULDER_HEIGHT_M = 1.463
"""Joints of the mean adult, standing (the body model's template)."""
JOINT_DEPTH_M = 0.1


class NoFloorError(InputError):
    """No floor is in view."""


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Block averages of a depth image, as vectors over the valid blocks."""

    rays: NDArray[np.float64]
    inverse_depth: NDArray[np.float64]
    sigma: NDArray[np.float64]
    """Standard deviation of the inverse depth [1/m]."""
    planes: NDArray[np.float64]
    """m of the plane through each block and its neighbours, (N, 3); NaN where they do not make one."""
    count: int
    """Blocks in the image, valid or not."""
    solid_angle: float
    """Of one block, at the image's middle [sr]."""


def inverse_depth_sigma(depth: NDArray, intrinsics: Intrinsics, noise: DepthNoise) -> NDArray[np.float64]:
    """Standard deviation of 1 / z [1/m] at `depth` [m]: disparity noise, and the floor of the depth noise."""
    disparity = noise.disparity_sigma_px / (intrinsics.fx * noise.baseline_m)
    return np.sqrt(disparity**2 + np.square(noise.floor_m / np.square(depth)))


def _average_blocks(depth: NDArray, intrinsics: Intrinsics, noise: DepthNoise) -> _Blocks:
    height, width = (side - side % BLOCK for side in depth.shape)
    tiles = depth[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).astype(np.float64)
    valid = tiles > 0.1
    inverse = np.where(valid, 1.0 / np.where(valid, tiles, 1.0), 0.0)
    counts = valid.sum((1, 3))
    mean = inverse.sum((1, 3)) / np.maximum(counts, 1)
    spread = np.where(valid, np.abs(inverse - mean[:, None, :, None]), 0.0).max((1, 3))
    # Neighbouring pixels of a stereo camera share their matching window, so the average gains less than its count.
    single = inverse_depth_sigma(1.0 / np.maximum(mean, 1e-3), intrinsics, noise)
    good = (counts >= BLOCK * BLOCK // 2) & (spread < 5.0 * single + 0.02 * mean + 0.02)
    y, x = np.meshgrid(
        (np.arange(height // BLOCK) * BLOCK + (BLOCK - 1) / 2 - intrinsics.cy) / intrinsics.fy,
        (np.arange(width // BLOCK) * BLOCK + (BLOCK - 1) / 2 - intrinsics.cx) / intrinsics.fx,
        indexing="ij",
    )
    planes = _local_planes(mean, good, x, y)
    rays = np.stack([x, y, np.ones_like(x)], -1)
    return _Blocks(
        rays[good],
        mean[good],
        0.5 * single[good],
        planes[good],
        counts.size,
        BLOCK**2 / (intrinsics.fx * intrinsics.fy),
    )


def _local_planes(inverse: NDArray, good: NDArray, x: NDArray, y: NDArray, reach: int = 3) -> NDArray[np.float64]:
    """Gradients of inverse depth over +- `reach` blocks, as plane parameters m, (H, W, 3)."""
    planes = np.full((*inverse.shape, 3), np.nan)
    core = (slice(reach, -reach), slice(reach, -reach))

    def shifted(image: NDArray, down: int, right: int) -> NDArray:
        rows, columns = image.shape
        return image[reach + down : rows - reach + down, reach + right : columns - reach + right]

    ends = [(0, -reach), (0, reach), (-reach, 0), (reach, 0)]
    whole = good[core] & np.logical_and.reduce([shifted(good, *end) for end in ends])
    left, right, above, below = (shifted(inverse, *end) for end in ends)
    across = (right - left) / (2 * reach * (x[0, 1] - x[0, 0]))
    down = (below - above) / (2 * reach * (y[1, 0] - y[0, 0]))
    middle = inverse[core] - across * x[core] - down * y[core]
    planes[core] = np.where(whole[..., None], np.stack([across, down, middle], -1), np.nan)
    return planes


def _upright_enough(up: NDArray, gravity: NDArray | None) -> NDArray[np.bool_]:
    """Whether plane normals `up` (N, 3), frame c, may be a floor's."""
    if gravity is not None:
        return up @ -gravity > np.cos(MAX_GRAVITY_ERROR)
    pitch = np.arctan2(-up[:, 2], -up[:, 1])
    roll = np.arcsin(np.clip(up[:, 0], -1.0, 1.0))
    return (np.abs(pitch) < MAX_PITCH) & (np.abs(roll) < MAX_ROLL)


def estimate_ground(
    depth: NDArray[np.float32], intrinsics: Intrinsics, noise: DepthNoise, gravity: NDArray | None = None, seed: int = 0
) -> Ground:
    """The floor in a depth image [m] (H, W) of a camera that is the right way up.

    `gravity` is the unit vector of its pull in frame c where the camera measures it; without it, the camera may be
    pitched by up to 35 and rolled by up to 12 degrees. The floor is the large plane of that slope with the least below
    it: walls fail by their slope, tables and seats by what lies under them. Raises `NoFloorError` when there is none.
    """
    blocks = _average_blocks(depth, intrinsics, noise)
    cure = "tilt the camera down or step back until the floor before the person is in view"
    if len(blocks.rays) < 200:
        raise NoFloorError(f"the depth image is almost empty, so no floor is in view: {cure}")
    gravity = None if gravity is None else np.asarray(gravity, np.float64) / np.linalg.norm(gravity)

    lengths = np.linalg.norm(blocks.planes, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        local_up = -blocks.planes / lengths[:, None]
    # One block's slope is noisy: let candidates lean a good deal more than the floor may.
    nominal = -gravity if gravity is not None else np.array([0.0, -1.0, 0.0])
    loose = np.cos(np.deg2rad(35.0) if gravity is not None else MAX_PITCH + np.deg2rad(20.0))
    candidates = np.flatnonzero(np.nan_to_num(local_up @ nominal, nan=-1.0) > loose)
    if len(candidates) < 50:
        raise NoFloorError(f"no floor is in view: {cure}")

    rng = np.random.default_rng(seed)
    triples = candidates[rng.integers(len(candidates), size=(HYPOTHESES, 3))]
    systems = blocks.rays[triples]
    solvable = np.abs(np.linalg.det(systems)) > 1e-4
    hypotheses = np.linalg.solve(systems[solvable], blocks.inverse_depth[triples[solvable]][..., None])[..., 0]
    hypotheses = np.concatenate([hypotheses, blocks.planes[rng.choice(candidates, HYPOTHESES // 2)]])
    hypotheses = hypotheses[_plausible(hypotheses, gravity)]
    if len(hypotheses) == 0:
        raise NoFloorError(f"no floor is in view: {cure}")

    thinned = rng.choice(len(blocks.rays), min(6000, len(blocks.rays)), replace=False)
    scores = [_score(plane, blocks, thinned, local_up) for plane in hypotheses]
    for plane in hypotheses[np.argsort(scores)[::-1][:3]]:
        ground = _refined(plane, blocks, local_up, gravity)
        if ground is not None:
            return ground
    raise NoFloorError(f"no floor is in view, or too little of it: {cure}")


def _plausible(planes: NDArray, gravity: NDArray | None) -> NDArray[np.bool_]:
    length = np.maximum(np.linalg.norm(planes, axis=1), 1e-9)
    height = 1.0 / length
    return _upright_enough(-planes / length[:, None], gravity) & (height > MIN_HEIGHT_M) & (height < MAX_HEIGHT_M)


def _tolerance(blocks: _Blocks, plane: NDArray) -> NDArray[np.float64]:
    """How far a floor block's inverse depth may be off the plane: three sigma, and 12 mm of unevenness or calibration
    (a point d above a floor h below the camera has an inverse depth that is larger by the share d / h)."""
    return 3.0 * blocks.sigma + 0.012 * np.linalg.norm(plane) * blocks.inverse_depth


def _score(plane: NDArray, blocks: _Blocks, chosen: NDArray, local_up: NDArray) -> float:
    """Blocks on the plane that also lie along it, less those below it."""
    up = -plane / np.linalg.norm(plane)
    off = blocks.inverse_depth[chosen] - blocks.rays[chosen] @ plane
    tolerance = _tolerance(blocks, plane)[chosen]
    along = np.nan_to_num(local_up[chosen] @ up, nan=-1.0) > np.cos(np.deg2rad(40.0))
    return float(np.sum((np.abs(off) < tolerance) & along) - np.sum(off < -3.0 * tolerance))


def _refined(plane: NDArray, blocks: _Blocks, local_up: NDArray, gravity: NDArray | None) -> Ground | None:
    along = np.nan_to_num(local_up @ (-plane / np.linalg.norm(plane)), nan=-1.0) > np.cos(np.deg2rad(40.0))
    rays, inverse = blocks.rays, blocks.inverse_depth
    for _ in range(8):
        off = inverse - rays @ plane
        x = off / _tolerance(blocks, plane)
        weights = np.square(np.maximum(0.0, 1.0 - x * x)) * along / np.square(blocks.sigma)
        if np.count_nonzero(weights) < 30:
            return None
        weighted = rays * weights[:, None]
        plane = np.linalg.solve(weighted.T @ rays, weighted.T @ inverse)
    if not _plausible(plane[None], gravity)[0]:
        return None
    off = inverse - rays @ plane
    on_floor = (np.abs(off) < _tolerance(blocks, plane)) & along
    length = float(np.linalg.norm(plane))
    up, height = -plane / length, 1.0 / length
    points = rays[on_floor] / inverse[on_floor, None]
    T_wc = levelled_pose(up, height)
    flat = points @ T_wc[:2, :3].T
    # Pixels seen at a grazing angle stand for more floor than they measure: cap them at 1 : 10.
    slope = np.abs(rays[on_floor] @ up) / np.linalg.norm(rays[on_floor], axis=1)
    area = np.sum(blocks.solid_angle / np.square(inverse[on_floor]) / np.maximum(slope, 0.1))
    below_horizon = rays @ up < -1e-3
    if (
        len(points) < MIN_SHARE * blocks.count
        or area < MIN_AREA_M2
        or min(np.linalg.eigvalsh(np.cov(flat.T))) < 0.06**2
    ):
        return None
    rms = float(np.sqrt(np.mean(np.square(points @ up + height))))
    return Ground(read_only(T_wc), rms, float(on_floor.sum() / max(1, below_horizon.sum())))


def levelled_pose(up: NDArray, height_m: float) -> NDArray[np.float64]:
    """`T_wc` (4, 4) of a camera `height_m` above the floor whose frame sees `up` (3,); its x axis stays, levelled."""
    z = np.asarray(up, np.float64) / np.linalg.norm(up)
    x = np.array([1.0, 0.0, 0.0]) - z[0] * z
    x /= np.linalg.norm(x)
    T_wc = np.eye(4)
    T_wc[:3, :3] = np.stack([x, np.cross(z, x), z])
    T_wc[2, 3] = height_m
    return T_wc


def assume_upright(observation: Observation, gravity: NDArray | None = None) -> Ground:
    """A guess for where no floor is in view: the camera is level (or as `gravity` says) and the person stands upright.

    The floor is put where it would be under an adult of that trunk length: heights measured from it are guesses, which
    `inlier_fraction` = 0 says. Raises `NoFloorError` when no shoulders and hips with depth are seen either.
    """
    frame = observation.frame
    if gravity is None:
        gravity = frame.gravity
    up = np.array([0.0, -1.0, 0.0]) if gravity is None else -np.asarray(gravity, np.float64) / np.linalg.norm(gravity)
    if observation.landmarks is None or frame.depth is None:
        raise NoFloorError("neither a floor nor a person is in view: stand before the camera")
    heights = []
    for pair in ((11, 12), (23, 24)):
        points = [point_at(frame.depth, frame.intrinsics, observation.landmarks.image[i]) for i in pair]
        # What is seen is the skin; the joint lies behind it on the same ray.
        inside = [p @ up * (1.0 + JOINT_DEPTH_M / np.linalg.norm(p)) for p in points if p is not None]
        heights.append(float(np.mean(inside)) if inside else None)
    shoulder, hip = heights
    if shoulder is None:
        raise NoFloorError("no floor is in view and the person's shoulders are not seen: step back")
    if hip is None:
        hip = shoulder - (MEAN_SHOULDER_HEIGHT_M - MEAN_HIP_HEIGHT_M)
    # A long trunk goes with long legs, but only so far (their correlation is about one half).
    stature = 1.0 + 0.5 * ((shoulder - hip) / (MEAN_SHOULDER_HEIGHT_M - MEAN_HIP_HEIGHT_M) - 1.0)
    height = MEAN_HIP_HEIGHT_M * float(np.clip(stature, 0.9, 1.1)) - hip
    return Ground(read_only(levelled_pose(up, height)), GUESS_RMS_M, 0.0)


def point_at(depth: NDArray, intrinsics: Intrinsics, pixel: NDArray, reach: int = 3) -> NDArray[np.float64] | None:
    """The surface point [m] (3,), frame c, around `pixel` (2,): the median depth within `reach`; None without depth."""
    u, v = (round(float(x)) for x in pixel)
    if not (0 <= u < depth.shape[1] and 0 <= v < depth.shape[0]):
        return None
    window = depth[max(0, v - reach) : v + reach + 1, max(0, u - reach) : u + reach + 1]
    window = window[window > 0.0]
    if len(window) < 3:
        return None
    z = float(np.median(window))
    return np.array([(pixel[0] - intrinsics.cx) / intrinsics.fx * z, (pixel[1] - intrinsics.cy) / intrinsics.fy * z, z])


@dataclass(frozen=True, slots=True)
class GroundCheck:
    """How the floor of one frame compares with the floor of the start."""

    moved: bool
    """The camera was knocked: estimate the ground again."""
    tilt_rad: float
    """Angle between the floor then and now."""
    height_m: float
    """Change of the camera's height."""
    share: float
    """Floor samples seen now, 0 to 1; the rest are hidden or have no depth."""


class GroundMonitor:
    """A cheap check, every frame, that the floor is still where it was: 600 pixels, a 3 x 3 fit."""

    def __init__(
        self,
        ground: Ground,
        depth: NDArray[np.float32],
        intrinsics: Intrinsics,
        noise: DepthNoise,
        *,
        max_tilt: float = np.deg2rad(1.0),
        max_height_m: float = 0.02,
        patience: int = 5,
    ):
        """`depth` is the image the ground was estimated from. The camera has moved when `patience` frames in a row say
        so by more than `max_tilt` [rad] or `max_height_m`."""
        up, height = ground.T_wc[2, :3], float(ground.T_wc[2, 3])
        self._plane = -up / height
        v, u = np.meshgrid(np.arange(0, depth.shape[0], 3), np.arange(0, depth.shape[1], 3), indexing="ij")
        u, v = u.ravel(), v.ravel()
        rays = np.stack([(u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy, np.ones(len(u))], 1)
        predicted = rays @ self._plane
        z = depth[v, u]
        near = (predicted > 1.0 / 8.0) & (z > 0.0)
        sigma = inverse_depth_sigma(1.0 / np.maximum(predicted, 1e-3), intrinsics, noise)
        off = np.abs(1.0 / np.maximum(z, 0.1) - predicted)
        on_floor = np.flatnonzero(near & (off < 3.0 * sigma + 0.02 * predicted))
        keep = on_floor[:: max(1, len(on_floor) // 600)]
        self._u, self._v, self._rays = u[keep], v[keep], rays[keep]
        self._predicted, self._sigma = predicted[keep], sigma[keep]
        self._limits = (max_tilt, max_height_m, patience)
        self._suspicions = 0

    def check(self, depth: NDArray[np.float32]) -> GroundCheck:
        """Compare the floor in `depth` [m] (H, W) with that of the start."""
        max_tilt, max_height, patience = self._limits
        if len(self._u) < 50:
            return GroundCheck(False, 0.0, 0.0, 0.0)
        z = depth[self._v, self._u].astype(np.float64)
        inverse = 1.0 / np.maximum(z, 0.1)
        # Feet and legs stand on the floor: what is more than 15 cm (at the camera's height) nearer is not floor.
        off = inverse - self._predicted
        usable = (z > 0.0) & (np.abs(off) < 0.15 * np.linalg.norm(self._plane) * self._predicted + 4.0 * self._sigma)
        share = float(usable.mean())
        if usable.sum() < 40:
            # A camera that was turned away sees none of its floor; one that is covered sees nothing at all.
            self._suspicions += bool((z > 0.0).mean() > 0.3)
            return GroundCheck(self._suspicions >= 3 * patience, 0.0, 0.0, share)
        plane = self._plane
        rays, inverse, sigma = self._rays[usable], inverse[usable], self._sigma[usable]
        for _ in range(4):
            x = (inverse - rays @ plane) / (4.0 * sigma)
            weights = 1.0 / np.square(1.0 + x * x) / np.square(sigma)
            weighted = rays * weights[:, None]
            plane = np.linalg.solve(weighted.T @ rays + 1e-9 * np.eye(3), weighted.T @ inverse)
        then, now = np.linalg.norm(self._plane), np.linalg.norm(plane)
        tilt = float(np.arccos(np.clip(self._plane @ plane / (then * now), -1.0, 1.0)))
        height = float(1.0 / now - 1.0 / then)
        # A small patch of floor cannot tell a tilt from noise: allow three of its standard errors.
        error = 3.0 * np.sqrt(np.diagonal(np.linalg.inv(weighted.T @ rays)).max()) / now
        away = tilt > max_tilt + error or abs(height) > max_height + error / now
        self._suspicions = self._suspicions + 1 if away else 0
        return GroundCheck(self._suspicions >= patience, tilt, height, share)
