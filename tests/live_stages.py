"""A quick visit: the real session, tailor and cloth; a source, tracker and reconstruction that need no picture."""

from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np

from capture.source import FrameTimeoutError, SourceInfo
from game.appearance import paint_body
from game.assets import load_body_model
from game.live.messages import Growing, Known, Refining, Tracked, TurnNews, Unusable
from game.protocol.keeping import Notice
from game.protocol.snapshot import CameraMoment, Guidance, Keeping, Shopper
from game.scan import Evidence
from solver.body import canonical_pose, joint_transforms, shape_body, skin
from solver.errors import DeviceLostError
from solver.measures import measure_body
from solver.types import BodyState, DepthNoise, Frame, Ground, Intrinsics, Mesh, Observation, read_only

MODEL = load_body_model()
INTRINSICS = Intrinsics(60, 106, 53.0, 53.0, 29.5, 52.5)
INFO = SourceInfo("test", "test camera", "1", INTRINSICS, DepthNoise(0.095, 0.08, 0.0), 15.0, False, None)
REST = shape_body(MODEL, np.zeros(4))
POSE = canonical_pose(MODEL, REST.joints)
BODY = skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, POSE))
LIFT = -float(BODY[:, 2].min())
MEASURES = measure_body(MODEL, BODY + np.array([0.0, 0.0, LIFT], np.float32), sample_count=1)
GROUND = Ground(np.eye(4), 0.003, 0.5)


class Scene:
    """What happens before the mirror; tests change it as they go."""

    def __init__(self):
        self.present, self.lost, self.silent = True, False, False
        self.faults: dict[str, list[Exception]] = {}
        self.unusable = 0
        self.measures = MEASURES
        self.turn_s = 2.0
        self.refining_steps = 5
        self.opened = 0
        self.canaries: list[weakref.ref] = []

    def canary(self, array):
        """An array of the shopper that must not outlive the visit."""
        self.canaries.append(weakref.ref(array))
        return array

    def maybe_fail(self, stage):
        if self.faults.get(stage):
            raise self.faults[stage].pop(0)


class SceneSource:
    def __init__(self, scene):
        if scene.lost:
            raise DeviceLostError("no camera is attached; plug one in")
        scene.opened += 1
        self.scene, self.info, self.count, self.closed = scene, INFO, 0, False

    def read(self, timeout_s=1.0):
        if self.scene.lost:
            raise DeviceLostError("the camera went away; plug it in again")
        if self.scene.silent:
            raise FrameTimeoutError("no camera: no frame within 0.25 s")
        self.count += 1
        color = read_only(self.scene.canary(np.full((106, 60, 3), self.count % 251, np.uint8)))
        depth = read_only(self.scene.canary(np.full((106, 60), 2.0, np.float32)))
        return Frame(self.count, self.count / 15.0, INTRINSICS, color, depth)

    def close(self):
        self.closed = True


class SceneTrack:
    """Follows a body that stands in the A-pose and, when asked, turns."""

    def __init__(self, scene):
        self.scene = scene
        self.forget()

    def forget(self):
        self.scan, self.began_at, self.evidence = -1, 0.0, None

    def step(self, item):
        scene, order, frame = self.scene, item.order, item.captured.frame
        scene.maybe_fail("track")
        if order.task.name in ("WATCH", "REFINE") or not scene.present:
            return Tracked(order, scene.present, None, None, None, INFO.noise)
        if order.scan != self.scan:
            self.scan, self.began_at, self.evidence = order.scan, frame.captured_at, None
        share = min((frame.captured_at - self.began_at) / scene.turn_s, 1.0)
        sway = 0.02 * np.sin(2.0 * frame.captured_at)
        T_wb = np.eye(4)
        T_wb[:3, 3] = sway, 2.0, LIFT
        vertices = scene.canary(skin(MODEL, REST.vertices, joint_transforms(MODEL, REST.joints, POSE, T_wb)))
        state = BodyState(frame.sequence, frame.captured_at, np.zeros(4), POSE, T_wb, vertices, 0.9)
        person = scene.canary(np.full((106, 60), 255, np.uint8))
        if share >= 1.0 and self.evidence is None:
            self.evidence = Evidence(GROUND, (), INFO, 30, scene.turn_s, 6.2, {})
        guidance = Guidance.DONE if self.evidence else Guidance.KEEP_TURNING
        turn = TurnNews(guidance, 6.2 * share, share, self.evidence) if order.task.name == "SCAN" else None
        moment = CameraMoment(frame, GROUND, person, state)
        return Tracked(order, True, moment, Observation(frame, None, None), turn, INFO.noise)

    def close(self):
        self.scene.track_closed = True


class SceneReconstruct:
    """A cube while turning, then the mean body."""

    def __init__(self, scene):
        self.scene = scene
        self.forget()

    def forget(self):
        self.left, self.done = self.scene.refining_steps, -1

    def busy(self, order):
        return order.evidence is not None and self.done != order.scan

    def step(self, item):
        scene, order = self.scene, item.order
        if not self.busy(order):
            return Growing(order, Mesh(scene.canary(np.zeros((8, 3), np.float32)), np.zeros((12, 3), np.int32)),
                           np.ones(8, np.float32))  # fmt: skip
        scene.maybe_fail("reconstruct")
        if self.left > 0:
            self.left -= 1
            return Refining(order, 1.0 - self.left / scene.refining_steps)
        self.left, self.done = scene.refining_steps, order.scan
        if scene.unusable:
            scene.unusable -= 1
            return Unusable(order, "only 2 usable views of the person: turn once, slowly")
        rest = replace(REST, vertices=scene.canary(REST.vertices.copy()), joints=scene.canary(REST.joints.copy()))
        canonical = scene.canary(BODY + np.array([0.0, 0.0, LIFT], np.float32))
        shape = scene.canary(np.zeros(4))
        return Known(order, Shopper(rest, canonical, shape, paint_body(MODEL, REST), scene.measures, {"trunk": 1.0}))

    def close(self):
        pass


class Shelf:
    """Keeps profiles in a list."""

    def __init__(self):
        self.kept = []

    def notice(self):
        return Notice("Kept until the end of the sale.", 1_700_000_000)

    def keep(self, shopper, worn, consent, notice):
        self.kept.append((float(shopper.canonical[:, 2].max()), worn, consent.at, notice))
        return Keeping("profile-1", "apple banana cherry")
