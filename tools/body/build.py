"""The steps of a build, in order: source, sample, basis, joints, labels, quality, files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tools.body.anthropometry import read_population
from tools.body.asset import write_asset
from tools.body.basis import (
    Basis,
    errors,
    principal_components,
    regress_joints,
    regressed_joints,
    symmetric_mean,
    vertex_weights,
)
from tools.body.landmarks import Figure, find_landmarks, mirror_vertices
from tools.body.measures import MeasureTape, floor_vertices
from tools.body.picture import write_population_sheet
from tools.body.quality import held_out_groups, sample_statistics
from tools.body.regions import REGION_NAMES, label_regions
from tools.body.sample import Bodies, ShapeSpace, sample_bodies
from tools.body.source import Source, open_source
from tools.body.variation import Variation, generic_variation

HEAD_COMPONENTS = 40
REGRESSOR_VERTICES = 16
TEST_SHARE = 0.2
NEUTRAL_ADULT = {"age": 0.7, "proportions": 0.6}
PARTS = ("head", "neck", "trunk", "upper_arm", "lower_arm", "hand", "thigh", "calf", "foot")
PART_NAMES = (
    *("head", "neck", "trunk", "upper_arm_l", "lower_arm_l", "hand_l", "upper_arm_r", "lower_arm_r", "hand_r"),
    *("thigh_l", "calf_l", "foot_l", "thigh_r", "calf_r", "foot_r"),
)
PART_OF_JOINT = {
    "head": "head", "neck": "neck", "upperarm": "upper_arm", "lowerarm": "lower_arm", "thigh": "thigh",
    "calf": "calf", "foot": "foot", "ball": "foot",
} | dict.fromkeys(("hand", "thumb", "index", "middle", "ring", "pinky"), "hand")  # fmt: skip


@dataclass(frozen=True)
class Workshop:
    """What all steps share."""

    source: Source
    space: ShapeSpace
    figure: Figure
    """The neutral adult, on which loops and landmarks for sampling are found."""
    tape: MeasureTape
    floor: NDArray
    mirror: NDArray

    def stand(self, coefficients: NDArray) -> tuple[NDArray[np.float32], NDArray]:
        """Bodies (N, V, 3) and joints (N, J, 3) of blend shape coefficients, pelvis over 0, 0 of the floor."""
        source = self.source
        flat = torch.as_tensor(source.targets.reshape(len(source.targets), -1), dtype=torch.float32)
        vertices = (torch.as_tensor(coefficients, dtype=torch.float32) @ flat).numpy()
        vertices = vertices.reshape(len(coefficients), -1, 3) + source.template.astype(np.float32)
        joints = source.joints + np.tensordot(coefficients, source.joint_targets, 1)
        offset = np.stack([joints[:, 0, 0], joints[:, 0, 1], vertices[:, self.floor, 2].mean(1)], 1)[:, None]
        return vertices - offset.astype(np.float32), joints - offset

    def learn(self, bodies: NDArray, joints: NDArray, components: int) -> tuple[Basis, Variation]:
        """The shape basis of sampled bodies (N, V, 3) with joints (N, J, 3), and what widened it."""
        source = self.source
        middle = symmetric_mean(bodies, self.mirror), symmetric_mean(joints, source.joint_mirror)
        variation = generic_variation(source, *middle, self.mirror, self.floor)
        weights = vertex_weights(bodies.mean(0), source.faces)
        return principal_components(bodies, self.mirror, weights, components, variation.vertices), variation


def open_workshop() -> Workshop:
    """Load the source and find what depends on the mesh alone."""
    source = open_source()
    space = ShapeSpace(source)
    macros = np.array([[NEUTRAL_ADULT.get(name, 0.5) for name in space.macro_names]])
    coefficients = space.coefficients(macros, np.zeros((1, len(space.local_names))))[0]
    vertices = source.template + np.tensordot(coefficients, source.targets, 1)
    joints = source.joints + np.tensordot(coefficients, source.joint_targets, 1)
    offset = np.array([*joints[0, :2], vertices[:, 2].min()])
    figure = make_figure(source, vertices - offset, joints - offset)
    tape = MeasureTape(figure, find_landmarks(figure))
    mirror = mirror_vertices(figure.vertices)
    if not np.array_equal(mirror[mirror], np.arange(len(mirror))):
        raise SystemExit("the package's mesh is not symmetric: vertices do not pair up left and right")
    return Workshop(source, space, figure, tape, floor_vertices(figure), mirror)


def make_figure(source: Source, vertices: NDArray, joints: NDArray) -> Figure:
    """The mean body as the rules of landmarks and measures see it."""
    dominant = np.array(source.joint_names)[source.skin_weights.argmax(1)]
    named = dict(zip(source.joint_names, joints, strict=True))
    return Figure(vertices, source.faces, named, dominant, source.component, source.masks)


def draw_sample(workshop: Workshop, anthropometry: Path, count: int, seed: int) -> Bodies:
    """`count` adults with the measures of real ones."""
    populations = {sex: read_population(anthropometry, sex, workshop.tape.names) for sex in ("male", "female")}
    return sample_bodies(workshop.space, workshop.tape, populations, count, np.random.default_rng(seed))


def build_asset(
    out: Path, anthropometry: Path, count: int, components: int, seed: int, picture: Path | None = None
) -> None:
    """Build everything and write it to `out`; `picture` gets a sheet of sampled bodies and of random ones."""
    clock = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - clock:6.0f} s] {what}", flush=True)

    workshop = open_workshop()
    source, space = workshop.source, workshop.space
    say(f"sampling {count} adults to learn from and {round(TEST_SHARE * count)} to test on")
    sample = draw_sample(workshop, anthropometry, count, seed)
    unseen = draw_sample(workshop, anthropometry, round(TEST_SHARE * count), seed + 1)
    say("principal components")
    coefficients = space.coefficients(sample.macros, sample.locals)
    bodies, joints = workshop.stand(coefficients)
    test_bodies, test_joints = workshop.stand(space.coefficients(unseen.macros, unseen.locals))
    basis, variation = workshop.learn(bodies, joints, components)
    say("joints")
    arrays = _joint_arrays(source, basis, bodies, joints, variation)
    figure = make_figure(source, basis.template.astype(np.float64), arrays["joint_template"].astype(np.float64))
    landmarks = find_landmarks(figure)
    arrays |= _surface_arrays(source, basis, figure, landmarks, workshop.mirror)
    say("head")
    head = _head_arrays(source, basis, bodies, workshop.mirror)
    arrays |= head
    say("quality on unseen bodies")
    fitted = basis.fit(test_bodies)
    guess = basis.shape(fitted)
    quality: dict = {"held_out_bodies": errors(test_bodies, guess, basis.weights**2)}
    quality["head_with_head_basis"] = _head_errors(basis, head, test_bodies, guess, workshop.mirror)
    regressed = regressed_joints(test_bodies, arrays["regressor_vertices"], arrays["regressor_weights"])
    linear = arrays["joint_template"] + np.tensordot(fitted, arrays["joint_basis"].astype(np.float64), 1)
    quality["joints_by_regressor"] = errors(test_joints, regressed)
    quality["joints_by_shape"] = errors(test_joints, linear)
    quality["held_out_groups"] = held_out_groups(workshop, sample, unseen, components, say)
    statistics = sample_statistics(workshop.tape, sample)
    say("writing")
    write_asset(
        out, arrays, source, quality, statistics, {"seed": seed, "bodies": count, "test_bodies": len(unseen.macros)}
    )
    if picture is not None:
        random = basis.shape(np.random.default_rng(seed).normal(size=(12, components)))
        write_population_sheet(picture, [row for row in (bodies[:12], bodies[12:24], random) if len(row)], source.faces)
    say(f"done: {quality['held_out_bodies']}")


def _joint_arrays(
    source: Source, basis: Basis, bodies: NDArray, joints: NDArray, variation: Variation
) -> dict[str, NDArray]:
    both = np.concatenate([joints, joints[:, source.joint_mirror] * (-1.0, 1.0, 1.0)])
    coefficients = basis.fit(bodies)
    flat = basis.components.reshape(len(basis.components), -1)
    parity = np.sign([component @ other for component, other in zip(flat, _mirrored(basis, source), strict=True)])
    template = both.mean(0)
    # The covariances that the basis was made of: the mean over the sample's bodies plus the generic displacements.
    one = 1.0 / np.sqrt(len(both))
    design = np.concatenate(
        [one * coefficients, one * coefficients * parity, basis.fit(basis.template + variation.vertices)]
    )
    targets = np.concatenate([one * (both - template), variation.joints])
    solution = np.linalg.lstsq(design, targets.reshape(len(targets), -1), rcond=None)[0]
    skin = np.flatnonzero((source.component == 0) & ~source.masks["mouth_inside"])
    indices, weights = regress_joints(bodies[:200].astype(np.float64), joints[:200], skin, REGRESSOR_VERTICES)
    return {
        "joint_names": np.array(source.joint_names),
        "joint_parents": source.joint_parents,
        "joint_template": template.astype(np.float32),
        "joint_basis": solution.reshape(len(flat), -1, 3).astype(np.float32),
        "regressor_vertices": indices,
        "regressor_weights": weights,
    }


def _mirrored(basis: Basis, source: Source) -> NDArray:
    mirror = mirror_vertices(basis.template)
    return (basis.components[:, mirror] * np.array([-1, 1, 1], np.float32)).reshape(len(basis.components), -1)


def _surface_arrays(source, basis, figure: Figure, landmarks: dict[str, int], mirror: NDArray) -> dict[str, NDArray]:
    strongest = np.argsort(-source.skin_weights, axis=1, kind="stable")[:, :4]
    skin = np.take_along_axis(source.skin_weights, strongest, 1)
    brow = source.model.blendshape_labels.index("local_change:eyebrows-trans-up")
    motion = np.linalg.norm(source.targets[brow], axis=1)
    return {
        "template": basis.template,
        "shape_basis": basis.components.astype(np.float16),
        "faces": source.faces,
        "uv": source.uv,
        "uv_faces": source.uv_faces,
        "mirror": mirror.astype(np.int32),
        "skin_joints": strongest.astype(np.int32),
        "skin_weights": (skin / skin.sum(1, keepdims=True)).astype(np.float32),
        "part_names": np.array(PART_NAMES),
        "part_labels": np.array([PART_NAMES.index(_part(name)) for name in figure.dominant], np.uint8),
        "region_names": np.array(REGION_NAMES),
        "region_labels": label_regions(figure, landmarks, motion),
        "landmark_names": np.array(list(landmarks)),
        "landmark_vertices": np.array(list(landmarks.values()), np.int32),
    }


def _part(joint: str) -> str:
    part = PART_OF_JOINT.get(joint.split("_")[0], "trunk")
    return f"{part}_{joint[-1]}" if f"{part}_{joint[-1]}" in PART_NAMES else part


def _head_arrays(source: Source, basis: Basis, bodies: NDArray, mirror: NDArray) -> dict[str, NDArray]:
    names = list(source.joint_names)
    pull = source.skin_weights[:, names.index("head")]
    moved = np.abs(source.facial_units).max((0, 2)) > 1e-6
    vertices = np.flatnonzero((pull > 0.05) | moved)
    residual = bodies[:, vertices] - basis.shape(basis.fit(bodies))[:, vertices]
    # The head's own components fade out down the neck with the pull of the head joint.
    residual *= np.clip(2.0 * pull[vertices], 0.0, 1.0)[None, :, None].astype(np.float32)
    own = np.full(len(mirror), -1)
    own[vertices] = np.arange(len(vertices))
    head = principal_components(residual, own[mirror[vertices]], basis.weights[vertices], HEAD_COMPONENTS)
    return {
        "head_vertices": vertices.astype(np.int32),
        "head_template": basis.template[vertices],
        "head_basis": head.components.astype(np.float16),
        "facial_unit_names": np.array(source.facial_unit_names),
        "facial_units": source.facial_units[:, vertices].astype(np.float16),
    }


def _head_errors(basis: Basis, head: dict[str, NDArray], bodies: NDArray, guess: NDArray, mirror: NDArray) -> dict:
    vertices = head["head_vertices"]
    own = Basis(
        np.zeros((len(vertices), 3), np.float32), head["head_basis"].astype(np.float32), basis.weights[vertices]
    )
    residual = (bodies - guess)[:, vertices]
    after = residual - own.shape(own.fit(residual))
    zero = np.zeros_like(after)
    return {"without": errors(residual, zero), "with": errors(after, zero)}
