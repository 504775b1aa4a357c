#version 330
// A mesh that moves: body and garments alike.
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 vertex;
in vec3 normal;
in float offset;    // drawn this far outside the surface [m]: hair stands off, skin under cloth gives way
out vec3 world;
out vec3 world_normal;
#ifdef BODY
in vec3 rest;       // position at rest [m], frame b: where detail is anchored
in vec4 color;      // sRGB; alpha: ambient visibility
in vec4 surface;    // how much hair, cloth, wet, eye
#ifdef ATLAS
in vec2 place;      // in the picture of the body's colours
out vec2 spot;
#endif
out vec3 anchor;
out vec4 paint;
out vec4 kind;
#else
in vec2 panel;      // position in the flat pattern [m]
in vec2 trim;       // distance to the nearest free edge and to the nearest seam in the pattern [m]
out vec2 pattern;
in float ambient;   // visibility
out vec2 edge;
out float open;
#endif

void main() {
    world = vertex.xyz + normal * offset;
    world_normal = normal;
    gl_Position = p3d_ModelViewProjectionMatrix * vec4(world, 1.0);
#ifdef BODY
    anchor = rest;
    paint = color;
    kind = surface;
#ifdef ATLAS
    spot = place;
#endif
#else
    pattern = panel;
    edge = trim;
    open = ambient;
#endif
}
