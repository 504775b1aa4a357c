#version 330
// A surface while it is being found: what was seen is light, what was guessed is dim.
#include "color.glsl"
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform mat4 p3d_ModelMatrix;
uniform vec3 camera_position;
in vec4 vertex;
in vec3 normal;
in float seen;          // 0 inferred .. 1 seen
out vec3 screen;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vertex;
    vec3 n = normalize(mat3(p3d_ModelMatrix) * normal), world = (p3d_ModelMatrix * vertex).xyz;
    vec3 v = normalize(camera_position - world);
    float key = max(dot(n, normalize(vec3(-0.5, -0.7, 0.6))), 0.0), rim = pow(1.0 - max(dot(n, v), 0.0), 3.0);
    vec3 albedo = mix(vec3(0.30, 0.27, 0.25), vec3(0.80, 0.70, 0.60), seen);
    screen = to_screen(albedo * (0.16 + 0.10 * n.z + 0.75 * key) + vec3(0.9, 0.75, 0.55) * 0.55 * rim);
}
