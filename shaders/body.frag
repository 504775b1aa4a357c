#version 330
#include "color.glsl"
#include "lighting.glsl"
#include "skin.glsl"
#ifdef MIRRORED
#include "mirrored.glsl"
#endif
#ifdef DETAIL
#include "noise.glsl"
#endif

uniform vec3 eye_left;      // centres of the eyeballs at rest [m], frame b
uniform vec3 eye_right;
uniform vec3 gaze_left;     // unit vectors from there to the pupils
uniform vec3 gaze_right;
uniform vec3 iris_color;    // linear
uniform vec3 sclera_color;
uniform vec3 suit_color;    // linear; the base layer of a body that no camera has seen
uniform float suit;         // 1 where it is worn, 0 for a scan
uniform vec3 hair_color;    // linear
in vec3 world;
in vec3 world_normal;
in vec3 anchor;
in vec4 paint;
in vec4 kind;
#ifdef ATLAS
uniform sampler2D atlas;    // sRGB that arrives linear
in vec2 spot;
#endif
out vec4 result;

#ifdef EYES
// White, iris and pupil by the angle from the gaze.
vec3 eye_albedo(vec3 p) {
    bool left = p.x > 0.0;
    vec3 d = normalize(p - (left ? eye_left : eye_right));
    vec3 gaze = left ? gaze_left : gaze_right;
    float cosine = dot(d, gaze);
    float r = sqrt(max(2.0 - 2.0 * cosine, 0.0)) / 0.43;        // 1 at the limbus: the chord is the angle, to a percent
    vec3 iris = iris_color * mix(1.7, 0.8, r) * (1.0 - 0.8 * smoothstep(0.75, 1.0, r));
#ifdef DETAIL
    vec3 aside = d - gaze * cosine;
    float angle = atan(aside.z, aside.x);
    iris *= 0.85 + 0.15 * sin(angle * 23.0 + 2.0 * sin(angle * 7.0));
#endif
    vec3 white = sclera_color * (1.0 - vec3(0.17, 0.33, 0.38) * smoothstep(1.4, 2.6, r));
    vec3 seen = mix(iris, white, smoothstep(0.90, 1.10, r));
    return mix(vec3(0.004), seen, smoothstep(0.32, 0.42, r));
}
#endif

void main() {
    vec3 n = normalize(world_normal);
#ifdef ATLAS
    vec3 albedo = texture(atlas, spot).rgb;
#else
    vec3 albedo = to_linear(paint.rgb);
#endif
    float hem = max(fwidth(kind.y), 0.01);
    float suited = suit * smoothstep(0.5 - hem, 0.5 + hem, kind.y);
    float hair = kind.x;
#ifdef DETAIL
    // Strands stand apart where hair begins.
    float strand = value_noise(anchor * vec3(900.0, 900.0, 140.0)) - 0.5;
    hair += 0.35 * strand * (1.0 - abs(2.0 * hair - 1.0));
#endif
    hair = smoothstep(0.42, 0.62, hair);
    albedo = mix(mix(albedo, hair_color, hair), suit_color, suited);
#ifdef MIRRORED
    result = mirrored(albedo, world, n);
#else
    float cloth = mix(kind.y, suited, suit), wet = kind.z;
    float skin = (1.0 - hair) * (1.0 - cloth);
    float open = paint.a;
    float gloss = 1.0;

#ifdef EYES
    albedo = eye_albedo(anchor);
    wet = 1.0;
    skin = 0.3;
#endif
#ifdef DETAIL
    if (kind.w <= 0.5) {
        // Pores and mottling of skin, strands of hair: anchored at rest, gone where they are finer than a pixel.
        float footprint = length(fwidth(anchor));
        float pores = value_noise(anchor * 1500.0) - 0.5;
        float mottle = value_noise(anchor * 120.0) - 0.5;
        float fine = 1.0 - smoothstep(0.0004, 0.0014, footprint);
        albedo *= 1.0 + skin * (0.07 * mottle + 0.10 * fine * pores) + hair * 0.9 * strand * (0.3 + 0.7 * fine);
        gloss += skin * 1.2 * pores * fine;
    }
#endif

    float visible = key_visibility(world, n, 1.4);
    SkinLight light = light_skin(world, n, visible, hair, cloth, skin, wet, open, gloss);
    vec3 radiance = albedo * light.diffuse + light.specular;
    result = vec4(to_screen(radiance), 1.0);
#endif
}
