#version 330
// Far from the person the paper is smooth: lit per vertex.
#include "color.glsl"
#include "paper.glsl"
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 vertex;
out vec3 screen;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vertex;
    screen = to_screen(paper_radiance(vertex.xyz));
}
