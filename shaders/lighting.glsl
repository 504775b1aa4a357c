// The studio's light: softboxes at finite distance, a room that glows back, the key's shadow.

#define LIGHT_COUNT 4
uniform vec3 camera_position;
uniform vec4 light_place[LIGHT_COUNT];   // xyz [m], frame w; w: half size [m]
uniform vec3 light_color[LIGHT_COUNT];   // irradiance at 1 m
uniform vec3 room_above;
uniform vec3 room_around;
uniform vec3 room_below;
uniform mat4 key_projection;             // world to shadow map, 0..1
uniform sampler2DShadow key_shadow;
uniform float key_texel;                 // 1 / resolution

struct Light {
    vec3 toward;
    vec3 irradiance;
    float spread;                        // half size over distance
};

Light light_at(int i, vec3 position) {
    vec3 d = light_place[i].xyz - position;
    float distance2 = dot(d, d);
    float inverse = inversesqrt(distance2);
    return Light(d * inverse, light_color[i] / distance2, light_place[i].w * inverse);
}

vec3 room_light(vec3 n) {
    float up = n.z;
    vec3 c = mix(room_around, room_above, max(up, 0.0));
    return mix(c, room_below, max(-up, 0.0));
}

// Percentage-closer filtering (Reeves 1987) over a grid of hardware comparisons.
float key_visibility(vec3 position, vec3 n, float radius) {
    vec4 p = key_projection * vec4(position + n * 0.008, 1.0);
    if (any(greaterThan(abs(p.xyz - 0.5), vec3(0.5)))) return 1.0;
    float lit = 0.0;
    for (int y = -1; y <= 1; ++y)
        for (int x = -1; x <= 1; ++x)
            lit += texture(key_shadow, vec3(p.xy + vec2(x, y) * radius * key_texel, p.z - 0.0006));
    return lit / 9.0;
}

// GGX (Walter et al. 2007) with Karis' 2014 visibility; the source's size widens the lobe.
float specular_lobe(vec3 n, vec3 v, Light light, float roughness, float f0) {
    vec3 h = normalize(v + light.toward);
    float nh = max(dot(n, h), 0.0), vh = max(dot(v, h), 0.0), nl = max(dot(n, light.toward), 0.0);
    float a = roughness * roughness;
    float wide = min(a + 0.5 * light.spread, 1.0);
    float a2 = wide * wide;
    float d = nh * nh * (a2 - 1.0) + 1.0;
    float fresnel = f0 + (1.0 - f0) * pow(1.0 - vh, 5.0);
    return a * a / (d * d) * fresnel * nl / (4.0 * max(vh * vh, 0.1) * (roughness + 0.5));
}
