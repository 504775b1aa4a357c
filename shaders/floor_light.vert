#version 330
// The patch of floor around the person, spread over a small picture.
uniform mat4 patch_to_world;
uniform float floor_half;   // [m]
in vec4 vertex;
out vec3 world;
out vec2 place;

void main() {
    gl_Position = vec4(vertex.xy, 0.0, 1.0);
    vec2 local = vertex.xy * floor_half;
    world = (patch_to_world * vec4(local, 0.0, 1.0)).xyz;
    place = vertex.xy;
}
