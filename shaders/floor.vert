#version 330
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform mat4 p3d_ModelMatrix;
in vec4 vertex;
out vec3 world;
out vec3 local;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vertex;
    world = (p3d_ModelMatrix * vertex).xyz;
    local = vertex.xyz;
}
