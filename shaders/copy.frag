#version 330
// The last pass of a software rasteriser: pixel for pixel, flipped as a mirror does, the steps of edges rounded off.
uniform sampler2D picture;
uniform float flip;     // -1: as a mirror shows it
in vec2 place;
out vec4 result;

void main() {
#ifdef ENLARGE
    result = textureLod(picture, place, 0.0);
#else
    ivec2 at = ivec2(gl_FragCoord.xy);
    if (flip < 0.0) at.x = textureSize(picture, 0).x - 1 - at.x;
    vec4 middle = texelFetch(picture, at, 0);
#ifdef SMOOTH
    // Across a step its two sides are mixed; green stands for luma. Outside the picture there is nothing to fetch.
    ivec2 low = max(at - 1, ivec2(0)), high = min(at + 1, textureSize(picture, 0) - 1);
    vec4 up = texelFetch(picture, ivec2(at.x, high.y), 0), down = texelFetch(picture, ivec2(at.x, low.y), 0);
    vec4 left = texelFetch(picture, ivec2(low.x, at.y), 0), right = texelFetch(picture, ivec2(high.x, at.y), 0);
    float across = abs(left.g - right.g), along = abs(up.g - down.g);
    float step = max(across, along);
    vec4 mean = 0.5 * (across > along ? left + right : up + down);
    middle = mix(middle, mean, 0.5 * clamp(step * 5.0 - 0.4, 0.0, 1.0));
#endif
    result = middle;
#endif
}
