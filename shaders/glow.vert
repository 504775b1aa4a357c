#version 330
// A body as a rim of light.
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform vec3 camera_position;
in vec4 vertex;
in vec3 normal;
out float facing;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vertex;
    facing = abs(dot(normal, normalize(camera_position - vertex.xyz)));
}
