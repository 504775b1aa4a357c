"""The picture: time of every pass of each tier at 540x960, dressed; and of the interface and the looking glass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from game.appearance import paint_body
from game.assets import load_body_model
from game.fabrics import load_fabric
from game.materials import Print
from game.view.context import Context
from game.view.display import Display
from game.view.figures import outer_faces
from game.view.interface.canvas import Layer, Plate, Rect, Text
from game.view.interface.style import BODY, INK, PANEL
from game.view.quality import TIERS
from game.view.stage import Stage
from solver.ambient import ambient_visibility
from solver.body import RestBody, canonical_pose, joint_transforms, shape_body, skin
from solver.cloth.dressing import Garment, dress
from solver.measures import measure_body
from solver.pattern.tshirt import draft_tshirt
from solver.types import Frame, Intrinsics

SIZE = (540, 960)
FRAMES = {"software": 20, "integrated": 6, "fine": 4}


def run(json: bool) -> dict:
    """Times frames with passes taken away one after the other; prints a table unless `json`."""
    context = Context()
    rest, vertices = _body()
    garment = _shirt(vertices)
    result: dict[str, Any] = {"renderer": context.renderer, "size": list(SIZE)}
    for name in TIERS:
        result[name] = _time_tier(context, name, rest, vertices, garment)
    result["scanned"] = _time_scanned(context, rest, vertices)
    result["mirror"] = _time_glass(context, vertices, garment)
    faces = load_body_model().faces
    result["ambient_visibility_ms"] = _least_ms(lambda: ambient_visibility(vertices, faces), 3)
    if not json:
        print(
            f"{context.renderer}, {SIZE[0]}x{SIZE[1]}, processor time of all cores, ms (with a graphics card only the"
        )
        print("wall clock counts)")
        for name in (*TIERS, "scanned", "mirror"):
            for stage, milliseconds in result[name].items():
                print(f"  {name:10s} {stage:34s} {milliseconds:7.1f}")
        print(f"  ambient visibility of a body                  {result['ambient_visibility_ms']:7.1f}")
    return result


def _time_tier(context: Context, name: str, rest: RestBody, vertices: np.ndarray, garment: Garment) -> dict[str, float]:
    """Each pass costs what the frame is cheaper by without it: the wall clock would feel what else the machine does."""
    display = Display(SIZE, headless=True, quality=name, context=context)
    stage, frames = display.stage, FRAMES[name]
    number = _dress_stage(stage, rest, vertices, garment)
    display.show_stage(mirrored=True)
    _fill_canvas(display)
    particles = np.ascontiguousarray(garment.simulation.positions, np.float32)

    def update() -> None:
        stage.update_body(vertices)
        stage.update_garment(number, particles)

    times = {
        "update of body and shirt": _processor_ms(update, frames),
        "skin under cloth, now and then": _processor_ms(stage.tuck_in, 4),
        "whole frame, wall clock": _least_ms(lambda: display.draw(read=True), frames),
    }
    times["whole frame, read back"] = _processor_ms(lambda: display.draw(read=True), frames)
    times["interface, where all of it changes"] = _processor_ms(lambda: _redraw_interface(display), frames)
    total = times["whole frame"] = _processor_ms(display.draw, frames)
    times["interface, where all of it changes"] -= total
    floor = stage.studio.floor
    passes: tuple[tuple[str, Callable[[], object]], ...] = (
        ("interface", lambda: _hide_interface(display)),
        ("finish", lambda: display._output.set_active(False)),
        ("key's shadow map, floor's light", lambda: _cast_no_more(stage)),
        ("reflection", lambda: stage.root.find("mirrored").hide()),
        ("floor around the person", lambda: floor.hide()),
        ("shirt", lambda: stage.root.find("**/cloth").hide()),
        ("body", lambda: stage.root.find("people").hide()),
    )
    for label, take_away in passes:
        take_away()
        less = _processor_ms(display.draw, frames)
        times[label] = total - less
        total = less
    times["backdrop"] = total
    display.close()
    return times


def _time_scanned(context: Context, rest: RestBody, vertices: np.ndarray) -> dict[str, float]:
    """A body in colours that a camera saw, undressed, in the software tier: by vertices and with an atlas, in turn."""
    model = load_body_model()
    rng = np.random.default_rng(0)
    colors = rng.integers(60, 200, (model.vertex_count, 3), np.uint8)
    atlas = rng.integers(60, 200, (1024, 1024, 3), np.uint8)
    displays = {}
    for name, picture in (("colours of vertices", None), ("atlas", atlas)):
        display = Display(SIZE, headless=True, quality="software", context=context)
        display.stage.set_body(model.faces, rest.vertices, paint_body(model, rest, scanned=colors, atlas=picture))
        display.stage.update_body(vertices)
        display.stage.camera.frame_body(vertices)
        display.show_stage(mirrored=True)
        displays[name] = display
    times = dict.fromkeys(displays, np.inf)
    for _ in range(3):
        for name, display in displays.items():

            def move(display: Display = display) -> None:
                display.stage.update_body(vertices)
                display.draw()

            times[name] = min(times[name], _processor_ms(move, FRAMES["software"]))
    for display in displays.values():
        display.close()
    return {f"whole frame, {name}": value for name, value in times.items()}


def _time_glass(context: Context, vertices: np.ndarray, garment: Garment) -> dict[str, float]:
    """The live picture with a shirt over it, in the tier for this driver."""
    display = Display(SIZE, headless=True, context=context)
    glass, mesh = display.glass, garment.mesh
    glass.set_body(outer_faces(), vertices)
    number = glass.add_garment(mesh.triangles, mesh.uv.astype(np.float32), "jersey", _plain(), mesh.faces)
    particles = np.ascontiguousarray(garment.simulation.positions, np.float32)
    T_wc = np.array([[1.0, 0, 0, 0], [0, 0, 1, -2.2], [0, -1, 0, 1.0], [0, 0, 0, 1]])
    intrinsics = Intrinsics(480, 848, 425.0, 425.0, 239.5, 423.5)
    rng = np.random.default_rng(0)
    color = rng.integers(0, 255, (848, 480, 3), np.uint8)
    depth = np.full((848, 480), 2.3, np.float32)
    frames = [Frame(i, i / 15, intrinsics, color, depth) for i in range(2)]
    turn = [0]

    def see() -> None:
        turn[0] += 1
        glass.show_frame(frames[turn[0] % 2], T_wc)
        glass.light_like_room(None, np.zeros(2))

    def move() -> None:
        glass.hide_behind(vertices)
        glass.update_garment(number, particles)

    see()
    move()
    display.show_glass()
    times = {
        "new camera picture": _processor_ms(see, 10),
        "update of body and shirt": _processor_ms(move, 10),
        "whole frame": _processor_ms(display.draw, 10),
    }
    display.close()
    return times


def _fill_canvas(display: Display) -> None:
    """About as much interface as the mirror's screen has."""
    layer, width, height = Layer(display.canvas), display.canvas.width, display.canvas.height
    Plate(layer, Rect(28, height - 258, width - 56, 158), PANEL, 28).set_shadow(14, 0.1)
    for i in range(14):
        rect = Rect(28 + (i % 4) * 122, height - 370 + (i // 4) * 90, 112, 76)
        Plate(layer, rect, PANEL, 18)
        Text(layer, "Words", BODY, INK, rect.middle, "center")


def _redraw_interface(display: Display) -> None:
    display.canvas.touch()
    display.draw()


def _hide_interface(display: Display) -> None:
    display.canvas.root.hide()
    display.canvas.touch()


def _cast_no_more(stage: Stage) -> None:
    stage.quality = stage.quality._replace(shadow_every=10**9)
    stage._pictures = 1


def _dress_stage(stage: Stage, rest: RestBody, vertices: np.ndarray, garment: Garment) -> int:
    model, mesh = load_body_model(), garment.mesh
    particles = np.ascontiguousarray(garment.simulation.positions, np.float32)
    stage.set_body(model.faces, rest.vertices, paint_body(model, rest))
    stage.update_body(vertices)
    number = stage.add_garment(mesh.triangles, mesh.uv.astype(np.float32), "jersey", _plain(), mesh.faces, particles)
    stage.update_garment(number, particles)
    stage.tuck_in()
    stage.camera.frame_body(vertices)
    return number


def _plain() -> Print:

    return Print()


def _body() -> tuple[RestBody, np.ndarray]:
    model = load_body_model()
    rest = shape_body(model, np.zeros(1))
    vertices = skin(model, rest.vertices, joint_transforms(model, rest.joints, canonical_pose(model, rest.joints)))
    vertices[:, 2] -= vertices[:, 2].min()
    return rest, vertices


def _shirt(vertices: np.ndarray) -> Garment:
    model = load_body_model()
    measures = {key: measure.value_mm for key, measure in measure_body(model, vertices).items()}
    return dress(draft_tshirt(measures), model, vertices, load_fabric("jersey"))


def _processor_ms(action: Callable[[], object], repeats: int) -> float:
    """Processor time of the whole process, all threads: the least of three means, for a busy machine's caches."""
    action()
    means = []
    for _ in range(3):
        start = time.process_time()
        for _ in range(repeats):
            action()
        means.append(1e3 * (time.process_time() - start) / repeats)
    return min(means)


def _least_ms(action: Callable[[], object], repeats: int) -> float:
    """The least of `repeats`: what else the machine does only ever adds."""
    action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)
