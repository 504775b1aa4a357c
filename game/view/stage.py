"""The stage: one person in a photographer's studio, drawn offscreen into numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from panda3d.core import Camera as CameraNode
from panda3d.core import NodePath

from game.view.camera import Camera
from game.view.context import Context
from game.view.geometry import DynamicMesh
from game.view.lights import LightRig
from game.view.shaders import program
from game.view.studio import Studio
from solver.normals import NormalField


class Stage:
    """Owns buffers, lights, camera and meshes; `render` gives a picture."""

    def __init__(self, size: tuple[int, int] = (540, 960), context: Context | None = None, samples: int = 4):
        """`size` is (width, height) [px]. Raises `NoGraphicsError` where OpenGL cannot be had."""
        self.context = context or Context()
        self.size = size
        self._target = self.context.open_target("picture", size, samples)
        self._target.buffer.set_clear_depth_active(True)
        self.root = NodePath("stage")
        self.people = self.root.attach_new_node("people")
        self.studio = Studio(self.root)
        self.lights = LightRig(self.context, self.people)
        eye = self.root.attach_new_node(CameraNode("eye"))
        self.camera = Camera(eye, size)
        self._target.buffer.make_display_region().set_camera(eye)
        self._center = np.zeros(2)
        self._body: _Model | None = None
        self._garments: list[_Model] = []
        self.place_studio((0.0, 0.0))

    def place_studio(self, center: tuple[float, float] | NDArray, azimuth: float = 0.0) -> None:
        """Set lamps and paper up around `center` (x, y) [m], frame w, for a camera at `azimuth` [rad]."""
        self._center = np.asarray(center, np.float64)
        self.studio.place(self._center, azimuth)
        self.lights.place(self.root, self._center, azimuth)

    def set_body(
        self,
        faces: NDArray[np.int32],
        rest: NDArray[np.float32],
        colors: NDArray[np.uint8],
        surface: NDArray[np.uint8],
        eye_centers=((0.03, -0.12, 1.7), (-0.03, -0.12, 1.7)),
    ) -> None:
        """body."""
        self._body = _Model(self.people, "body", faces, {"rest": rest, "color": colors, "surface": surface})
        self._body.path.set_shader_input("eye_left", eye_centers[0])
        self._body.path.set_shader_input("eye_right", eye_centers[1])
        self._body.path.set_shader_input("iris_color", (0.12, 0.06, 0.03))

    def update_body(self, vertices: NDArray[np.float32]) -> None:
        """New positions."""
        self._body.update(vertices)

    def render(self, mirrored: bool = False) -> NDArray[np.uint8]:
        """Draws and reads back: sRGB, shape (H, W, 3), uint8. `mirrored` flips it last of all, as a mirror does."""
        models = [m for m in (self._body, *self._garments) if m is not None]
        self.studio.update_contact(self._center, [m.vertices for m in models])
        self.root.set_shader_input("camera_position", tuple(map(float, self.camera.position)))
        self.context.engine.render_frame()
        picture = self._target.read()
        return np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture


class _Model:
    def __init__(self, parent: NodePath, name: str, faces, columns):
        count = len(next(iter(columns.values())))
        self.mesh = DynamicMesh(name, faces, count, columns)
        self.path = parent.attach_new_node(self.mesh.node)
        self.path.set_shader(program(name))
        self.normals = NormalField(faces, count)
        self._n = np.zeros((count, 3), np.float32)
        self.vertices = np.zeros((count, 3), np.float32)

    def update(self, vertices):
        self.vertices = np.ascontiguousarray(vertices, np.float32)
        self.normals(self.vertices, self._n)
        self.mesh.update(self.vertices, self._n)
