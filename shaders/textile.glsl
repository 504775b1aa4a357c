// How cloth takes the studio's light. Needs lighting.glsl.

uniform float roughness;
uniform float sheen;        // fuzz that catches light from the side
uniform float sheerness;    // light that comes through

struct ClothLight {
    vec3 diffuse;       // to be multiplied with the albedo; fuzz included
    vec3 shine;
};

// `visible`: how much of the key arrives; `open`: ambient visibility; `inside`: the wrong side is seen.
ClothLight light_cloth(vec3 world, vec3 n, float visible, float open, bool inside) {
    vec3 v = normalize(camera_position - world);
    float nv = max(dot(n, v), 0.0);
    vec3 diffuse = vec3(0.0), fuzz = vec3(0.0), shine = vec3(0.0);
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
            fuzz += irradiance * facing * sheen * 0.5 * grazing * sqrt(grazing) / max(facing + nv - facing * nv, 0.25);
        }
    }
    vec3 ambient = room_light(n) * open;
    diffuse *= mix(1.0, open, 0.5);
    shine *= open;
    fuzz *= open;
    if (inside) {
        ambient *= 0.35;
        diffuse *= 0.30;
        shine *= 0.1;
        fuzz *= 0.1;
    }
    return ClothLight(diffuse + ambient + fuzz + sheen * 0.35 * room_light(n) * schlick(nv), shine);
}
