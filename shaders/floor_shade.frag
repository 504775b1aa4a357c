#version 330
// What a person takes of the light on a floor that is already drawn: black, by how much it darkens.
uniform sampler2D floor_light;  // how much of the key reaches this patch
uniform sampler2D contact;      // r: touching, g: near the floor
uniform vec3 contact_place;     // centre x, y [m], frame w; half width [m]
uniform float floor_half;       // half width of this patch [m]
in vec3 world;
in vec3 local;
out vec4 result;

void main() {
    float inside = 1.0 - smoothstep(0.45, 0.85, length(local.xy) / floor_half);
    float lit = texture(floor_light, local.xy / (2.0 * floor_half) + 0.5).r;
    float kept = 1.0 - 0.45 * inside * (1.0 - lit);
    vec2 near = texture(contact, (world.xy - contact_place.xy) / contact_place.z * 0.5 + 0.5).rg;
    kept *= (1.0 - 0.75 * near.r) * (1.0 - 0.50 * near.g);
    // Light that is not there takes half of its darkness in sRGB.
    result = vec4(0.0, 0.0, 0.0, 1.0 - sqrt(kept));
}
