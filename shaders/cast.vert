#version 330
// The soft dark rim that a garment throws on what it lies on: the garment itself, a little fuller and lower.
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform float swell;    // [m]
in vec4 vertex;
in vec3 normal;
out float depth;

void main() {
    vec3 world = vertex.xyz + swell * normal - vec3(0.0, 0.0, 0.6 * swell);
    gl_Position = p3d_ModelViewProjectionMatrix * vec4(world, 1.0);
    depth = gl_Position.w;
}
