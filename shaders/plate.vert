#version 330
// A rectangle of the interface, with room round it for its shadow.
uniform mat4 p3d_ModelViewProjectionMatrix;
uniform vec4 plate;     // half width, half height, corner radius, margin [px]
in vec4 vertex;         // -1..1 in x and z
out vec2 at;            // from the middle [px], y down
out vec2 share;         // 0..1 over the rectangle itself, y down

void main() {
    at = vec2(vertex.x, -vertex.z) * (plate.xy + plate.w);
    share = at / plate.xy * 0.5 + 0.5;
    gl_Position = p3d_ModelViewProjectionMatrix * vec4(at.x, 0.0, -at.y, 1.0);
}
