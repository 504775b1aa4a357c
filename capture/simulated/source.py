"""A simulated shopper in front of a simulated depth camera, as a frame source that knows the truth."""

from __future__ import annotations

import time
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from capture.simulated.camera import CAMERAS, Mount
from capture.simulated.look import Figure, draw_figure
from capture.simulated.motion import (
    AT_EASE,
    Moment,
    Motion,
    PhaseSpan,
    Script,
    crossing_script,
    scan_script,
    still_script,
    visit_script,
)
from capture.simulated.options import SimulationOptions, parse_options
from capture.simulated.person import Person, draw_person
from capture.simulated.room import build_room, lighting
from capture.simulated.sensor import ColorSensor, DepthSensor
from capture.simulated.stage import CleanPicture, Stage
from capture.simulated.surface_fields import SurfaceSmoother
from capture.source import EndOfRecording, FrameTimeoutError, SourceInfo
from solver.body import BodyModel, joint_transforms, skin
from solver.errors import DeviceLostError, InputError
from solver.types import Frame, read_only

ABSENT = ("nobody", "chair", "rack")
"""Faults with which nobody comes."""
EMPTY_ROOM_S = 6.0
"""How long nothing happens where nobody comes."""
BEHIND_M = 0.85
BESIDE_M = 0.85, 0.15
"""Where another person is: so far behind the mark; so far beside it and behind it."""
CUT_OFFSET_M = 0.85
"""How far beside the mark someone stands who is cut by the picture's edge."""


class Truth(NamedTuple):
    """What is really there at one moment."""

    pose: NDArray[np.float64]
    """Joint rotation vectors [rad], shape (J, 3)."""
    T_wb: NDArray[np.float64]
    """Body to world, shape (4, 4)."""
    breath: float
    """0 breathed out .. 1 breathed in."""
    joints: NDArray[np.float64]
    """Joint positions [m], shape (J, 3), frame w."""
    naked: NDArray[np.float32]
    """True body surface [m], shape (V, 3), frame w, triangles of the body model."""
    clothed: NDArray[np.float32]
    """What the camera sees: body, clothes and hair [m], shape (N, 3), frame w; triangles in `surface_faces`.
    The first V belong to the same places as `naked`."""


