#version 330
uniform vec4 tape;      // sRGB, opacity
out vec4 result;

void main() {
    result = tape;
}
