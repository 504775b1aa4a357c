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
    "body": ("mesh.vert", "body.frag", ("BODY", "SHADOW_PER_VERTEX")),
    "body_detail": ("mesh.vert", "body.frag", ("BODY", "DETAIL")),
    "body_mirrored": ("mesh.vert", "body.frag", ("BODY", "MIRRORED")),
    "cloth": ("mesh.vert", "cloth.frag", ("SHADOW_PER_VERTEX",)),
    "cloth_detail": ("mesh.vert", "cloth.frag", ("DETAIL",)),
    "cloth_mirrored": ("mesh.vert", "cloth.frag", ("MIRRORED",)),
    "shadow": ("shadow.vert", "shadow.frag", ()),
    "paper": ("paper.vert", "paper.frag", ()),
    "floor": ("floor.vert", "floor.frag", ()),
    "floor_light": ("floor_light.vert", "floor_light.frag", ()),
    "finish": ("finish.vert", "finish.frag", ()),
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
