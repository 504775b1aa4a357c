#version 330
// A body whose vertices are lit and toned already: only the base layer's hem, or the picture of a scan, is drawn per pixel.
#ifdef ATLAS
uniform sampler2D atlas;    // sRGB as it is
in vec2 spot;
in vec3 dark;               // what black would look like, sRGB
in vec3 slope;              // and how much lighter it gets with the colour
out vec4 result;

void main() {
    result = vec4(dark + slope * texture(atlas, spot).rgb, 1.0);
}
#else
uniform float suit;         // 1 where it is worn, 0 for a scan
in vec3 bare;               // sRGB
in vec3 suited;
in float worn;
out vec4 result;

void main() {
    float hem = max(fwidth(worn), 0.01);
    result = vec4(mix(bare, suited, suit * smoothstep(0.5 - hem, 0.5 + hem, worn)), 1.0);
}
#endif