class SimulatedSource:
    """Keeps the contract of `capture.source.FrameSource`. The same options give the same frames, bit by bit."""

    def __init__(self, model: BodyModel, options: SimulationOptions | None = None) -> None:
        """Prepares the shopper, the room and the camera; takes about a second."""
        self.options = options = options or SimulationOptions()
        camera = CAMERAS[options.camera]
        mount = Mount(options.height, np.deg2rad(options.tilt), np.deg2rad(options.roll), options.mount == "portrait")
        intrinsics = mount.intrinsics(camera)
        self.T_wc: NDArray[np.float64] = read_only(mount.T_wc())
        """True camera pose, shape (4, 4)."""
        smoother = SurfaceSmoother(model.faces, model.vertex_count)
        self.person: Person = draw_person(model, options.seed, smoother)
        """The true body."""
        hair = None if options.hair == "any" else options.hair
        self._figure: Figure | None = None
        self._motion: Motion | None = None
        if options.fault not in ABSENT:
            self._figure = draw_figure(self.person, smoother, options.clothes, hair)
            self._motion = Motion(self.person, self._script())
        duration = self._motion.duration_s if self._motion else EMPTY_ROOM_S

        rng = np.random.default_rng([options.seed, 5])
        obstacle = options.fault if options.fault in ("chair", "rack") else None
        self._stage = Stage(
            intrinsics, self.T_wc, build_room((0.0, options.distance), rng, obstacle), lighting(self.T_wc, rng)
        )
        if options.fault == "bystander":
            self._add_bystander(model, smoother, options)
        self._other: tuple[Person, Figure, Motion] | None = None
        if options.other != "none":
            self._other = self._another(model, smoother, duration)
        self._depth_sensor = DepthSensor(camera, mount.portrait, options.serial, options.seed)
        self._color_sensor = ColorSensor(options.serial, options.seed, float(rng.uniform(0.9, 1.1)))
        self._gravity = self._accelerometer(rng) if camera.accelerometer else None
        self._sequence = 0
        self._closed = False
        self._started_at: float | None = None
        self._info = SourceInfo(
            kind="simulated",
            name=f"simulated {camera.name}, {self._who_comes()}",
            serial=f"sim-{camera.name}-{options.serial}",
            intrinsics=intrinsics,
            noise=camera.noise,
            frame_rate=options.fps,
            live=bool(options.live),
            frame_count=int(duration * options.fps),
        )

    @classmethod
    def from_spec(cls, spec: str, model: BodyModel) -> Self:
        """The source that `sim:name=value,...` describes. Raises `UsageError`."""
        return cls(model, parse_options(spec))

    @property
    def info(self) -> SourceInfo:
        """What is known of the source."""
        return self._info

    @property
    def phases(self) -> tuple[PhaseSpan, ...]:
        """When the shopper does what: enter, pose, turn, mirror, leave."""
        return self._motion.phases if self._motion else ()

    @property
    def surface_faces(self) -> NDArray[np.int32]:
        """Triangles of `Truth.clothed`, shape (F, 3)."""
        return self._present()[0].faces

    def read(self, timeout_s: float = 1.0) -> Frame:
        """The next frame. Raises `EndOfRecording`, `DeviceLostError`, and where live `FrameTimeoutError`."""
        if self._closed:
            raise DeviceLostError(f"{self._info.name} is closed: open it again")
        if self.options.live:
            self._wait(timeout_s)
        sequence = self._sequence
        seconds = sequence / self.options.fps
        if self.options.fault == "disconnect" and seconds >= self.options.at:
            raise DeviceLostError(f"{self._info.name}: the camera was disconnected; plug it in again")
        if sequence >= (self._info.frame_count or 0):
            raise EndOfRecording(f"{self._info.name}: the visit is over")
        self._sequence += 1
        picture = self.clean_picture(sequence)
        if self.options.noise:
            depth = self._depth_sensor.measure(picture.depth, picture.surface, sequence)
        else:
            depth = picture.depth.copy()
        color = self._color_sensor.develop(picture.light, sequence)
        captured_at = seconds if self._started_at is None else self._started_at + seconds
        gravity = None if self._gravity is None else read_only(self._gravity.copy())
        return Frame(sequence, captured_at, self._info.intrinsics, read_only(color), read_only(depth), gravity)

    def skip(self, count: int) -> None:
        """Passes over `count` frames without drawing them."""
        self._sequence += count

    def close(self) -> None:
        """Ends the visit. Safe to call twice."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def truth(self, sequence: int) -> Truth:
        """What is really there in frame `sequence`. Raises `InputError` where nobody comes."""
        figure, _ = self._present()
        moment = self._moment(sequence)
        person = self.person
        transforms = joint_transforms(person.model, person.rest.joints, moment.pose, moment.T_wb)
        joints = np.einsum("jab,jb->ja", transforms[:, :3, :3], person.rest.joints) + transforms[:, :3, 3]
        naked = skin(person.model, person.breathing(moment.breath), transforms)
        clothed = self._stage.pose_figure(figure, transforms, moment.breath)
        return Truth(moment.pose, moment.T_wb, moment.breath, joints, naked, clothed)

    def clean_picture(self, sequence: int) -> CleanPicture:
        """Frame `sequence` as a camera without error sees it; overwritten by the next one."""
        other = None
        if self._other is not None:
            person, figure, motion = self._other
            moment = motion.at(sequence / self.options.fps)
            transforms = joint_transforms(person.model, person.rest.joints, moment.pose, moment.T_wb)
            other = figure, transforms, _shadows(person, transforms)
        if self._figure is None:
            return self._stage.draw_room() if other is None else self._stage.draw(other[0], other[1], 0.0, other[2])
        moment = self._moment(sequence)
        transforms = joint_transforms(self.person.model, self.person.rest.joints, moment.pose, moment.T_wb)
        return self._stage.draw(self._figure, transforms, moment.breath, _shadows(self.person, transforms), other)

    def _script(self) -> Script:
        options = self.options
        mark = (CUT_OFFSET_M if options.fault == "cut" else 0.0, options.distance)
        turn = np.deg2rad(options.turn)
        if options.fault == "statue":
            return still_script(self.person, mark, options.seconds + 2.0)
        script = scan_script if options.visit == "scan" else visit_script
        return script(self.person, mark, turn, options.seconds)

    def _who_comes(self) -> str:
        if self._figure is None:
            return "nobody" if self.options.fault == "nobody" else f"a {self.options.fault} and nobody"
        return f"shopper {self.options.seed} ({self._figure.description})"

    def _present(self) -> tuple[Figure, Motion]:
        if self._figure is None or self._motion is None:
            raise InputError(f"{self._info.name}: there is no person to tell the truth about")
        return self._figure, self._motion

    def _moment(self, sequence: int) -> Moment:
        return self._present()[1].at(sequence / self.options.fps)

    def _add_bystander(self, model: BodyModel, smoother: SurfaceSmoother, options: SimulationOptions) -> None:
        other = draw_person(model, options.seed + 1_000_003, smoother)
        figure = draw_figure(other, smoother, "loose")
        place = (0.55, options.distance + 0.9)
        moment = Motion(other, visit_script(other, place, 0.0, 1.0)).at(4.3)
        self._stage.add_bystander(figure, joint_transforms(model, other.rest.joints, moment.pose, moment.T_wb))

    def _another(self, model: BodyModel, smoother: SurfaceSmoother, duration: float) -> tuple[Person, Figure, Motion]:
        """Who walks behind the shopper or stands beside them."""
        options = self.options
        other = draw_person(model, options.seed + 2_000_003, smoother)
        side = float(np.random.default_rng([options.seed, 6]).choice([-1.0, 1.0]))
        if options.other == "behind":
            script = crossing_script((0.0, options.distance + BEHIND_M), side, duration + 1.0)
        else:
            place = side * BESIDE_M[0], options.distance + BESIDE_M[1]
            script = still_script(other, place, duration + 1.0, AT_EASE)
        return other, draw_figure(other, smoother, "loose"), Motion(other, script)

    def _accelerometer(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Gravity in frame c as an accelerometer gives it: a few tenths of a degree off."""
        down = self.T_wc[:3, :3].T @ np.array([0.0, 0.0, -1.0]) + rng.normal(0.0, np.deg2rad(0.3), 3)
        return down / np.linalg.norm(down)

    def _wait(self, timeout_s: float) -> None:
        """Until the next frame is due; frames that nobody read in time are lost."""
        now = time.monotonic()
        if self._started_at is None:
            self._started_at = now
        self._sequence = max(self._sequence, int((now - self._started_at) * self.options.fps))
        left = self._started_at + self._sequence / self.options.fps - now
        if left > timeout_s:
            time.sleep(max(timeout_s, 0.0))
            raise FrameTimeoutError(f"{self._info.name}: no frame within {timeout_s:g} s")
        if left > 0.0:
            time.sleep(left)


def _shadows(person: Person, transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """Soft shade below the pelvis and the feet: x, y, radius [m], strength."""
    names, sizes = ("pelvis", "ball_l", "ball_r", "foot_l", "foot_r"), (0.40, 0.09, 0.09, 0.09, 0.09)
    shadows = np.empty((len(names), 4))
    for row, name, size in zip(shadows, names, sizes, strict=True):
        j = person.model.joint(name)
        x, y, z = transforms[j, :3, :3] @ person.rest.joints[j] + transforms[j, :3, 3]
        row[:] = x, y, size, 0.35 if name == "pelvis" else 0.5 / (1.0 + 8.0 * max(z, 0.0))
    return shadows
