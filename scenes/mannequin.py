"""The mirror's own mannequin: the mean body in clothes of the rack, for as long as nobody is being served."""

from __future__ import annotations

import os
import threading
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from game.appearance import paint_body
from game.assets import load_body_model
from game.fabrics import load_fabric
from game.protocol.snapshot import RackItem, Worn
from game.rack import RACK
from game.view.display import Display
from game.view.figures import mean_figure
from solver.body import RestBody, shape_body
from solver.cloth.dressing import Garment, dress
from solver.measures import measure_body
from solver.pattern.tshirt import draft_tshirt

SHOWN = ("breton", "rose-oversized", "navy-long")
TURN_S, LOOK_S = 18.0, 9.0
MOVE_S = 1.0 / 15.0
"""It turns slowly: so many pictures a second will do."""


class Wardrobe:
    """Drapes a few entries of the rack on the mean body, one after the other, in a thread that gives way to all else.

    A drape takes seconds; until the first is there the mannequin stands in its base layer.
    """

    def __init__(self) -> None:
        self.ready: list[tuple[Worn, Garment]] = []
        """What can be worn by now."""
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, wanted: bool) -> None:
        """Whether somebody looks: the next drape is begun only then."""
        if wanted:
            self._wanted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mannequin", daemon=True)
                self._thread.start()
        else:
            self._wanted.clear()

    def wait(self) -> None:
        """Until the first garment hangs: for stills."""
        while not self.ready and self._thread is not None and self._thread.is_alive():
            self._thread.join(0.1)

    def _work(self) -> None:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        model, vertices = load_body_model(), mean_figure()
        measures = {key: measure.value_mm for key, measure in measure_body(model, vertices).items()}
        for item in sorted((item for item in RACK if item.name in SHOWN), key=_order):
            self._wanted.wait()
            worn = item.worn
            pattern = draft_tshirt(measures, worn.options)
            self.ready.append((worn, dress(pattern, model, vertices, load_fabric(worn.fabric))))


def _order(item: RackItem) -> int:
    return SHOWN.index(item.name)


@lru_cache(maxsize=1)
def wardrobe() -> Wardrobe:
    """The one of this program."""
    return Wardrobe()


class Mannequin:
    """Stands on the stage and turns."""

    def __init__(self, display: Display) -> None:
        self._stage = display.stage
        self._vertices: NDArray[np.float32] = mean_figure()
        self._worn: Worn | None = None
        self._number = -1
        self._particles: NDArray[np.float32] | None = None
        self._age = self._moved_at = 0.0
        wardrobe().want(True)
        self._stage.clear()
        model = load_body_model()
        body = shape_body(model, np.zeros(1))
        self._stage.set_body(model.faces, body.vertices, paint_body(model, RestBody(body.vertices, body.joints)))
        self._stage.place_studio((0.0, 0.0))
        self._move()

    def frame(self, within: tuple[float, float, float, float]) -> None:
        """The part of the picture to stand in: left, top, right, bottom in shares of it."""
        reach = 0.62
        span = np.array([[-reach, -reach, 0.0], [reach, reach, 1.02 * self._vertices[:, 2].max()]], np.float32)
        self._stage.camera.frame_body(span, margin=1.0, within=within)

    def update(self, dt: float) -> None:
        """`dt` [s] later."""
        self._age += dt
        if self._age - self._moved_at < MOVE_S:
            return
        self._moved_at = self._age
        ready = wardrobe().ready
        if ready:
            worn, garment = ready[int(self._age / LOOK_S) % len(ready)]
            if worn is not self._worn:
                self._put_on(worn, garment)
        self._move()

    def remove(self) -> None:
        """Leaves the stage; nothing more is draped meanwhile."""
        wardrobe().want(False)
        self._stage.clear()

    def _put_on(self, worn: Worn, garment: Garment) -> None:
        stage, mesh = self._stage, garment.mesh
        self._worn = worn
        self._particles = np.ascontiguousarray(garment.simulation.positions, np.float32)
        stage.remove_garments()
        self._number = stage.add_garment(
            mesh.triangles, mesh.uv.astype(np.float32), worn.fabric, worn.printed, mesh.faces, self._particles
        )
        self._move()
        stage.shade_folds(16)
        stage.tuck_in()

    def _move(self) -> None:
        angle = 2 * np.pi * self._age / TURN_S
        sine, cosine = np.sin(angle), np.cos(angle)
        turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]], np.float32)
        self._stage.update_body(np.ascontiguousarray(self._vertices @ turn))
        if self._particles is not None:
            self._stage.update_garment(self._number, np.ascontiguousarray(self._particles @ turn))
