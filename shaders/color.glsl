// Colour: the sRGB transfer (IEC 61966-2-1, fitted to a level of 8 bits) and a tone curve that leaves garments their colour.

vec3 to_linear(vec3 c) {
    return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878);
}

vec3 to_srgb(vec3 c) {
    vec3 root2 = sqrt(c), root4 = sqrt(root2), root8 = sqrt(root4);
    return 0.662002687 * root2 + 0.684122060 * root4 - 0.323583601 * root8 - 0.022541147 * c;
}

// The identity up to the knee, then the peak rolls off towards white (the shoulder of Khronos PBR Neutral).
vec3 tone_map(vec3 color) {
    float peak = max(color.r, max(color.g, color.b));
    const float knee = 0.72;
    if (peak < knee) return color;
    float room = 1.0 - knee;
    float pressed = 1.0 - room * room / (peak + room - knee);
    color *= pressed / peak;
    return mix(vec3(pressed), color, 1.0 / (0.15 * (peak - pressed) + 1.0));
}

vec3 to_screen(vec3 radiance) {
    return to_srgb(clamp(tone_map(max(radiance, vec3(0.0))), 0.0, 1.0));
}
