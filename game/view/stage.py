"""The stage: one person in a photographer's studio, drawn offscreen into numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera as CameraNode
from panda3d.core import CullFaceAttrib, NodePath

from game.appearance import BodyPaint
from game.materials import Optics, Print, cloth_inputs, optics_of
from game.view.body_picture import BodyTexture
from game.view.camera import Camera
from game.view.cells import Cells
from game.view.context import Context
from game.view.coverage import Covering, Layer, hidden_depth, out_of_sight
from game.view.layers import open_pipeline
from game.view.lights import LightRig
from game.view.model import SEEN, Model
from game.view.pipeline import Pipeline
from game.view.quality import SOFTWARE, Quality
from game.view.studio import POLISH, Studio
from game.view.tailoring import line_distances, panel_of
from solver.ambient import AmbientVisibility
from solver.errors import UsageError
from solver.mesh import split_at_seams

# What the polished floor mirrors where it mirrors no person: the wall's lower part, sRGB.
FLOOR_SHINE = (0.79, 0.77, 0.75)


MOVED_M = 0.25
"""A camera that moved so far since sees other triangles [m]."""
INSIDE_M = 0.15
"""So far from an edge the wrong side of a garment may be seen [m]."""
TUCKED_IN_PARTS = 28
"""Pictures over which it is found which skin lies under cloth; two more begin and a layer takes one."""


class Stage:
    """Owns buffers, lights, camera and meshes; `render` gives a picture. World frame w, metres."""

    def __init__(
        self,
        size: tuple[int, int] = (540, 960),
        quality: Quality = SOFTWARE,
        context: Context | None = None,
        pipeline: Pipeline | None = None,
    ):
        """`size` is (width, height) [px]; without a `pipeline` pictures are read back with `render`.

        Raises `NoGraphicsError` where OpenGL cannot be had.
        """
        self.context = context or Context()
        self.size = size
        self.quality = quality
        self.root = NodePath("stage")
        self._people = self.root.attach_new_node("people")
        self._mirrored = self.root.attach_new_node("mirrored")
        self._mirrored.set_scale(1, 1, -1)
        self.root.set_shader_input("floor_shine", FLOOR_SHINE)
        self.root.set_shader_input("polish", POLISH)
        self.root.set_shader_input("camera_position", (0.0, 0.0, 0.0))
        self.lights = LightRig(self.context, self._people, quality.shadow_resolution)
        self.studio = Studio(self.context, self.root, quality)

        self._target = self.context.open_target("finished", size, sort=10) if pipeline is None else None
        if pipeline is None:
            assert self._target is not None
            pipeline = open_pipeline(self.context, size, quality, self._target.buffer)
        self.pipeline = pipeline
        self.eye = self.root.attach_new_node(CameraNode("eye"))
        self.eye.node().set_camera_mask(SEEN)
        self.camera = Camera(self.eye, size)
        pipeline.show(self.eye)

        self._center = np.zeros(2)
        self._body: Model | None = None
        self._picture: BodyTexture | None = None
        self._hair_depth = np.zeros(0, np.float32)
        self._garments: list[Model] = []
        self._edges: list[NDArray[np.float32]] = []
        self._folds: list[NDArray[np.float32]] = []
        self._covering: Covering | None = None
        self._shading: AmbientVisibility | None = None
        self._pictures = 0
        self._culled_from = np.full(3, np.inf)
        self.place_studio((0.0, 0.0))

    def place_studio(self, center: tuple[float, float] | NDArray, azimuth: float = 0.0) -> None:
        """Set lamps and paper up around `center` (x, y) [m], frame w, for a camera at `azimuth` [rad]."""
        self._center = np.asarray(center, np.float64)
        self.lights.place(self.root, self._center, azimuth)
        self.studio.place(self._center, azimuth, self.lights.shadow_inputs)

    def set_body(self, faces: NDArray[np.int32], rest: NDArray[np.float32], paint: BodyPaint) -> None:
        """Put a body on the stage in place of any other: triangles (F, 3), vertices at rest [m], (V, 3), appearance."""
        self._remove_body()
        columns = {
            "rest": np.ascontiguousarray(rest, np.float32),
            "color": paint.color,
            "surface": paint.surface,
            "offset": paint.hair_depth[:, None],
        }
        self._hair_depth = paint.hair_depth
        eyes = np.all((paint.surface[:, 3] > 127)[faces], axis=1)
        if paint.picture is None:
            self._body = self._attach(Model("body", self.quality, faces, columns, rest, eyes=eyes))
        else:
            source, uv_index, drawn = split_at_seams(faces, paint.picture.uv_faces)
            columns = {name: values[source] for name, values in columns.items()}
            columns["place"] = paint.picture.uv[uv_index]
            self._body = self._attach(Model("body", self.quality, faces, columns, rest, source, drawn, eyes))
            self._picture = BodyTexture(paint.picture.color, self.quality.detail)
            self._body.set_inputs({"atlas": self._picture.texture})
        self._body.set_inputs(paint.inputs)

    def update_body(self, vertices: NDArray[np.float32]) -> None:
        """New positions of the body's vertices [m], shape (V, 3), float32, frame w."""
        if self._body is None:
            raise UsageError("there is no body on the stage: call set_body first")
        self._body.update(vertices)

    def add_garment(
        self,
        faces: NDArray[np.int32],
        panel_uv: NDArray[np.float32],
        cloth: str | Optics = "jersey",
        printed: Print | None = None,
        uv_faces: NDArray[np.int32] | None = None,
        rest: NDArray[np.float32] | None = None,
    ) -> int:
        """Put a garment on the stage and return its number.

        `faces` (F, 3) index its particles, counter-clockwise seen from outside; `panel_uv` (T, 2) are positions in the
        flat pattern [m]; `uv_faces` (F, 3) index them where panels meet in shared particles (default: `faces`). The
        particles' positions `rest` (P, 3) [m], if they are known, let the shadow be thrown by a coarser mesh.
        """
        source, uv_index, drawn_faces = split_at_seams(faces, faces if uv_faces is None else uv_faces)
        edge, seam = line_distances(faces, drawn_faces, panel_uv[uv_index])
        columns = {
            "panel": np.ascontiguousarray(panel_uv[uv_index], np.float32),
            "trim": np.stack((edge, seam), 1),
            "offset": np.zeros((len(source), 1), np.float32),
            "ambient": np.ones((len(source), 1), np.float32),
        }
        if rest is None:
            rest = np.zeros((int(faces.max()) + 1, 3), np.float32)
            rest[source, :2] = panel_uv[uv_index]
            rest[source, 2] = 100.0 * panel_of(drawn_faces, len(source))
        model = self._attach(Model("cloth", self.quality, faces, columns, rest, source, drawn_faces))
        model.path.set_attrib(CullFaceAttrib.make(CullFaceAttrib.M_cull_none))
        self._garments.append(model)
        self._folds.append(np.ones(model.vertex_count, np.float32))
        self._shading = None
        particle_edge = np.full(model.vertex_count, np.inf, np.float32)
        np.minimum.at(particle_edge, source, edge)
        self._edges.append(particle_edge)
        model.open_inside(particle_edge < INSIDE_M)
        self.set_fabric(len(self._garments) - 1, cloth, printed)
        return len(self._garments) - 1

    def set_fabric(self, garment: int, cloth: str | Optics, printed: Print | None = None) -> None:
        """Another fabric or print on garment number `garment`. Raises `UsageError` for an unknown fabric."""
        optics = optics_of(cloth) if isinstance(cloth, str) else cloth
        self._garments[garment].set_inputs(cloth_inputs(optics, printed or Print()))

    def update_garment(self, garment: int, vertices: NDArray[np.float32]) -> None:
        """New positions of a garment's particles [m], shape (P, 3), float32, frame w."""
        self._garments[garment].update(vertices)

    def remove_garments(self) -> None:
        """Take every garment off."""
        for model in self._garments:
            model.remove()
        self._garments.clear()
        self._edges.clear()
        self._folds.clear()
        self._shading = None
        self.tuck_in()

    def tuck_in(self) -> None:
        """Let skin give way where a garment lies on it, so that none pokes through.

        Call it when garments were put on; it costs some milliseconds.
        """
        self._covering = None
        if self._body is not None:
            self._give_way(hidden_depth(self._body.vertices, self._body.normals, self._layers()))

    def tuck_in_by_and_by(self) -> None:
        """Goes on with letting skin give way, a part in every picture: garments move over the body."""
        if self._body is None:
            return
        if self._covering is None:
            self._covering = Covering(self._body.vertices, self._body.normals, self._layers(), TUCKED_IN_PARTS)
        elif self._covering.go_on():
            self._give_way(self._covering.depth)
            self._covering = None

    def _layers(self) -> list[Layer]:
        return [Layer(model.vertices, edge) for model, edge in zip(self._garments, self._edges, strict=True)]

    def _give_way(self, depth: NDArray[np.float32]) -> None:
        assert self._body is not None
        self._body.set_column("offset", (self._hair_depth - depth)[:, None])
        if self.quality.still_backdrop:
            self._body.cover(out_of_sight(depth, self._body.faces))

    def shade_folds(self, directions: int = 48) -> None:
        """Darken what lies deep in folds and under arms, from how everything stands now.

        It costs a tenth of a second for 48 `directions`.

        It moves with the cloth, and stays right for as long as the drape is about the same.
        """
        if self._body is None or not self._garments:
            return
        self._shading = self._begin_shading(directions)
        while not self._shading.go_on():
            pass
        self._end_shading()

    def shade_folds_by_and_by(self, directions: int = 16) -> bool:
        """`shade_folds` with one direction a picture, from how everything stood at the first; True once it is done."""
        if self._body is None or not self._garments:
            return True
        self._shading = self._shading or self._begin_shading(directions)
        if not self._shading.go_on():
            return False
        self._end_shading()
        return True

    @property
    def folds(self) -> list[NDArray[np.float32]]:
        """How much of its surroundings each particle of each garment was found to see, 0..1, (P,)."""
        return list(self._folds)

    def keep_folds(self, garment: int, seen: NDArray[np.float32]) -> None:
        """Shades garment number `garment` as one of as many particles was, of which it is an alteration; another is
        left as it is."""
        if len(seen) == self._garments[garment].vertex_count:
            self._folds[garment] = seen
            self._garments[garment].set_column("ambient", seen[:, None])

    def _begin_shading(self, directions: int) -> AmbientVisibility:
        assert self._body is not None
        models = (self._body, *self._garments)
        starts = np.cumsum([0, *(model.vertex_count for model in models)])
        vertices = np.concatenate([model.vertices for model in models])
        faces = np.concatenate(
            [model.faces + np.int32(start) for model, start in zip(models, starts[:-1], strict=True)]
        )
        return AmbientVisibility(vertices, faces, directions)

    def _end_shading(self) -> None:
        assert self._body is not None
        assert self._shading is not None
        ends = np.cumsum([self._body.vertex_count, *(model.vertex_count for model in self._garments)])
        for garment, seen in enumerate(np.split(self._shading.share, ends[:-1])[1:]):
            self.keep_folds(garment, seen)
        self._shading = None

    def look_at_body(self, vertices: NDArray[np.float32], azimuth: float = 0.0, margin: float = 1.12) -> None:
        """Frame `vertices` [m], (V, 3), frame w, from the front or from `azimuth` [rad]."""
        self.camera.frame_body(vertices, azimuth, margin)

    def prepare(self, mirrored: bool = False) -> None:
        """Makes everything ready for the next picture that the engine draws. `mirrored` flips it last of all."""
        models = [model for model in (self._body, *self._garments) if model is not None]
        eye = self.camera.position
        casting = self._pictures % self.quality.shadow_every == 0
        if casting:
            self.studio.update_contact(self._center, [model.vertices for model in models])
            for model in models:
                model.cast()
        # Not in the picture that throws a shadow: that takes longest as it is.
        culling = (self._pictures - 1) % self.quality.shadow_every == 0
        if self.quality.still_backdrop and (culling or np.linalg.norm(eye - self._culled_from) > MOVED_M):
            self._culled_from = eye.copy()
            for model in models:
                model.leave_out(eye)
        self.root.set_shader_input("camera_position", tuple(map(float, eye)))
        behind = self.studio.look(self.eye, self.pipeline.scene_size)
        if behind is not None:
            self.pipeline.set_veil((0.0, 0.0, 0.0, 0.0), (0.0, 0.0))
            self.pipeline.lay_behind(*behind)
            self.pipeline.cover(self._cells(mirrored))
        self.lights.buffer.set_active(casting)
        self.studio.buffer.set_active(casting)
        self._pictures += 1
        self.pipeline.show(self.eye)
        self.pipeline.finish(mirrored)

    def rest_buffers(self) -> None:
        """Draw none of the stage's own buffers: something else is shown."""
        for buffer in (self.lights.buffer, self.studio.buffer):
            buffer.set_active(False)
        self.studio.rest()
        self._pictures = 0

    def render(self, mirrored: bool = False) -> NDArray[np.uint8]:
        """Draws and reads back: sRGB, shape (H, W, 3), uint8. `mirrored` flips it last of all, as a mirror does."""
        if self._target is None:
            raise UsageError("this stage draws onto a display: read the picture there")
        self._pictures = 0  # a still has its own shadow
        self.prepare(mirrored)
        self.context.engine.render_frame()
        return self._target.read()

    def resize(self, size: tuple[int, int]) -> None:
        """Pictures are of another `size` (width, height) [px] from now on; aim the camera anew."""
        self.size = size
        self.camera.size = size

    def clear(self) -> None:
        """Take body and garments away: whoever they were is forgotten."""
        self.remove_garments()
        self._remove_body()

    def close(self) -> None:
        """Gives buffers and meshes back."""
        self.clear()
        if self._target is not None:
            self.pipeline.close()
            self.context.close(self._target.buffer)
        self.context.close(self.lights.buffer)
        self.studio.close()
        self.root.remove_node()

    def _remove_body(self) -> None:
        if self._body is not None:
            self._body.remove()
            self._body = self._covering = None
        if self._picture is not None:
            self._picture.wipe()
            self._picture = None

    def _cells(self, mirrored: bool) -> NDArray[np.bool_]:
        """Where people, the floor's shade and its mirror image may be seen."""
        cells = Cells(self.size, mirrored)
        cells.mark_hull(self.camera, self.studio.shaded_floor)
        for model in (self._body, *self._garments):
            if model is not None:
                cells.mark_points(self.camera, model.vertices)
        return cells.marked()

    def _attach(self, model: Model) -> Model:
        model.path.reparent_to(self._people)
        model.mirrored.reparent_to(self._mirrored)
        return model
