"""Keeps what is worn on stage and glass in step with the session's snapshots."""

from __future__ import annotations

import numpy as np

from game.assets import load_body_model
from game.protocol.snapshot import Shopper, Snapshot, Worn
from game.view.camera import Crop
from game.view.display import Display
from game.view.figures import mean_figure, outer_faces

SETTLED_AFTER = 45
"""Pictures after which a garment hangs as it will: it arrives creased, and its creases' shade would stay as stains."""


class Dresser:
    """Puts body and garments on the stage, or garments into the looking glass."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._shopper: Shopper | None = None
        self._on_stage: tuple[int, ...] = ()
        self._in_glass: tuple[int, ...] = ()
        self._stage_fabrics: tuple[Worn, ...] = ()
        self._glass_fabrics: tuple[Worn, ...] = ()
        self._step = -1
        self._settled_in, self._shaded = 0, True

    def show_body(self, shopper: Shopper) -> None:
        """The shopper's body on the stage, where it is not there already."""
        if self._shopper is not shopper:
            self._display.stage.clear()
            self._on_stage = ()
            self._shopper = shopper
            model = load_body_model()
            self._display.stage.set_body(model.faces, shopper.rest.vertices, shopper.paint)
            self._step = -1

    def dress_stage(self, snapshot: Snapshot) -> None:
        """The avatar as in `snapshot`."""
        shopper, dressed = snapshot.shopper, snapshot.dressed
        if shopper is None or dressed is None:
            return
        self.show_body(shopper)
        stage = self._display.stage
        versions = tuple(mesh.version for mesh, _ in dressed.garments)
        recut = versions != self._on_stage
        if recut:
            folds = stage.folds
            stage.remove_garments()
            for (mesh, particles), worn in zip(dressed.garments, _worn(snapshot), strict=True):
                stage.add_garment(
                    mesh.triangles, mesh.uv, worn.fabric, worn.printed, mesh.uv_triangles, np.asarray(particles)
                )
            for number, seen in enumerate(folds[: len(dressed.garments)]):
                stage.keep_folds(number, seen)
            self._on_stage, self._stage_fabrics = versions, _worn(snapshot)
        elif self._stage_fabrics != _worn(snapshot):
            self._stage_fabrics = _worn(snapshot)
            for number, worn in enumerate(self._stage_fabrics):
                stage.set_fabric(number, worn.fabric, worn.printed)
        if dressed.step != self._step or recut:
            self._step = dressed.step
            stage.update_body(dressed.body)
            for number, (_, particles) in enumerate(dressed.garments):
                stage.update_garment(number, particles)
        if recut:
            self._settled_in, self._shaded = SETTLED_AFTER, False
        elif self._settled_in:
            self._settled_in -= 1
        elif not self._shaded:
            self._shaded = stage.shade_folds_by_and_by()
        if recut:
            stage.tuck_in()
        else:
            stage.tuck_in_by_and_by()

    def dress_glass(self, snapshot: Snapshot, crop: Crop | None = None) -> None:
        """The camera's picture with what is worn over it."""
        camera, dressed = snapshot.camera, snapshot.dressed
        glass = self._display.glass
        if camera is None:
            return
        glass.show_frame(camera.frame, camera.ground.T_wc if camera.ground else None, crop=crop)
        if dressed is None:
            return
        glass.set_body(outer_faces(), mean_figure())
        glass.hide_behind(camera.body.vertices if camera.body is not None else dressed.body)
        versions = tuple(mesh.version for mesh, _ in dressed.garments)
        if versions != self._in_glass:
            glass.remove_garments()
            for (mesh, _), worn in zip(dressed.garments, _worn(snapshot), strict=True):
                glass.add_garment(mesh.triangles, mesh.uv, worn.fabric, worn.printed, mesh.uv_triangles)
            self._in_glass, self._glass_fabrics = versions, _worn(snapshot)
        elif self._glass_fabrics != _worn(snapshot):
            self._glass_fabrics = _worn(snapshot)
            for number, worn in enumerate(self._glass_fabrics):
                glass.set_fabric(number, worn.fabric, worn.printed)
        for number, (_, particles) in enumerate(dressed.garments):
            glass.update_garment(number, particles)
        glass.light_like_room(camera.person, dressed.body[:, :2].mean(0))

    def undress_glass(self) -> None:
        """Nothing but the picture in the glass."""
        self._display.glass.remove_garments()
        self._display.glass.hide_body()
        self._in_glass = ()

    def forget(self) -> None:
        """Everything of the shopper is taken away."""
        self._display.forget()
        self._shopper = None
        self._on_stage = self._in_glass = ()
        self._stage_fabrics = self._glass_fabrics = ()
        self._step = -1
        self._settled_in, self._shaded = 0, True


def _worn(snapshot: Snapshot) -> tuple[Worn, ...]:
    """What is chosen, one entry a garment; while it is being cut there may be more chosen than worn."""
    assert snapshot.dressed is not None
    count = len(snapshot.dressed.garments)
    return (*snapshot.worn, *([Worn("")] * count))[:count]
