// Hides the bands of an 8-bit gradient: half a level of interleaved gradient noise (Jimenez 2014).

float interleaved_noise() {
    return fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
}

vec3 dithered(vec3 screen) {
    return screen + (interleaved_noise() - 0.5) / 255.0;
}
