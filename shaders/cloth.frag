#version 330
#include "color.glsl"
#include "lighting.glsl"
#ifdef MIRRORED
#include "mirrored.glsl"
#endif
#ifdef DETAIL
#include "noise.glsl"
#endif

// Prints lie on the flat pattern in metres, so that they follow the grain.
const int PLAIN = 0, STRIPES = 1, PINSTRIPES = 2, CHECKS = 3, DOTS = 4;
uniform vec3 ground;        // linear albedo
uniform vec3 figure;        // linear albedo of the print
uniform int print_kind;
uniform float print_pitch;  // repeat [m]
uniform float print_share;  // share of the repeat that the figure covers

// The fabric's optics.
const int WOVEN = 0, KNIT = 1, TWILL = 2;
uniform int weave_kind;
uniform float weave_pitch;  // [m]
uniform float weave_depth;  // slope of the yarns' relief
uniform float roughness;
uniform float sheen;        // fuzz that catches light from the side
uniform float sheerness;    // light that comes through
uniform float melange;      // how unevenly the fibres took the dye

in vec3 world;
in vec3 world_normal;
#ifdef SHADOW_PER_VERTEX
in float lit;        // how much of the key arrives: a softbox's shadows are as soft as the mesh is coarse
#endif
in vec2 pattern;
in vec2 edge;        // distance from the nearest free edge and from the nearest seam [m]
in float open;       // ambient visibility
out vec4 result;

// Share of a pixel `width` wide around x that lies in a band of share s of each period 1.
float band(float x, float s, float width) {
    float d = abs(fract(x) - 0.5) - 0.5 * s;
    return 1.0 - smoothstep(-0.5 * width, 0.5 * width, d);
}

float figure_cover(vec2 p, vec2 width) {
    vec2 q = p / print_pitch, w = max(width / print_pitch, vec2(1e-4));
    float cover = 0.0;
    if (print_kind == STRIPES) cover = band(q.y, print_share, w.y);
    else if (print_kind == PINSTRIPES) cover = band(q.x, print_share, w.x);
    else if (print_kind == CHECKS) cover = 0.5 * (band(q.x, print_share, w.x) + band(q.y, print_share, w.y));
    else if (print_kind == DOTS) {
        vec2 cell = fract(q) - 0.5, shifted = fract(q + 0.5) - 0.5;
        float d = min(length(cell), length(shifted)) - 0.5 * print_share;
        cover = 1.0 - smoothstep(-0.5 * w.x, 0.5 * w.x, d);
    }
    // Finer than a pixel a print is its mean.
    return mix(cover, print_kind == PLAIN ? 0.0 : print_share, smoothstep(0.5, 1.0, max(w.x, w.y)));
}

float bell(float x) {
    return exp(-x * x);
}

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
    vec3 v = normalize(camera_position - world);
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
    // A hem is folded over and stitched 20 mm from the edge: a shallow groove, a thicker edge.
    float line = bell((edge.x - 0.020) / max(0.0011, 0.7 * pixel)) * min(1.0, 0.0016 / max(pixel, 1e-5));
    float fold = 1.0 - smoothstep(0.0, 0.0035, edge.x);
    // Along a seam the cloth dips into the stitches.
    float seam = bell(edge.y / max(0.0016, 0.8 * pixel)) * min(1.0, 0.003 / max(pixel, 1e-5));
    albedo *= (1.0 - 0.35 * line) * (1.0 - 0.30 * seam) * (1.0 - 0.12 * fold) * (1.0 - min(groove, 0.4));

    #ifdef SHADOW_PER_VERTEX
    float visible = lit;
#else
    float visible = key_visibility(world, n, 1.4);
#endif
    float nv = max(dot(n, v), 0.0);
    vec3 diffuse = vec3(0.0), shine = vec3(0.0);
    for (int i = 0; i < LIGHT_COUNT; ++i) {
        Light light = light_at(i, world);
        float facing = dot(n, light.toward);
        vec3 irradiance = light.irradiance * (i == 0 ? visible : 1.0);
        float wrap = 0.10 + 0.4 * light.spread;
        diffuse += irradiance * max((facing + wrap) / ((1.0 + wrap) * (1.0 + wrap)), 0.0);
        diffuse += light.irradiance * sheerness * max(-facing, 0.0);
        if (facing > 0.0) {
            vec3 h = normalize(v + light.toward);
            float nh = max(dot(n, h), 0.0), vh = max(dot(v, h), 0.0);
            shine += irradiance * facing * (0.035 + 0.965 * schlick(vh)) * specular_lobe(nh, vh, light.spread, roughness);
            float grazing = max(1.0 - nh * nh, 0.0);
            // Fuzz: the sine-power lobe of Estevez and Kulla (2017), softened.
            shine += albedo * irradiance * facing * sheen * 0.5 * grazing * sqrt(grazing) / max(facing + nv - facing * nv, 0.25);
        }
    }
    vec3 ambient = room_light(n) * open;
    diffuse *= mix(1.0, open, 0.5);
    shine *= open;
    if (inside) {
        ambient *= 0.35;
        diffuse *= 0.30;
        shine *= 0.1;
    }
    vec3 radiance = albedo * (diffuse + ambient) + shine;
    radiance += albedo * sheen * 0.35 * room_light(n) * schlick(nv);
    result = vec4(to_screen(radiance), 1.0);
#endif
}
