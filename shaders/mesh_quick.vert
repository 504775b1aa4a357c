#version 330
// A mesh that moves, lit at its vertices: as fine as it is that looks nearly as at its pixels, and there are a tenth as
// many. What comes out are colours of the screen.
#include "color.glsl"
#include "lighting.glsl"
uniform mat4 p3d_ModelViewProjectionMatrix;
in vec4 vertex;
in vec3 normal;
in float offset;    // drawn this far outside the surface [m]: hair stands off, skin under cloth gives way
#ifdef BODY
#include "skin.glsl"
uniform float suit;
uniform vec3 suit_color;    // linear
uniform vec3 hair_color;
in vec4 color;              // sRGB; alpha: ambient visibility
in vec4 surface;            // how much hair, cloth, wet, eye
#ifdef ATLAS
in vec2 place;              // in the picture of the body's colours
out vec2 spot;
out vec3 dark;
out vec3 slope;
#else
out vec3 bare;
out vec3 suited;
out float worn;
#endif
#else
#include "textile.glsl"
uniform vec3 ground;        // linear albedo
uniform vec3 figure;
in vec2 panel;              // position in the flat pattern [m]
in vec2 trim;               // distance to the nearest free edge and to the nearest seam in the pattern [m]
in float ambient;           // visibility
#ifdef GLASS
out float depth;             // from the camera [m]
#endif
out float facing;           // 1 seen square on, 0 from aside, -1 from behind
out vec3 as_ground;
out vec3 as_figure;
out vec2 pattern;
out vec2 edge;
#endif

void main() {
    vec3 world = vertex.xyz + normal * offset;
    gl_Position = p3d_ModelViewProjectionMatrix * vec4(world, 1.0);
#ifdef GLASS
    float visible = 0.85;       // no lamp is known in the room: soft light from where the key would be
#else
    float visible = key_visibility(world, normal, 1.6);
#endif
#ifdef BODY
    float hair = smoothstep(0.42, 0.62, surface.x);
    float cloth = mix(surface.y, smoothstep(0.4, 0.6, surface.y), suit);
    float skin = (1.0 - hair) * (1.0 - cloth);
    SkinLight light = light_skin(world, normal, visible, hair, cloth, skin, surface.z, color.a, 1.0);
#ifdef ATLAS
    // What the light makes of a colour is nearly a straight line about the vertex's own.
    vec3 low = max(color.rgb - 0.2, 0.0), high = min(color.rgb + 0.2, 1.0);
    vec3 lit_low = to_screen(to_linear(low) * light.diffuse + light.specular);
    vec3 lit_high = to_screen(to_linear(high) * light.diffuse + light.specular);
    slope = (lit_high - lit_low) / (high - low);
    dark = lit_low - slope * low;
    spot = place;
#else
    bare = to_screen(mix(to_linear(color.rgb), hair_color, hair) * light.diffuse + light.specular);
    suited = to_screen(suit_color * light.diffuse + light.specular);
    worn = surface.y;
#endif
#else
    ClothLight light = light_cloth(world, normal, visible, ambient, false);
    as_ground = to_screen(ground * light.diffuse + light.shine);
    as_figure = to_screen(figure * light.diffuse + light.shine);
    facing = dot(normal, normalize(camera_position - world));
    pattern = panel;
    edge = trim;
#ifdef GLASS
    depth = gl_Position.w;
#endif
#endif
}
