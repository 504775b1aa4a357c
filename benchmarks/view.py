"""The picture: time of every pass at 540x960, live and fine."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from game.appearance import paint_body
from game.assets import load_body_model
from game.view.context import Context
from game.view.quality import FINE, SOFTWARE, Quality
from game.view.stage import Stage
from solver.ambient import ambient_visibility
from solver.body import canonical_pose, joint_transforms, shape_body, skin

SIZE = (540, 960)
FRAMES = {"live": 40, "fine": 6}


def run(json: bool) -> dict:
    """Times frames with passes taken away one after the other; prints a table unless `json`."""
    context = Context()
    result: dict[str, object] = {"renderer": context.renderer, "size": list(SIZE)}
    for name, quality in (("live", SOFTWARE), ("fine", FINE)):
        result[name] = _time_quality(context, quality, FRAMES[name])
    result["ambient_visibility_ms"] = _least_ms(_ambient(), 3)
    if not json:
        print(f"{context.renderer}, {SIZE[0]}x{SIZE[1]}, ms; passes in processor time of all cores")
        for name in FRAMES:
            for stage, milliseconds in result[name].items():  # type: ignore[union-attr]
                print(f"  {name:5s} {stage:28s} {milliseconds:7.1f}")
        print(f"  ambient visibility of a body       {result['ambient_visibility_ms']:7.1f}")
    return result


def _time_quality(context: Context, quality: Quality, frames: int) -> dict[str, float]:
    model = load_body_model()
    body = shape_body(model, np.zeros(1))
    vertices = _posed()
    stage = Stage(SIZE, quality, context)
    stage.set_body(model.faces, body.vertices, paint_body(model, body))
    stage.update_body(vertices)
    stage.place_studio((vertices[:, :2].min(0) + vertices[:, :2].max(0)) / 2)
    stage.camera.frame_body(vertices)
    times = {
        "update of the body": _least_ms(lambda: stage.update_body(vertices), frames),
        "frame, wall clock": _least_ms(stage.render, frames),
    }
    total = times["frame, all cores"] = _processor_ms(stage.render, frames)
    # Each pass costs what the frame is cheaper by without it, in processor time of all cores together: unlike the wall
    # clock that hardly feels what else the machine does. With a GPU only the wall clock counts.
    passes: tuple[tuple[str, Callable[[], object]], ...] = (
        ("reflection", lambda: stage.root.find("mirrored").hide()),
        ("key's shadow map", lambda: stage.lights.buffer.set_active(False)),
        ("floor around the person", lambda: stage.studio.node.find("floor").hide()),
        ("paper", lambda: stage.studio.node.find("paper").hide()),
        ("body", lambda: stage.root.find("people").hide()),
    )
    for name, take_away in passes:
        take_away()
        less = _processor_ms(stage.render, frames)
        times[name] = total - less
        total = less
    times["finish, read-back, contact"] = total
    stage.close()
    return times


def _posed() -> np.ndarray:
    model = load_body_model()
    body = shape_body(model, np.zeros(1))
    vertices = skin(model, body.vertices, joint_transforms(model, body.joints, canonical_pose(model, body.joints)))
    vertices[:, 2] -= vertices[:, 2].min()
    return vertices


def _ambient() -> Callable[[], object]:
    vertices, faces = _posed(), load_body_model().faces
    return lambda: ambient_visibility(vertices, faces)


def _processor_ms(action: Callable[[], object], repeats: int) -> float:
    """Mean processor time of the whole process."""
    action()
    start = time.process_time()
    for _ in range(repeats):
        action()
    return 1e3 * (time.process_time() - start) / repeats


def _least_ms(action: Callable[[], object], repeats: int) -> float:
    """The least of `repeats`: what else the machine does only ever adds."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)
