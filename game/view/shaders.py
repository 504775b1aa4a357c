"""Puts GLSL sources together and compiles them."""

from __future__ import annotations

import re
from functools import cache

from panda3d.core import Shader

from game.assets import SHADERS
from solver.errors import InputError

INCLUDE = re.compile(r'^#include "([\w./]+)"$', re.MULTILINE)

# Every program there is: vertex file, fragment file, definitions. A test compiles all of them.
PROGRAMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "body": ("mesh_quick.vert", "body_quick.frag", ("QUICK", "BODY")),
    "body_atlas": ("mesh_quick.vert", "body_quick.frag", ("QUICK", "BODY", "ATLAS")),
    "body_atlas_detail": ("mesh.vert", "body.frag", ("BODY", "DETAIL", "ATLAS")),
    "body_eyes": ("mesh.vert", "body.frag", ("BODY", "EYES")),
    "body_detail": ("mesh.vert", "body.frag", ("BODY", "DETAIL")),
    "body_detail_eyes": ("mesh.vert", "body.frag", ("BODY", "DETAIL", "EYES")),
    "body_mirrored": ("mesh.vert", "body.frag", ("BODY", "MIRRORED")),
    "body_mirrored_over": ("mesh.vert", "body.frag", ("BODY", "MIRRORED", "OVER_BACKDROP")),
    "cloth": ("mesh_quick.vert", "cloth_quick.frag", ("QUICK",)),
    "cloth_detail": ("mesh.vert", "cloth.frag", ("DETAIL",)),
    "cloth_mirrored": ("mesh.vert", "cloth.frag", ("MIRRORED",)),
    "cloth_mirrored_over": ("mesh.vert", "cloth.frag", ("MIRRORED", "OVER_BACKDROP")),
    "shadow": ("shadow.vert", "shadow.frag", ()),
    "paper": ("paper.vert", "paper.frag", ()),
    "floor": ("floor.vert", "floor.frag", ()),
    "floor_shade": ("floor.vert", "floor_shade.frag", ()),
    "floor_light": ("floor_light.vert", "floor_light.frag", ()),
    "floor_light_quick": ("floor_light.vert", "floor_light.frag", ("TAPS 14",)),
    "cloth_glass": ("mesh_quick.vert", "cloth_quick.frag", ("QUICK", "GLASS")),
    "cast": ("cast.vert", "cast.frag", ()),
    "depth": ("depth.vert", "shadow.frag", ()),
    "glass": ("glass.vert", "glass.frag", ()),
    "glow": ("glow.vert", "glow.frag", ()),
    "clay": ("clay.vert", "clay.frag", ()),
    "tape": ("shadow.vert", "tape.frag", ()),
    "plate": ("plate.vert", "plate.frag", ()),
    "plate_picture": ("plate.vert", "plate.frag", ("PICTURE",)),
    "ring": ("plate.vert", "ring.frag", ()),
    "finish": ("finish.vert", "finish.frag", ()),
} | {
    f"layers{figures}{words}{how}": (
        "finish.vert",
        "layers.frag",
        tuple(word[1:].upper() for word in (figures, words, how) if word),
    )
    for figures in ("", "_figures")
    for words in ("", "_words")
    for how in ("", "_enlarged", *(("_smooth",) if figures else ()))
}


def shader_source(file: str, definitions: tuple[str, ...] = ()) -> str:
    """The text of a shader with its includes in place and `definitions` after the version line."""
    path = SHADERS / file
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: the shader cannot be read ({error.strerror}); reinstall cheval") from error
    text = INCLUDE.sub(lambda match: shader_source(match.group(1)), text)
    if definitions:
        version, rest = text.split("\n", 1)
        text = "\n".join((version, *(f"#define {name}" for name in definitions), rest))
    return text


@cache
def program(name: str) -> Shader:
    """The shader program called `name` in `PROGRAMS`; the driver compiles it when it is first drawn."""
    vertex, fragment, definitions = PROGRAMS[name]
    return Shader.make(Shader.SL_GLSL, shader_source(vertex, definitions), shader_source(fragment, definitions))
