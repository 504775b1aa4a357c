"""What a frame of cloth costs and how much it stretches meanwhile, beside plain projective dynamics.

python -m benchmarks.cloth
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import splu

from capture.simulated.source import SimulatedSource
from game.assets import load_body_model
from game.fabrics import load_fabric
from game.live.messages import Order, Sewn, Shown, Tracked
from game.live.stages.cloth import Beat, ClothStage
from game.protocol.snapshot import CameraMoment, Shopper, Worn
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.cloth.dressing import Garment, dress
from solver.cloth.fabric import Fabric
from solver.cloth.sewing import SewnMesh, sew
from solver.cloth.simulation import ClothSimulation, SolverSettings
from solver.measures import measure_body
from solver.pattern.panel import Panel, Pattern, line
from solver.pattern.triangulate import triangulate
from solver.pattern.tshirt import draft_tshirt
from solver.types import BodyState, Frame

FRAME_S = 1.0 / 60.0
VISIT = "sim:seed=150,fps=24,seconds=8"
"""Who stands before the mirror of the live stage."""
TRACKING_S = 0.08
"""From a picture to the pose that is tracked in it."""
JITTER_RAD = 0.008
"""Of tracked joints."""
COTTON = Fabric(
    "cotton", mass=0.15, weft=5e3, warp=5e3, shear=5e2, bend=1e-5, thickness=4e-4, friction=0.4, damping=1.0
)


class ProjectiveDynamics:
    """Springs along all sides of the triangles by local and global steps (Bouaziz et al. 2014)."""

    def __init__(self, simulation: ClothSimulation, pinned: NDArray, iterations: int) -> None:
        triangles = simulation.mesh.triangles
        sides = np.unique(np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
        self.sides, self.pinned, self.iterations = sides, pinned, iterations
        self.positions = simulation.positions.astype(np.float64)
        self.velocities = np.zeros_like(self.positions)
        self.rest = np.linalg.norm(self.positions[sides[:, 0]] - self.positions[sides[:, 1]], axis=1)
        weight = np.full(len(sides), COTTON.warp)
        rows = np.arange(len(sides))
        count = len(self.positions)
        one = coo_array((np.ones(len(sides)), (rows, sides[:, 0])), shape=(len(sides), count))
        other = coo_array((np.ones(len(sides)), (rows, sides[:, 1])), shape=(len(sides), count))
        difference = (one - other).tocsr()
        self.spread = (difference.T @ diags_array(weight)).tocsr()
        self.inertia = simulation.masses / FRAME_S**2
        self.inertia[pinned] *= 1e6
        self.factor = splu((diags_array(self.inertia) + self.spread @ difference).tocsc())

    def step(self) -> None:
        """One frame."""
        target = self.positions + FRAME_S * self.velocities + FRAME_S**2 * np.array([0.0, 0.0, -9.81])
        target[self.pinned] = self.positions[self.pinned]
        x = target
        for _ in range(self.iterations):
            way = x[self.sides[:, 0]] - x[self.sides[:, 1]]
            way *= (self.rest / np.linalg.norm(way, axis=1))[:, None]
            x = self.factor.solve(self.inertia[:, None] * target + self.spread @ way)
        self.velocities = 0.98 * (x - self.positions) / FRAME_S
        self.positions = x

    def stretch(self) -> float:
        """Mean change of length of the sides."""
        length = np.linalg.norm(self.positions[self.sides[:, 0]] - self.positions[self.sides[:, 1]], axis=1)
        return float(np.abs(length / self.rest - 1.0).mean())


def hanging_sheet(particle_count: int) -> tuple[SewnMesh, NDArray[np.float64], NDArray[np.intp]]:
    """A level sheet, 0.6 m x 1 m of about `particle_count` particles, and the particles of the edge that holds it."""
    width, height = 0.6, 1.0
    edge_length = float(np.sqrt(width * height / (particle_count * np.sqrt(0.75))))
    corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
    edges = tuple(line(f"side_{i}", corners[i], corners[(i + 1) % 4]) for i in range(4))
    mesh = sew(triangulate(Pattern("sheet", (Panel("sheet", edges),)), edge_length))
    uv = mesh.uv.astype(np.float64)
    positions = np.column_stack([uv, np.zeros(len(uv))])
    return mesh, positions, np.flatnonzero(uv[:, 1] > height - 1e-6)


def worn_shirt(edge_length_m: float) -> Callable[[], Garment]:
    """A T-shirt on the mean body; each call lets the body turn and swing its arms for one more frame."""
    model = load_body_model()
    rest = shape_body(model, np.zeros(1))
    pose = canonical_pose(model, rest.joints)
    vertices = skin(model, rest.vertices, joint_transforms(model, rest.joints, pose))
    measures = {key: measure.value_mm for key, measure in measure_body(model, vertices, sample_count=1).items()}
    garment = dress(draft_tshirt(measures), model, vertices, load_fabric("jersey"), edge_length_m=edge_length_m)
    arms = [model.joint("upperarm_l"), model.joint("upperarm_r")]
    frames = itertools.count()

    def step() -> Garment:
        t = next(frames) / 60.0
        moved, T_wb = pose.copy(), np.eye(4)
        moved[arms] += np.array([0.4, 0.2, 0.0]) * np.sin(3.0 * t)
        T_wb[:2, :2] = [[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]
        body = skin(model, rest.vertices, joint_transforms(model, rest.joints, moved, T_wb))
        garment.follow(body)
        return garment

    return step


class LiveStage:
    """The mirror's cloth stage, driven by what a simulated shopper does before the mirror, tracked with some jitter."""

    def __init__(self, steps_per_s: float) -> None:
        """A stage that is given a step so often; the shopper's time is the machine's whatever the steps cost."""
        model = load_body_model()
        with SimulatedSource.from_spec(VISIT, model) as source:
            span = next(span for span in source.phases if span.name == "mirror")
            rate = source.info.frame_rate
            count = int((span.end - span.begin) * rate)
            moments = [source.truth(int(span.begin * rate) + n) for n in range(count)]
            rest, body = source.person.rest, source.person.canonical_vertices()
        rng = np.random.default_rng(0)
        self._tracked = [
            BodyState(
                number,
                number / rate,
                np.zeros(1),
                moment.pose + rng.normal(0.0, JITTER_RAD, moment.pose.shape),
                moment.T_wb,
                moment.naked,
                0.9,
            )
            for number, moment in enumerate(moments)
        ]
        measures = {key: measure.value_mm for key, measure in measure_body(model, body, sample_count=1).items()}
        self.garment = dress(draft_tshirt(measures), model, body, load_fabric("jersey"))
        self._order = Order()
        self._shopper = cast(Shopper, SimpleNamespace(rest=rest))
        self._stage = ClothStage(model)
        self._period_s, self._rate = 1.0 / steps_per_s, rate
        self._number, self._seen = 0, -1
        sewn = Sewn(self._order, 1, cast(Worn, None), self.garment, False)
        while not (shown := self._step(sewn)) or not shown.dressed.garments:
            sewn = None
        self.step_count = int(count / rate / self._period_s) - self._number

    def step(self) -> None:
        """The next step."""
        self._step(None)

    def _step(self, sewn: Sewn | None) -> Shown | None:
        self._number += 1
        at = self._number * self._period_s
        seen = min(max(int((at - TRACKING_S) * self._rate), 0), len(self._tracked) - 1)
        tracked = None
        if seen != self._seen:
            moment = CameraMoment(cast(Frame, None), None, None, self._tracked[seen])
            tracked = Tracked(self._order, True, moment, None, None, None)
        self._seen = seen
        return self._stage.step(Beat(self._order, self._number, at, self._shopper, tracked, sewn))


