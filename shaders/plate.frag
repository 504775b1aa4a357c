#version 330
// A rounded rectangle by its distance field: filled, edged, shaded, or showing a picture.
uniform vec4 plate;         // half width, half height, corner radius, margin [px]
uniform vec4 fill;          // sRGB, opacity
uniform vec4 edge;
uniform vec4 detail;        // edge width [px]; shadow's softness [px], opacity; opacity of all
#ifdef PICTURE
uniform sampler2D picture;
uniform vec4 window;        // part of the picture shown: left, top, width, height
#endif
uniform vec4 p3d_ColorScale;
in vec2 at;
in vec2 share;
out vec4 result;

float outside(vec2 p, vec2 half_size, float radius) {
    vec2 q = abs(p) - half_size + radius;
    return length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - radius;
}

void main() {
    float d = outside(at, plate.xy, plate.z);
    float inside = clamp(0.5 - d, 0.0, 1.0);
    vec4 body = fill;
#ifdef PICTURE
    vec4 shown = texture(picture, window.xy + share * window.zw);
    body = vec4(shown.rgb * fill.rgb, shown.a * fill.a);
#endif
    if (detail.x > 0.0) {
        float line = clamp(d + detail.x + 0.5, 0.0, 1.0) * edge.a;
        body.rgb = mix(body.rgb, edge.rgb, line);
        body.a = body.a + (1.0 - body.a) * line;
    }
    float alpha = inside * body.a;
    if (detail.z > 0.0) {
        float below = outside(at - vec2(0.0, 0.35 * detail.y), plate.xy, plate.z);
        float shade = detail.z * (1.0 - smoothstep(-detail.y, detail.y, below)) * (1.0 - inside);
        float whole = alpha + shade * (1.0 - alpha);
        body.rgb *= alpha / max(whole, 1e-4);
        alpha = whole;
    }
    result = vec4(body.rgb, alpha * detail.w * p3d_ColorScale.a);
}
