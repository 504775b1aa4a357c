"""What is measured: the keys of measurements.json, their class, and the clause of ISO 8559-1:2017 where it agrees."""

from __future__ import annotations

from typing import NamedTuple


class Definition(NamedTuple):
    """One measure."""

    class_: str
    """ISO 20685 class: decides how exact the measure must be."""
    text: str
    """For people: how it is taken."""
    iso: str = ""
    """The clause with the same definition; empty where Cheval's differs or the standard has none."""
    unit: str = "mm"


LARGE, SMALL, HEIGHT, LENGTH = "large girth", "small girth", "height", "length"
BREADTH, DEPTH = "breadth", "depth"

DEFINITIONS: dict[str, Definition] = {
    "height": Definition(HEIGHT, "crown to floor", "ISO 8559-1 5.1.1"),
    "chest_girth": Definition(LARGE, "horizontal tape at the bust points, arms cut away", "ISO 8559-1 5.3.4"),
    "underbust_girth": Definition(LARGE, "horizontal tape just below the breasts", "ISO 8559-1 5.3.8"),
    "waist_girth": Definition(LARGE, "smallest horizontal tape between lowest rib and iliac crest"),
    "hip_girth": Definition(LARGE, "largest horizontal tape at the buttock prominence", "ISO 8559-1 5.3.13"),
    "neck_girth": Definition(SMALL, "tape just below the larynx, square to the neck", "ISO 8559-1 5.3.2"),
    "thigh_girth": Definition(SMALL, "horizontal tape 30 mm below the crotch"),
    "knee_girth": Definition(SMALL, "tape at the kneecap, square to the leg"),
    "calf_girth": Definition(SMALL, "largest tape of the lower leg, square to it"),
    "ankle_girth": Definition(SMALL, "smallest tape of the lower leg, square to it"),
    "upper_arm_girth": Definition(SMALL, "largest tape of the upper arm, square to it"),
    "elbow_girth": Definition(SMALL, "tape at the elbow, square to the arm"),
    "wrist_girth": Definition(SMALL, "smallest tape of the lower arm, square to it"),
    "crotch_height": Definition(HEIGHT, "floor to crotch"),
    "waist_height": Definition(HEIGHT, "floor to the level of the waist girth"),
    "hip_height": Definition(HEIGHT, "floor to the level of the hip girth"),
    "chest_height": Definition(HEIGHT, "floor to the bust points"),
    "knee_height": Definition(HEIGHT, "floor to the kneecap"),
    "neck_height": Definition(HEIGHT, "floor to the seventh neck vertebra"),
    "shoulder_width": Definition(BREADTH, "acromion to acromion, straight"),
    "shoulder_length": Definition(LENGTH, "neck point to acromion"),
    "arm_length": Definition(LENGTH, "acromion over the elbow to the ulnar styloid", "ISO 8559-1 5.7.8"),
    "back_length": Definition(LENGTH, "seventh neck vertebra along the back to the waist", "ISO 8559-1 5.4.5"),
    "front_length": Definition(LENGTH, "neck point over the bust point to the waist"),
    "crotch_length": Definition(LENGTH, "front waist through the crotch to back waist"),
    "chest_depth": Definition(DEPTH, "front to back at chest level"),
    "waist_depth": Definition(DEPTH, "front to back at waist level"),
    "hip_depth": Definition(DEPTH, "front to back at hip level"),
    "chest_breadth": Definition(BREADTH, "side to side at chest level, arms cut away"),
    "waist_breadth": Definition(BREADTH, "side to side at waist level"),
    "hip_breadth": Definition(BREADTH, "side to side at hip level"),
    "volume_l": Definition("volume", "volume of the closed surface", unit="l"),
    "surface_m2": Definition("area", "area of the closed surface", unit="m2"),
}
