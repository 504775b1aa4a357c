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
    // Along the way that changes less; green stands for luma. Outside the picture a fetch is black: no matter at the rim.
    vec4 up = texelFetch(picture, at + ivec2(0, 1), 0), down = texelFetch(picture, at - ivec2(0, 1), 0);
    vec4 left = texelFetch(picture, at - ivec2(1, 0), 0), right = texelFetch(picture, at + ivec2(1, 0), 0);
    float across = abs(left.g - right.g), along = abs(up.g - down.g);
    float step = max(across, along);
    vec4 mean = 0.5 * (across > along ? left + right : up + down);
    middle = mix(middle, mean, 0.5 * clamp(step * 5.0 - 0.4, 0.0, 1.0));
#endif
    result = middle;
#endif
}
