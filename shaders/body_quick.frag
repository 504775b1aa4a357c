#version 330
// A body whose vertices are lit and toned already: only the base layer's hem is drawn per pixel.
uniform float suit;         // 1 where it is worn, 0 for a scan
in vec3 bare;               // sRGB
in vec3 suited;
in float worn;
out vec4 result;

void main() {
    float hem = max(fwidth(worn), 0.01);
    result = vec4(mix(bare, suited, suit * smoothstep(0.5 - hem, 0.5 + hem, worn)), 1.0);
}
