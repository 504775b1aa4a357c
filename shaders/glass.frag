#version 330
// The camera's picture behind everything, dimmed towards the top, the bottom and around the person.
uniform sampler2D picture;      // row 0 first
uniform vec4 window;            // part of it that is seen: left, top, width, height
uniform vec4 veil;              // sRGB laid over, opacity
uniform vec2 vignette;          // darkening at the top and at the bottom
in vec2 place;                  // y up
out vec4 result;

void main() {
    vec3 c = textureLod(picture, window.xy + vec2(place.x, 1.0 - place.y) * window.zw, 0.0).rgb;
    c = mix(c, veil.rgb, veil.a);
    float up = clamp((place.y - 0.72) / 0.28, 0.0, 1.0), down = clamp((0.44 - place.y) / 0.44, 0.0, 1.0);
    result = vec4(c * (1.0 - vignette.x * up * up) * (1.0 - vignette.y * down), 1.0);
}
