#version 330
#include "dither.glsl"
in vec3 screen;
out vec4 result;

void main() {
    result = vec4(dithered(screen), 1.0);
}
