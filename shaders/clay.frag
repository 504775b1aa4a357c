#version 330
in vec3 screen;
out vec4 result;

void main() {
    result = vec4(screen, 1.0);
}
