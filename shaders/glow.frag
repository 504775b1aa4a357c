#version 330
uniform vec4 glow;      // sRGB, strength
in float facing;
out vec4 result;

void main() {
    float rim = 1.0 - clamp(facing, 0.15, 1.0);
    result = vec4(glow.rgb, glow.a * (0.10 + 0.75 * rim * rim));
}
