// What stands before a garment in the camera's own picture, by its depth image.

uniform sampler2D seen_depth;   // steps of 0.25 mm, 0 where unknown; row 0 first
uniform vec4 window;            // part of the camera's picture that is seen: left, top, width, height
uniform vec2 scene_pixel;       // 1 / size of the scene
uniform vec2 seen_pixel;        // 1 / size of the camera's picture
uniform float tolerance;        // nearer by less than this is cloth on the body, not something before it [m]

vec2 seen_place() {
    vec2 at = gl_FragCoord.xy * scene_pixel;
    return window.xy + vec2(at.x, 1.0 - at.y) * window.zw;
}

// [m], 0 where unknown.
float depth_at(vec2 place) {
    return textureLod(seen_depth, place, 0.0).r * (65535.0 * 0.00025);
}

float hidden_at(vec2 place, float z) {
    float d = depth_at(place);
    return d > 0.1 ? smoothstep(tolerance, tolerance + 0.03, z - d) : 0.0;
}

// 0 free .. 1 hidden, at depth z [m]; soft over about two of the camera's pixels, as its own edges are.
float hidden(float z) {
    vec2 p = seen_place();
    vec2 d = 0.9 * seen_pixel;
    return 0.2 * (hidden_at(p, z) + hidden_at(p + vec2(d.x, d.y), z) + hidden_at(p + vec2(-d.x, d.y), z)
                + hidden_at(p + vec2(d.x, -d.y), z) + hidden_at(p - d, z));
}
