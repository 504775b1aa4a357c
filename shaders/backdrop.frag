#version 330
// A picture that is already there, behind everything.
uniform sampler2D picture;
in vec2 place;
out vec4 result;

void main() {
    result = texelFetch(picture, ivec2(gl_FragCoord.xy), 0);
}
