#version 330
// Where the person stands: shadow, contact, and a polish that lets the mirrored feet through.
#include "color.glsl"
#include "lighting.glsl"
#include "paper.glsl"
#include "dither.glsl"

uniform sampler2D contact;      // r: touching, g: near the floor
uniform vec3 contact_place;     // centre x, y [m], frame w; half width [m]
uniform float floor_half;       // half width of this patch [m]
uniform float polish;           // share that is mirrored at normal incidence
in vec3 world;
in vec3 local;
out vec4 result;

// The key's penumbra widens with the distance from what throws it: a disc of comparisons (Vogel 1979), turned per pixel.
float floor_visibility(float radius) {
    vec4 h = key_projection * vec4(world, 1.0);
    vec3 p = h.xyz / h.w;
    if (any(greaterThan(abs(p - 0.5), vec3(0.5)))) return 1.0;
    float turn = 6.2832 * interleaved_noise();
    float lit = 0.0;
    for (int i = 0; i < 12; ++i) {
        float angle = 2.39996 * float(i) + turn;
        vec2 disc = sqrt((float(i) + 0.5) / 12.0) * vec2(cos(angle), sin(angle));
        lit += texture(key_shadow, vec3(p.xy + disc * radius * key_texel, p.z - 0.0006));
    }
    return lit / 12.0;
}

void main() {
    vec3 radiance = paper_radiance(local);
    float away = length(local.xy);
    float inside = 1.0 - smoothstep(0.55, 1.0, away / floor_half);
    if (inside > 0.0) {
        float lit = floor_visibility(mix(4.0, 26.0, min(away / floor_half, 1.0)));
        radiance *= 1.0 - 0.42 * inside * (1.0 - lit);
        vec2 place = (world.xy - contact_place.xy) / contact_place.z;
        if (max(abs(place.x), abs(place.y)) < 1.0) {
            vec2 near = texture(contact, place * 0.5 + 0.5).rg;
            radiance *= (1.0 - 0.75 * near.r) * (1.0 - 0.50 * near.g);
        }
    }
    float grazing = schlick(max(normalize(camera_position - world).z, 0.0));
    float shine = inside * (polish + 0.25 * grazing);
    result = vec4(dithered(to_screen(radiance)), 1.0 - shine);
}