def _time(step: Callable[[], object], frames: int) -> dict:
    times, work = [], []
    for _ in range(frames):
        start, worked = time.perf_counter(), time.thread_time()
        step()
        times.append(1000.0 * (time.perf_counter() - start))
        work.append(1000.0 * (time.thread_time() - worked))
    return {
        "best_ms": round(float(np.min(times)), 2),
        "median_ms": round(float(np.median(times)), 2),
        "cpu_ms": round(float(np.mean(work)), 2),
    }


def _side_stretch(simulation: ClothSimulation) -> float:
    """Mean change of length of the triangles' sides: what the reference is measured by."""
    side = simulation.mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    rest = np.linalg.norm(np.diff(simulation.mesh.uv[side].astype(float), axis=1)[:, 0], axis=1)
    now = np.linalg.norm(
        np.diff(simulation.positions[simulation.mesh.particles[side]].astype(float), axis=1)[:, 0], axis=1
    )
    return float(np.abs(now / rest - 1.0).mean())


def run(json: bool = False, counts: tuple[int, ...] = (2000, 6000, 10000, 20000), frames: int = 90) -> dict:
    """A cotton sheet that swings from one edge, a T-shirt worn in motion (with contact), at several resolutions, and
    the mirror's whole cloth stage (posing, contact, cloth, publishing), in time and late.

    Best and median are by the wall clock; `CPU ms` is the mean of the calling thread's own time.
    """
    rows = []
    for count in counts:
        mesh, positions, pinned = hanging_sheet(count)
        for threads in sorted({1, min(2, numba.get_num_threads())}):
            simulation = ClothSimulation(
                mesh, COTTON, positions, pinned=pinned, settings=SolverSettings(threads=threads)
            )
            simulation.step()
            row = {"method": "cheval XPBD", "particles": mesh.particle_count, "threads": threads}
            row |= _time(simulation.step, frames)
            rows.append(row | {"stretch_percent": round(100.0 * _side_stretch(simulation), 2)})
        if count <= 10000:
            for iterations in (2, 10):
                peer = ProjectiveDynamics(ClothSimulation(mesh, COTTON, positions, pinned=pinned), pinned, iterations)
                name = f"projective dynamics x {iterations}, scipy"
                row = {"method": name, "particles": mesh.particle_count, "threads": 1} | _time(peer.step, frames)
                rows.append(row | {"stretch_percent": round(100.0 * peer.stretch(), 2)})
    for edge_length_m in (0.014, 0.012, 0.010):
        step = worn_shirt(edge_length_m)
        simulation = step().simulation
        row = {"method": "T-shirt on a moving body", "particles": simulation.mesh.particle_count, "threads": 1}
        row |= _time(step, frames)
        rows.append(row | {"stretch_percent": round(100.0 * _side_stretch(simulation), 2)})
    for steps_per_s in (60.0, 20.0):
        stage = LiveStage(steps_per_s)
        particles = stage.garment.simulation.mesh.particle_count
        row = {"method": f"live stage, {steps_per_s:g} steps/s", "particles": particles, "threads": 1}
        row |= _time(stage.step, stage.step_count)
        rows.append(row | {"stretch_percent": round(100.0 * _side_stretch(stage.garment.simulation), 2)})
    result = {"frame_ms": 1000.0 * FRAME_S, "rows": rows}
    if not json:
        print(
            f"{'method':32} {'particles':>9} {'threads':>7} {'best ms':>8} {'median ms':>9} {'CPU ms':>7} "
            f"{'stretch %':>9}"
        )
        for r in rows:
            print(
                f"{r['method']:32} {r['particles']:9d} {r['threads']:7d} {r['best_ms']:8.2f} {r['median_ms']:9.2f} "
                f"{r['cpu_ms']:7.2f} {r['stretch_percent']:9.2f}"
            )
    return result


if __name__ == "__main__":
    run()
