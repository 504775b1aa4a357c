#version 330
#include "color.glsl"
#include "lighting.glsl"

uniform sampler2D contact;      // r: touching, g: near the floor
uniform vec3 contact_place;     // centre x, y [m], frame w; half width [m]
uniform vec3 paper;             // linear albedo
uniform float opacity;          // below 1 the floor lets the mirrored body through
in vec3 world;
in vec3 local;
in vec3 world_normal;
out vec4 result;

void main() {
    // The paper roll, lit by a lamp behind the person at chest height and by the key on the floor.
    vec2 glow = vec2(local.x / 1.9, (local.z - 1.25) / 1.7);
    float wall = smoothstep(0.0, 2.6, local.y + local.z);
    float behind = exp(-dot(glow, glow));
    float pool = exp(-dot(local.xy, local.xy) / 3.2);
    float level = mix(0.50 + 0.42 * pool, 0.34 + 0.62 * behind, wall);
    vec3 tint = mix(vec3(1.0, 0.985, 0.96), vec3(1.0, 0.965, 0.92), behind * wall);
    vec3 radiance = paper * tint * level;

    vec2 place = (world.xy - contact_place.xy) / contact_place.z;
    if (local.z < 0.4 && max(abs(place.x), abs(place.y)) < 1.0) {
        vec2 near = texture(contact, place * 0.5 + 0.5).rg;
        radiance *= (1.0 - 0.80 * near.r) * (1.0 - 0.55 * near.g);
    }
    float lit = key_visibility(world, world_normal, 3.0);
    radiance *= mix(0.60, 1.0, lit);
    vec4 screen = to_screen(radiance);
    // A dither of half a level hides the bands of an 8-bit gradient.
    float dither = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
    result = vec4(screen.rgb + (dither - 0.5) / 255.0, opacity);
}
