#version 330
// The last pass: averages what was drawn finer, smooths edges by their direction in luma (after Lottes, FXAA, 2009), flips as a mirror does.
uniform sampler2D picture;
uniform vec2 pixel;     // 1 / size
in vec2 place;
out vec4 result;

float luma(vec3 c) {
    return dot(c, vec3(0.299, 0.587, 0.114));
}

void main() {
    vec3 middle = textureLod(picture, place, 0.0).rgb;
    float nw = luma(textureLod(picture, place + vec2(-0.5, 0.5) * pixel, 0.0).rgb);
    float ne = luma(textureLod(picture, place + vec2(0.5, 0.5) * pixel, 0.0).rgb);
    float sw = luma(textureLod(picture, place + vec2(-0.5, -0.5) * pixel, 0.0).rgb);
    float se = luma(textureLod(picture, place + vec2(0.5, -0.5) * pixel, 0.0).rgb);
    float m = luma(middle);
    float low = min(m, min(min(nw, ne), min(sw, se)));
    float high = max(m, max(max(nw, ne), max(sw, se)));
    if (high - low > max(0.02, high * 0.08)) {
        vec2 along = vec2(sw + se - nw - ne, nw + sw - ne - se);
        along = along / (min(abs(along.x), abs(along.y)) + 0.03 * (nw + ne + sw + se) + 0.004);
        along = clamp(along, -6.0, 6.0) * pixel;
        vec3 near = 0.5 * (textureLod(picture, place - along / 6.0, 0.0).rgb + textureLod(picture, place + along / 6.0, 0.0).rgb);
        vec3 wide = 0.5 * near + 0.25 * (textureLod(picture, place - along * 0.5, 0.0).rgb
                                       + textureLod(picture, place + along * 0.5, 0.0).rgb);
        float l = luma(wide);
        middle = l < low || l > high ? near : wide;
    }
    result = vec4(middle, 1.0);
}
