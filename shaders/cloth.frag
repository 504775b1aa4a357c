#version 330
#include "color.glsl"
#include "lighting.glsl"
#include "textile.glsl"
#ifdef MIRRORED
#include "mirrored.glsl"
#endif
#ifdef DETAIL
#include "noise.glsl"
#endif

#include "weave.glsl"

// The fabric's optics.
const int WOVEN = 0, KNIT = 1, TWILL = 2;
uniform int weave_kind;
uniform float weave_pitch;  // [m]
uniform float weave_depth;  // slope of the yarns' relief
uniform float melange;      // how unevenly the fibres took the dye

in vec3 world;
in vec3 world_normal;
in vec2 pattern;
in vec2 edge;        // distance from the nearest free edge and from the nearest seam [m]
in float open;       // ambient visibility
out vec4 result;

// Slope of the relief of yarns or loops at p, in pattern axes.
vec2 relief(vec2 p) {
    vec2 q = p / weave_pitch;
    if (weave_kind == KNIT) {
        // Jersey: columns of V-shaped loops.
        float column = fract(q.x) - 0.5;
        float lean = q.y * 0.75 + 0.5 * abs(column);
        return vec2(sin(6.2832 * q.x) , 0.8 * cos(6.2832 * lean));
    }
    if (weave_kind == TWILL) {
        float diagonal = 6.2832 * (q.x + q.y);
        return vec2(cos(diagonal));
    }
    float over = mod(floor(q.x) + floor(q.y), 2.0) * 2.0 - 1.0;
    vec2 local = fract(q) - 0.5;
    return over * vec2(local.x, -local.y) * 2.0;
}

void main() {
    vec3 n = normalize(world_normal);
    vec2 width = fwidth(pattern);
    vec3 albedo = mix(ground, figure, figure_cover(pattern, width));
#ifdef MIRRORED
    result = mirrored(albedo, world, n);
#else
    bool inside = !gl_FrontFacing;
    if (inside) n = -n;
    float pixel = max(width.x, width.y);
    float groove = 0.0;
#ifdef DETAIL
    // Yarn relief by the pattern's own axes in space (Mikkelsen 2010), faded where a pixel holds several yarns.
    float sharp = 1.0 - smoothstep(0.2, 0.5, pixel / weave_pitch);
    vec3 dx = dFdx(world), dy = dFdy(world);
    vec2 px = dFdx(pattern), py = dFdy(pattern);
    float area = px.x * py.y - px.y * py.x;
    if (abs(area) > 1e-14) {
        vec3 across = (dx * py.y - dy * px.y) / area, along = (dy * px.x - dx * py.x) / area;
        vec2 slope = relief(pattern) * weave_depth * sharp;
        n = normalize(n - (slope.x * normalize(across) + slope.y * normalize(along)));
        groove = dot(slope, slope) * 0.8;
    }
    float fibre = value_noise(vec3(pattern * vec2(1300.0, 500.0), 1.0)) - 0.5 + 0.5 * (value_noise(vec3(pattern * 300.0, 2.0)) - 0.5);
    albedo *= 1.0 + melange * fibre;
#endif
    albedo *= sewing_light(edge, pixel) * (1.0 - min(groove, 0.4));

    float visible = key_visibility(world, n, 1.4);
    ClothLight light = light_cloth(world, n, visible, open, inside);
    vec3 radiance = albedo * light.diffuse + light.shine;
    result = vec4(to_screen(radiance), 1.0);
#endif
}
