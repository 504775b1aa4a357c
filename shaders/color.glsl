// Colour: sRGB transfer (IEC 61966-2-1) and a tone curve that leaves garments the colour they are.

vec3 to_linear(vec3 srgb) {
    return mix(srgb / 12.92, pow((srgb + 0.055) / 1.055, vec3(2.4)), step(0.04045, srgb));
}

// Khronos PBR Neutral: identity up to 0.76 but for the Fresnel floor, then the peak rolls off towards white.
vec3 tone_map(vec3 color) {
    float low = min(color.r, min(color.g, color.b));
    color -= low < 0.08 ? low - 6.25 * low * low : 0.04;
    float peak = max(color.r, max(color.g, color.b));
    const float knee = 0.76;
    if (peak < knee) return color;
    float room = 1.0 - knee;
    float pressed = 1.0 - room * room / (peak + room - knee);
    color *= pressed / peak;
    return mix(vec3(pressed), color, 1.0 / (0.15 * (peak - pressed) + 1.0));
}

vec4 to_screen(vec3 radiance) {
    vec3 c = clamp(tone_map(max(radiance, vec3(0.0))), 0.0, 1.0);
    return vec4(mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c)), 1.0);
}
