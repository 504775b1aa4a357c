#version 330
// Where the person stands: shadow, contact, and a polish that lets the mirrored feet through.
#include "color.glsl"
#include "lighting.glsl"
#include "paper.glsl"
#include "dither.glsl"

uniform sampler2D floor_light;  // how much of the key reaches this patch
uniform sampler2D contact;          // r: touching, g: near the floor
uniform vec3 contact_place;     // centre x, y [m], frame w; half width [m]
uniform float floor_half;       // half width of this patch [m]
uniform float polish;           // share that is mirrored at normal incidence
uniform vec3 floor_shine;       // sRGB of what the floor mirrors where it mirrors no person
in vec3 world;
in vec3 local;
out vec4 result;

void main() {
    vec3 radiance = paper_radiance(local);
    float away = length(local.xy);
    float inside = 1.0 - smoothstep(0.55, 1.0, away / floor_half);
    if (inside > 0.0) {
        float lit = texture(floor_light, local.xy / (2.0 * floor_half) + 0.5).r;
        radiance *= 1.0 - 0.45 * inside * (1.0 - lit);
        vec2 place = (world.xy - contact_place.xy) / contact_place.z;
        if (max(abs(place.x), abs(place.y)) < 1.0) {
            vec2 near = texture(contact, place * 0.5 + 0.5).rg;
            radiance *= (1.0 - 0.75 * near.r) * (1.0 - 0.50 * near.g);
        }
    }
    float grazing = schlick(max(normalize(camera_position - world).z, 0.0));
    float shine = inside * (polish + 0.25 * grazing);
    // Where nothing stands on it the floor is the paper: take off what the blending will add.
    vec3 screen = (to_screen(radiance) - shine * floor_shine) / (1.0 - shine);
    result = vec4(dithered(screen), 1.0 - shine);
}
