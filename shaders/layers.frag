#version 330
// The last pass of a software rasteriser: what stands still, figures and interface, one over the other; flipped as a
// mirror does, but for the interface; the steps of the figures' edges are rounded off.
uniform sampler2D still;
uniform sampler2D picture;      // figures, multiplied by their opacity
uniform sampler2D words;        // likewise
uniform vec4 veil;              // sRGB laid over what stands still, opacity
uniform vec2 vignette;          // its darkening at the top and at the bottom
uniform float flip;             // -1: as a mirror shows it
in vec2 place;
out vec4 result;

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy);
#ifdef ENLARGED
    vec3 shown = textureLod(still, place, 0.0).rgb;
#else
    ivec2 at = here;
    if (flip < 0.0) at.x = textureSize(picture, 0).x - 1 - at.x;
    vec3 shown = texelFetch(still, at, 0).rgb;
#endif
    shown = mix(shown, veil.rgb, veil.a);
    float top = clamp((place.y - 0.72) / 0.28, 0.0, 1.0), bottom = clamp((0.44 - place.y) / 0.44, 0.0, 1.0);
    shown *= (1.0 - vignette.x * top * top) * (1.0 - vignette.y * bottom);
#ifdef FIGURES
#ifdef ENLARGED
    vec4 figure = textureLod(picture, place, 0.0);
#else
    vec4 figure = texelFetch(picture, at, 0);
#ifdef SMOOTH
    // Across a step its two sides are mixed; green and opacity tell steps. Outside the picture nothing can be fetched.
    ivec2 low = max(at - 1, ivec2(0)), high = min(at + 1, textureSize(picture, 0) - 1);
    vec4 up = texelFetch(picture, ivec2(at.x, high.y), 0), down = texelFetch(picture, ivec2(at.x, low.y), 0);
    vec4 left = texelFetch(picture, ivec2(low.x, at.y), 0), right = texelFetch(picture, ivec2(high.x, at.y), 0);
    vec2 across = abs(left.ga - right.ga), along = abs(up.ga - down.ga);
    float step_across = max(across.x, across.y), step_along = max(along.x, along.y);
    vec4 mean = 0.5 * (step_across > step_along ? left + right : up + down);
    figure = mix(figure, mean, 0.5 * clamp(max(step_across, step_along) * 5.0 - 0.4, 0.0, 1.0));
#endif
#endif
    shown = figure.rgb + (1.0 - figure.a) * shown;
#endif
#ifdef WORDS
    vec4 over = texelFetch(words, here, 0);
    shown = over.rgb + (1.0 - over.a) * shown;
#endif
    result = vec4(shown, 1.0);
}
