"""What the simulated shopper costs: rasterising a body, and making a frame."""

from __future__ import annotations

import json as json_format
import time
from collections.abc import Callable

import numpy as np

from capture.simulated.options import SimulationOptions
from capture.simulated.source import SimulatedSource
from game.assets import load_body_model
from solver.rasterizer import Rasterizer
from solver.types import Intrinsics

REPEATS = 30
PICTURES = {
    "rasterise body 212x120": Intrinsics(212, 120, 106.0, 106.0, 105.5, 59.5),
    "rasterise body 480x848": Intrinsics(480, 848, 425.0, 425.0, 239.5, 423.5),
    "rasterise body 848x480": Intrinsics(848, 480, 425.0, 425.0, 423.5, 239.5),
}


def run(json: bool = False) -> dict:
    """Prints a table, or one JSON object with `json`, and returns {what: {"p50_ms", "p99_ms"}}."""
    model = load_body_model()
    to_camera = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    vertices = ((model.template - [0.0, -2.2, 1.0]) @ to_camera.T).astype(np.float32)
    results = {}
    for name, camera in PICTURES.items():
        rasterizer = Rasterizer(camera)
        results[name] = _time(lambda r=rasterizer: r.render(vertices, model.faces))
    results.update(_peer(vertices, model.faces, PICTURES["rasterise body 212x120"]))

    source = SimulatedSource(model, SimulationOptions(seed=1, visit="scan"))
    picture = source.clean_picture(20)
    results["frame: motion"] = _time(lambda: source._moment(20))
    results["frame: draw and light"] = _time(lambda: source.clean_picture(20))
    results["frame: depth sensor"] = _time(lambda: source._depth_sensor.measure(picture.depth, picture.surface, 20))
    results["frame: colour sensor"] = _time(lambda: source._color_sensor.develop(picture.light, 20))
    results["frame: all, 480x848"] = _time(source.read)
    if json:
        print(json_format.dumps(results))
    else:
        print(f"{'':32s} {'p50':>8s} {'p99':>8s}  ms")
        for name, times in results.items():
            print(f"{name:32s} {times['p50_ms']:8.2f} {times['p99_ms']:8.2f}")
    return results


def _peer(vertices: np.ndarray, faces: np.ndarray, camera: Intrinsics) -> dict:
    """Open3D's ray casting of the same picture, where it is installed."""
    try:
        import open3d
    except ImportError:
        return {}
    scene = open3d.t.geometry.RaycastingScene()
    matrix = np.array([[camera.fx, 0, camera.cx + 0.5], [0, camera.fy, camera.cy + 0.5], [0, 0, 1]])
    rays = scene.create_rays_pinhole(matrix, np.eye(4), camera.width, camera.height)

    def cast() -> None:
        moved = open3d.t.geometry.RaycastingScene()
        moved.add_triangles(vertices, faces.astype(np.uint32))
        moved.cast_rays(rays)

    return {"  Open3D ray casting 212x120": _time(cast, 8)}


def _time(action: Callable[[], object], repeats: int = REPEATS) -> dict[str, float]:
    action()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        times.append(1e3 * (time.perf_counter() - begin))
    return {"p50_ms": float(np.percentile(times, 50)), "p99_ms": float(np.percentile(times, 99))}


if __name__ == "__main__":
    run()
