// How skin, hair and what is worn on them take the studio's light. Needs lighting.glsl.

struct SkinLight {
    vec3 diffuse;       // to be multiplied with the albedo
    vec3 specular;
};

// `visible`: how much of the key arrives; `open`: ambient visibility; `gloss`: factor of the highlights.
SkinLight light_skin(vec3 world, vec3 n, float visible, float hair, float cloth, float skin, float wet, float open, float gloss) {
    vec3 v = normalize(camera_position - world);
    float roughness = mix(mix(mix(0.50, 0.60, hair), 0.85, cloth), 0.26, wet);
    float f0 = mix(0.028, 0.02, cloth);
    vec3 scatter = mix(vec3(0.06), vec3(0.32, 0.15, 0.10), skin);
    float nv = max(dot(n, v), 0.0);
    vec3 diffuse = vec3(0.0), specular = vec3(0.0);
    for (int i = 0; i < LIGHT_COUNT; ++i) {
        Light light = light_at(i, world);
        float facing = dot(n, light.toward);
        // Wrapped Lambert: scattering carries red light furthest past the terminator (Green 2004).
        vec3 wrap = scatter + 0.4 * light.spread;
        vec3 wrapped = facing + wrap;
        if (wrapped.r <= 0.0) continue;
        vec3 irradiance = light.irradiance;
        // In the penumbra red comes back first as well.
        if (i == 0) irradiance *= mix(vec3(visible), sqrt(vec3(visible)), scatter * 2.0);
        diffuse += irradiance * clamp(wrapped / ((1.0 + wrap) * (1.0 + wrap)), 0.0, 1.0);
        if (facing <= 0.0) continue;
        vec3 h = normalize(v + light.toward);
        float nh = max(dot(n, h), 0.0), vh = max(dot(v, h), 0.0);
        float lobe = specular_lobe(nh, vh, light.spread, roughness);
        // Skin shines in two lobes: oil over stratum corneum (Weyrich et al. 2006).
        if (i == 0) lobe += 0.4 * skin * specular_lobe(nh, vh, light.spread, roughness * 0.6);
        specular += irradiance * (lobe * facing * (f0 + (1.0 - f0) * schlick(vh)));
    }
    // Light bounces about in a fold of skin: its occlusion is redder than grey (Jimenez et al. 2016).
    vec3 fold = mix(vec3(open), vec3(sqrt(open), open, open * open * 0.3 + open * 0.7), skin);
    vec3 room = room_light(reflect(-v, n)) * open * (0.02 + 0.5 * schlick(nv) * (1.0 - 0.6 * hair)) * mix(0.7, 1.8, wet);
    return SkinLight(diffuse * mix(vec3(1.0), fold, 0.6) + room_light(n) * fold, specular * open * gloss + room);
}
