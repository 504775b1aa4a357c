#version 330
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 vertex;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vertex;
}
