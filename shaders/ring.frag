#version 330
// A ring, part of which is filled, clockwise from the top, with round ends.
uniform vec4 plate;     // half width, half height, -, margin [px]
uniform vec4 fill;      // of the filled part
uniform vec4 edge;      // of the rest
uniform vec4 detail;    // thickness [px]; filled share 0..1; -; opacity of all
uniform vec4 p3d_ColorScale;
in vec2 at;
out vec4 result;

void main() {
    float radius = plate.x - 0.5 * detail.x;
    float d = abs(length(at) - radius) - 0.5 * detail.x;
    float angle = atan(at.x, -at.y) / 6.2831853;
    angle = angle < 0.0 ? angle + 1.0 : angle;
    float turn = 6.2831853 * detail.y;
    vec2 end = radius * vec2(sin(turn), -cos(turn));
    float cap = min(length(at - end), length(at - vec2(0.0, -radius))) - 0.5 * detail.x;
    float filled = angle <= detail.y ? d : cap;
    if (detail.y >= 1.0) filled = d;
    float on = detail.y > 0.0 ? clamp(0.5 - filled, 0.0, 1.0) * fill.a : 0.0;
    float off = clamp(0.5 - d, 0.0, 1.0) * edge.a;
    float alpha = on + off * (1.0 - on);
    result = vec4(mix(edge.rgb, fill.rgb, on / max(alpha, 1e-4)), alpha * detail.w * p3d_ColorScale.a);
}
