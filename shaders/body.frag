#version 330
#include "color.glsl"
#include "lighting.glsl"
#include "noise.glsl"

uniform vec3 eye_left;        // centres of the eyeballs at rest [m], frame b
uniform vec3 eye_right;
uniform vec3 iris_color;      // linear
in vec3 world;
in vec3 world_normal;
in vec3 anchor;
in vec4 paint;
in vec4 kind;
out vec4 result;

// Sclera, iris and pupil by the angle from the gaze, which is -y at rest.
vec3 eye_albedo(vec3 p) {
    vec3 c = p.x > 0.0 ? eye_left : eye_right;
    vec3 d = normalize(p - c);
    float r = acos(clamp(-d.y, -1.0, 1.0)) / 0.50;          // 1 at the limbus: an iris of 11.7 mm on a 24 mm eye
    float angle = atan(d.z, d.x);
    float fibre = 0.82 + 0.18 * sin(angle * 23.0 + 2.0 * sin(angle * 7.0));
    vec3 iris = iris_color * fibre * mix(1.5, 0.75, r);
    iris *= 1.0 - 0.75 * smoothstep(0.78, 1.0, r);
    vec3 white = vec3(0.62, 0.57, 0.53) - vec3(0.10, 0.14, 0.15) * smoothstep(1.5, 3.0, r);
    vec3 c1 = mix(iris, white, smoothstep(0.94, 1.08, r));
    return mix(vec3(0.006), c1, smoothstep(0.34, 0.42, r));
}

void main() {
    vec3 n = normalize(world_normal);
    vec3 v = normalize(camera_position - world);
    if (!gl_FrontFacing) n = -n;
    float hair = kind.x, cloth = kind.y, wet = kind.z, eye = step(0.5, kind.w);
    float skin = (1.0 - hair) * (1.0 - cloth) * (1.0 - eye);
    float occlusion = paint.a;
    vec3 albedo = to_linear(paint.rgb);

    if (eye > 0.5) {
        albedo = eye_albedo(anchor);
        wet = 1.0;
    } else {
        float grain = value_noise(anchor * 900.0) - 0.5;
        float strand = value_noise(anchor * vec3(700.0, 700.0, 120.0)) - 0.5;
        float mottle = value_noise(anchor * 70.0) - 0.5;
        albedo *= 1.0 + skin * (0.10 * mottle + 0.06 * grain) + hair * 0.9 * strand;
    }

    float roughness = mix(mix(0.52, 0.62, hair), 0.85, cloth);
    roughness = mix(roughness, 0.28, wet);
    float f0 = 0.028 * (1.0 - 0.6 * cloth);
    vec3 scatter = mix(vec3(0.06), vec3(0.34, 0.17, 0.11), skin);
    float visible = key_visibility(world, n, 1.5);

    vec3 diffuse = vec3(0.0), specular = vec3(0.0);
    for (int i = 0; i < LIGHT_COUNT; ++i) {
        Light light = light_at(i, world);
        // Wrapped Lambert: scattering carries red light furthest past the terminator (Jensen et al. 2001; Green 2004).
        vec3 wrap = scatter + 0.5 * light.spread;
        vec3 lambert = clamp((dot(n, light.toward) + wrap) / ((1.0 + wrap) * (1.0 + wrap)), 0.0, 1.0);
        vec3 shade = vec3(1.0);
        if (i == 0) shade = mix(pow(vec3(visible), 1.0 - 0.45 * scatter / 0.34), vec3(visible), cloth);
        diffuse += light.irradiance * lambert * shade;
        specular += light.irradiance * shade * (specular_lobe(n, v, light, roughness, f0)
                  + skin * 0.35 * specular_lobe(n, v, light, roughness * 0.62, f0));
    }
    // Light bounces about in a fold of skin: its occlusion is redder than grey (Jimenez et al. 2016).
    vec3 ambient_occlusion = pow(vec3(occlusion), mix(vec3(1.0), vec3(0.72, 1.0, 1.12), skin));
    float rim = pow(1.0 - max(dot(n, v), 0.0), 4.0);
    vec3 ambient = room_light(n) * ambient_occlusion;
    vec3 radiance = albedo * (diffuse * mix(vec3(1.0), ambient_occlusion, 0.55) + ambient);
    radiance += specular * mix(0.35, 1.0, occlusion);
    radiance += room_light(reflect(-v, n)) * occlusion * (0.03 + 0.30 * rim) * mix(0.6, 1.6, wet) * (1.0 - 0.5 * hair);
    result = to_screen(radiance);
}
