#version 330
// A body that hides what is behind it and is not seen, drawn a little thinner than it is: cloth lies on it.
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform float thinner;  // [m]
in vec4 vertex;
in vec3 normal;

void main() {
    gl_Position = p3d_ModelViewProjectionMatrix * vec4(vertex.xyz - thinner * normal, 1.0);
}
