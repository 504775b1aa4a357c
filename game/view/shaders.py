"""Puts GLSL sources together and compiles them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from panda3d.core import Shader

from game.assets import SHADERS
from solver.errors import InputError

INCLUDE = re.compile(r'^#include "([\w./]+)"$', re.MULTILINE)

# Every program there is: vertex file, fragment file, definitions. The test compiles all of them.
PROGRAMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "body": ("body.vert", "body.frag", ()),
    "cloth": ("cloth.vert", "cloth.frag", ()),
    "studio": ("studio.vert", "studio.frag", ()),
    "shadow": ("shadow.vert", "shadow.frag", ()),
    "body_mirrored": ("body.vert", "body.frag", ("MIRRORED",)),
    "cloth_mirrored": ("cloth.vert", "cloth.frag", ("MIRRORED",)),
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


@lru_cache(maxsize=None)
def program(name: str) -> Shader:
    """The shader program called `name` in `PROGRAMS`; the driver compiles it when it is first drawn."""
    vertex, fragment, definitions = PROGRAMS[name]
    return Shader.make(Shader.SL_GLSL, shader_source(vertex, definitions), shader_source(fragment, definitions))


def set_inputs(node, inputs: Mapping[str, object]) -> None:
    """Sets uniforms on a NodePath."""
    for name, value in inputs.items():
        node.set_shader_input(name, value)
