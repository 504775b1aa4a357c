#version 330
// How much of the key reaches the floor. The penumbra widens away from the feet: a disc of comparisons (Vogel 1979).
#ifndef TAPS
#define TAPS 40
#endif
uniform mat4 key_projection;
uniform sampler2DShadow key_shadow;
uniform float key_texel;
in vec3 world;
in vec2 place;    // -1..1
out vec4 result;

void main() {
    vec4 h = key_projection * vec4(world, 1.0);
    vec3 p = h.xyz / h.w;
    float radius = mix(3.0, 34.0, min(length(place), 1.0)) * key_texel;
    float lit = 0.0;
    for (int i = 0; i < TAPS; ++i) {
        float angle = 2.39996 * float(i);
        vec2 disc = sqrt((float(i) + 0.5) / float(TAPS)) * vec2(cos(angle), sin(angle));
        lit += texture(key_shadow, vec3(p.xy + disc * radius, p.z - 0.0006));
    }
    result = vec4(lit / float(TAPS));
}
