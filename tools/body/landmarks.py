"""Where the named points of anatomy lie on the mesh: rules over the mean body, so that they are found, not typed in.

Rules are written for the wearer's left side; the right side is its mirror image. Heights of the rules follow the
proportions of ANSUR II where the mesh has no relief of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from tools.body.picture import vertex_normals

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


@dataclass(frozen=True)
class Figure:
    """The mean body as the rules see it."""

    vertices: NDArray
    """[m], shape (V, 3), frame b."""
    faces: NDArray
    joints: dict[str, NDArray]
    """Positions [m] by joint name."""
    dominant: NDArray
    """Name of the joint that moves each vertex most, shape (V,)."""
    component: NDArray
    """0 outer skin, others: tongue, left eye, right eye. Shape (V,)."""
    masks: dict[str, NDArray]
    """Booleans (V,): ears, eyelids, lips, areolae, fingernails, toenails, mouth_inside, face."""

    @property
    def normals(self) -> NDArray:
        """Unit normals, shape (V, 3)."""
        return vertex_normals(self.vertices, self.faces)


def find_landmarks(figure: Figure) -> dict[str, int]:
    """Vertex index of every landmark."""
    found = _midline(figure)
    left = _face(figure) | _trunk(figure, found) | _arm(figure) | _leg(figure)
    mirrored = mirror_vertices(figure.vertices)
    for name, vertex in left.items():
        found[f"{name}_l"] = vertex
        found[f"{name}_r"] = int(mirrored[vertex])
    return found


def mirror_vertices(vertices: NDArray) -> NDArray[np.int64]:
    """The vertex on the other side of the body for every vertex, shape (V,)."""
    return cKDTree(vertices).query(np.asarray(vertices) * (-1.0, 1.0, 1.0))[1]


def _extreme(figure: Figure, where: NDArray, direction: tuple | NDArray) -> int:
    candidates = np.flatnonzero(where)
    return int(candidates[np.argmax(figure.vertices[candidates] @ np.asarray(direction, np.float64))])


def _nearest(figure: Figure, where: NDArray, point: NDArray) -> int:
    candidates = np.flatnonzero(where)
    return int(candidates[np.argmin(np.linalg.norm(figure.vertices[candidates] - point, axis=1))])


def _seen_from(figure: Figure, where: NDArray, origin: NDArray, direction: tuple | NDArray) -> int:
    """The vertex nearest to the ray that leaves the body from `origin`."""
    direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    candidates = np.flatnonzero(where & (figure.normals @ direction > 0.2))
    offset = figure.vertices[candidates] - origin
    along = offset @ direction
    across = np.linalg.norm(offset - along[:, None] * direction, axis=1)
    return int(candidates[np.argmin(np.where(along > 0.0, across, np.inf))])


def _kink(figure: Figure, candidates: NDArray, start: NDArray, stop: NDArray, outward: tuple | NDArray) -> int:
    """Of `candidates` the vertex that lies deepest behind the chord from `start` to `stop`, seen from `outward`."""
    chord = (stop - start) / np.linalg.norm(stop - start)
    outward = np.asarray(outward, np.float64)
    outward = outward - (outward @ chord) * chord
    depth = -(figure.vertices[candidates] - start) @ outward
    return int(candidates[np.argmax(depth)])


def _skyline(figure: Figure, where: NDArray, edges: NDArray, across: int, upward: int) -> NDArray[np.int64]:
    """The vertex farthest along axis `upward` in each slab between `edges` [m] of axis `across`."""
    along, height = figure.vertices[:, across], figure.vertices[:, upward]
    slabs = (np.flatnonzero(where & (along >= a) & (along < b)) for a, b in pairwise(edges))
    return np.array([slab[np.argmax(height[slab])] for slab in slabs if len(slab)])


def _midline(figure: Figure) -> dict[str, int]:
    v, skin = figure.vertices, figure.component == 0
    x, y, z = v.T
    n = figure.normals
    joints = figure.joints
    middle = skin & (np.abs(x) < 0.0012) & ~figure.masks["mouth_inside"]
    front, back = middle & (n[:, 1] < -0.05), middle & (n[:, 1] > 0.05)
    head = np.isin(figure.dominant, ("head", "neck_01"))
    lips = figure.masks["lips"]
    crown = _extreme(figure, skin & head, (0, 0, 1))
    stature = z[crown]
    nose_tip = _extreme(figure, front & head & (z > z[lips].max()), (0, -1, 0))
    chin = _extreme(figure, front & head & (z < z[lips].min() - 0.005), (0, -0.7, -0.7))
    notch_level = joints["clavicle_l"][2] + 0.002 * stature
    suprasternal = _nearest(figure, front, np.array([0.0, joints["clavicle_l"][1] - 0.06, notch_level]))
    throat = _extreme(figure, front & (z > notch_level) & (z < z[chin]) & (y > y[chin] + 0.03), (0, 0.3, 0.7))
    larynx = _nearest(figure, front, 0.62 * v[throat] + 0.38 * v[suprasternal])
    # Cervicale lies 4.3 % of stature above the suprasternal notch (ANSUR II: men 4.4 %, women 4.1 %).
    c7 = back.nonzero()[0][np.argmin(np.abs(z[back] - z[suprasternal] - 0.043 * stature))]
    pelvis = joints["pelvis"][2]
    crotch = _extreme(figure, skin & (np.abs(x) < 0.0012) & (z > 0.8 * pelvis) & (z < pelvis), (0, 0, -1))
    belly = np.flatnonzero(front & (z > pelvis + 0.05 * stature) & (z < pelvis + 0.11 * stature))
    top, bottom = belly[np.argmax(z[belly])], belly[np.argmin(z[belly])]
    navel = _kink(figure, belly, v[bottom], v[top], (0, -1, 0))
    return {
        "crown": crown,
        "nose_tip": nose_tip,
        "chin": chin,
        "larynx": larynx,
        "suprasternal": suprasternal,
        "c7": int(c7),
        "navel": navel,
        "waist_back": _nearest(figure, back, v[navel] + (0.0, 0.2, 0.02 * stature)),
        "crotch": crotch,
        "occiput": _extreme(figure, back & head, (0, 1, 0)),
        "glabella": _extreme(figure, front & head & (z > z[nose_tip] + 0.03 * stature), (0, -1, 0.1)),
    }


def _face(figure: Figure) -> dict[str, int]:
    v, masks = figure.vertices, figure.masks
    left = v[:, 0] > 0
    eye = figure.component == 2
    middle = v[eye].mean(0)
    rim = left & masks["eyelids"] & (figure.component == 0)
    level = rim & (np.abs(v[:, 2] - middle[2]) < 0.006)
    ear = left & masks["ears"]
    tragus = v[ear].mean(0)
    tragus[1] = v[ear, 1].min() + 0.008
    return {
        "eye": _extreme(figure, eye, (0, -1, 0)),
        "eye_inner": _extreme(figure, level, (-1, 0, 0)),
        "eye_outer": _extreme(figure, level, (1, 0, 0)),
        "ear": _nearest(figure, ear, tragus),
        "mouth_corner": _extreme(figure, left & masks["lips"], (1, 0, 0)),
    }


def _trunk(figure: Figure, midline: dict[str, int]) -> dict[str, int]:
    v, n, joints = figure.vertices, figure.normals, figure.joints
    x, y, z = v.T
    left = (x > 0.004) & (figure.component == 0)
    stature = z[midline["crown"]]
    trunk = left & np.isin(
        figure.dominant, ("pelvis", "spine_01", "spine_02", "spine_03", "clavicle_l", "thigh_l", "neck_01")
    )
    shoulder = joints["upperarm_l"]
    acromion = _seen_from(figure, left & (z > shoulder[2]), shoulder, (0.4, 0.15, 1.0))
    # The side of the neck's base: midway between front and back, 1 % of stature above their mean as tape measures run.
    base = 0.5 * (v[midline["c7"]] + v[midline["suprasternal"]]) + np.array([0.0, 0.0, 0.010 * stature])
    neck_side = np.flatnonzero(trunk & (n[:, 0] > 0.3))
    neck_point = neck_side[np.argmin(np.linalg.norm((v[neck_side] - base)[:, 1:], axis=1))]
    bust = _nearest(figure, left & figure.masks["areolae"], v[left & figure.masks["areolae"]].mean(0))
    below = trunk & (np.abs(x - x[bust]) < 0.012) & (n[:, 1] < -0.1) & (z < z[bust]) & (z > z[bust] - 0.09 * stature)
    underbust = _kink(figure, np.flatnonzero(below), v[bust], v[_extreme(figure, below, (0, 0, -1))], (0, -1, 0))
    side = trunk & (n[:, 0] > 0.85)
    flank_y = 0.5 * (y[midline["navel"]] + y[midline["waist_back"]])
    belt = np.arange(joints["spine_01"][2] + 0.02 * stature, joints["spine_03"][2] + 0.01 * stature, 0.01)
    flank = _skyline(figure, side & (np.abs(y - flank_y) < 0.03), belt, across=2, upward=0)
    crest = 0.35 * joints["spine_01"] + 0.65 * joints["spine_02"]
    seat = left & (z > z[midline["crotch"]]) & (z < joints["spine_01"][2])
    return {
        "acromion": acromion,
        "neck_point": int(neck_point),
        "bust_point": bust,
        "underbust": underbust,
        "waist_side": int(flank[np.argmin(x[flank])]),
        "iliac_crest": _nearest(figure, side, crest + np.array([0.15, 0.0, 0.0])),
        "trochanter": _nearest(figure, left & (n[:, 0] > 0.8), joints["thigh_l"] + np.array([0.1, 0.0, 0.0])),
        "buttock_prominence": _extreme(figure, seat, (0, 1, 0)),
    }


def _arm(figure: Figure) -> dict[str, int]:
    v, joints = figure.vertices, figure.joints
    left = (v[:, 0] > 0.1) & (figure.component == 0)
    arm = left & np.isin(figure.dominant, ("upperarm_l", "lowerarm_l", "hand_l"))
    shoulder, elbow, wrist = (joints[f"{name}_l"] for name in ("upperarm", "lowerarm", "hand"))
    upper = (elbow - shoulder) / np.linalg.norm(elbow - shoulder)
    lower = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    across = joints["pinky_01_l"] - joints["index_01_l"]
    across = across - (across @ lower) * lower
    across /= np.linalg.norm(across)
    dorsal = np.cross(across, lower)
    dorsal *= np.sign(dorsal[0])
    found = {
        "elbow": _seen_from(figure, arm, elbow, upper - lower),
        "wrist_ulnar": _seen_from(figure, arm, wrist, across + 0.35 * dorsal),
        "wrist_radial": _seen_from(figure, arm, wrist, -across),
    }
    for finger in FINGERS:
        knuckle, tip = joints[f"{finger}_01_l"], joints[f"{finger}_03_l"]
        along = (tip - knuckle) / np.linalg.norm(tip - knuckle)
        own = left & np.char.startswith(figure.dominant.astype(str), finger)
        hand = left & (own | (figure.dominant == "hand_l"))
        second = joints[f"{finger}_02_l"] if finger == "thumb" else knuckle
        found[f"{finger}_knuckle"] = _seen_from(figure, hand, second, dorsal)
        found[f"{finger}_tip"] = _extreme(figure, own, along)
    return found


def _leg(figure: Figure) -> dict[str, int]:
    v, n, joints = figure.vertices, figure.normals, figure.joints
    left = (v[:, 0] > 0.004) & (figure.component == 0)
    foot = left & np.isin(figure.dominant, ("foot_l", "ball_l"))
    leg = left & np.isin(figure.dominant, ("thigh_l", "calf_l", "foot_l"))
    ankle, ball, knee = joints["foot_l"], joints["ball_l"], joints["calf_l"]
    forward = np.array([*(ball - ankle)[:2], 0.0]) / np.linalg.norm((ball - ankle)[:2])
    lateral = np.cross(forward, (0, 0, 1)) * -1.0
    lateral *= np.sign(lateral[0])
    toes = foot & ((v - ball) @ forward > 0.0)
    big_toe = toes & ((v - ball) @ lateral < -0.02)
    heel = _extreme(figure, foot, -forward)
    return {
        "kneecap": _seen_from(figure, leg, knee, (0, -1, -0.15)),
        "ankle_lateral": _seen_from(figure, leg, ankle, lateral),
        "ankle_medial": _seen_from(figure, leg, ankle + np.array([0.0, 0.0, 0.008]), -lateral),
        "heel": heel,
        "toe": _extreme(figure, big_toe, forward),
        "ball_medial": _extreme(figure, foot & (n[:, 2] > -0.3), -lateral),
        "ball_lateral": _extreme(figure, foot & (np.abs((v - ball) @ forward) < 0.06), lateral),
        "sole": _nearest(figure, foot, np.array([*(0.5 * (v[heel] + ball))[:2], 0.0])),
    }
