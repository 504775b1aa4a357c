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
uniform float key_texel;                 // unit of the radii below, share of the map

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
    vec3 c = mix(room_around, room_above, max(n.z, 0.0));
    return mix(c, room_below, max(-n.z, 0.0));
}

// Percentage-closer filtering (Reeves 1987) by hardware comparisons, `radius` apart.
float key_visibility(vec3 position, vec3 n, float radius) {
    vec4 h = key_projection * vec4(position + n * 0.012, 1.0);
    vec3 p = h.xyz / h.w;
    if (any(greaterThan(abs(p - 0.5), vec3(0.5)))) return 1.0;
    p.z -= 0.0008;
    float step = radius * key_texel;
#ifdef QUICK
    const int REACH = 1;
#else
    const int REACH = 2;
#endif
    float lit = 0.0, count = 0.0;
    for (int y = -REACH; y <= REACH; ++y)
        for (int x = -REACH; x <= REACH; ++x) {
            lit += textureLod(key_shadow, vec3(p.xy + vec2(x, y) / float(REACH) * 1.2 * step, p.z), 0.0);
            count += 1.0;
        }
    return lit / count;
}

// GGX (Walter et al. 2007), visibility as Karis 2014, widened and dimmed by the size of the source (Karis 2013).
float specular_lobe(float nh, float vh, float spread, float roughness) {
    float a = roughness * roughness;
    float wide = min(a + 0.5 * spread, 1.0);
    float d = nh * nh * (wide * wide - 1.0) + 1.0;
    return a * a / (d * d * 4.0 * max(vh * vh, 0.1) * (roughness + 0.5));
}

float schlick(float cosine) {
    float m = 1.0 - cosine;
    float m2 = m * m;
    return m2 * m2 * m;
}
