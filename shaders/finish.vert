#version 330
// One triangle over the whole picture.
in vec4 vertex;
uniform float flip;     // -1: as a mirror shows it
out vec2 place;

void main() {
    gl_Position = vec4(vertex.xy, 0.0, 1.0);
    place = vec2(vertex.x * flip, vertex.y) * 0.5 + 0.5;
}
