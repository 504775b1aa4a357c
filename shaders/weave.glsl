// Prints lie on the flat pattern in metres, so that they follow the grain.

const int PLAIN = 0, STRIPES = 1, PINSTRIPES = 2, CHECKS = 3, DOTS = 4;
uniform vec3 ground;        // linear albedo
uniform vec3 figure;        // linear albedo of the print
uniform int print_kind;
uniform float print_pitch;  // repeat [m]
uniform float print_share;  // share of the repeat that the figure covers

// Share of a pixel `width` wide around x that lies in a band of share s of each period 1.
float band(float x, float s, float width) {
    float d = abs(fract(x) - 0.5) - 0.5 * s;
    return 1.0 - smoothstep(-0.5 * width, 0.5 * width, d);
}

float figure_cover(vec2 p, vec2 width) {
    vec2 q = p / print_pitch, w = max(width / print_pitch, vec2(1e-4));
    float cover = 0.0;
    if (print_kind == STRIPES) cover = band(q.y, print_share, w.y);
    else if (print_kind == PINSTRIPES) cover = band(q.x, print_share, w.x);
    else if (print_kind == CHECKS) cover = 0.5 * (band(q.x, print_share, w.x) + band(q.y, print_share, w.y));
    else if (print_kind == DOTS) {
        vec2 cell = fract(q) - 0.5, shifted = fract(q + 0.5) - 0.5;
        float d = min(length(cell), length(shifted)) - 0.5 * print_share;
        cover = 1.0 - smoothstep(-0.5 * w.x, 0.5 * w.x, d);
    }
    // Finer than a pixel a print is its mean.
    return mix(cover, print_kind == PLAIN ? 0.0 : print_share, smoothstep(0.5, 1.0, max(w.x, w.y)));
}

float bell(float x) {
    return exp(-x * x);
}

// How much sewing darkens the cloth: x from the nearest free edge, y from the nearest seam [m], `pixel` wide [m].
// A hem is folded over and stitched 20 mm from the edge: a shallow groove, a thicker edge; along a seam the cloth dips
// into the stitches.
float sewing_light(vec2 edge, float pixel) {
    float line = bell((edge.x - 0.020) / max(0.0011, 0.7 * pixel)) * min(1.0, 0.0016 / max(pixel, 1e-5));
    float fold = 1.0 - smoothstep(0.0, 0.0035, edge.x);
    float seam = bell(edge.y / max(0.0016, 0.8 * pixel)) * min(1.0, 0.003 / max(pixel, 1e-5));
    return (1.0 - 0.35 * line) * (1.0 - 0.30 * seam) * (1.0 - 0.12 * fold);
}
