#version 330
#include "occlusion.glsl"
uniform float dark;
in float depth;         // [m]
out vec4 result;

void main() {
    // Only what is about as far away is darkened: the person, not the wall behind.
    float d = depth_at(seen_place());
    float near = 1.0 - smoothstep(0.06, 0.16, abs(d - depth));
    result = vec4(0.0, 0.0, 0.0, dark * near);
}
