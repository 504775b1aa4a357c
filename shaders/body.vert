#version 330
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 vertex;
in vec3 normal;
in vec3 rest;       // position at rest [m], frame b: where detail is anchored
in vec4 color;      // sRGB; alpha: ambient occlusion
in vec4 surface;    // how much hair, cloth, wet, eye
out vec3 world;
out vec3 world_normal;
out vec3 anchor;
out vec4 paint;
out vec4 kind;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vertex;
    world = vertex.xyz;
    world_normal = normal;
    anchor = rest;
    paint = color;
    kind = surface;
}
