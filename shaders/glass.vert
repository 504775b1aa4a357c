#version 330
// One triangle over the whole picture.
in vec4 vertex;
out vec2 place;

void main() {
    gl_Position = vec4(vertex.xy, 0.999999, 1.0);
    place = vertex.xy * 0.5 + 0.5;
}
