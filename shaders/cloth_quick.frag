#version 330
// Cloth whose vertices are lit and toned already, once in each colour of its print.
#include "weave.glsl"
#ifdef GLASS
#include "occlusion.glsl"
uniform vec3 exposure;      // how bright the room is against the studio, sRGB
in float depth;             // [m]
#endif
in vec3 as_ground;          // sRGB
in vec3 as_figure;
in float facing;            // 1 seen square on, 0 from aside, -1 from behind
in vec2 pattern;
in vec2 edge;               // distance from the nearest free edge and from the nearest seam [m]
out vec4 result;

void main() {
    vec2 width = fwidth(pattern);
    float pixel = max(width.x, width.y);
    vec3 screen = mix(as_ground, as_figure, figure_cover(pattern, width));
    // A stitch a few pixels wide: triangles will do for bells, and a share of light is its square root in sRGB.
    float line = max(1.0 - abs(edge.x - 0.020) / max(0.002, 1.2 * pixel), 0.0) * min(1.0, 0.0016 / pixel);
    float seam = max(1.0 - edge.y / max(0.003, 1.4 * pixel), 0.0) * min(1.0, 0.003 / pixel);
    screen *= (1.0 - 0.19 * line) * (1.0 - 0.16 * seam);
    // The wrong side is darker; by the normal, not by the triangle, or every outline would be dotted.
    result = vec4(screen * (1.0 - 0.42 * smoothstep(0.0, 0.35, -facing)), 1.0);
#ifdef GLASS
    result = vec4(result.rgb * exposure, 1.0 - hidden(depth));
#endif
}
