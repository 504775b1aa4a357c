#version 330
// The last pass where the scene's samples are averaged already: pixel for pixel, flipped as a mirror does.
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
    result = texelFetch(picture, at, 0);
#endif
}
