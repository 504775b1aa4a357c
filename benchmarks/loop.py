"""Time of every stage of one frame, alone on the machine: p50 and p99, after warming up."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from capture.landmarks import PoseLandmarker
from capture.simulated.source import SimulatedSource
from game.appearance import paint_body
from game.assets import POSE_LANDMARKER, load_body_model
from game.avatar import Avatar
from game.console import Progress
from game.fabrics import load_fabric
from game.view.graphics import OffscreenGraphics
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.cloth.dressing import dress
from solver.fusion import CanonicalVolume
from solver.ground import estimate_ground
from solver.measures import measure_body
from solver.pattern.tshirt import draft_tshirt
from solver.pose_motion import Stance
from solver.tracking import BodyTracker

SPEC = "sim:seed=150,fps=15,visit=scan"
WARM_UP = 10
SIZE = (540, 960)


def run(json: bool) -> dict[str, Any]:
    """Follows a simulated shopper with everything on and prints a table of milliseconds."""
    model = load_body_model()
    source = SimulatedSource.from_spec(SPEC, model)
    info = source.info
    assert info.noise is not None
    assert info.frame_count is not None
    body = shape_body(model, np.zeros(model.shape_count))
    pose = canonical_pose(model, body.joints)
    vertices = skin(model, body.vertices, joint_transforms(model, body.joints, pose))
    lift = -float(vertices[:, 2].min())
    vertices[:, 2] += lift
    measures = {k: m.value_mm for k, m in measure_body(model, vertices, sample_count=1).items()}
    garment = dress(draft_tshirt(measures), model, vertices, load_fabric("jersey"))
    avatar = Avatar(model, body, garment, lift)
    volume = CanonicalVolume(model, body)
    stage = OffscreenGraphics().open_stage(SIZE)
    stage.set_body(model.faces, body.vertices, paint_body(model, body))
    mesh = garment.mesh
    shirt = stage.add_garment(mesh.triangles, mesh.uv, "jersey", None, mesh.faces)
    stage.look_at_body(vertices)

    times: dict[str, list[float]] = {}

    def timed(name: str, begin: float) -> float:
        now = time.perf_counter()
        times.setdefault(name, []).append(1e3 * (now - begin))
        return now

    tracker = BodyTracker(model, info.intrinsics, info.noise)
    ground = None
    with PoseLandmarker(POSE_LANDMARKER) as landmarker, Progress("loop") as progress:
        for number in range(info.frame_count):
            at = time.perf_counter()
            frame = source.read()
            at = timed("simulated camera", at)
            observation = landmarker.observe(frame)
            at = timed("landmarks", at)
            assert frame.depth is not None
            if ground is None:
                ground = estimate_ground(frame.depth, frame.intrinsics, info.noise, frame.gravity)
                state = tracker.start(observation, ground)
                avatar.move_to(Stance(state.pose, state.T_wb), 1.0)
                continue
            state = tracker.track(observation)
            at = timed("tracking", at)
            transforms = joint_transforms(model, body.joints, state.pose, state.T_wb)
            volume.integrate(frame.depth, frame.intrinsics, np.linalg.inv(ground.T_wc), transforms, info.noise, None)
            at = timed("fusion (5 mm)", at)
            for _ in range(round(60 / info.frame_rate)):
                at = time.perf_counter()
                avatar.move_to(Stance(state.pose, state.T_wb), 1 / 60)
                at = timed("cloth (a 1/60 s step)", at)
            stage.update_body(avatar.vertices)
            stage.update_garment(shirt, avatar.garment_vertices)
            stage.tuck_in()
            at = timed("upload", at)
            stage.render()
            timed(f"picture {SIZE[0]}x{SIZE[1]}", at)
            progress((number + 1) / info.frame_count)
    stage.close()
    table = {
        name: {"p50_ms": float(np.median(kept)), "p99_ms": float(np.percentile(kept, 99)), "count": len(kept)}
        for name, values in times.items()
        for kept in [values[WARM_UP:]]
    }
    result = {"stages": table, "particles": mesh.particle_count, "picture": stage.context.renderer, "source": SPEC}
    if not json:
        print(f"{'stage':24s} {'p50':>8s} {'p99':>8s}   [ms]")
        for name, row in table.items():
            print(f"{name:24s} {row['p50_ms']:8.1f} {row['p99_ms']:8.1f}")
        print(f"shirt of {mesh.particle_count} particles")
    return result
